import { InternedLists } from "./interned-lists.ts";
import { type MetricKind, type MetricTable, MetricKind as Kind, type Temporality } from "./metric-table.ts";
import { grow, StringPool } from "./string-pool.ts";
import { unixNs } from "./units.ts";

const TWO_32 = 2 ** 32;
/** Points further than ten years from the middle of all are rejected: a clock at 1970 must not stretch the window. */
const MAX_OFFSET_NS = 10 * 365 * 86_400e9;

/** What all series of one metric of a resource have in common. */
export interface Instrument {
  /** list of `resources` */
  readonly resource: number;
  /** string ids */
  readonly scope: number;
  readonly name: number;
  readonly unit: number;
  readonly kind: MetricKind;
  readonly temporality: Temporality;
  readonly monotonic: boolean;
}

/** Fields of the point being read; `commit` keeps them. */
export interface OpenPoint {
  timeHigh: number;
  timeLow: number;
  startHigh: number;
  startLow: number;
  value: number;
  count: number;
  min: number;
  max: number;
}

/** Rows that a MetricTableBuilder held at some time. */
export interface MetricMark {
  readonly points: number;
  readonly distributions: number;
  readonly exemplars: number;
}

/**
 * Fills a MetricTable from any number of files. A decoder sets the fields of
 * `point`, adds attributes to `labels`, buckets and exemplars, and calls `commit`, or
 * `drop` when the point turns out to be bad. As names, units and resources may stand behind
 * their points, it says with `assign` what the points from a row on belong to.
 *
 * Times are kept as 64-bit words until `finish`, which picks the median as base.
 */
export class MetricTableBuilder {
  readonly strings: StringPool = new StringPool();
  readonly resources: InternedLists = new InternedLists();
  readonly labels: InternedLists = new InternedLists();
  readonly point: OpenPoint = {
    timeHigh: 0,
    timeLow: 0,
    startHigh: 0,
    startLow: 0,
    value: Number.NaN,
    count: 0,
    min: Number.NaN,
    max: Number.NaN,
  };

  /** Row of the point being read; also the number of points committed so far. */
  open = 0;
  private assigned = 0;
  private capacity = 1 << 10;
  /** the label set until `assign` makes the series of it */
  private series = new Int32Array(1 << 10);
  private timeWords = new Uint32Array(1 << 11);
  private startWords = new Uint32Array(1 << 11);
  private value = new Float64Array(1 << 10);
  private distribution = new Int32Array(1 << 10);

  private distributions = 0;
  private count = new Float64Array(1 << 6);
  private min = new Float64Array(1 << 6);
  private max = new Float64Array(1 << 6);
  private bucketStart = new Int32Array(1 << 6);
  private buckets = 0;
  private bucketBound = new Float64Array(1 << 8);
  private bucketValue = new Float64Array(1 << 8);

  private exemplars = 0;
  private committedExemplars = 0;
  private exemplarPoint = new Int32Array(1 << 6);
  private exemplarWords = new Uint32Array(1 << 7);
  private exemplarValue = new Float64Array(1 << 6);
  private exemplarTraceId = new Uint32Array(1 << 8);
  private exemplarSpanId = new Uint32Array(1 << 7);

  private readonly instrumentIds = new Map<number, number[]>();
  private readonly instruments: Instrument[] = [];
  private readonly seriesIds = new Map<number, number>();
  private readonly seriesInstrument: number[] = [];
  private readonly seriesLabels: number[] = [];

  /** Clears what may be left of a point before. */
  begin(): void {
    const { point } = this;
    point.timeHigh = point.timeLow = point.startHigh = point.startLow = point.count = 0;
    point.value = point.min = point.max = Number.NaN;
    this.labels.clear();
    this.buckets = this.bucketStart[this.distributions]!;
    this.exemplars = this.committedExemplars;
  }

  addBucket(bound: number, value: number): void {
    const row = this.buckets++;
    if (row === this.bucketBound.length) {
      this.bucketBound = grow(this.bucketBound, Float64Array, row + 1);
      this.bucketValue = grow(this.bucketValue, Float64Array, row + 1);
    }
    this.bucketBound[row] = bound;
    this.bucketValue[row] = value;
  }

