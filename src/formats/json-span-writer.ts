import type { Intake, RejectReason } from "../model/intake.ts";
import type { SpanTableBuilder } from "../model/span-table-builder.ts";
import { isZeroId } from "./hex-ids.ts";
import { type ItemFault, JsonItemReader } from "./json-item-reader.ts";
import type { Decimal64 } from "./json-number.ts";
import { JsonKind } from "./json-reader.ts";

const TWO_32 = 2 ** 32;

/** Fields of the open span from a JsonReader into a SpanTableBuilder. */
export class JsonSpanWriter extends JsonItemReader {
  readonly into: SpanTableBuilder;

  private reason: RejectReason | undefined;
  private example = "";

  constructor(bytes: Uint8Array, into: SpanTableBuilder, intake: Intake, file: string, byteBase: number) {
    super(bytes, into.strings, intake, file, byteBase);
    this.into = into;
  }

  /** Enters the object of the next span; false, with the element counted as rejected, when it is none. */
  beginSpan(resource: number, scope: number): boolean {
    const kind = this.reader.kind();
    this.itemAt = this.reader.position;
    this.reason = undefined;
    this.into.begin(resource, scope);
    if (kind === JsonKind.object) {
      this.reader.enterObject();
      return true;
    }
    this.wrongType();
    this.reject();
    return false;
  }

  /** Keeps the open span, or rejects it for its first fault. `hasTimes`: it has those that its format asks for. */
  endSpan(hasTimes: boolean): void {
    const { into } = this;
    const row = into.open;
    if (isZeroId(into.traceId, 4 * row, 4)) this.fault("trace-id-invalid", this.itemAt, "no trace id");
    else if (isZeroId(into.spanId, 2 * row, 2)) this.fault("span-id-invalid", this.itemAt, "no span id");
    else if (!hasTimes) this.fault("time-missing", this.itemAt, "no time");
    if (this.reason !== undefined) {
      this.reject();
      return;
    }
    into.commit();
    this.intake.accept();
    this.itemAt = -1;
  }

  /** After an InputError: the span it happened in is counted as rejected, those before it stay. */
  abandon(error: unknown): void {
    if (this.itemAt < 0) return;
    this.fault("span-malformed", this.itemAt, error instanceof Error ? error.message : String(error));
    this.reject();
  }

  /** Notes why the open span cannot be taken; `found` is by default what stands at `at`. */
  fault(reason: RejectReason, at: number, found?: string): void {
    if (this.reason !== undefined) return;
    this.reason = reason;
    if (this.intake.rejected.has(reason)) return;
    this.example = `${this.file}: byte ${this.reader.fileOffset(at)}: found ${found ?? this.reader.describe(at)}`;
  }

  /** Sets the open span's end to its start plus a signed number of nanoseconds. */
  endAfter(length: Decimal64): void {
    const { startWords, endWords, open: row } = this.into;
    const sign = length.negative ? -1 : 1;
    const low = startWords[2 * row + 1]! + sign * length.low;
    const carry = Math.floor(low / TWO_32);
    const high = startWords[2 * row]! + sign * length.high + carry;
    if (high < 0 || high >= TWO_32) this.fault("time-out-of-range", this.itemAt, "an end before 1970 or after 2554");
    endWords[2 * row] = high;
    endWords[2 * row + 1] = low - carry * TWO_32;
  }

  protected override itemFault(fault: ItemFault, at: number, found?: string): void {
    this.fault(fault === "malformed" ? "span-malformed" : fault, at, found);
  }

  private reject(): void {
    this.into.drop();
    this.intake.reject(this.reason ?? "span-malformed", this.example);
    this.itemAt = -1;
  }
}
