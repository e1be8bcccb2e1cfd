import type { SpanFacts } from "../model/span-facts.ts";
import { SpanKind, type SpanTable } from "../model/span-table.ts";
import { SpanFlag } from "../model/trace-forest.ts";
import type { TraceGroups } from "./trace-groups.ts";

/** Who is whose child, with what had to be mended to make it a forest. */
export interface ParentLinks {
  /** per span: row of the parent; -1 for roots, orphans, cut edges and duplicates */
  readonly parent: Int32Array;
  /** per span: SpanFlag bits orphan, duplicate, cycleCut and asynchronous */
  readonly flags: Uint16Array;
  readonly orphanSpans: number;
  readonly duplicateSpans: number;
  readonly sharedSpans: number;
  readonly cyclesCut: number;
}

/**
 * Resolves parent span ids to rows, trace by trace. The result is a forest.
 *
 * - A span id seen again with the same kind is a duplicate: the first stays. CLIENT
 *   and SERVER under one id are Zipkin's shared span: the SERVER half becomes the
 *   child of the CLIENT half, and spans that name the id as parent hang under the
 *   SERVER half unless only the CLIENT half is of their service. Any other second
 *   use of an id counts as a duplicate too, since its children could not be told apart.
 * - A parent id that no span of the trace has makes an orphan.
 * - Of a parent cycle the edge above its earliest span is cut (ties: lower span id).
 * - Asynchronous: a CONSUMER below a PRODUCER or below a span of another service, a
 *   SERVER of another service below a PRODUCER, and a span that links to its own
 *   parent (which is how FOLLOWS_FROM arrives).
 */
export function linkParents(spans: SpanTable, facts: SpanFacts, groups: TraceGroups): ParentLinks {
  const n = spans.rowCount;
  const parent = new Int32Array(n).fill(-1);
  const flags = new Uint16Array(n);
  const index = new TraceIndex(spans);
  let orphanSpans = 0;
  let duplicateSpans = 0;
  for (let t = 0; t < groups.traceCount; t++) {
    const from = groups.memberStart[t]!;
    const to = groups.memberStart[t + 1]!;
    index.clear(to - from);
    for (let i = from; i < to; i++) {
      if (index.add(groups.members[i]!)) continue;
      flags[groups.members[i]!]! |= SpanFlag.duplicate;
      duplicateSpans++;
    }
    for (let i = from; i < to; i++) {
      const row = groups.members[i]!;
      if ((flags[row]! & SpanFlag.duplicate) !== 0) continue;
      parent[row] = parentOf(spans, facts, index, row);
      if (parent[row] !== MISSING) continue;
      parent[row] = -1;
      flags[row]! |= SpanFlag.orphan;
      orphanSpans++;
    }
  }
  const cyclesCut = cutCycles(spans, parent, flags);
  markAsynchronous(spans, facts, parent, flags);
  return { parent, flags, orphanSpans, duplicateSpans, sharedSpans: index.sharedSpans, cyclesCut };
}

/** A parent is named, but was not received. */
const MISSING = -2;

/** Row of the parent, -1 for none, MISSING. */
function parentOf(spans: SpanTable, facts: SpanFacts, index: TraceIndex, row: number): number {
  const twin = index.twin[row]!;
  if (twin >= 0 && spans.kind[row] === SpanKind.server) return twin;
  const high = spans.parentSpanId[2 * row]!;
  const low = spans.parentSpanId[2 * row + 1]!;
  if (high === 0 && low === 0) return -1;
  const named = index.find(high, low);
  if (named < 0) return MISSING;
  const other = index.twin[named]!;
  // A CLIENT half that names its own id is its own parent, whichever half came first.
  if (named === row || other === row) return row;
  return other < 0 ? named : halfFor(spans, facts, row, named, other);
}

/** Which half of the shared span `a`/`b` is the parent of `row`. */
function halfFor(spans: SpanTable, facts: SpanFacts, row: number, a: number, b: number): number {
  const server = spans.kind[a] === SpanKind.server ? a : b;
  const client = server === a ? b : a;
  const service = facts.service[row]!;
  return service === facts.service[client]! && service !== facts.service[server]! ? client : server;
}

/** The spans of one trace by id; one table, small enough for the cache, serves all traces in turn. */
class TraceIndex {
  /** per span: row of the other half of a shared span, -1 for none */
  readonly twin: Int32Array;
  sharedSpans = 0;
  private readonly spans: SpanTable;
  /** open addressing by span id: row + 1, 0 = free; at most half full */
  private slots = new Int32Array(1 << 10);
  private mask = 0;

  constructor(spans: SpanTable) {
    this.spans = spans;
    this.twin = new Int32Array(spans.rowCount).fill(-1);
  }

