import type { EndpointLedger, Mechanism } from "../../model/report.ts";
import { quantileOf } from "../../analysis/weighted-quantile.ts";
import { spanRows } from "../case.ts";
import type { EndpointView } from "../endpoint-view.ts";
import type { Claim } from "../findings.ts";
import { hotSpots, type Explanation, type HotSpot } from "../hot-spot.ts";
import type { Window } from "../window.ts";
import { answeringService } from "../path-index.ts";
import { ms, percent } from "../wording.ts";
import { timeKindLink } from "./blame-link.ts";
import type { CodeCause } from "./code-causes.ts";
import { changeSince, type CodeChange } from "./code-change.ts";
import { codeAtEndpoint, type EndpointCode } from "./endpoint-code.ts";
import {
  factorWithout,
  meanWait,
  splitOwnTime,
  waitingWithout,
  type OwnTimeSplit,
  type ShareGone,
} from "./own-time-without.ts";
import type { ServiceCode } from "./service-profiles.ts";
import { mapToFloats } from "../../model/map-column.ts";

/** Busy for so much of the time, a thread makes requests wait for 5.7 times their work (M/M/1, ρ / (1 - ρ)). */
const NEAR_ITS_LIMIT = 0.85;
/** From here on waiting for the thread exceeds the work (M/M/1); a limit where metrics say so, too. */
const WAITS_EXCEED_WORK = 0.5;
/** An endpoint is worse than its baseline from this factor of its p99 on; less, chance does. */
const WORSE = 1.2;
/** Share of what is never meant from which on it is harm in itself, if removing it gains enough. */
const HARM_SHARE = 0.15;
/** One cause with so much of the time is what the service's slowness is about; below, several are. */
const DOMINANT = 0.4;

/** What traces can say of a service that is short of processor time, or stands still: a profile says why. */
const SHORT_OF_CPU: ReadonlySet<Mechanism> = new Set<Mechanism>([
  "slow-code",
  "cpu-saturated",
  "event-loop-blocked",
  "garbage-collection",
  "lock-contention",
]);

/** What is known besides claims of whether a service is short of processor time. */
export interface CodeContext {
  /** the service whose processor or event loop limits the throughput, and how much of it is in use */
  readonly limiter?: { readonly service: string; readonly utilisation: number };
  /** p99 of the endpoint in the baseline, nanoseconds; absent without a baseline, undefined where it is not in it */
  readonly p99Before?: (view: EndpointView) => number | undefined;
  /** profiles of the baseline, by service */
  readonly before?: ReadonlyMap<string, ServiceCode>;
  /** where the endpoint's time went by kind */
  readonly ledgerOf?: (view: EndpointView) => EndpointLedger | undefined;
}

/**
 * The claims of traces joined with what the profiles show: each service whose code costs gets a claim per
 * cause, at each endpoint that spends time there. A claim of the traces about the same time
 * gives its links to the dominant cause and goes; otherwise it stays and names the function.
 *
 * A cause is harm when the service is short of processor time (by a claim of the traces, by the profile, or as the limit of
 * an endpoint that became worse) or when nobody means it to be (synchronous calls, collection) and it is
 * large. With a baseline, only at endpoints that became worse. Everything else is a note.
 */
export function joinCode(
  window: Window,
  ownNs: Float64Array,
  views: readonly EndpointView[],
  claims: readonly Claim[],
  services: ReadonlyMap<string, ServiceCode>,
  context: CodeContext,
): Claim[] {
  let joined = [...claims];
  for (const code of services.values()) {
    const split = splitOwnTime(window, code);
    const isShort = joined.some((claim) => isAbout(claim, code) && claim.explanation.harmful);
    for (const place of placesOf(window, views, code.service)) {
      const at = codeAtEndpoint(window, code, place.view);
      const [first] = at.causes;
      for (const cause of at.causes) {
        const isThere = (c: Claim): boolean => c.view === place.view && isAbout(c, code);
        const same = joined.filter(
          (c) => isThere(c) && c.explanation.mechanism === cause.mechanism && c.explanation.harmful,
        );
        // Of collection traces see the pauses, and the profile its size: what it is worth is told by the profile.
        const isMeasured = cause.mechanism === "garbage-collection";
        // Any other claim of the same is told with the function's name (nameFunctions).
        if (same.length > 0 && !isMeasured) continue;
        const isDominant = cause === first && cause.share >= DOMINANT;
        const macro = isDominant ? joined.filter((c) => isThere(c) && isReplaced(c, code)) : same;
        joined = joined.filter((claim) => !macro.includes(claim));
        const change = changeSince(context.before?.get(code.service), code, cause);
        const harmful = isHarm(code, cause, isShort, place.view, context, change, at.isLinked);
        const ledger = context.ledgerOf?.(place.view);
        joined.push({
          view: place.view,
          explanation: explanationOf(
            window,
            ownNs,
            { ...place, ledger, change },
            code,
            cause,
            at,
            split,
            harmful,
            macro,
          ),
        });
      }
    }
  }
  return joined;
}

