import type { Finding, Impact, Mechanism, Severity } from "../../model/report.ts";
import { findingId, type RankedDraft, type Told } from "../findings.ts";
import { percent, ms as time } from "../wording.ts";
import { besideSpans } from "./beside-spans.ts";
import type { Deviation } from "./deviations.ts";
import { diskFindings } from "./disk-findings.ts";
import { deviationText, evidenceOf, REMEDIES, titleOf, wasSo } from "./judge-claims.ts";
import { type Localisation, SYMPTOM } from "./localise.ts";
import type { ResourceReading } from "./readings.ts";
import type { ResourceContext } from "./resource-context.ts";
import { durationOf, meanOf } from "./service-measures.ts";

/** A deviation from here on is worth a finding of its own. */
const STRONG = 2;
/** A resource from here on. */
const SURE = 3;
/** A symptom from here on, for as long as two windows, is worth waking somebody; weaker ones come and go in healthy systems. */
const ALARM = 2 * SYMPTOM;

/** A request that fails is worth as much as this many that take twice as long: 2 % and 10 % are worth a warning. */
const LOSS = 5;
/** What counts of a service that explains less of a symptom than another one, with no resource of its own used up. */
const SECOND = 0.4;
/** A resource that was not used up before and is now does harm, also where nothing measured how much. */
const UNMEASURED_GAIN = 0.3;
/** What counts of a deviation that no symptom leads to while one leads elsewhere. */
const UNFELT = 0.1;

/** Mechanism that a risen quantity speaks for; those without an entry are effects rather than causes. */
const MECHANISM_OF: Partial<Record<Deviation["quantity"], readonly [mechanism: Mechanism, resource: string]>> = {
  "cpu-used": ["cpu-saturated", "cpu"],
  "cpu-share": ["cpu-saturated", "cpu"],
  "gc-time": ["garbage-collection", "gc"],
  "event-loop-share": ["cpu-saturated", "event-loop"],
  "event-loop-delay": ["event-loop-blocked", "event-loop"],
  "throttled-time": ["cpu-throttled", "quota"],
  "throttled-periods": ["cpu-throttled", "quota"],
  "throttled-share": ["cpu-throttled", "quota"],
  "pool-waiting": ["pool-exhausted", "pool"],
  "pool-wait": ["pool-exhausted", "pool"],
  "disk-busy": ["disk-saturated", "disk"],
  "memory-share": ["memory-pressure", "memory"],
  "queue-depth": ["queue-backlog", "queue"],
};

interface Suspect {
  readonly service: string;
  /** 0 .. 1: how well the metrics single it out */
  readonly score: number;
  readonly deviations: readonly Deviation[];
  readonly readings: readonly ResourceReading[];
  /** `isFirst`: no other service explains more of that symptom */
  readonly root: { readonly localisation: Localisation; readonly share: number; readonly isFirst: boolean } | undefined;
}

/**
 * What metrics alone say against a baseline: services whose resources or durations are not as usual and, by the graph,
 * the ones that a symptom comes from; as far as the spans have not told it.
 */
export function resourceFindings(context: ResourceContext, told: Told): RankedDraft[] {
  return [
    ...diskFindings(context),
    ...suspects(context)
      .map((suspect) => ({ suspect, draft: draftOf(suspect, context) }))
      .filter(({ suspect, draft }) => isShown(suspect, draft))
      .map(({ draft }) => besideSpans(draft, told, context.traced))
      .filter((draft) => draft !== undefined),
  ];
}

/**
 * Whether there is anything to show. A resource that is busier than usual, not used up, at a service whose requests take
 * as long as before, to the last digit that a report prints, or are not measured at all, is no note: it would read
 * "0 → 0 ms".
 */
function isShown({ root, readings, deviations }: Suspect, { severity, finding: { impact } }: RankedDraft): boolean {
  if (severity !== "note" || root !== undefined || readings.length > 0) return true;
  return (
    time(impact.now * 1e6) !== time(impact.predicted * 1e6) || deviations.some((one) => one.quantity === "duration")
  );
}