  /** Buckets of the open point so far. */
  get openBuckets(): number {
    return this.buckets - this.bucketStart[this.distributions]!;
  }

  /** Whether the bounds of the open point's buckets ascend, which they must. */
  bucketsAscend(): boolean {
    for (let i = this.bucketStart[this.distributions]! + 1; i < this.buckets; i++) {
      if (!(this.bucketBound[i]! > this.bucketBound[i - 1]!)) return false;
    }
    return true;
  }

  /** `ids`: 4 words of the trace id, 2 of the span id. */
  addExemplar(timeHigh: number, timeLow: number, value: number, ids: Uint32Array): void {
    const row = this.exemplars++;
    if (row === this.exemplarPoint.length) {
      this.exemplarPoint = grow(this.exemplarPoint, Int32Array, row + 1);
      this.exemplarWords = grow(this.exemplarWords, Uint32Array, 2 * row + 2);
      this.exemplarValue = grow(this.exemplarValue, Float64Array, row + 1);
      this.exemplarTraceId = grow(this.exemplarTraceId, Uint32Array, 4 * row + 4);
      this.exemplarSpanId = grow(this.exemplarSpanId, Uint32Array, 2 * row + 2);
    }
    this.exemplarPoint[row] = this.open;
    this.exemplarWords[2 * row] = timeHigh;
    this.exemplarWords[2 * row + 1] = timeLow;
    this.exemplarValue[row] = value;
    this.exemplarTraceId.set(ids.subarray(0, 4), 4 * row);
    this.exemplarSpanId.set(ids.subarray(4, 6), 2 * row);
  }

  /** Keeps the open point, with the labels added since `begin`; `assign` has to follow. */
  commit(kind: MetricKind): void {
    this.commitRow(this.labels.close(), kind < Kind.histogram ? -1 : this.commitDistribution());
  }

  /** Keeps the open point of a gauge or sum whose series is known. */
  commitTo(series: number): void {
    this.commitRow(series, -1);
    this.assigned++;
  }

  private commitRow(series: number, distribution: number): void {
    const row = this.open;
    if (row === this.capacity) this.growPoints();
    const { point } = this;
    this.series[row] = series;
    this.timeWords[2 * row] = point.timeHigh;
    this.timeWords[2 * row + 1] = point.timeLow;
    this.startWords[2 * row] = point.startHigh;
    this.startWords[2 * row + 1] = point.startLow;
    this.value[row] = point.value;
    this.distribution[row] = distribution;
    this.committedExemplars = this.exemplars;
    this.open++;
  }

  /** Takes back the open point. */
  drop(): void {
    this.begin();
  }

  /** Texts and series, which stay after a `rewind`. */
  get dictionarySize(): number {
    return this.strings.size + this.seriesInstrument.length;
  }

  /** How much is committed and assigned, for `rewind`. */
  mark(): MetricMark {
    return { points: this.open, distributions: this.distributions, exemplars: this.committedExemplars };
  }

  /** Points from `row` on of a time before this, in two words. */
  countBefore(row: number, high: number, low: number): number {
    let count = 0;
    for (; row < this.open; row++) {
      const upper = this.timeWords[2 * row]!;
      if (upper < high || (upper === high && this.timeWords[2 * row + 1]! < low)) count++;
    }
    return count;
  }

  /** Takes back all points committed since `mark`, and the open one. Their strings, labels and series stay. */
  rewind(mark: MetricMark): void {
    this.open = this.assigned = mark.points;
    this.distributions = mark.distributions;
    this.committedExemplars = mark.exemplars;
    this.begin();
  }

  /** Says what the points `[from, to)` are of. Each point is assigned once before `finish`. */
  assign(from: number, to: number, instrument: Instrument): void {
    if (from === to) return;
    const id = this.instrumentId(instrument);
    for (let row = from; row < to; row++) this.series[row] = this.seriesId(id, this.series[row]!);
    this.assigned += to - from;
  }

