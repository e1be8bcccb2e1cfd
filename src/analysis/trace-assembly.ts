import type { SpanFacts } from "../model/span-facts.ts";
import type { SpanTable } from "../model/span-table.ts";
import { SpanFlag, type TraceForest } from "../model/trace-forest.ts";
import { settleCoarseStarts, startGranularity } from "./clock-granularity.ts";
import { CLOCK_GRANULARITY_NS, correctClocks, flagUndetermined, type ClockCorrection } from "./clock-skew.ts";
import { isEarlier, linkParents, type ParentLinks } from "./parent-links.ts";
import { remoteRoots } from "./remote-roots.ts";
import { sortRows } from "./sort-rows.ts";
import { groupByTrace, type TraceGroups } from "./trace-groups.ts";
import { traceWeights } from "./trace-weights.ts";

/** A span longer than a day is taken for a broken clock. */
const ABSURD_NS = 86_400e9;

/**
 * Part of the parent's duration by which two siblings may overlap and still count as one after the other,
 * whatever the clocks permit. The 1 % is CRISP's (USENIX ATC '22, section 4).
 */
const MAX_TOLERANCE_OF_PARENT = 0.01;

/**
 * Trees of the spans: parents found, duplicates set aside, missing parents, cycles and bad times mended and
 * counted, clocks of hosts put in line, sampling weights read. The span table itself is left as it is.
 *
 * spans: n rows in any order, of any number of traces. Linear but for the sorting of children; nothing is
 * recursive and no object is made per span, so a trace may have a million spans or be 100,000 deep.
 * Never throws on data: what cannot be mended is flagged and its trace marked incomplete.
 */
export function assembleTraces(spans: SpanTable, facts: SpanFacts): TraceForest {
  const groups = groupByTrace(spans);
  const links = linkParents(spans, facts, groups);
  const { parent, flags } = links;
  const { childStart, child } = listChildren(parent);
  const { rows, traceStart } = orderRows(groups, links, childStart, child);
  const clocks = correctClocks(spans, facts, parent, flags, rows);
  const times = effectiveTimes(spans, parent, flags, clocks);
  const { startNs, endNs, toleranceNs } = times;
  const granularityNs = startGranularity(spans, facts);
  settleCoarseStarts({
    rows,
    parent,
    childStart,
    child,
    facts,
    granularityNs,
    startNs,
    endNs,
    flags,
  });
  for (let row = 0; row < toleranceNs.length; row++) toleranceNs[row]! += granularityNs[row]!;
  sortChildren(childStart, child, startNs, endNs);
  flagUndetermined({ parent, childStart, child, startNs, endNs }, facts.host, clocks.slackNs, flags);
  const { root, complete } = findRoots(spans, links, rows, traceStart, startNs, endNs);
  const remote = remoteRoots({ rows, traceStart, parent, flags, facts });
  for (let t = 0; t < remote.length; t++) if (remote[t] === 1) complete[t] = 1;
  const remoteCount = remote.reduce((sum, one) => sum + one, 0);
  const trace = groups.trace;
  for (let row = 0; row < trace.length; row++) if ((flags[row]! & SpanFlag.duplicate) !== 0) trace[row] = -1;
  return {
    spans,
    facts,
    traceCount: groups.traceCount,
    rows,
    traceStart,
    root,
    complete,
    weight: traceWeights(spans, trace, root),
    trace,
    parent,
    childStart,
    child,
    startNs,
    endNs,
    toleranceNs,
    flags,
    skews: clocks.skews,
    quality: {
      spans: spans.rowCount,
      traces: groups.traceCount,
      incompleteTraces: complete.reduce((sum, one) => sum + 1 - one, 0),
      remoteRoots: remoteCount,
      orphanSpans: links.orphanSpans - remoteCount,
      duplicateSpans: links.duplicateSpans,
      cyclesCut: links.cyclesCut,
      negativeDurations: times.negativeDurations,
      zeroDurations: times.zeroDurations,
      absurdDurations: times.absurdDurations,
      sharedSpans: links.sharedSpans,
    },
  };
}

/** Children of every row, ascending by row. */
function listChildren(parent: Int32Array): { childStart: Int32Array; child: Int32Array } {
  const n = parent.length;
  const childStart = new Int32Array(n + 1);
  let edges = 0;
  for (let row = 0; row < n; row++) {
    if (parent[row]! < 0) continue;
    childStart[parent[row]! + 1]!++;
    edges++;
  }
  for (let row = 0; row < n; row++) childStart[row + 1]! += childStart[row]!;
  const next = childStart.slice(0, n);
  const child = new Int32Array(edges);
  for (let row = 0; row < n; row++) {
    const up = parent[row]!;
    if (up >= 0) child[next[up]!++] = row;
  }
  return { childStart, child };
}

