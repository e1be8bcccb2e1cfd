import { benjaminiHochberg } from "./false-discovery.ts";
import { fisherExact } from "./hypothesis-tests.ts";
import { ascendingOrder } from "./ascending-order.ts";
import { mapToFloats } from "../model/map-column.ts";

/** Traces of an endpoint, with what is known of each. All columns have one element per trace. */
export interface TraceAttributes {
  /** 1 where the trace is slow */
  readonly slow: Uint8Array;
  /** how many traces each stands for; absent: 1 each */
  readonly weights?: Float64Array;
  /** values are any whole numbers (string ids); -1: absent, which is no value */
  readonly categorical: readonly { readonly attribute: number; readonly value: Int32Array }[];
  /** NaN: absent */
  readonly numeric: readonly { readonly attribute: number; readonly value: Float64Array }[];
}

export interface AttributeOptions {
  /** highest expected share of false ones among the results, default 0.05 */
  readonly falseDiscoveryRate?: number;
  /** most results, default 10 */
  readonly limit?: number;
}

export type Condition =
  | { readonly kind: "equals"; readonly attribute: number; readonly value: number }
  | { readonly kind: "at-least"; readonly attribute: number; readonly threshold: number }
  | { readonly kind: "below"; readonly attribute: number; readonly threshold: number };

/** A condition that holds more often for slow traces than for the others. */
export interface RankedAttribute {
  readonly condition: Condition;
  /** traces in the data that it selects, and slow ones among them (counts, not weighted) */
  readonly traces: number;
  readonly slowTraces: number;
  /** weighted share of the slow traces, and of all traces, that it selects */
  readonly shareOfSlow: number;
  readonly shareOfAll: number;
  /** how many times as often its traces are slow as traces are in general: P(slow | condition) / P(slow) */
  readonly lift: number;
  /** share of the slow traces there would not be, were its traces slow as seldom as the rest */
  readonly explained: number;
  readonly pValue: number;
  /** adjusted over all tested conditions by Benjamini and Hochberg */
  readonly qValue: number;
  /** conditions that select nearly the same traces (Jaccard index >= 0.8): the data cannot tell them apart */
  readonly alike: readonly Condition[];
  /** conditions that are over-represented only because they overlap with this one */
  readonly implied: readonly Condition[];
}

export interface ExcludedAttribute {
  readonly attribute: number;
  /** each value occurs too seldom to be tested | one value, or none | on too few traces, or absent from too few */
  readonly reason: "high-cardinality" | "constant" | "too-few";
  readonly distinctValues: number;
}

export interface AttributeRanking {
  /** most significant first */
  readonly ranked: readonly RankedAttribute[];
  /** significant ones beyond the limit */
  readonly more: number;
  readonly excluded: readonly ExcludedAttribute[];
  /** conditions tested */
  readonly tested: number;
}

/** Values and sides of splits with fewer traces are not tested; chosen by the traces alone, so the test stays valid. */
const MIN_TRACES = 5;
const SAME_TRACES = 0.8;

/**
 * Which attribute values are over-represented among the slow traces.
 *
 * Each value of a categorical attribute is tested by Fisher's exact test (one-sided). A numeric attribute is cut
 * at up to 38 of its quantiles; the best cut counts with the p-value of that cut times the cuts and
 * directions tried (Bonferroni), so that the choice of the split is paid for. All p-values together are
 * controlled by Benjamini and Hochberg. Then the most significant condition is taken, and the next only
 * if it is still significant among the traces that no taken one selects; otherwise it is
 * listed as alike or implied.
 *
 * Tests use counts of traces, shares and lifts the weights: a test of counts holds when the sampling depends on the
 * slowness or on the attribute, though not when it depends on their combination.
 */
export function rankAttributes(input: TraceAttributes, options: AttributeOptions = {}): AttributeRanking {
  const rate = options.falseDiscoveryRate ?? 0.05;
  const limit = options.limit ?? 10;
  const excluded: ExcludedAttribute[] = [];
  const tests: Candidate[] = [];
  for (const column of input.categorical) testValues(input.slow, column, tests, excluded);
  for (const column of input.numeric) testSplits(input.slow, column, tests, excluded);
  const qValues = benjaminiHochberg(mapToFloats(tests, (t) => t.p));
  const significant = tests
    .map((test, i) => ({ ...test, q: qValues[i]! }))
    .filter((test) => test.q <= rate)
    .sort((a, b) => a.p - b.p || b.slowTraces * a.traces - a.slowTraces * b.traces || a.firstTrace - b.firstTrace);
  const taken = withoutShadows(significant, input, rate);
  return {
    ranked: taken.slice(0, limit).map((t) => describe(t, input)),
    more: Math.max(0, taken.length - limit),
    excluded,
    tested: tests.length,
  };
}

