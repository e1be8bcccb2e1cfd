import type { SpanFacts } from "../model/span-facts.ts";
import { SpanKind, type SpanTable } from "../model/span-table.ts";
import { SpanFlag, type ClockSkew } from "../model/trace-forest.ts";
import { mapToFloats } from "../model/map-column.ts";

/** Two readings of one clock may be this far off: Jaeger and Zipkin carry whole microseconds. */
export const CLOCK_GRANULARITY_NS = 1000;

/** Fewer CLIENT -> SERVER pairs than this say nothing about two hosts. */
const MIN_PAIRS = 5;
/** 0 is kept, being the simplest explanation, when at most this share of the pairs contradicts it. */
const ZERO_VIOLATIONS = 0.02;
/** An offset that this share of the pairs contradicts is none: the clocks drift, or something else is going on. */
const MAX_VIOLATIONS = 0.1;

export interface ClockCorrection {
  /** per span: nanoseconds to add to its times to express them in the clock of its trace's root */
  readonly offsetNs: Float64Array;
  /** per span: half the width of the interval from which its shift against the parent was taken; 0 for none */
  readonly slackNs: Float64Array;
  /** every pair of hosts with enough pairs of spans, in the order in which they were met */
  readonly skews: readonly ClockSkew[];
}

/**
 * Clock offsets between hosts, from causality: a SERVER span lies within its CLIENT span.
 *
 * Every such pair on two hosts bounds the offset θ of the server's clock:
 * `client.start <= server.start + θ` and `server.end + θ <= client.end`. All pairs of two
 * hosts, in both directions, are put together. A server span longer than its client's
 * cannot be mended by any offset and is no evidence. Of the rest:
 * - 0 is applied where all but 2 % of the pairs permit it;
 * - else the middle of the interval that the most pairs permit, if 90 % do;
 * - else nothing is known about these hosts.
 *
 * Along a tree the offset of a host is the sum over the path from the root's host, which
 * itself is always at 0. Edges of unknown host pairs (no host names, fewer than 5
 * pairs, contradictions) are mended one by one, only where a SERVER lies outside of its
 * CLIENT: a shorter one is centred, a longer one that starts too early is moved to the
 * client's start. Asynchronous edges prove nothing and mend nothing; they pass a known offset on.
 *
 * rows: parents first. Offsets are whole nanoseconds, so that sums of times stay exact.
 */
export function correctClocks(
  spans: SpanTable,
  facts: SpanFacts,
  parent: Int32Array,
  flags: Uint16Array,
  rows: Int32Array,
): ClockCorrection {
  const n = spans.rowCount;
  const offsetNs = new Float64Array(n);
  const slackNs = new Float64Array(n);
  const pairs = new HostPairs(spans, facts, parent, flags, rows);
  const skews = pairs.skews();
  /** per span: root of its tree */
  const top = new Int32Array(n);
  for (let i = 0; i < rows.length; i++) {
    const row = rows[i]!;
    const up = parent[row]!;
    top[row] = up < 0 ? row : top[up]!;
    if (up < 0) continue;
    const host = facts.host[row]!;
    offsetNs[row] = offsetNs[up]!;
    if (host >= 0 && host === facts.host[up]) continue;
    if (host >= 0 && host === facts.host[top[row]!]) {
      offsetNs[row] = 0;
      continue;
    }
    const known = pairs.offsetBetween(facts.host[up]!, host);
    if (known !== undefined) {
      offsetNs[row] = offsetNs[up]! + known.offsetNs;
      slackNs[row] = known.offsetNs === 0 ? 0 : known.slackNs;
    } else if (bindsClocks(spans, parent, flags, row)) {
      centre(spans, row, up, offsetNs, slackNs);
    }
  }
  return { offsetNs, slackNs, skews };
}

/** Whether `row` is a SERVER span that its CLIENT parent waits for. */
function bindsClocks(spans: SpanTable, parent: Int32Array, flags: Uint16Array, row: number): boolean {
  if (spans.kind[row] !== SpanKind.server || (flags[row]! & SpanFlag.asynchronous) !== 0) return false;
  return spans.kind[parent[row]!] === SpanKind.client;
}

