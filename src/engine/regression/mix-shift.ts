import { growthOf } from "../../analysis/sample-change.ts";
import { isOutcome } from "../../analysis/semantic-conventions.ts";
import { twoProportions } from "../../analysis/hypothesis-tests.ts";
import { compareWindows, type WindowComparison } from "../../analysis/two-windows.ts";
import { attributeText } from "../../model/attribute-table.ts";
import type { EndpointView } from "../endpoint-view.ts";
import { ms, percent } from "../wording.ts";
import {
  exampleTracesOf,
  nodesOf,
  shrunkOwnTime,
  symptom,
  tracesEvidence,
  type Comparison,
  type RegressionClaim,
} from "./affected.ts";
import type { OperationGrowth } from "./growth.ts";
import { countsIn, type Slice } from "./operations.ts";
import { mapToFloats, mapToInts } from "../../model/map-column.ts";

/** The change of an endpoint's mean by what is asked of it (mix) and by what each kind of request costs (slowdown). */
export interface MixSplit {
  readonly view: EndpointView;
  /** attribute of the root span that splits the requests; "" where none tells more than the endpoint itself */
  readonly attribute: string;
  readonly comparison: WindowComparison;
}

export interface MixResult {
  readonly splits: MixSplit[];
  readonly claims: RegressionClaim[];
  /** operations whose growth vanishes within each kind of request */
  readonly explained: ReadonlySet<number>;
}

/** Attributes with more values are identifiers or measures, not kinds of requests. */
const MAX_VALUES = 20;
/** Share of the requests that have to carry an attribute. */
const MIN_CARRIED = 0.9;
/**
 * Smallest growth of the mean that is looked at, and the part of it that the mix has to explain. Not all of it: more
 * of an expensive kind also keeps machines busier, which slows the other kinds down.
 */
const MIN_CHANGE = 0.1;
const MIN_PART = 1 / 3;
const ALPHA = 1e-3;
/** Share of the requests that has to be of kinds which both windows have. */
const MIN_COMMON = 0.5;
/** Growth left within the kinds of requests, relative to all of it, up to which the mix explains it, directly or by the load it brings. */
const LEFT = 1 - MIN_PART;

/** Splits every endpoint's change by each attribute of its root spans and claims a mix shift where that explains most. */
export function explainMix(comparison: Comparison, growths: readonly OperationGrowth[]): MixResult {
  const splits: MixSplit[] = [];
  const claims: RegressionClaim[] = [];
  const explained = new Set<number>();
  for (const view of comparison.views) {
    const split = bestSplit(comparison, view);
    if (split === undefined) continue;
    splits.push(split.split);
    const grown = split.grown;
    if (grown === undefined) continue;
    const operations = growths.filter((growth) => growth.grown && vanishesWithin(comparison, growth, split.kinds));
    for (const { operation } of operations) explained.add(operation.id);
    claims.push(claimOf(comparison, split.split, grown, operations));
  }
  return { splits, claims, explained };
}

interface Kinds {
  /** per trace: value number, -1 for other endpoints or traces that don't count */
  readonly now: Int32Array;
  readonly before: Int32Array;
  readonly names: readonly string[];
}

function bestSplit(
  comparison: Comparison,
  view: EndpointView,
): { split: MixSplit; kinds: Kinds; grown: number | undefined } | undefined {
  const { now, before } = comparison.operations;
  const tracesNow = tracesOf(now.slice, view);
  const tracesBefore = tracesOf(before.slice, view);
  if (tracesNow.length < 2 || tracesBefore.length < 2) return undefined;
  let best: ReturnType<typeof bestSplit>;
  for (const attribute of ["", ...attributesOf(now.slice, tracesNow)]) {
    const kinds = kindsBy(attribute, now.slice, before.slice, tracesNow, tracesBefore);
    if (kinds === undefined) continue;
    const result = compareWindows(
      traceWindow(before.slice, tracesBefore, kinds.before),
      traceWindow(now.slice, tracesNow, kinds.now),
    );
    if (result.kind !== "comparison") continue;
    // Hardly any kind in both windows (a port, a pod, a build): that splits by time, not by what is asked for.
    if (result.groups.reduce((sum, group) => sum + Math.min(group.shareA, group.shareB), 0) < MIN_COMMON) continue;
    const split: MixSplit = { view, attribute, comparison: result };
    if (best === undefined || result.mix > best.split.comparison.mix)
      best = { split, kinds, grown: grownGroup(result, tracesNow.length, tracesBefore.length) };
  }
  return best;
}