function suspects(context: ResourceContext): Suspect[] {
  const { now, deviations, readings, localisations } = context;
  const found: Suspect[] = [];
  for (const service of now.services.keys()) {
    const own = deviations.filter((one) => one.service === service && one.strength >= STRONG && one.qValue <= 0.05);
    const roots = localisations.flatMap((localisation) =>
      localisation.roots
        .filter(({ excess }) => excess.service === service)
        .map(({ share }) => ({ localisation, share, isFirst: localisation.roots[0]!.excess.service === service })),
    );
    const felt = (one: (typeof roots)[number]): number => weightOf(one) * one.localisation.traffic;
    const root = roots.toSorted((a, b) => felt(b) - felt(a))[0];
    const causes = own.filter((one) => MECHANISM_OF[one.quantity] !== undefined);
    const duration = own.find((one) => one.quantity === "duration");
    const used = readings.filter((one) => one.service === service && one.saturated && !wasSo(one, context));
    const parts = [
      root === undefined ? 0 : weightOf(root),
      causes.length === 0 ? 0 : 0.8 * sure(causes[0]!.strength),
      causes.length > 0 && used.length > 0 ? 0.5 : 0,
      used.some((one) => one.mechanism === "memory-leak") ? 0.7 : 0,
      duration === undefined ? 0 : 0.5 * sure(duration.strength),
    ];
    const isSecond = root !== undefined && !root.isFirst && causes.length === 0;
    const score = (1 - parts.reduce((left, part) => left * (1 - part), 1)) * (isSecond ? SECOND : 1);
    if (score >= 0.1) found.push({ service, score, deviations: own, readings: used, root });
  }
  return found.toSorted((a, b) => b.score - a.score || (a.service < b.service ? -1 : 1));
}

/** Half at three usual distances. */
const sure = (strength: number): number => (strength * strength) / (9 + strength * strength);

const weightOf = ({ localisation, share }: NonNullable<Suspect["root"]>): number =>
  share * (0.2 + 0.75 * sure(2 * localisation.symptom.strength));

function draftOf(suspect: Suspect, context: ResourceContext): RankedDraft {
  const { mechanism, resource, reading } = mechanismOf(suspect);
  const subject = { service: suspect.service, ...(resource === "" ? {} : { resource }) };
  const { impact, gain: measured } = impactOf(suspect, context);
  const gain = isUsedUp(suspect) ? Math.max(measured, UNMEASURED_GAIN) : measured;
  const severity = severityOf(suspect, gain);
  const texts = suspect.deviations.slice(0, 5).map(deviationText);
  const title = reading === undefined ? symptomTitle(suspect, mechanism) : titleOf(reading);
  const { root } = suspect;
  const evidence: Finding["evidence"] = [
    ...(reading === undefined ? [] : [evidenceOf(reading)]),
    ...texts.map((text) => ({
      kind: "series" as const,
      text,
      query: `metrics of ${suspect.service}, now and in the baseline`,
    })),
    ...(root === undefined ? [] : [rootEvidence(suspect, root)]),
  ];
  return {
    severity,
    score:
      gain *
      suspect.score *
      (suspect.root?.localisation.traffic ?? 1) *
      (suspect.root === undefined && context.localisations.length > 0 ? UNFELT : 1),
    finding: {
      rank: 0,
      id: findingId({ mechanism, subject }),
      kind: "resource",
      severity,
      confidence: Math.round(suspect.score * 0.95 * 1000) / 1000,
      title,
      why: [reading?.text ?? texts[0] ?? "", root === undefined ? "" : rootEvidence(suspect, root).text]
        .filter((text) => text !== "")
        .join(". "),
      subject,
      mechanism,
      impact,
      chain: evidence.map(({ text }, i) => ({ claim: text, evidence: [i] })),
      evidence,
      counter: root === undefined ? ["nothing in the metrics shows that a user feels it"] : [],
      refutedBy: `${suspect.service} shows the same at a time when nothing was wrong`,
      remedy: {
        text:
          REMEDIES[mechanism] ??
          `Look at what changed at ${suspect.service} since the baseline: a deploy, its load, its machine; traces would say which operation.`,
      },
    },
  };
}

function mechanismOf({ readings, deviations }: Suspect): {
  mechanism: Mechanism;
  resource: string;
  reading: ResourceReading | undefined;
} {
  const causes = deviations.filter((one) => MECHANISM_OF[one.quantity] !== undefined);
  const reading =
    readings.find((one) => causes.some((cause) => MECHANISM_OF[cause.quantity]![0] === one.mechanism)) ?? readings[0];
  if (reading !== undefined && causes.length > 0)
    return { mechanism: reading.mechanism, resource: reading.resource, reading };
  const leak = readings.find((one) => one.mechanism === "memory-leak");
  if (leak !== undefined) return { mechanism: leak.mechanism, resource: leak.resource, reading: leak };
  const [cause] = causes;
  if (cause === undefined)
    return {
      mechanism: deviations.some((one) => one.quantity === "request-failed-share") ? "error-handling" : "unknown",
      resource: "",
      reading: undefined,
    };
  const [mechanism, resource] = MECHANISM_OF[cause.quantity]!;
  return {
    mechanism,
    resource: cause.resource === "" ? resource : `${resource}:${cause.resource}`,
    reading: undefined,
  };
}

