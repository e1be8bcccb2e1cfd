import type { Mechanism } from "../../model/report.ts";
import { spanRows } from "../case.ts";
import type { EndpointView } from "../endpoint-view.ts";
import type { Claim } from "../findings.ts";
import { hotSpots, type Explanation, type HotSpot } from "../hot-spot.ts";
import type { Window } from "../window.ts";
import { ms, percent } from "../wording.ts";
import { codeCauses, type CodeCause } from "./code-causes.ts";
import { factorWithout, splitOwnTime, type OwnTimeSplit } from "./own-time-without.ts";
import type { ServiceCode } from "./service-profiles.ts";

/** Busy for so much of the time, a thread makes requests wait for 5.7 times their work (M/M/1, ρ / (1 - ρ)). */
const NEAR_ITS_LIMIT = 0.85;
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

/**
 * The claims of traces joined with what the profiles show: each service whose code costs gets a claim per
 * cause, at each endpoint that spends time there. A claim of the traces about the same time
 * gives its links to the dominant cause and goes; otherwise it stays and names the function.
 *
 * A cause is harm when the service is short of processor time (by a claim of the traces, or by the profile) or when
 * nobody means it to be (synchronous calls, collection) and it is large. Everything else is a note.
 */
export function joinCode(
  window: Window,
  ownNs: Float64Array,
  views: readonly EndpointView[],
  claims: readonly Claim[],
  services: ReadonlyMap<string, ServiceCode>,
): Claim[] {
  let joined = [...claims];
  for (const code of services.values()) {
    const causes = codeCauses(code);
    const first = causes[0];
    if (first === undefined) continue;
    const split = splitOwnTime(window, code);
    const isShort = joined.some((claim) => isAbout(claim, code) && claim.explanation.harmful);
    const isBusy = code.valueType === "wall" && code.busyShare >= NEAR_ITS_LIMIT;
    const places = placesOf(window, views, code.service);
    for (const cause of causes) {
      const isHarm = isShort || isBusy || (cause.isNeverMeant && cause.share >= HARM_SHARE);
      for (const place of places) {
        // The traces' own claim of the same is told with the function's name (nameFunctions).
        const same = joined.some(
          (c) =>
            c.view === place.view &&
            isAbout(c, code) &&
            c.explanation.mechanism === cause.mechanism &&
            c.explanation.harmful,
        );
        if (same) continue;
        const macro =
          cause === first && cause.share >= DOMINANT
            ? joined.filter((c) => c.view === place.view && isReplaced(c, code))
            : [];
        joined = joined.filter((claim) => !macro.includes(claim));
        joined.push({
          view: place.view,
          explanation: explanationOf(window, ownNs, place, code, cause, causes, split, isHarm, macro),
        });
      }
    }
  }
  return joined;
}

/**
 * Claims about a lack of processor time, with the function that takes it: as a link of their chain, and
 * as their subject. Collection that was read from pauses, and of which the profile shows next to nothing, becomes a note.
 */
export function nameFunctions(claims: readonly Claim[], services: ReadonlyMap<string, ServiceCode>): Claim[] {
  return claims.map((claim) => {
    const { explanation } = claim;
    const code = services.get(explanation.subject.service);
    if (code === undefined || !isAbout(claim, code) || explanation.subject.frame !== undefined) return claim;
    if (explanation.mechanism === "garbage-collection" && !hasCollection(code))
      return { ...claim, explanation: refuted(explanation, code) };
    const causes = codeCauses(code);
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
  readonly spots: readonly HotSpot[];
}

function placesOf(window: Window, views: readonly EndpointView[], service: string): Place[] {
  return views.flatMap((view) => {
    const spots = hotSpots(window, view).filter((spot) => spot.service === service && spot.timeKind === "unexplained");
    return spots.length === 0 ? [] : [{ view, spots }];
  });
}

function explanationOf(
  window: Window,
  ownNs: Float64Array,
  { view, spots }: Place,
  code: ServiceCode,
  cause: CodeCause,
  causes: readonly CodeCause[],
  split: OwnTimeSplit,
  harmful: boolean,
  macro: readonly Claim[],
): Explanation {
  const main = spots[0]!;
  const factor = factorWithout(split, cause.share);
  const nodes = spots.map((spot) => spot.node);
  const rows = Int32Array.from(nodes.flatMap((node) => [...spanRows(window, node)].filter((row) => ownNs[row]! > 0)));
  const seen = macro[0]?.explanation;
  const links = seen?.chain.slice(1) ?? [];
  const evidence = [...(seen?.evidence ?? []), cause.evidence, splitEvidence(code, split, cause, factor)];
  const at = seen?.evidence.length ?? 0;
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
    title: cause.title,
    why: `${seen === undefined ? "" : `${sentence(seen.title)} `}${busyText(code)}${order}`,
    confidence: Math.max(harmful ? 0.8 : 0.3, harmful ? (seen?.confidence ?? 0) : 0),
    harmful,
    nodes,
    undo: [{ kind: "own-time", rows, ownNs: Float64Array.from(rows, (row) => ownNs[row]! * factor) }],
    whatIf: `service=${code.service},operation=${main.operation},time=${Math.max(0.01, factor).toFixed(2)}`,
    chain: [
      { claim: `${view.name}: p99 ${ms(view.p99)}`, evidence: [] },
      ...(links.length > 0
        ? links
        : [{ claim: `${code.service} ${main.operation}: ${ms(main.slowNs)} of its own`, evidence: [] }]),
      { claim: cause.title, evidence: [at] },
    ],
    evidence,
    counter: [...cause.counter, ...(code.valueType === "wall" ? [WALL] : []), ...apart(causes)],
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
  { work, waiting, rest, utilisation }: OwnTimeSplit,
  { share }: CodeCause,
  factor: number,
): Explanation["evidence"][number] {
  const parts = `${percent(work)} work, ${percent(waiting)} waiting for the thread, ${percent(rest)} else`;
  return {
    kind: "statistic",
    text: `own time of ${code.service}: ${parts}; without ${percent(share)} of the work it is ${percent(factor)} of what it is`,
    query: `busy time of the profile over own time of the spans; waiting by a queue at ${percent(utilisation)} (M/M/1)`,
  };
}

const sentence = (text: string): string => `${text.charAt(0).toUpperCase()}${text.slice(1)}.`;