function isHarm(
  code: ServiceCode,
  cause: CodeCause,
  isShort: boolean,
  view: EndpointView,
  { limiter, p99Before }: CodeContext,
  change: CodeChange | undefined,
  isLinked: boolean,
): boolean {
  if (isShort) return true;
  const before = p99Before?.(view);
  const isWorse = before !== undefined && view.p99 >= WORSE * before;
  if (p99Before !== undefined && !isWorse) return false;
  // Worse since the baseline, and so is this: one explains the other.
  if (isWorse && change?.hasGrown === true && cause.isSure && cause.share >= HARM_SHARE) return true;
  const busy = code.valueType === "wall" ? code.busyShare : 0;
  const limits = limiter?.service === code.service && limiter.utilisation >= WAITS_EXCEED_WORK;
  if (busy >= NEAR_ITS_LIMIT) return true;
  if (limits && busy >= WAITS_EXCEED_WORK && (isWorse || cause.isNeverMeant)) return true;
  // The processor or the loop is at its limit by metrics, and samples within the endpoint's own spans say what with.
  if (limits && limiter.utilisation >= NEAR_ITS_LIMIT && isLinked && cause.share >= DOMINANT) return true;
  return cause.isNeverMeant && cause.isSure && cause.share >= HARM_SHARE;
}

/**
 * Claims about a lack of processor time, with the function that takes it: as a link of their chain, and
 * as their subject. Collection that was read from pauses, and of which the profile shows next to nothing, becomes a note.
 */
export function nameFunctions(
  window: Window,
  claims: readonly Claim[],
  services: ReadonlyMap<string, ServiceCode>,
): Claim[] {
  return claims.map((claim) => {
    const { explanation } = claim;
    const code = services.get(explanation.subject.service);
    if (code === undefined || !isAbout(claim, code) || explanation.subject.frame !== undefined) return claim;
    if (explanation.mechanism === "garbage-collection" && !hasCollection(code))
      return { ...claim, explanation: refuted(explanation, code) };
    const { causes } = codeAtEndpoint(window, code, claim.view);
    const own = causes.find((one) => one.mechanism === explanation.mechanism);
    const largest = causes.find((one) => one.share >= WORTH_A_LINK);
    const cause = own ?? (explanation.mechanism === "garbage-collection" ? undefined : largest);
    return cause === undefined ? claim : { ...claim, explanation: withCause(explanation, cause) };
  });
}

/** Of a claim that does not name the cause itself: what takes less is one of many. */
const WORTH_A_LINK = 0.2;

/** Pauses that hurt the slow requests make up a part of all time, and collection a part of all work. */
const hasCollection = (code: ServiceCode): boolean => gcShare(code) >= 0.08 || gcShare(code) * code.busyShare >= 0.01;

const refuted = (explanation: Explanation, code: ServiceCode): Explanation => ({
  ...explanation,
  harmful: false,
  confidence: explanation.confidence * 0.5,
  counter: [
    ...explanation.counter,
    `the profile of ${code.service} shows ${percent(gcShare(code))} of its busy time in collection: the pauses come from elsewhere (a processor taken away, a call that blocks)`,
  ],
});

function withCause(explanation: Explanation, cause: CodeCause): Explanation {
  const isTold = explanation.mechanism === "slow-code" && cause.frame !== "";
  return {
    ...explanation,
    subject: { ...explanation.subject, ...(cause.frame === "" ? {} : { frame: cause.frame }) },
    title: isTold ? `${explanation.title}; ${cause.title}` : explanation.title,
    why: `${explanation.why}${isTold ? "" : ` ${sentence(cause.title)}`}`.trim(),
    chain: [...explanation.chain, { claim: cause.title, evidence: [explanation.evidence.length] }],
    evidence: [...explanation.evidence, cause.evidence],
    counter: explanation.counter.filter((text) => !text.startsWith("traces do not show what the time")),
    remedy: explanation.harmful ? explanation.remedy : { ...explanation.remedy, text: cause.remedy },
  };
}