  /** Number of the series of this label set. */
  seriesOf(instrument: Instrument, labelSet: number): number {
    return this.seriesId(this.instrumentId(instrument), labelSet);
  }

  private seriesId(instrument: number, labelSet: number): number {
    // Exact: instruments and label sets are both far below 2^26.
    const key = instrument * 2 ** 26 + labelSet;
    let series = this.seriesIds.get(key);
    if (series === undefined) {
      series = this.seriesInstrument.length;
      this.seriesIds.set(key, series);
      this.seriesInstrument.push(instrument);
      this.seriesLabels.push(labelSet);
    }
    return series;
  }

  /**
   * The table of all committed points but those more than ten years from the
   * middle of all; their number is returned beside it. The builder may be filled further.
   */
  finish(): { table: MetricTable; outOfRange: number } {
    if (this.assigned !== this.open) throw new Error(`${this.open - this.assigned} points without a metric`);
    const base = medianTime(this.timeWords, this.open);
    const far = farRows(this.timeWords, this.open, base);
    const keep =
      far.size === 0 ? undefined : Int32Array.from({ length: this.open }, (_, i) => i).filter((i) => !far.has(i));
    const rows = keep?.length ?? this.open;
    const pick = <T extends Float64Array | Int32Array>(column: T): T =>
      keep === undefined ? (column.subarray(0, rows) as T) : gather(column, keep);
    const moved = new Int32Array(this.open).fill(-1);
    for (let i = 0; i < rows; i++) moved[keep === undefined ? i : keep[i]!] = i;
    const time = offsets(this.timeWords, this.open, base);
    const start = offsets(this.startWords, this.open, base);
    for (let i = 0; i < this.open; i++) {
      if (this.startWords[2 * i] === 0 && this.startWords[2 * i + 1] === 0) start[i] = Number.NaN;
    }
    const series = this.seriesColumns();
    const buckets = this.bucketStart[this.distributions]!;
    return {
      outOfRange: far.size,
      table: {
        ...series,
        resources: this.resources.finish(),
        labels: this.labels.finish(),
        baseUnixNs: unixNs((BigInt(base.high) << 32n) | BigInt(base.low)),
        points: {
          rowCount: rows,
          series: pick(this.series),
          timeOffsetNs: pick(time),
          startOffsetNs: pick(start),
          value: pick(this.value),
          distribution: pick(this.distribution),
          distributions: {
            rowCount: this.distributions,
            count: this.count.subarray(0, this.distributions),
            min: this.min.subarray(0, this.distributions),
            max: this.max.subarray(0, this.distributions),
            bucketStart: this.bucketStart.subarray(0, this.distributions + 1),
            bucketBound: this.bucketBound.subarray(0, buckets),
            bucketValue: this.bucketValue.subarray(0, buckets),
          },
        },
        exemplars: this.finishExemplars(base, moved),
        strings: this.strings,
      },
    };
  }

  private commitDistribution(): number {
    const row = this.distributions++;
    if (row + 2 > this.bucketStart.length) {
      this.count = grow(this.count, Float64Array, row + 2);
      this.min = grow(this.min, Float64Array, row + 2);
      this.max = grow(this.max, Float64Array, row + 2);
      this.bucketStart = grow(this.bucketStart, Int32Array, row + 2);
    }
    this.count[row] = this.point.count;
    this.min[row] = this.point.min;
    this.max[row] = this.point.max;
    this.bucketStart[row + 1] = this.buckets;
    return row;
  }

  private instrumentId(instrument: Instrument): number {
    // By resource and name there is nearly always one: the rest is compared.
    const key = instrument.resource * 2 ** 26 + instrument.name;
    const known = this.instrumentIds.get(key);
    for (const id of known ?? []) if (isSame(this.instruments[id]!, instrument)) return id;
    const id = this.instruments.length;
    if (known === undefined) this.instrumentIds.set(key, [id]);
    else known.push(id);
    this.instruments.push(instrument);
    return id;
  }

