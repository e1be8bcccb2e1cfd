import type { Intake, PointRejectReason } from "../model/intake.ts";
import type { MetricKind } from "../model/metric-table.ts";
import type { MetricTableBuilder } from "../model/metric-table-builder.ts";
import { type ItemFault, JsonItemReader } from "./json-item-reader.ts";
import { JsonKind } from "./json-reader.ts";

/** Points of metrics from a JsonReader into a MetricTableBuilder. */
export class JsonPointWriter extends JsonItemReader {
  readonly into: MetricTableBuilder;

  private reason: PointRejectReason | undefined;
  private example = "";

  constructor(bytes: Uint8Array, into: MetricTableBuilder, intake: Intake, file: string, byteBase: number) {
    super(bytes, into.strings, intake, file, byteBase);
    this.into = into;
  }

  /** Enters the object of the next point; false, with the element counted as rejected, when it is none. */
  beginPoint(): boolean {
    const kind = this.reader.kind();
    this.itemAt = this.reader.position;
    this.reason = undefined;
    this.into.begin();
    if (kind === JsonKind.object) {
      this.reader.enterObject();
      return true;
    }
    this.wrongType();
    this.reject();
    return false;
  }

  /** Keeps the open point, or rejects it for its first fault. */
  endPoint(kind: MetricKind): void {
    const { point } = this.into;
    if (point.timeHigh === 0 && point.timeLow === 0) this.fault("time-missing", -1, "no timeUnixNano");
    if (this.reason !== undefined) {
      this.reject();
      return;
    }
    this.into.commit(kind);
    this.intake.points.accept();
    this.itemAt = -1;
  }

  /** After an InputError: the point it happened in is counted as rejected, those before it stay. */
  abandon(error: unknown): void {
    if (this.itemAt < 0) return;
    this.fault("point-malformed", -1, error instanceof Error ? error.message : String(error));
    this.reject();
  }

  /** Notes why the open point cannot be taken, at its start if `at` is -1. */
  fault(reason: PointRejectReason, at: number, found?: string): void {
    if (this.reason !== undefined) return;
    this.reason = reason;
    if (this.intake.points.rejected.has(reason)) return;
    const from = at < 0 ? this.itemAt : at;
    this.example = `${this.file}: byte ${this.reader.fileOffset(from)}: found ${found ?? this.reader.describe(from)}`;
  }

  protected override itemFault(fault: ItemFault, at: number, found?: string): void {
    this.fault(fault === "malformed" ? "point-malformed" : fault, at, found);
  }

  private reject(): void {
    this.into.drop();
    this.intake.points.reject(this.reason ?? "point-malformed", this.example);
    this.itemAt = -1;
  }
}