const gcShare = ({ profile }: ServiceCode): number => profile.classes.find(({ work }) => work === "gc")?.share ?? 0;

const isAbout = ({ explanation }: Claim, { service }: ServiceCode): boolean =>
  explanation.subject.service === service &&
  SHORT_OF_CPU.has(explanation.mechanism) &&
  explanation.subject.statement === undefined;

/** Claims that a dominant cause explains: what they saw is its effect. A blocked event loop names its request, and stays. */
const isReplaced = (claim: Claim, code: ServiceCode): boolean =>
  isAbout(claim, code) && claim.explanation.mechanism !== "event-loop-blocked";

/** An endpoint that spends time in the service's own code, and where. */
interface Place {
  readonly view: EndpointView;
  /** call paths with the service's own time, most first */
  readonly spots: readonly HotSpot[];
  /** call paths of calls to and from it, whose time between the spans is waiting for its thread, too */
  readonly between: readonly HotSpot[];
}

/** The same with what is known of its time and of earlier times. */
interface KnownPlace extends Place {
  readonly ledger: EndpointLedger | undefined;
  readonly change: CodeChange | undefined;
}

function placesOf(window: Window, views: readonly EndpointView[], service: string): Place[] {
  return views.flatMap((view) => {
    const all = hotSpots(window, view);
    const spots = all.filter((spot) => spot.service === service && spot.timeKind === "unexplained");
    if (spots.length === 0) return [];
    const isNear = (spot: HotSpot): boolean =>
      spot.service === service || answeringService(window, spot.node) === service;
    return [{ view, spots, between: all.filter((spot) => spot.timeKind === "transit" && isNear(spot)) }];
  });
}

/** What would be left of the time of the place's spans, row by row. */
function undoOf(
  window: Window,
  ownNs: Float64Array,
  { spots, between }: Place,
  split: OwnTimeSplit,
  share: ShareGone,
): Explanation["undo"] {
  const rowsOf = (spot: HotSpot): Int32Array => spanRows(window, spot.node).filter((row) => ownNs[row]! > 0);
  const factor = factorWithout(split, share);
  const own = Int32Array.from(spots.flatMap((spot) => [...rowsOf(spot)]));
  const undo: Explanation["undo"][number][] = [
    { kind: "own-time", rows: own, ownNs: mapToFloats(own, (row) => ownNs[row]! * factor) },
  ];
  const waiting = waitingWithout(split, share.ofQueue);
  const requests = spots.reduce((most, spot) => Math.max(most, rowsOf(spot).length), 1);
  const waitNs = meanWait(split, own.reduce((sum, row) => sum + ownNs[row]!, 0) / requests);
  for (const spot of between) {
    const rows = rowsOf(spot);
    if (rows.length < 5) continue;
    // The quickest tenth shows the way itself; what exceeds it is waiting, for the thread as far as its queue explains it.
    const all = mapToFloats(rows, (row) => ownNs[row]!);
    const way = quantileOf(all, 0.1);
    const excess = all.reduce((sum, ns) => sum + Math.max(0, ns - way), 0) / rows.length;
    const kept = 1 - (1 - waiting) * (excess > 0 ? Math.min(1, waitNs / excess) : 0);
    undo.push({ kind: "own-time", rows, ownNs: all.map((ns) => Math.min(ns, way) + Math.max(0, ns - way) * kept) });
  }
  return undo;
}