/** The group whose share grew most in cost, where the mix explains most of a growth worth telling. */
function grownGroup(result: WindowComparison, n2: number, n1: number): number | undefined {
  if (result.change < MIN_CHANGE * result.meanA || result.mix < MIN_PART * result.change) return undefined;
  const main = [...result.groups].filter((group) => group.shareB > group.shareA).sort((a, b) => b.mix - a.mix)[0];
  if (main === undefined) return undefined;
  const test = twoProportions(Math.round(main.shareA * n1), n1, Math.round(main.shareB * n2), n2);
  return test.pValue <= ALPHA ? main.group : undefined;
}

function tracesOf(slice: Slice, view: EndpointView): Int32Array {
  const { window } = slice;
  const endpoint = window.endpoints.find(
    (e) => window.text(e.service) === view.service && window.text(e.operation) === view.operation,
  );
  return endpoint === undefined ? new Int32Array(0) : endpoint.traces.filter((trace) => countsIn(slice, trace));
}

function attributesOf({ window }: Slice, traces: Int32Array): string[] {
  const { attributes, strings } = window.spans;
  const counts = new Map<number, number>();
  for (const trace of traces) {
    const root = window.forest.root[trace]!;
    for (let at = attributes.listStart[root]!; at < attributes.listStart[root + 1]!; at++) {
      counts.set(attributes.key[at]!, (counts.get(attributes.key[at]!) ?? 0) + 1);
    }
  }
  return [...counts]
    .filter(([, count]) => count >= MIN_CARRIED * traces.length)
    .map(([key]) => strings.get(key))
    .filter((key) => !isOutcome(key))
    .sort();
}

function kindsBy(
  attribute: string,
  now: Slice,
  before: Slice,
  tracesNow: Int32Array,
  tracesBefore: Int32Array,
): Kinds | undefined {
  const names: string[] = [];
  const ids = new Map<string, number>();
  const column = (slice: Slice, traces: Int32Array): Int32Array | undefined => {
    const { window } = slice;
    const { attributes, strings } = window.spans;
    const key = strings.intern(attribute);
    const kinds = new Int32Array(window.forest.traceCount).fill(-1);
    let carried = 0;
    for (const trace of traces) {
      let value = "";
      const root = window.forest.root[trace]!;
      for (let at = attributes.listStart[root]!; attribute !== "" && at < attributes.listStart[root + 1]!; at++) {
        if (attributes.key[at] === key) value = `=${attributeText(attributes, strings, at)}`;
      }
      if (value !== "" || attribute === "") carried++;
      let id = ids.get(value);
      if (id === undefined) ids.set(value, (id = names.push(value.slice(1)) - 1));
      if (names.length > MAX_VALUES) return undefined;
      kinds[trace] = id;
    }
    return carried >= MIN_CARRIED * traces.length ? kinds : undefined;
  };
  const current = column(now, tracesNow);
  const earlier = current === undefined ? undefined : column(before, tracesBefore);
  return current === undefined || earlier === undefined ? undefined : { now: current, before: earlier, names };
}

/** One column of blame: the whole duration. */
function traceWindow({ window }: Slice, traces: Int32Array, kinds: Int32Array): Parameters<typeof compareWindows>[0] {
  const { forest } = window;
  const n = traces.length;
  return {
    group: traces.map((trace) => kinds[trace]!),
    weights: mapToFloats(traces, (trace) => forest.weight[trace]!),
    blame: {
      rowStart: mapToInts({ length: n + 1 }, (_, i) => i),
      column: new Int32Array(n),
      value: mapToFloats(traces, (trace) => forest.endNs[forest.root[trace]!]! - forest.startNs[forest.root[trace]!]!),
      columnCount: 1,
    },
  };
}