function symptomTitle({ service, root, deviations }: Suspect, mechanism: Mechanism): string {
  const excess = root?.localisation.roots.find((one) => one.excess.service === service)?.excess;
  if (excess?.of === "failures")
    return `${service} fails ${percent(excess.now)} of its requests, usually ${percent(excess.usual)}`;
  if (mechanism === "cpu-saturated" && deviations.length > 0) return `${service} uses far more CPU than usual`;
  if (excess !== undefined) return `${service} takes ${ms(excess.now)} per request, usually ${ms(excess.usual)}`;
  const [told] = [...deviations].sort(
    (a, b) => Number(b.quantity in MECHANISM_OF) - Number(a.quantity in MECHANISM_OF),
  );
  return told === undefined ? `${service} is not as usual` : deviationText(told);
}

const ms = (seconds: number): string => time(1e9 * seconds);

function rootEvidence(
  { service }: Suspect,
  { localisation, share }: NonNullable<Suspect["root"]>,
): Finding["evidence"][number] {
  const { symptom, badWindows, windows } = localisation;
  const excess = localisation.roots.find((one) => one.excess.service === service)!.excess;
  const what = symptom.of === "failures" ? "failed requests" : "time of requests";
  const level = (value: number): string => (symptom.of === "failures" ? percent(value) : ms(value));
  return {
    kind: "statistic",
    text: `${symptom.service} shows it (${level(symptom.usual)} -> ${level(symptom.now)} in ${badWindows} of ${windows} windows); ${service} (${level(excess.usual)} -> ${level(excess.now)}) explains ${percent(Math.min(1, share))} of the additional ${what}, what it calls does not`,
    query: "rate times excess over the usual, down the service graph",
  };
}

/** A resource is used up and was not before. */
const isUsedUp = ({ readings, deviations }: Suspect): boolean =>
  readings.length > 0 && deviations.some((one) => MECHANISM_OF[one.quantity] !== undefined && one.strength >= SURE);

function severityOf(suspect: Suspect, gain: number): Severity {
  const { root, readings, deviations, score } = suspect;
  const isSlower = deviations.some((one) => one.quantity === "duration");
  const isAlarm = root !== undefined && root.isFirst && root.share >= 0.5 && isLasting(root.localisation);
  if (readings.some((one) => one.mechanism === "memory-leak")) return "warning";
  if (isUsedUp(suspect)) return isSlower && gain >= 0.5 ? "critical" : "warning";
  if (isAlarm) return gain >= 0.5 && score >= 0.6 ? "critical" : "warning";
  return "note";
}

/** Strong, and for more than one window where there are several. */
const isLasting = ({ symptom, lastingWindows, windows }: Localisation): boolean =>
  symptom.strength >= ALARM && lastingWindows >= Math.min(2, windows);

/** The duration of the symptom's or the service's own requests, now and as usual. */
function impactOf(suspect: Suspect, { now, before }: ResourceContext): { impact: Impact; gain: number } {
  const { root, service } = suspect;
  const excess = root?.localisation.symptom;
  const at = excess?.service ?? service;
  const endpoint = { service: at, operation: "all requests" };
  const kind = durationOf(now.services.get(at), "request")?.what;
  const method = `${kind === "tail" ? "percentile" : "mean"} of requests by metrics, now and as usual in the baseline`;
  const figures = (nowS: number, usualS: number): Impact => {
    const [present, predicted] = [round(nowS), round(Math.min(nowS, usualS))];
    return {
      endpoint,
      metric: kind === "tail" ? "p95" : "mean",
      now: present,
      predicted,
      low: predicted,
      high: predicted,
      unit: "ms",
      method,
    };
  };
  if (excess !== undefined && excess.of === "duration")
    return { impact: figures(excess.now, excess.usual), gain: Math.max(0, 1 - excess.usual / excess.now) };
  const own = suspect.deviations.find((one) => one.quantity === "duration");
  const level = own?.now ?? meanOf(durationOf(now.services.get(at), "request")?.values);
  const usual = own?.usual.median ?? meanOf(durationOf(before?.services.get(at), "request")?.values);
  const loss = excess === undefined ? 0 : Math.min(1, LOSS * (excess.now - excess.usual));
  const gain = excess === undefined ? (level > usual ? 1 - usual / level : 0) : loss;
  return {
    impact: figures(Number.isFinite(level) ? level : 0, Number.isFinite(usual) ? usual : 0),
    gain: Math.max(0.01, gain || 0),
  };
}

const round = (seconds: number): number => Math.round(seconds * 1e6) / 1e3;