const endOf = (spans: SpanTable, row: number): number => Math.max(spans.startOffsetNs[row]!, spans.endOffsetNs[row]!);

/** Adds to `offsetNs[server]` what puts it into its client, when it lies outside. */
function centre(spans: SpanTable, server: number, client: number, offsetNs: Float64Array, slackNs: Float64Array): void {
  const shift = offsetNs[client]! - offsetNs[server]!;
  const low = spans.startOffsetNs[client]! + shift - spans.startOffsetNs[server]!;
  const high = endOf(spans, client) + shift - endOf(spans, server);
  if (low <= CLOCK_GRANULARITY_NS && high >= -CLOCK_GRANULARITY_NS) return;
  if (low <= high) {
    offsetNs[server]! += Math.round((low + high) / 2);
    slackNs[server] = (high - low) / 2;
  } else if (low > 0) {
    offsetNs[server]! += low;
  }
}

interface Estimate {
  readonly lowNs: number;
  readonly highNs: number;
  readonly appliedNs: number;
  readonly violations: number;
  readonly consistent: boolean;
}

/** The CLIENT -> SERVER pairs of a window by the two hosts they join. */
class HostPairs {
  private readonly skewOfPair = new Map<number, { estimate: Estimate; from: number }>();
  private readonly found: ClockSkew[] = [];
  private readonly hostCount: number;

  constructor(spans: SpanTable, facts: SpanFacts, parent: Int32Array, flags: Uint16Array, rows: Int32Array) {
    this.hostCount = spans.strings.size;
    const bounds = new Map<number, { from: number; to: number; low: number[]; high: number[] }>();
    for (let i = 0; i < rows.length; i++) {
      const row = rows[i]!;
      const up = parent[row]!;
      if (up < 0 || facts.host[row] === facts.host[up]) continue;
      const server = facts.host[row]!;
      const client = facts.host[up]!;
      if (server < 0 || client < 0 || !bindsClocks(spans, parent, flags, row)) continue;
      const key = this.keyOf(client, server);
      let pair = bounds.get(key);
      if (pair === undefined) bounds.set(key, (pair = { from: client, to: server, low: [], high: [] }));
      const low = spans.startOffsetNs[up]! - spans.startOffsetNs[row]!;
      const high = endOf(spans, up) - endOf(spans, row);
      // A call in the other direction bounds the negative of the same offset.
      pair.low.push(pair.from === client ? low : -high);
      pair.high.push(pair.from === client ? high : -low);
    }
    for (const [key, { from, to, low, high }] of bounds) {
      const estimate = estimateOffset(low, high);
      if (estimate === undefined) continue;
      const { lowNs, highNs, appliedNs, violations } = estimate;
      this.skewOfPair.set(key, { estimate, from });
      this.found.push({ from, to, lowNs, highNs, appliedNs, pairs: low.length, violations });
    }
  }

  skews(): readonly ClockSkew[] {
    return this.found;
  }

  /** Offset to add to times of `to` to express them in the clock of `from`; undefined where not known. */
  offsetBetween(from: number, to: number): { offsetNs: number; slackNs: number } | undefined {
    if (from < 0 || to < 0 || this.skewOfPair.size === 0) return undefined;
    const skew = this.skewOfPair.get(this.keyOf(from, to));
    if (skew === undefined || !skew.estimate.consistent) return undefined;
    const { appliedNs, lowNs, highNs } = skew.estimate;
    return { offsetNs: skew.from === from ? appliedNs : -appliedNs, slackNs: (highNs - lowNs) / 2 };
  }

  private keyOf(a: number, b: number): number {
    return Math.min(a, b) * this.hostCount + Math.max(a, b);
  }
}