/** Whether an operation is hardly slower than before when requests of one kind are compared with their like. */
function vanishesWithin(comparison: Comparison, { operation, growth }: OperationGrowth, kinds: Kinds): boolean {
  const { now, before } = comparison.operations;
  const groups = (side: typeof now, kindOf: Int32Array): Map<number, number[]> => {
    const held = new Map<number, number[]>();
    for (const row of side.rows[operation.id]!) {
      const kind = kindOf[side.slice.window.forest.trace[row]!]!;
      if (kind < 0) continue;
      const values = held.get(kind);
      if (values === undefined) held.set(kind, [side.selfNs[row]!]);
      else values.push(side.selfNs[row]!);
    }
    return held;
  };
  const earlier = groups(before, kinds.before);
  let left = 0;
  let seen = 0;
  for (const [kind, values] of groups(now, kinds.now)) {
    const like = earlier.get(kind);
    seen += values.length;
    if (like !== undefined) left += growthOf(Float64Array.from(like), Float64Array.from(values)).excess;
  }
  // Growth at other endpoints is not this one's to explain.
  return seen >= 0.5 * now.rows[operation.id]!.length && left <= LEFT * growth.excess;
}

function claimOf(
  comparison: Comparison,
  split: MixSplit,
  group: number,
  operations: readonly OperationGrowth[],
): RegressionClaim {
  const { view, attribute, comparison: result } = split;
  const change = result.groups.find((entry) => entry.group === group)!;
  const factors = new Map<number, number>();
  for (const { operation, growth } of operations) {
    comparison.operations.now.rows[operation.id]!.forEach((row, i) => {
      const trace = comparison.operations.now.slice.window.forest.trace[row]!;
      if (comparison.views[comparison.viewOfTrace[trace]!] !== view) return;
      const self = comparison.operations.now.selfNs[row]!;
      factors.set(row, self > 0 ? growth.target[i]! / self : 1);
    });
  }
  const rows = [...factors.keys()];
  const cost = (row: number): number => comparison.ownNs[row]! * (1 - factors.get(row)!);
  const what = `${attribute}=${nameOfGroup(comparison, split, group)}`;
  const shares = `${percent(change.shareA)} -> ${percent(change.shareB)}`;
  return {
    view,
    explanation: {
      mechanism: "mix-shift",
      kind: "regression",
      subject: { service: view.service, operation: view.operation, resource: what },
      title: `${view.operation} is asked for the expensive ${what} more often: ${shares} of the requests`,
      why: `The mean went from ${ms(result.meanA)} to ${ms(result.meanB)}; ${percent(result.mix / result.change)} of that is the mix of ${attribute}, ${percent(result.slowdown / result.change)} slower requests of the same kind.`,
      confidence: 0.95 * Math.sqrt(Math.min(1, result.mix / result.change)),
      harmful: true,
      nodes: nodesOf(comparison, rows),
      undo: [shrunkOwnTime(comparison.ownNs, rows, (row) => factors.get(row)!)],
      chain: [
        symptom(view),
        {
          claim: `requests with ${what} take ${ms(change.meanB)}, all of them together ${ms(result.meanB)}`,
          evidence: [1],
        },
        { claim: `their share went ${shares}`, evidence: [0, 1] },
      ],
      evidence: [
        tracesEvidence(`requests with ${what}`, exampleTracesOf(comparison, cost, rows), `root spans with ${what}`),
        {
          kind: "statistic",
          text: `share ${shares}, mean ${Number.isNaN(change.meanA) ? "-" : ms(change.meanA)} -> ${ms(change.meanB)}`,
          query: `requests of ${view.name} by ${attribute}, both windows`,
        },
      ],
      counter: ["what users ask for is not a fault by itself; what it costs may be"],
      refutedBy: `the share of ${what} among the requests is as before`,
      remedy: {
        text: `Find out who asks for ${what} (a client release, a crawler, one tenant); make this kind cheaper or limit it.`,
      },
    },
  };
}

/** Value of the group: read again from a trace that has it. */
function nameOfGroup(comparison: Comparison, { view, attribute }: MixSplit, group: number): string {
  const { now, before } = comparison.operations;
  const kinds = kindsBy(attribute, now.slice, before.slice, tracesOf(now.slice, view), tracesOf(before.slice, view))!;
  return kinds.names[group]!;
}
