import { AttributeTableBuilder } from "./attribute-table.ts";
import type { SpanTable } from "./span-table.ts";
import { grow, StringPool } from "./string-pool.ts";
import { unixNs } from "./units.ts";

const TWO_32 = 2 ** 32;
/** Offsets beyond ±2^53 ns (104 days) of the middle of the window are not exact: such spans are rejected. */
const MAX_OFFSET_NS = Number.MAX_SAFE_INTEGER;

/** Rows that a SpanTableBuilder held at some time. */
export interface SpanMark {
  readonly spans: number;
  readonly events: number;
  readonly links: number;
}

/**
 * Fills a SpanTable from any number of files. A decoder sets the fields of the
 * open span by writing the columns at row `open` and calls `commit`, or `drop`
 * when the span turns out to be bad; attributes, events and links of the open
 * span are added to their builders in between.
 *
 * Times are kept as 64-bit words until `finish`, which picks the median start as
 * base: one span at time zero or in the year 2262 must not decide it.
 */
export class SpanTableBuilder {
  readonly strings: StringPool = new StringPool();
  readonly attributes: AttributeTableBuilder = new AttributeTableBuilder();
  readonly resources: AttributeTableBuilder = new AttributeTableBuilder();
  readonly eventAttributes: AttributeTableBuilder = new AttributeTableBuilder();

  /** Row of the span being written; also the number of spans committed so far. */
  open = 0;
  /** 2 words per row, high first, nanoseconds since 1970 */
  startWords: Uint32Array = new Uint32Array(1 << 11);
  endWords: Uint32Array = new Uint32Array(1 << 11);
  traceId: Uint32Array = new Uint32Array(1 << 12);
  spanId: Uint32Array = new Uint32Array(1 << 11);
  parentSpanId: Uint32Array = new Uint32Array(1 << 11);
  kind: Uint8Array = new Uint8Array(1 << 10);
  status: Uint8Array = new Uint8Array(1 << 10);
  name: Int32Array = new Int32Array(1 << 10);
  resource: Int32Array = new Int32Array(1 << 10);
  scope: Int32Array = new Int32Array(1 << 10);
  traceState: Int32Array = new Int32Array(1 << 10);

  /** Whether something may have been written to the open row. */
  private begun = false;
  private events = 0;
  private committedEvents = 0;
  private eventSpan = new Int32Array(1 << 8);
  private eventWords = new Uint32Array(1 << 9);
  private eventName = new Int32Array(1 << 8);
  private links = 0;
  private committedLinks = 0;
  private linkSpan = new Int32Array(1 << 8);
  private linkTraceId = new Uint32Array(1 << 10);
  private linkSpanId = new Uint32Array(1 << 9);

  /** Clears the fields of the open row, which may hold those of a dropped span. */
  begin(resource: number, scope: number): void {
    const row = this.open;
    if (row === this.kind.length) this.growColumns(row + 1);
    if (this.begun) this.clear(row, row + 1);
    this.begun = true;
    this.resource[row] = resource;
    this.scope[row] = scope;
  }

  /** Columns are zero beyond the rows written so far. */
  private clear(from: number, to: number): void {
    this.startWords.fill(0, 2 * from, 2 * to);
    this.endWords.fill(0, 2 * from, 2 * to);
    this.traceId.fill(0, 4 * from, 4 * to);
    this.spanId.fill(0, 2 * from, 2 * to);
    this.parentSpanId.fill(0, 2 * from, 2 * to);
    this.kind.fill(0, from, to);
    this.status.fill(0, from, to);
    this.name.fill(0, from, to);
    this.traceState.fill(0, from, to);
  }

  /** Keeps the open span. */
  commit(): void {
    this.attributes.closeList();
    this.committedEvents = this.events;
    this.committedLinks = this.links;
    this.open++;
    this.begun = false;
  }

  /** Takes back the open span with its attributes, events and links. */
  drop(): void {
    this.attributes.dropOpenList();
    while (this.events > this.committedEvents) {
      this.events--;
      this.eventAttributes.dropLastList();
    }
    this.eventAttributes.dropOpenList();
    this.links = this.committedLinks;
  }

  /** Texts and resources, which stay after a `rewind`. */
  get dictionarySize(): number {
    return this.strings.size + this.resources.listCount;
  }

  /** How much is committed, for `rewind`. */
  mark(): SpanMark {
    return { spans: this.open, events: this.committedEvents, links: this.committedLinks };
  }