/** See correctClocks. low, high: bounds of the offset, one of each per pair of spans. */
function estimateOffset(low: readonly number[], high: readonly number[]): Estimate | undefined {
  const possible = low.flatMap((bound, i) => (bound <= high[i]! + CLOCK_GRANULARITY_NS ? [i] : []));
  const n = possible.length;
  if (n < MIN_PAIRS) return undefined;
  const impossible = low.length - n;
  const permitZero = possible.filter((i) => low[i]! <= CLOCK_GRANULARITY_NS && high[i]! >= -CLOCK_GRANULARITY_NS);
  if (n - permitZero.length <= ZERO_VIOLATIONS * n) {
    let lowNs = -Infinity;
    let highNs = Infinity;
    for (const i of permitZero) {
      lowNs = Math.max(lowNs, low[i]!);
      highNs = Math.min(highNs, high[i]!);
    }
    const violations = impossible + n - permitZero.length;
    return { lowNs: Math.min(0, lowNs), highNs: Math.max(0, highNs), appliedNs: 0, violations, consistent: true };
  }
  const best = mostPermitted(
    mapToFloats(possible, (i) => low[i]!).sort(),
    mapToFloats(possible, (i) => Math.max(low[i]!, high[i]!)).sort(),
  );
  const consistent = n - best.depth <= MAX_VIOLATIONS * n;
  const appliedNs = consistent ? Math.round((best.low + best.high) / 2) : 0;
  return { lowNs: best.low, highNs: best.high, appliedNs, violations: impossible + n - best.depth, consistent };
}

/** The interval that lies in the most of the intervals with these ascending lower and upper bounds; the widest on ties. */
function mostPermitted(lower: Float64Array, upper: Float64Array): { low: number; high: number; depth: number } {
  let best = { low: 0, high: 0, depth: 0 };
  let closed = 0;
  for (let opened = 1; opened <= lower.length; opened++) {
    const low = lower[opened - 1]!;
    while (upper[closed]! < low) closed++;
    const depth = opened - closed;
    const high = upper[closed]!;
    if (depth > best.depth || (depth === best.depth && high - low > best.high - best.low)) best = { low, high, depth };
  }
  return best;
}

/**
 * Flags clockUndetermined: spans whose shift was taken from an interval within which their order
 * against a sibling on another host changes (which one ends first, or whether one ends before the
 * other starts). Another offset that is as good would then give another critical path.
 * childStart, child, startNs, endNs: as in TraceForest, times already corrected.
 */
export function flagUndetermined(
  tree: { parent: Int32Array; childStart: Int32Array; child: Int32Array; startNs: Float64Array; endNs: Float64Array },
  host: Int32Array,
  slackNs: Float64Array,
  flags: Uint16Array,
): void {
  const { parent, childStart, child, startNs, endNs } = tree;
  let sortedOf = -1;
  let byStart: Int32Array = new Int32Array(0);
  let byEnd: Int32Array = byStart;
  for (let i = 0; i < child.length; i++) {
    const row = child[i]!;
    const up = parent[row]!;
    if (slackNs[row] === 0 || childStart[up + 1]! - childStart[up]! < 2) continue;
    if (sortedOf !== up) {
      sortedOf = up;
      byStart = child.subarray(childStart[up]!, childStart[up + 1]!);
      byEnd = byStart.slice().sort((a, b) => endNs[a]! - endNs[b]!);
    }
    const slack = slackNs[row]!;
    const changes =
      hasForeign(byStart, startNs, endNs[row]! - slack, endNs[row]! + slack, row, host) ||
      hasForeign(byEnd, endNs, startNs[row]! - slack, startNs[row]! + slack, row, host) ||
      hasForeign(byEnd, endNs, endNs[row]! - slack, endNs[row]! + slack, row, host);
    if (changes) flags[row]! |= SpanFlag.clockUndetermined;
  }
}

/** Whether a row other than `row` and on another host has a time strictly between `low` and `high`; rows ascend by time. */
function hasForeign(
  rows: Int32Array,
  timeNs: Float64Array,
  low: number,
  high: number,
  row: number,
  host: Int32Array,
): boolean {
  let from = 0;
  let to = rows.length;
  while (from < to) {
    const middle = (from + to) >> 1;
    if (timeNs[rows[middle]!]! <= low) from = middle + 1;
    else to = middle;
  }
  for (; from < rows.length && timeNs[rows[from]!]! < high; from++) {
    const other = rows[from]!;
    if (other !== row && (host[other] !== host[row] || host[row]! < 0)) return true;
  }
  return false;
}
