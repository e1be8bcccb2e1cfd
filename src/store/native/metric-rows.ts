import type { Instrument, MetricTableBuilder } from "../../model/metric-table-builder.ts";
import { type MetricKind, MetricKind as Kind, type Temporality } from "../../model/metric-table.ts";
import { addAttributeItems } from "./attribute-text.ts";
import type { NativeBlock } from "./native-reader.ts";

interface KnownSeries {
  readonly instrument: Instrument;
  readonly labels: readonly (string | number)[];
  /** its number in the builder; -1 until it has a sample */
  number: number;
}

interface Exemplar {
  readonly measured: readonly [number, number];
  readonly value: number;
  readonly ids: Uint32Array;
}

/** Reads blocks of `series`, `exemplars`, `samples` and `distributions`, in this order, into a builder. */
export class MetricRows {
  private readonly into: MetricTableBuilder;
  private readonly series = new Map<bigint, KnownSeries>();
  /** by series and time of the point */
  private readonly exemplars = new Map<string, Exemplar[]>();
  private readonly utf8 = new TextDecoder();

  constructor(into: MetricTableBuilder) {
    this.into = into;
  }

  addSeries(block: NativeBlock): void {
    const { into } = this;
    const text = (column: string): ((row: number) => string) => {
      const { starts, ends } = block.strings(column);
      return (row) => this.utf8.decode(block.bytes.subarray(starts[row], ends[row]));
    };
    const [name, unit, scope] = [text("name"), text("unit"), text("scope")];
    const [resource, labels] = [text("resource"), text("labels")];
    const byte = (column: string): ((row: number) => number) => {
      const { start } = block.fixed(column);
      return (row) => block.bytes[start + row]!;
    };
    const [kind, temporality, monotonic] = [byte("kind"), byte("temporality"), byte("monotonic")];
    const id = block.fixed("id").start;
    for (let row = 0; row < block.rows; row++) {
      addAttributeItems(JSON.parse(resource(row)) as (string | number)[], into.resources, into.strings);
      this.series.set(block.view.getBigUint64(id + 8 * row, true), {
        instrument: {
          resource: into.resources.close(),
          scope: into.strings.intern(scope(row)),
          name: into.strings.intern(name(row)),
          unit: into.strings.intern(unit(row)),
          kind: kind(row) as MetricKind,
          temporality: temporality(row) as Temporality,
          monotonic: monotonic(row) === 1,
        },
        labels: JSON.parse(labels(row)) as (string | number)[],
        number: -1,
      });
    }
  }

  addExemplars(block: NativeBlock): void {
    const { view } = block;
    const at = (column: string): number => block.fixed(column).start;
    const [measured, value, traceId, spanId] = [at("measured"), at("value"), at("trace_id"), at("span_id")];
    for (let row = 0; row < block.rows; row++) {
      const ids = new Uint32Array(6);
      for (let i = 0; i < 4; i++) ids[i] = view.getUint32(traceId + 16 * row + 4 * i);
      for (let i = 0; i < 2; i++) ids[4 + i] = view.getUint32(spanId + 8 * row + 4 * i);
      const key = pointKey(block, row);
      const exemplar = {
        measured: wordsAt(view, measured + 8 * row),
        value: view.getFloat64(value + 8 * row, true),
        ids,
      };
      const held = this.exemplars.get(key);
      if (held === undefined) this.exemplars.set(key, [exemplar]);
      else held.push(exemplar);
    }
  }

  addSamples(block: NativeBlock): void {
    const { into } = this;
    for (let row = 0; row < block.rows; row++) {
      const series = this.beginPoint(block, row);
      if (series === undefined) continue;
      if (series.number < 0) {
        addAttributeItems(series.labels, into.labels, into.strings);
        series.number = into.seriesOf(series.instrument, into.labels.close());
      }
      into.commitTo(series.number);
    }
  }

  addDistributions(block: NativeBlock): void {
    const { into } = this;
    const { view } = block;
    const bounds = block.array("bounds");
    const counts = block.array("counts");
    if (bounds.items.kind !== "fixed" || counts.items.kind !== "fixed") throw new Error("buckets that are no numbers");
    const double = (start: number, row: number): number => view.getFloat64(start + 8 * row, true);
    const at = (column: string): number => block.fixed(column).start;
    const [count, least, greatest] = [at("count"), at("least"), at("greatest")];
    for (let row = 0; row < block.rows; row++) {
      const series = this.beginPoint(block, row);
      if (series === undefined) continue;
      into.point.count = double(count, row);
      into.point.min = double(least, row);
      into.point.max = double(greatest, row);
      for (let i = row === 0 ? 0 : bounds.ends[row - 1]!; i < bounds.ends[row]!; i++) {
        into.addBucket(double(bounds.items.start, i), double(counts.items.start, i));
      }
      addAttributeItems(series.labels, into.labels, into.strings);
      into.commit(series.instrument.kind);
      into.assign(into.open - 1, into.open, series.instrument);
    }
  }

  /** Starts a point of the row's series; nothing where that is not known: it went with its time, between two queries. */
  private beginPoint(block: NativeBlock, row: number): KnownSeries | undefined {
    const { into } = this;
    const { view } = block;
    const series = this.series.get(view.getBigUint64(block.fixed("series").start + 8 * row, true));
    if (series === undefined) return undefined;
    into.begin();
    const { point } = into;
    [point.timeHigh, point.timeLow] = wordsAt(view, block.fixed("time").start + 8 * row);
    [point.startHigh, point.startLow] = wordsAt(view, block.fixed("since").start + 8 * row);
    point.value = view.getFloat64(block.fixed("value").start + 8 * row, true);
    if (this.exemplars.size === 0) return series;
    const key = pointKey(block, row);
    for (const { measured, value, ids } of this.exemplars.get(key) ?? []) into.addExemplar(...measured, value, ids);
    // Of points of the same series and time the first has them.
    this.exemplars.delete(key);
    return series;
  }
}

/** Series and time of a row, as raw words. */
function pointKey(block: NativeBlock, row: number): string {
  const { view } = block;
  const at = (column: string): bigint => view.getBigUint64(block.fixed(column).start + 8 * row, true);
  return `${at("series")} ${at("time")}`;
}

function wordsAt(view: DataView, at: number): readonly [number, number] {
  return [view.getUint32(at + 4, true), view.getUint32(at, true)];
}

/** Whether points of this kind are in `samples`. */
export function isPlain(kind: number): boolean {
  return kind < Kind.histogram;
}