interface Candidate {
  readonly condition: Condition;
  readonly traces: number;
  readonly slowTraces: number;
  readonly p: number;
  /** for ties: the first trace it selects, which no renaming changes */
  readonly firstTrace: number;
}

function testValues(
  slow: Uint8Array,
  { attribute, value }: { attribute: number; value: Int32Array },
  tests: Candidate[],
  excluded: ExcludedAttribute[],
): void {
  const counts = new Map<number, { traces: number; slowTraces: number; firstTrace: number }>();
  let slowAll = 0;
  let present = 0;
  for (let i = 0; i < value.length; i++) {
    slowAll += slow[i]!;
    if (value[i]! === -1) continue;
    present++;
    const held = counts.get(value[i]!);
    if (held === undefined) counts.set(value[i]!, { traces: 1, slowTraces: slow[i]!, firstTrace: i });
    else {
      held.traces++;
      held.slowTraces += slow[i]!;
    }
  }
  const n = slow.length;
  if (counts.size === 0 || (counts.size === 1 && present === n)) {
    excluded.push({ attribute, reason: "constant", distinctValues: counts.size });
    return;
  }
  let tested = 0;
  for (const [id, { traces, slowTraces, firstTrace }] of counts) {
    if (traces < MIN_TRACES || n - traces < MIN_TRACES) continue;
    tested++;
    const p = fisherOfSelection(slowTraces, traces, slowAll, n);
    tests.push({ condition: { kind: "equals", attribute, value: id }, traces, slowTraces, firstTrace, p });
  }
  if (tested > 0) return;
  const reason = present < MIN_TRACES || counts.size <= n / MIN_TRACES / 2 ? "too-few" : "high-cardinality";
  excluded.push({ attribute, reason, distinctValues: counts.size });
}

/** p-value of finding that many slow ones or more among the selected. */
function fisherOfSelection(slowSelected: number, selected: number, slowAll: number, n: number): number {
  const slowRest = slowAll - slowSelected;
  return fisherExact(slowSelected, selected - slowSelected, slowRest, n - selected - slowRest, "greater");
}

/** Shares below which a numeric attribute is cut: finer in the tails, where a few large ones make the slow traces. */
const CUTS: readonly number[] = [
  1 / 256,
  1 / 128,
  1 / 64,
  ...Array.from({ length: 31 }, (_, i) => (i + 1) / 32),
].concat([1 / 64, 1 / 128, 1 / 256, 1 / 512].map((share) => 1 - share));

function testSplits(
  slow: Uint8Array,
  { attribute, value }: { attribute: number; value: Float64Array },
  tests: Candidate[],
  excluded: ExcludedAttribute[],
): void {
  const order = ascendingOrder(value).filter((i) => !Number.isNaN(value[i]!));
  const n = order.length;
  if (n === 0 || value[order[0]!] === value[order[n - 1]!]) {
    excluded.push({ attribute, reason: "constant", distinctValues: Math.min(n, 1) });
    return;
  }
  /** slow traces among the lowest k */
  const slowBelow = new Int32Array(n + 1);
  for (let k = 0; k < n; k++) slowBelow[k + 1] = slowBelow[k]! + slow[order[k]!]!;
  const slowAll = slowBelow[n]!;
  let best: { below: boolean; at: number; p: number } | undefined;
  let tried = 0;
  for (const at of cutsOf(value, order)) {
    tried += 2;
    const p = fisherOfSelection(slowAll - slowBelow[at]!, n - at, slowAll, n);
    const pBelow = fisherOfSelection(slowBelow[at]!, at, slowAll, n);
    if (best === undefined || Math.min(p, pBelow) < best.p) best = { below: pBelow < p, at, p: Math.min(p, pBelow) };
  }
  if (best === undefined) {
    excluded.push({ attribute, reason: "too-few", distinctValues: new Set(order.map((i) => value[i]!)).size });
    return;
  }
  const { below, at } = best;
  const threshold = value[order[at]!]!;
  let firstTrace = 0;
  while (!(below ? value[firstTrace]! < threshold : value[firstTrace]! >= threshold)) firstTrace++;
  tests.push({
    condition: { kind: below ? "below" : "at-least", attribute, threshold },
    traces: below ? at : n - at,
    slowTraces: below ? slowBelow[at]! : slowAll - slowBelow[at]!,
    p: Math.min(1, best.p * tried),
    firstTrace,
  });
}