  /** Empties the index for a trace of `count` spans. */
  clear(count: number): void {
    let size = 8;
    while (size < 2 * count) size *= 2;
    if (this.slots.length < size) this.slots = new Int32Array(size);
    else this.slots.fill(0, 0, size);
    this.mask = size - 1;
  }

  /** False when `row` is a duplicate. */
  add(row: number): boolean {
    const { kind, spanId } = this.spans;
    const slot = this.slotOf(spanId[2 * row]!, spanId[2 * row + 1]!);
    const first = this.slots[slot]! - 1;
    if (first < 0) {
      this.slots[slot] = row + 1;
      return true;
    }
    if (this.twin[first] !== -1 || !areHalves(kind[first]!, kind[row]!)) return false;
    this.twin[first] = row;
    this.twin[row] = first;
    this.sharedSpans++;
    return true;
  }

  /** Row of the first span with this id, -1 for none. */
  find(high: number, low: number): number {
    return this.slots[this.slotOf(high, low)]! - 1;
  }

  /** Slot of the span with this id, or the free slot where it would go. */
  private slotOf(high: number, low: number): number {
    const ids = this.spans.spanId;
    // Both words: counting ids (tests, Zipkin) differ in the low one only, random ones in both.
    let hash = Math.imul(high, 0x9e3779b1) ^ low;
    hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
    let slot = (hash ^ (hash >>> 13)) & this.mask;
    for (;;) {
      const row = this.slots[slot]! - 1;
      if (row < 0 || (ids[2 * row + 1] === low && ids[2 * row] === high)) return slot;
      slot = (slot + 1) & this.mask;
    }
  }
}

const areHalves = (a: number, b: number): boolean =>
  (a === SpanKind.client && b === SpanKind.server) || (a === SpanKind.server && b === SpanKind.client);

/** Cuts one edge of every parent cycle; a self-parent is a cycle of one. Linear: every row is walked over once. */
function cutCycles(spans: SpanTable, parent: Int32Array, flags: Uint16Array): number {
  const n = parent.length;
  /** walk in which a row was first seen, 0 = not yet */
  const seenIn = new Int32Array(n);
  let cut = 0;
  for (let row = 0; row < n; row++) {
    const walk = row + 1;
    let at = row;
    while (at >= 0 && seenIn[at] === 0) {
      seenIn[at] = walk;
      at = parent[at]!;
    }
    if (at < 0 || seenIn[at] !== walk) continue;
    let first = at;
    for (let other = parent[at]!; other !== at; other = parent[other]!) {
      if (isEarlier(spans, other, first)) first = other;
    }
    parent[first] = -1;
    flags[first]! |= SpanFlag.cycleCut;
    cut++;
  }
  return cut;
}

/** Whether span `a` starts before `b`; ties by span id, so that the order of rows does not matter. */
export function isEarlier(spans: SpanTable, a: number, b: number): boolean {
  const difference = spans.startOffsetNs[a]! - spans.startOffsetNs[b]!;
  return difference !== 0 ? difference < 0 : hasLowerId(spans, a, b);
}

/** Order of span ids as 64-bit numbers; the row decides between the halves of a shared span. */
export function hasLowerId(spans: SpanTable, a: number, b: number): boolean {
  const ids = spans.spanId;
  if (ids[2 * a] !== ids[2 * b]) return ids[2 * a]! < ids[2 * b]!;
  if (ids[2 * a + 1] !== ids[2 * b + 1]) return ids[2 * a + 1]! < ids[2 * b + 1]!;
  return a < b;
}

function markAsynchronous(spans: SpanTable, facts: SpanFacts, parent: Int32Array, flags: Uint16Array): void {
  const { kind } = spans;
  for (let row = 0; row < parent.length; row++) {
    const up = parent[row]!;
    if (up < 0) continue;
    const remote = facts.service[row] !== facts.service[up];
    const received = kind[row] === SpanKind.consumer && (remote || kind[up] === SpanKind.producer);
    const sent = kind[up] === SpanKind.producer && kind[row] === SpanKind.server && remote;
    if (received || sent) flags[row]! |= SpanFlag.asynchronous;
  }
  const { links } = spans;
  for (let i = 0; i < links.rowCount; i++) {
    const row = links.span[i]!;
    const up = parent[row]!;
    if (up >= 0 && linksTo(spans, i, up)) flags[row]! |= SpanFlag.asynchronous;
  }
}

/** Whether link `i` names the span in `row`. */
export function linksTo(spans: SpanTable, i: number, row: number): boolean {
  const { links } = spans;
  for (let w = 0; w < 2; w++) if (links.spanId[2 * i + w] !== spans.spanId[2 * row + w]) return false;
  for (let w = 0; w < 4; w++) if (links.traceId[4 * i + w] !== spans.traceId[4 * row + w]) return false;
  return true;
}