  private seriesColumns(): Pick<
    MetricTable,
    "seriesCount" | "name" | "unit" | "kind" | "temporality" | "monotonic" | "resource" | "labelSet" | "scope"
  > {
    const seriesCount = this.seriesInstrument.length;
    const columns = {
      seriesCount,
      name: new Int32Array(seriesCount),
      unit: new Int32Array(seriesCount),
      kind: new Uint8Array(seriesCount),
      temporality: new Uint8Array(seriesCount),
      monotonic: new Uint8Array(seriesCount),
      resource: new Int32Array(seriesCount),
      labelSet: Int32Array.from(this.seriesLabels),
      scope: new Int32Array(seriesCount),
    };
    for (let series = 0; series < seriesCount; series++) {
      const instrument = this.instruments[this.seriesInstrument[series]!]!;
      columns.name[series] = instrument.name;
      columns.unit[series] = instrument.unit;
      columns.kind[series] = instrument.kind;
      columns.temporality[series] = instrument.temporality;
      columns.monotonic[series] = instrument.monotonic ? 1 : 0;
      columns.resource[series] = instrument.resource;
      columns.scope[series] = instrument.scope;
    }
    return columns;
  }

  private finishExemplars(base: Words, moved: Int32Array): MetricTable["exemplars"] {
    const rows = Int32Array.from({ length: this.committedExemplars }, (_, i) => i).filter(
      (i) => moved[this.exemplarPoint[i]!]! >= 0,
    );
    const time = offsets(this.exemplarWords, this.committedExemplars, base);
    const ids = (column: Uint32Array, width: number): Uint32Array => {
      const out = new Uint32Array(rows.length * width);
      rows.forEach((row, i) => out.set(column.subarray(row * width, (row + 1) * width), i * width));
      return out;
    };
    return {
      rowCount: rows.length,
      point: rows.map((row) => moved[this.exemplarPoint[row]!]!),
      timeOffsetNs: Float64Array.from(rows, (row) =>
        this.exemplarWords[2 * row] === 0 && this.exemplarWords[2 * row + 1] === 0 ? Number.NaN : time[row]!,
      ),
      value: Float64Array.from(rows, (row) => this.exemplarValue[row]!),
      traceId: ids(this.exemplarTraceId, 4),
      spanId: ids(this.exemplarSpanId, 2),
    };
  }

  private growPoints(): void {
    const need = this.capacity * 2;
    this.series = grow(this.series, Int32Array, need);
    this.timeWords = grow(this.timeWords, Uint32Array, 2 * need);
    this.startWords = grow(this.startWords, Uint32Array, 2 * need);
    this.value = grow(this.value, Float64Array, need);
    this.distribution = grow(this.distribution, Int32Array, need);
    this.capacity = need;
  }
}

const isSame = (a: Instrument, b: Instrument): boolean =>
  a.unit === b.unit &&
  a.kind === b.kind &&
  a.temporality === b.temporality &&
  a.monotonic === b.monotonic &&
  a.scope === b.scope;

interface Words {
  readonly high: number;
  readonly low: number;
}

/** Median by the high words, 4.3 s each, which is close enough for a base. */
function medianTime(words: Uint32Array, n: number): Words {
  if (n === 0) return { high: 0, low: 0 };
  const highs = new Uint32Array(n);
  for (let i = 0; i < n; i++) highs[i] = words[2 * i]!;
  highs.sort();
  return { high: highs[n >> 1]!, low: 0 };
}

function farRows(words: Uint32Array, n: number, base: Words): Set<number> {
  const far = new Set<number>();
  for (let i = 0; i < n; i++) if (Math.abs(words[2 * i]! - base.high) * TWO_32 > MAX_OFFSET_NS) far.add(i);
  return far;
}

function offsets(words: Uint32Array, n: number, base: Words): Float64Array {
  const out = new Float64Array(n);
  for (let i = 0; i < n; i++) out[i] = (words[2 * i]! - base.high) * TWO_32 + (words[2 * i + 1]! - base.low);
  return out;
}

function gather<T extends Float64Array | Int32Array>(column: T, rows: Int32Array): T {
  const out = column.slice(0, rows.length) as T;
  for (let i = 0; i < rows.length; i++) out[i] = column[rows[i]!]!;
  return out;
}