  /** Takes back all spans committed since `mark`, and the open one. Their strings and resources stay. */
  rewind(mark: SpanMark): void {
    this.attributes.truncate(mark.spans);
    this.eventAttributes.truncate(mark.events);
    this.events = this.committedEvents = mark.events;
    this.links = this.committedLinks = mark.links;
    this.clear(mark.spans, this.open + 1);
    this.open = mark.spans;
    this.begun = false;
  }

  /** Spans from `row` on that began before this, in two words. */
  countBefore(row: number, high: number, low: number): number {
    let count = 0;
    for (; row < this.open; row++) {
      const upper = this.startWords[2 * row]!;
      if (upper < high || (upper === high && this.startWords[2 * row + 1]! < low)) count++;
    }
    return count;
  }

  /** Adds an event to the open span; its attributes are those added to `eventAttributes` since the last event. */
  addEvent(timeHigh: number, timeLow: number, name: number): void {
    const row = this.events++;
    if (row === this.eventSpan.length) {
      this.eventSpan = grow(this.eventSpan, Int32Array, row + 1);
      this.eventWords = grow(this.eventWords, Uint32Array, 2 * row + 2);
      this.eventName = grow(this.eventName, Int32Array, row + 1);
    }
    this.eventSpan[row] = this.open;
    this.eventWords[2 * row] = timeHigh;
    this.eventWords[2 * row + 1] = timeLow;
    this.eventName[row] = name;
    this.eventAttributes.closeList();
  }

  /** Adds a link to the open span; `words` are 4 of the trace id and 2 of the span id. */
  addLink(words: Uint32Array): void {
    const row = this.links++;
    if (row === this.linkSpan.length) {
      this.linkSpan = grow(this.linkSpan, Int32Array, row + 1);
      this.linkTraceId = grow(this.linkTraceId, Uint32Array, 4 * row + 4);
      this.linkSpanId = grow(this.linkSpanId, Uint32Array, 2 * row + 2);
    }
    this.linkSpan[row] = this.open;
    for (let i = 0; i < 4; i++) this.linkTraceId[4 * row + i] = words[i]!;
    this.linkSpanId[2 * row] = words[4]!;
    this.linkSpanId[2 * row + 1] = words[5]!;
  }

  /**
   * The table of all committed spans but those whose times lie more than 104 days
   * from the middle of the window; their number is returned beside it.
   * The builder may be filled further and finished again: a partial answer on the way.
   */
  finish(): { table: SpanTable; outOfRange: number } {
    const n = this.open;
    const base = medianStart(this.startWords, n);
    const start = offsets(this.startWords, n, base);
    const end = offsets(this.endWords, n, base);
    const bad: number[] = [];
    for (let row = 0; row < n; row++) {
      if (Math.abs(start[row]!) > MAX_OFFSET_NS || Math.abs(end[row]!) > MAX_OFFSET_NS) bad.push(row);
    }
    const events = this.committedEvents;
    const links = this.committedLinks;
    const table: SpanTable = {
      rowCount: n,
      baseUnixNs: unixNs((BigInt(base.high) << 32n) | BigInt(base.low)),
      startOffsetNs: start,
      endOffsetNs: end,
      traceId: this.traceId.subarray(0, 4 * n),
      spanId: this.spanId.subarray(0, 2 * n),
      parentSpanId: this.parentSpanId.subarray(0, 2 * n),
      kind: this.kind.subarray(0, n),
      status: this.status.subarray(0, n),
      name: this.name.subarray(0, n),
      resource: this.resource.subarray(0, n),
      scope: this.scope.subarray(0, n),
      traceState: this.traceState.subarray(0, n),
      attributes: this.attributes.finish(),
      resources: this.resources.finish(),
      events: {
        rowCount: events,
        span: this.eventSpan.subarray(0, events),
        timeOffsetNs: offsets(this.eventWords, events, base),
        name: this.eventName.subarray(0, events),
        attributes: this.eventAttributes.finish(),
      },
      links: {
        rowCount: links,
        span: this.linkSpan.subarray(0, links),
        traceId: this.linkTraceId.subarray(0, 4 * links),
        spanId: this.linkSpanId.subarray(0, 2 * links),
      },
      strings: this.strings,
    };
    return { table: bad.length === 0 ? table : withoutRows(table, bad), outOfRange: bad.length };
  }

  private growColumns(need: number): void {
    this.startWords = grow(this.startWords, Uint32Array, 2 * need);
    this.endWords = grow(this.endWords, Uint32Array, 2 * need);
    this.traceId = grow(this.traceId, Uint32Array, 4 * need);
    this.spanId = grow(this.spanId, Uint32Array, 2 * need);
    this.parentSpanId = grow(this.parentSpanId, Uint32Array, 2 * need);
    this.kind = grow(this.kind, Uint8Array, need);
    this.status = grow(this.status, Uint8Array, need);
    this.name = grow(this.name, Int32Array, need);
    this.resource = grow(this.resource, Int32Array, need);
    this.scope = grow(this.scope, Int32Array, need);
    this.traceState = grow(this.traceState, Int32Array, need);
  }
}

