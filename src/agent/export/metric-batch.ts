import { Message } from "../../formats/protobuf-writer.ts";
import { layoutFor, overwriteDistribution, VALUE_AFTER_TIME } from "./metric-layout.ts";
import { type AttributeBytes, ResourceMetrics } from "./metric-points.ts";

const utf8 = new TextEncoder();

/** The scope of all metrics of a batch, as a field's content. */
export const scopeBytes = (name: string, version: string): Uint8Array =>
  new Message().bytes(1, utf8.encode(name)).bytes(2, utf8.encode(version)).finish().slice();

const FIRST_BYTES = 1 << 16;

/**
 * Points of one moment as one ExportMetricsServiceRequest, grouped by resource and metric, so that what repeats is
 * written once. From one moment to the next a resource has the same points with other values: what was written of it then
 * is copied, and the times and values in it are written over.
 */
export class MetricBatch {
  points = 0;
  private buffer: Buffer;
  private view: DataView;
  private size = 0;
  private readonly scope: Uint8Array;
  /** the time as two halves: a DataView writes those faster than a bigint */
  private readonly timeLow: number;
  private readonly timeHigh: number;
  private readonly into = new ResourceMetrics();

  /** scope: of `scopeBytes`, made once. bytes: about as many as it will have. */
  constructor(timeUnixNs: bigint, scope: Uint8Array, bytes: number = FIRST_BYTES) {
    this.scope = scope;
    this.timeLow = Number(timeUnixNs & 0xffff_ffffn);
    this.timeHigh = Number(timeUnixNs >> 32n);
    this.buffer = Buffer.allocUnsafeSlow(Math.max(FIRST_BYTES, bytes));
    this.view = new DataView(this.buffer.buffer);
  }

  /**
   * Adds all points of a resource. attributes: of `resourceBytes`; the same object each time is what is remembered.
   * since: when its counters began, 0 where that is not known.
   */
  resource(attributes: AttributeBytes, sinceUnixNs: bigint, fill: (into: ResourceMetrics) => void): void {
    const { into } = this;
    into.points = 0;
    fill(into);
    if (into.points === 0) return;
    this.points += into.points;
    const { bytes, places } = layoutFor(attributes, this.scope, sinceUnixNs, into);
    this.reserve(bytes.length);
    const { view, timeLow, timeHigh, size } = this;
    this.buffer.set(bytes, size);
    for (let row = 0; row < into.points; row++) {
      const at = size + places[row]!;
      view.setUint32(at, timeLow, true);
      view.setUint32(at + 4, timeHigh, true);
      const distribution = into.distributions[row];
      if (distribution === undefined) view.setFloat64(at + VALUE_AFTER_TIME, into.values[row]!, true);
      else overwriteDistribution(view, at, distribution);
    }
    this.size += bytes.length;
  }

  finish(): Uint8Array {
    return this.buffer.subarray(0, this.size);
  }

  private reserve(bytes: number): void {
    if (this.size + bytes <= this.buffer.length) return;
    const bigger = Buffer.allocUnsafeSlow(Math.max(2 * this.buffer.length, this.size + bytes));
    bigger.set(this.buffer.subarray(0, this.size));
    this.buffer = bigger;
    this.view = new DataView(bigger.buffer);
  }
}