function explanationOf(
  window: Window,
  ownNs: Float64Array,
  place: KnownPlace,
  code: ServiceCode,
  cause: CodeCause,
  at: EndpointCode,
  split: OwnTimeSplit,
  harmful: boolean,
  macro: readonly Claim[],
): Explanation {
  const { view, spots } = place;
  const main = spots[0]!;
  const { causes } = at;
  const share = at.shareGone(cause);
  const factor = factorWithout(split, share);
  const nodes = spots.map((spot) => spot.node);
  const seen = macro[0]?.explanation;
  const links = seen?.chain.slice(1) ?? [];
  const isBetween = place.between.length > 0;
  const kinds = timeKindLink(
    place.ledger,
    code.service,
    view,
    spots.reduce((sum, spot) => sum + spot.slowNs, 0) * split.work * share.ofWork,
  );
  const evidence = [
    ...(seen?.evidence ?? []),
    cause.evidence,
    splitEvidence(code, split, share, factor, isBetween),
    ...(kinds === undefined ? [] : [kinds.evidence]),
    ...(place.change === undefined ? [] : [place.change.evidence]),
  ];
  const profiled = seen?.evidence.length ?? 0;
  const order = causes.length < 2 ? "" : ` In the order in which they pay: ${causes.map(shortly).join(", ")}.`;
  return {
    mechanism: cause.mechanism,
    kind: "code",
    subject: {
      service: code.service,
      operation: main.operation,
      resource: cause.work === "fsync" ? "disk" : "cpu",
      ...(cause.frame === "" ? {} : { frame: cause.frame }),
    },
    // Of a function all calls are one matter; of system calls each kind is one of its own.
    matter: `${cause.work} ${cause.frame}`,
    title: cause.title,
    why: `${seen === undefined ? "" : `${sentence(seen.title)} `}${busyText(code)}${order}`,
    confidence: Math.max(harmful ? 0.8 : 0.3, harmful ? (seen?.confidence ?? 0) : 0),
    harmful,
    nodes,
    undo: undoOf(window, ownNs, place, split, share),
    whatIf: `service=${code.service},operation=${main.operation},time=${Math.max(0.01, factor).toFixed(2)}`,
    chain: [
      { claim: `${view.name}: p99 ${ms(view.p99)}`, evidence: [] },
      ...(links.length > 0
        ? links
        : [{ claim: `${code.service} ${main.operation}: ${ms(main.slowNs)} of its own`, evidence: [] }]),
      ...(kinds === undefined ? [] : [{ claim: kinds.claim, evidence: [profiled + 2] }]),
      {
        claim: `${cause.title}${kinds === undefined ? "" : `: ${kinds.share}`}`,
        evidence: [profiled, ...(place.change === undefined ? [] : [evidence.length - 1])],
      },
    ],
    evidence,
    counter: [
      ...cause.counter,
      ...at.counter,
      ...(place.change?.hasGrown === false ? ["it takes no more than in the baseline"] : []),
      ...(code.valueType === "wall" ? [WALL] : []),
      ...apart(causes),
    ],
    refutedBy: cause.refutedBy,
    remedy: { text: cause.remedy },
  };
}

const WALL = "the profile tells wall time of the thread: waiting for a processor counts as work";

const apart = (causes: readonly CodeCause[]): string[] =>
  causes.length < 2 ? [] : ["the gains of several causes do not add up"];

const shortly = (cause: CodeCause): string => {
  const frame = cause.frame === "" ? "" : ` in ${cause.frame.replace(/ \(.*$/, "")}`;
  const what = {
    code: "code",
    gc: "garbage collection",
    fsync: "syncs",
    write: "writes",
    read: "reads",
    file: "calls of files",
  };
  return `${what[cause.work]}${cause.work === "gc" ? "" : frame} ${percent(cause.share)}`;
};

function busyText({ service, busyShare, profile }: ServiceCode): string {
  const samples = `${profile.busySamples.toLocaleString("en")} samples`;
  if (Number.isNaN(busyShare)) return `Of ${samples} of ${service}.`;
  return `The thread of ${service} is busy for ${percent(Math.min(1, busyShare))} of the time (${samples}).`;
}

function splitEvidence(
  code: ServiceCode,
  split: OwnTimeSplit,
  share: ShareGone,
  factor: number,
  isBetween: boolean,
): Explanation["evidence"][number] {
  const { work, waiting, rest, utilisation } = split;
  const between = isBetween
    ? `; of the time between its spans and those of its callers and callees, of what waits for the thread ${percent(waitingWithout(split, share.ofQueue))} stays`
    : "";
  const parts = `${percent(work)} work, ${percent(waiting)} waiting for the thread, ${percent(rest)} else`;
  return {
    kind: "statistic",
    text: `own time of ${code.service}: ${parts}; without ${percent(share.ofWork)} of the work it is ${percent(factor)} of what it is${between}`,
    query: `busy time of the profile over own time of the spans; waiting by a queue at ${percent(utilisation)} (M/M/1)`,
  };
}

const sentence = (text: string): string => `${text.charAt(0).toUpperCase()}${text.slice(1)}.`;