/** As many starts tell the middle of all well enough for a base; to sort all took a tenth of what decoding them does. */
const MEDIAN_OF = 4096;

/** Median of the starts, of many of evenly spread ones: robust against a few absurd ones. */
function medianStart(words: Uint32Array, n: number): { high: number; low: number } {
  if (n === 0) return { high: 0, low: 0 };
  const step = Math.ceil(n / MEDIAN_OF);
  const starts = new Float64Array(Math.ceil(n / step));
  for (let i = 0; i < starts.length; i++) starts[i] = words[2 * i * step]! * TWO_32 + words[2 * i * step + 1]!;
  starts.sort();
  const middle = starts[starts.length >> 1]!;
  const high = Math.floor(middle / TWO_32);
  return { high, low: middle - high * TWO_32 };
}

/** word pairs minus base; exact where the result is below 2^53. */
function offsets(words: Uint32Array, n: number, base: { high: number; low: number }): Float64Array {
  const out = new Float64Array(n);
  for (let i = 0; i < n; i++) out[i] = (words[2 * i]! - base.high) * TWO_32 + (words[2 * i + 1]! - base.low);
  return out;
}

/** A copy of `table` without the rows `bad` (ascending). */
function withoutRows(table: SpanTable, bad: number[]): SpanTable {
  const n = table.rowCount - bad.length;
  const keep = new Int32Array(n);
  const moved = new Int32Array(table.rowCount).fill(-1);
  for (let row = 0, next = 0, skip = 0; row < table.rowCount; row++) {
    if (row === bad[skip]) {
      skip++;
      continue;
    }
    moved[row] = next;
    keep[next++] = row;
  }
  const pick = <T extends Float64Array | Int32Array | Uint32Array | Uint8Array>(
    column: T,
    make: new (length: number) => T,
    rows: Int32Array,
    width = 1,
  ): T => {
    const out = new make(rows.length * width);
    for (let i = 0; i < rows.length; i++) {
      for (let w = 0; w < width; w++) out[i * width + w] = column[rows[i]! * width + w]!;
    }
    return out;
  };
  const pickLists = (lists: SpanTable["attributes"], rows: Int32Array): SpanTable["attributes"] => {
    const builder = new AttributeTableBuilder();
    for (const list of rows) {
      for (let row = lists.listStart[list]!; row < lists.listStart[list + 1]!; row++) {
        builder.add(lists.key[row]!, lists.type[row]! as 0 | 1 | 2 | 3, lists.value[row]!);
      }
      builder.closeList();
    }
    return builder.finish();
  };
  const owned = (span: Int32Array): Int32Array => Int32Array.from(span.keys()).filter((i) => moved[span[i]!]! >= 0);
  const eventRows = owned(table.events.span);
  const linkRows = owned(table.links.span);
  return {
    ...table,
    rowCount: n,
    startOffsetNs: pick(table.startOffsetNs, Float64Array, keep),
    endOffsetNs: pick(table.endOffsetNs, Float64Array, keep),
    traceId: pick(table.traceId, Uint32Array, keep, 4),
    spanId: pick(table.spanId, Uint32Array, keep, 2),
    parentSpanId: pick(table.parentSpanId, Uint32Array, keep, 2),
    kind: pick(table.kind, Uint8Array, keep),
    status: pick(table.status, Uint8Array, keep),
    name: pick(table.name, Int32Array, keep),
    resource: pick(table.resource, Int32Array, keep),
    scope: pick(table.scope, Int32Array, keep),
    traceState: pick(table.traceState, Int32Array, keep),
    attributes: pickLists(table.attributes, keep),
    events: {
      rowCount: eventRows.length,
      span: pick(table.events.span, Int32Array, eventRows).map((row) => moved[row]!),
      timeOffsetNs: pick(table.events.timeOffsetNs, Float64Array, eventRows),
      name: pick(table.events.name, Int32Array, eventRows),
      attributes: pickLists(table.events.attributes, eventRows),
    },
    links: {
      rowCount: linkRows.length,
      span: pick(table.links.span, Int32Array, linkRows).map((row) => moved[row]!),
      traceId: pick(table.links.traceId, Uint32Array, linkRows, 4),
      spanId: pick(table.links.spanId, Uint32Array, linkRows, 2),
    },
  };
}
