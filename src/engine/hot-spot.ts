import { kindOfKey, nodeOfKey } from "../analysis/blame.ts";
import type { Change } from "../model/change.ts";
import type { ChainLink, Evidence, FindingKind, Mechanism, Subject } from "../model/report.ts";
import type { SpanRole } from "../model/span-facts.ts";
import { TIME_KINDS, type TimeKind } from "../model/time-kind.ts";
import type { EndpointView } from "./endpoint-view.ts";
import type { Window } from "./window.ts";

/** One (call path, time kind) of an endpoint that holds a noticeable part of its time. */
export interface HotSpot {
  readonly view: EndpointView;
  readonly node: number;
  readonly timeKind: TimeKind;
  /** mean nanoseconds on the critical path: of typical traces, of slow ones, of all */
  readonly typicalNs: number;
  readonly slowNs: number;
  readonly meanNs: number;
  readonly service: string;
  readonly operation: string;
  readonly role: SpanRole;
  /** "" when unknown */
  readonly callee: string;
  readonly statement: string;
}

/**
 * Why a hot spot takes its time: the claim, its evidence, and the change that
 * would undo it. Explanations of different hot spots with the same mechanism
 * and subject become one finding.
 */
export interface Explanation {
  readonly mechanism: Mechanism;
  readonly kind: FindingKind;
  readonly subject: Subject;
  /** what it is at every operation of its service, where that is one matter: a function; claims of the same are one finding */
  readonly matter?: string;
  readonly title: string;
  readonly why: string;
  /** probability, from the evidence alone, that this is what the time is spent on and that it is not meant to be so */
  readonly confidence: number;
  /** true when the evidence shows harm: only then may the finding rank above a note */
  readonly harmful: boolean;
  /** true for time between two services that is waited, not travelled: it grows with the calls in flight */
  readonly waitsInTransit?: boolean;
  /** harm beside latency: share of the endpoint's requests that fail or get a part of their answer only, beyond what was usual */
  readonly loss?: number;
  /** how the time follows a size that may grow further, where that was fitted */
  readonly growth?: SizeGrowth;
  /** call-path nodes whose time this claims; less specific explanations of them are folded into this one */
  readonly nodes: readonly number[];
  /** what to replay for the predicted gain: the cause gone, everything else as it is */
  readonly undo: readonly Undo[];
  /** waits for what it holds meanwhile (a pool's connections), which end with it: their call paths, and what takes them away */
  readonly waits?: { readonly nodes: readonly number[]; readonly undo: readonly Undo[] };
  /** the same in the grammar of `what-if`, where it can be said there */
  readonly whatIf?: string;
  /** from below the symptom (the endpoint) to the cause */
  readonly chain: readonly ChainLink[];
  readonly evidence: readonly Evidence[];
  readonly counter: readonly string[];
  readonly refutedBy: string;
  readonly remedy: { readonly text: string; readonly change?: string };
}

/** Time as a function of a size. */
export interface SizeGrowth {
  /** what is counted, in words that follow a number: "rows of records", "http.response.body.size" */
  readonly what: string;
  /** the size that counts now: of the table, or of the largest twentieth of the requests */
  readonly now: number;
  /** fitted nanoseconds at a size */
  timeAt(size: number): number;
  /** by how much it grows per second within the window; 0 where it does not, or nobody knows */
  readonly perSecond: number;
}

/** How the cause is taken away in the replay. */
export type Undo =
  /** a change of the `what-if` grammar; with `nodes`, only at these call paths */
  | { readonly kind: "change"; readonly change: Change; readonly nodes?: readonly number[] }
  /** what the own time of these span rows would be without the cause */
  | { readonly kind: "own-time"; readonly rows: Int32Array; readonly ownNs: Float64Array };

/** Smallest share of an endpoint's median or p99 that is worth a look. */
const MIN_SHARE = 0.03;

/** Hot spots of an endpoint, most time among the slow ones first. */
export function hotSpots(window: Window, view: EndpointView): HotSpot[] {
  const keys = new Set([...view.blameTypical.keys(), ...view.blameSlow.keys(), ...view.blameMean.keys()]);
  const total = (blame: ReadonlyMap<number, number>): number => [...blame.values()].reduce((sum, ns) => sum + ns, 0);
  const all = { typical: total(view.blameTypical), slow: total(view.blameSlow), mean: total(view.blameMean) };
  const spots: HotSpot[] = [];
  for (const key of keys) {
    const typicalNs = view.blameTypical.get(key) ?? 0;
    const slowNs = view.blameSlow.get(key) ?? 0;
    const meanNs = view.blameMean.get(key) ?? 0;
    const isHot =
      typicalNs >= MIN_SHARE * all.typical || slowNs >= MIN_SHARE * all.slow || meanNs >= MIN_SHARE * all.mean;
    if (!isHot || Math.max(typicalNs, slowNs, meanNs) === 0) continue;
    spots.push(hotSpot(window, view, key, { typicalNs, slowNs, meanNs }));
  }
  return spots.sort((a, b) => b.slowNs - a.slowNs || b.meanNs - a.meanNs || a.node - b.node);
}

/** The hot spot of one blame key, however small. */
export function hotSpot(
  window: Window,
  view: EndpointView,
  key: number,
  times: { typicalNs: number; slowNs: number; meanNs: number },
): HotSpot {
  const node = nodeOfKey(key);
  const { paths, text } = window;
  const nameOf = (id: number): string => (id < 0 ? "" : text(id));
  return {
    view,
    node,
    timeKind: TIME_KINDS[kindOfKey(key)]!,
    ...times,
    service: text(paths.service[node]!),
    operation: text(paths.operation[node]!),
    role: paths.role[node] as SpanRole,
    callee: nameOf(paths.callee[node]!),
    statement: nameOf(paths.statement[node]!),
  };
}