/** Sorted positions at which a new value starts, next to the wanted shares; each once. */
function cutsOf(value: Float64Array, order: Int32Array): Set<number> {
  const n = order.length;
  const cuts = new Set<number>();
  for (const share of CUTS) {
    let at = Math.max(1, Math.round(share * n));
    while (at < n && value[order[at]!] === value[order[at - 1]!]) at++;
    if (at >= MIN_TRACES && n - at >= MIN_TRACES) cuts.add(at);
  }
  return cuts;
}

interface Taken extends Candidate {
  readonly q: number;
  readonly selected: Uint8Array;
  readonly alike: Condition[];
  readonly implied: Condition[];
}

/** Takes candidates in order; one that adds nothing to those taken is put down to the one it overlaps most. */
function withoutShadows(
  candidates: readonly (Candidate & { q: number })[],
  input: TraceAttributes,
  rate: number,
): Taken[] {
  const n = input.slow.length;
  const covered = new Uint8Array(n);
  const taken: Taken[] = [];
  for (const candidate of candidates) {
    const selected = selectionOf(candidate.condition, input);
    const nearest = nearestOf(selected, candidate.traces, taken);
    if (nearest !== undefined && nearest.jaccard >= SAME_TRACES) {
      nearest.taken.alike.push(candidate.condition);
      continue;
    }
    if (nearest !== undefined && nearest.jaccard > 0 && outsideP(selected, covered, input.slow) > rate) {
      nearest.taken.implied.push(candidate.condition);
      continue;
    }
    for (let i = 0; i < n; i++) covered[i]! |= selected[i]!;
    taken.push({ ...candidate, selected, alike: [], implied: [] });
  }
  return taken;
}

function selectionOf(condition: Condition, input: TraceAttributes): Uint8Array {
  const n = input.slow.length;
  const selected = new Uint8Array(n);
  if (condition.kind === "equals") {
    const column = input.categorical.find((c) => c.attribute === condition.attribute)!.value;
    for (let i = 0; i < n; i++) selected[i] = column[i] === condition.value ? 1 : 0;
    return selected;
  }
  const column = input.numeric.find((c) => c.attribute === condition.attribute)!.value;
  const above = condition.kind === "at-least";
  for (let i = 0; i < n; i++) {
    if (!Number.isNaN(column[i]!)) selected[i] = column[i]! >= condition.threshold === above ? 1 : 0;
  }
  return selected;
}

function nearestOf(
  selected: Uint8Array,
  traces: number,
  taken: readonly Taken[],
): { taken: Taken; jaccard: number } | undefined {
  let nearest: { taken: Taken; jaccard: number } | undefined;
  for (const other of taken) {
    let both = 0;
    for (let i = 0; i < selected.length; i++) both += selected[i]! & other.selected[i]!;
    const jaccard = both / (traces + other.traces - both);
    if (nearest === undefined || jaccard > nearest.jaccard) nearest = { taken: other, jaccard };
  }
  return nearest;
}

/** The test among the traces that no taken condition selects. */
function outsideP(selected: Uint8Array, covered: Uint8Array, slow: Uint8Array): number {
  let n = 0;
  let slowAll = 0;
  let traces = 0;
  let slowTraces = 0;
  for (let i = 0; i < slow.length; i++) {
    if (covered[i] === 1) continue;
    n++;
    slowAll += slow[i]!;
    traces += selected[i]!;
    slowTraces += selected[i]! & slow[i]!;
  }
  return fisherOfSelection(slowTraces, traces, slowAll, n);
}

function describe(taken: Taken, { slow, weights }: TraceAttributes): RankedAttribute {
  let all = 0;
  let slowAll = 0;
  let inside = 0;
  let slowInside = 0;
  for (let i = 0; i < slow.length; i++) {
    const w = weights === undefined ? 1 : weights[i]!;
    all += w;
    slowAll += slow[i]! * w;
    inside += taken.selected[i]! * w;
    slowInside += (taken.selected[i]! & slow[i]!) * w;
  }
  const rateOutside = (slowAll - slowInside) / (all - inside);
  return {
    condition: taken.condition,
    traces: taken.traces,
    slowTraces: taken.slowTraces,
    shareOfSlow: slowInside / slowAll,
    shareOfAll: inside / all,
    lift: slowInside / inside / (slowAll / all),
    explained: Math.max(0, (slowInside - inside * rateOutside) / slowAll),
    pValue: taken.p,
    qValue: taken.q,
    alike: taken.alike,
    implied: taken.implied,
  };
}
