import type { Finding, Impact, Mechanism, Severity } from "../../model/report.ts";
import { findingId, type RankedDraft } from "../findings.ts";
import { percent } from "../wording.ts";
import type { Deviation } from "./deviations.ts";
import { deviationText, evidenceOf, REMEDIES, titleOf } from "./judge-claims.ts";
import { type Localisation, SYMPTOM } from "./localise.ts";
import type { ResourceReading } from "./readings.ts";
import type { ResourceContext } from "./resource-context.ts";
import { durationOf, meanOf } from "./service-measures.ts";

/** A deviation from here on is worth a finding of its own. */
const STRONG = 2;
/** A symptom from here on, for as long as two windows, is worth waking somebody; weaker ones come and go in healthy systems. */
const ALARM = 2 * SYMPTOM;

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
  readonly root: { readonly localisation: Localisation; readonly share: number } | undefined;
}

/**
 * What metrics alone say against a baseline: services whose resources or durations
 * are not as usual and, by the graph, the ones that a symptom comes from. `told`: services that a finding
 * above a note is already about.
 */
export function resourceFindings(context: ResourceContext, told: ReadonlySet<string>): RankedDraft[] {
  return suspects(context)
    .filter(({ service }) => !told.has(service))
    .map((suspect) => draftOf(suspect, context));
}

function suspects({ now, deviations, readings, localisations }: ResourceContext): Suspect[] {
  const found: Suspect[] = [];
  for (const service of now.services.keys()) {
    const own = deviations.filter((one) => one.service === service && one.strength >= STRONG && one.qValue <= 0.05);
    const roots = localisations.flatMap((localisation) =>
      localisation.roots
        .filter(({ excess }) => excess.service === service)
        .map(({ share }, rank) => ({ localisation, share: share / (1 + rank) })),
    );
    const root = roots.toSorted((a, b) => weightOf(b) - weightOf(a))[0];
    const causes = own.filter((one) => MECHANISM_OF[one.quantity] !== undefined);
    const duration = own.find((one) => one.quantity === "duration");
    const used = readings.filter((one) => one.service === service && one.saturated);
    const parts = [
      root === undefined ? 0 : weightOf(root),
      causes.length === 0 ? 0 : 0.8 * sure(causes[0]!.strength),
      causes.length > 0 && used.length > 0 ? 0.5 : 0,
      duration === undefined ? 0 : 0.5 * sure(duration.strength),
    ];
    const score = 1 - parts.reduce((left, part) => left * (1 - part), 1);
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
  const { impact, gain } = impactOf(suspect, context);
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
    score: gain * suspect.score,
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
  return `${service} is not as usual: ${deviations[0]!.quantity}`;
}

const ms = (seconds: number): string => `${(1000 * seconds).toPrecision(3)} ms`;

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

function severityOf({ root, readings, deviations, score }: Suspect, gain: number): Severity {
  const duration = deviations.find((one) => one.quantity === "duration");
  const isCause = deviations.some((one) => MECHANISM_OF[one.quantity] !== undefined);
  const isAlarm = root !== undefined && root.share >= 0.5 && isLasting(root.localisation);
  if (readings.length > 0 && isCause && duration !== undefined) return gain >= 0.5 ? "critical" : "warning";
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
  const gain = excess === undefined ? (level > usual ? 1 - usual / level : 0) : Math.max(0, excess.now - excess.usual);
  return {
    impact: figures(Number.isFinite(level) ? level : 0, Number.isFinite(usual) ? usual : 0),
    gain: Math.max(0.01, gain || 0),
  };
}

const round = (seconds: number): number => Math.round(seconds * 1e6) / 1e3;