/** Rows by trace, breadth first from the roots, so that parents stand before their children. */
function orderRows(
  groups: TraceGroups,
  links: ParentLinks,
  childStart: Int32Array,
  child: Int32Array,
): { rows: Int32Array; traceStart: Int32Array } {
  const rows = new Int32Array(groups.members.length - links.duplicateSpans);
  const traceStart = new Int32Array(groups.traceCount + 1);
  let end = 0;
  for (let t = 0; t < groups.traceCount; t++) {
    let next = end;
    for (let i = groups.memberStart[t]!; i < groups.memberStart[t + 1]!; i++) {
      const row = groups.members[i]!;
      if (links.parent[row]! < 0 && (links.flags[row]! & SpanFlag.duplicate) === 0) rows[end++] = row;
    }
    for (; next < end; next++) {
      const row = rows[next]!;
      for (let i = childStart[row]!; i < childStart[row + 1]!; i++) rows[end++] = child[i]!;
    }
    traceStart[t + 1] = end;
  }
  return { rows, traceStart };
}

interface EffectiveTimes {
  readonly startNs: Float64Array;
  readonly endNs: Float64Array;
  readonly toleranceNs: Float64Array;
  readonly negativeDurations: number;
  readonly zeroDurations: number;
  readonly absurdDurations: number;
}

/** Clamped and corrected times; flags and counts what was wrong with them. Duplicates are clamped, not counted. */
function effectiveTimes(
  spans: SpanTable,
  parent: Int32Array,
  flags: Uint16Array,
  clocks: ClockCorrection,
): EffectiveTimes {
  const n = spans.rowCount;
  const startNs = new Float64Array(n);
  const endNs = new Float64Array(n);
  const toleranceNs = new Float64Array(n).fill(CLOCK_GRANULARITY_NS);
  let negativeDurations = 0;
  let zeroDurations = 0;
  let absurdDurations = 0;
  for (let row = 0; row < n; row++) {
    const offset = clocks.offsetNs[row]!;
    const duration = spans.endOffsetNs[row]! - spans.startOffsetNs[row]!;
    startNs[row] = spans.startOffsetNs[row]! + offset;
    endNs[row] = spans.startOffsetNs[row]! + Math.max(0, duration) + offset;
    if ((flags[row]! & SpanFlag.duplicate) !== 0) continue;
    if (offset !== 0) flags[row]! |= SpanFlag.clockShifted;
    if (duration < 0) {
      flags[row]! |= SpanFlag.negativeDuration;
      negativeDurations++;
    } else if (duration === 0) {
      flags[row]! |= SpanFlag.zeroDuration;
      zeroDurations++;
    } else if (duration > ABSURD_NS) {
      flags[row]! |= SpanFlag.absurdDuration;
      absurdDurations++;
    }
  }
  for (let row = 0; row < n; row++) {
    const slack = clocks.slackNs[row]!;
    if (slack === 0) continue;
    const up = parent[row]!;
    toleranceNs[row]! += Math.min(slack, MAX_TOLERANCE_OF_PARENT * (endNs[up]! - startNs[up]!));
  }
  return { startNs, endNs, toleranceNs, negativeDurations, zeroDurations, absurdDurations };
}

function sortChildren(childStart: Int32Array, child: Int32Array, startNs: Float64Array, endNs: Float64Array): void {
  const before = (a: number, b: number): boolean => {
    if (startNs[a] !== startNs[b]) return startNs[a]! < startNs[b]!;
    if (endNs[a] !== endNs[b]) return endNs[a]! < endNs[b]!;
    return a < b;
  };
  for (let row = 0; row < childStart.length - 1; row++) {
    if (childStart[row + 1]! - childStart[row]! > 1) sortRows(child, childStart[row]!, childStart[row + 1]!, before);
  }
}

/**
 * Per trace its root: a span without a parent id before one whose parent is missing or was cut off; the longest of
 * several, the earliest on ties. Complete is a trace with exactly one parentless span and nothing missing.
 */
function findRoots(
  spans: SpanTable,
  links: ParentLinks,
  rows: Int32Array,
  traceStart: Int32Array,
  startNs: Float64Array,
  endNs: Float64Array,
): { root: Int32Array; complete: Uint8Array } {
  const traceCount = traceStart.length - 1;
  const root = new Int32Array(traceCount);
  const complete = new Uint8Array(traceCount);
  const broken = SpanFlag.orphan | SpanFlag.cycleCut;
  for (let t = 0; t < traceCount; t++) {
    let best = -1;
    let tops = 0;
    let marks = 0;
    for (let i = traceStart[t]!; i < traceStart[t + 1]!; i++) {
      const row = rows[i]!;
      marks |= links.flags[row]!;
      if (links.parent[row]! >= 0) continue;
      tops++;
      if (best < 0 || isBetterRoot(row, best)) best = row;
    }
    root[t] = best;
    complete[t] = tops === 1 && (marks & (broken | SpanFlag.absurdDuration)) === 0 ? 1 : 0;
  }
  return { root, complete };

  function isBetterRoot(a: number, b: number): boolean {
    const brokenA = (links.flags[a]! & broken) !== 0;
    const brokenB = (links.flags[b]! & broken) !== 0;
    if (brokenA !== brokenB) return brokenB;
    const difference = endNs[a]! - startNs[a]! - (endNs[b]! - startNs[b]!);
    return difference !== 0 ? difference > 0 : isEarlier(spans, a, b);
  }
}
