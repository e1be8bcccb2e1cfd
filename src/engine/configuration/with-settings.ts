import { nodeOfKey } from "../../analysis/blame.ts";
import type { ChainLink, Evidence, Finding, Impact, Severity } from "../../model/report.ts";
import { NS_PER_MS } from "../../model/units.ts";
import type { EndpointView } from "../endpoint-view.ts";
import { findingId } from "../findings.ts";
import { bestGain, type Predict } from "../prediction.ts";
import type { Window } from "../window.ts";
import { ms } from "../wording.ts";
import type { NamedSetting, SettingProblem } from "./configuration-check.ts";

/** As for other findings: a tenth of a percentile and a millisecond, or two requests of a hundred. */
const WARNING_GAIN = 0.1;
const CRITICAL_GAIN = 0.5;
const MIN_HARM_NS = NS_PER_MS;
const WARNING_LOSS = 0.02;
const CRITICAL_LOSS = 0.25;

const order = (severity: Severity): number => ["critical", "warning", "note"].indexOf(severity);

/**
 * Settings joined to the findings: one that tells the same in other words gets the setting, the change and the sum as
 * evidence; a problem that none tells becomes a finding of its own, above a note only with harm. Ranks are given anew.
 */
export function withSettings(
  findings: readonly Finding[],
  problems: readonly SettingProblem[],
  window: Window,
  views: readonly EndpointView[],
  predict: Predict,
): Finding[] {
  let all = [...findings];
  for (const problem of problems) {
    const same = all.find(
      (finding) => isSame(finding, problem) && (finding.severity !== "note" || problem.harm === undefined),
    );
    if (same !== undefined) {
      all = all.map((finding) => (finding === same ? told(finding, problem) : finding));
      continue;
    }
    const own = findingOf(isExplained(problem, all) ? withoutHarm(problem) : problem, window, views, predict);
    // A note about the same thing has become this finding.
    const others = all.filter((finding) => !isSame(finding, problem));
    const at = others.findIndex((finding) => isBefore(own, finding));
    all = at < 0 ? [...others, own] : [...others.slice(0, at), own, ...others.slice(at)];
  }
  return all.map((finding, i) => ({ ...finding, rank: i + 1 }));
}

function isSame({ subject, mechanism }: Finding, problem: SettingProblem): boolean {
  if (subject.service !== problem.service && problem.alsoSaidOf?.includes(subject.service) !== true) return false;
  if (mechanism !== problem.mechanism && !problem.saidAs.has(mechanism)) return false;
  if (problem.table !== undefined && !namesTable(subject.statement ?? "", problem.table)) return false;
  // Two settings of one server are two matters, and so is one setting of two servers.
  if (mechanism === "misconfiguration" && subject.setting !== problem.setting) return false;
  if (mechanism === "misconfiguration" && problem.server !== undefined && subject.resource !== problem.resource)
    return false;
  const pools = [subject.resource, problem.resource].filter((name) => name?.startsWith("pool:") === true);
  return pools.length < 2 || pools[0] === pools[1];
}

/** table: with or without its schema, which statements seldom write */
function namesTable(statement: string, table: string): boolean {
  const name = table
    .split(".")
    .at(-1)!
    .replaceAll(/[.*+?^${}()|[\]\\]/g, "\\$&");
  return new RegExp(`(?<![\\w$])${name}(?![\\w$])`, "i").test(statement);
}

/** When a limit will be reached stands in the text: it is what the reader has to know. The limit is not what is wrong. */
function told(finding: Finding, problem: SettingProblem): Finding {
  const joined = withSetting(finding, problem);
  // A setting that nobody is seen to suffer from is no better change than the one that undoes the cause.
  if (problem.harm === undefined && finding.remedy.change !== undefined)
    return { ...joined, chain: finding.chain, subject: finding.subject, remedy: finding.remedy };
  if (problem.kind !== "growth") return joined;
  return { ...joined, subject: finding.subject, why: `${finding.why} ${capital(problem.arithmetic)}.`.trim() };
}

const capital = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1);

function isExplained({ followsFrom, service, alsoSaidOf = [] }: SettingProblem, findings: readonly Finding[]): boolean {
  const names = new Set([service, ...alsoSaidOf]);
  return findings.some(
    ({ severity, mechanism, subject }) =>
      severity !== "note" && followsFrom?.has(mechanism) === true && names.has(subject.service),
  );
}

function withoutHarm(problem: SettingProblem): SettingProblem {
  const { harm: _, ...rest } = problem;
  return rest;
}

function isBefore(own: Finding, other: Finding): boolean {
  const difference = order(other.severity) - order(own.severity);
  return difference !== 0 ? difference > 0 : weightOf(own) > weightOf(other);
}

function weightOf({ impact, confidence }: Finding): number {
  const gain = impact.unit === "ms" && impact.now > 0 ? 1 - impact.predicted / impact.now : 0;
  return Math.max(0, gain) * confidence;
}

/** The finding with the setting to change, its sum as evidence. */
export function withSetting(finding: Finding, problem: NamedSetting & Pick<SettingProblem, "evidence">): Finding {
  const { evidence, link } = evidenceOf(problem, finding.evidence.length);
  return {
    ...finding,
    subject: { ...finding.subject, setting: problem.setting },
    chain: [...finding.chain, link],
    evidence: [...finding.evidence, ...evidence],
    // Without an exact change the words have to say what to do with the setting that is named.
    remedy:
      problem.change === undefined
        ? { ...finding.remedy, text: `${finding.remedy.text} ${problem.remedy}` }
        : { ...finding.remedy, change: problem.change },
  };
}

/** The sum, then what else shows it; `first`: the index that the first of them gets. */
function evidenceOf(
  problem: NamedSetting & Pick<SettingProblem, "evidence">,
  first: number,
): { evidence: Evidence[]; link: ChainLink } {
  const sum: Evidence = {
    kind: "setting",
    text: `${problem.arithmetic} (${problem.reference})`,
    query: problem.query,
  };
  const evidence = [sum, ...(problem.evidence ?? [])];
  const claim = problem.change === undefined ? `${problem.setting}: ${problem.arithmetic}` : problem.change;
  return { evidence, link: { claim, evidence: evidence.map((_, i) => first + i) } };
}

function findingOf(problem: SettingProblem, window: Window, views: readonly EndpointView[], predict: Predict): Finding {
  const { view, isFelt } = sufferer(problem, window, views);
  const { impact, gain, gainNs } = impactOf(problem, view, predict);
  const severity = isFelt || problem.kind === "growth" ? severityOf(problem, gain, gainNs) : "note";
  const { evidence, link } = evidenceOf(problem, 0);
  const { harm } = problem;
  const subject = {
    service: problem.service,
    ...(problem.resource === "" ? {} : { resource: problem.resource }),
    setting: problem.setting,
  };
  return {
    rank: 0,
    id: findingId({ mechanism: problem.mechanism, subject: { ...subject, operation: problem.setting } }),
    kind: problem.kind ?? "config",
    severity,
    confidence: problem.confidence,
    title: problem.title,
    why: [problem.arithmetic, ...(harm === undefined ? ["Nothing shows that it hurts yet"] : [harm.text])].join(". "),
    subject,
    mechanism: problem.mechanism,
    impact,
    chain: [
      ...(view === undefined ? [] : [{ claim: `${view.name}: p99 ${ms(view.p99)}`, evidence: [] }]),
      ...(harm === undefined ? [] : [{ claim: harm.text, evidence: [0] }]),
      link,
    ],
    evidence,
    counter:
      harm === undefined || (harm.undo === undefined && harm.loss === undefined)
        ? ["how much of a request's time it takes does not show"]
        : [],
    refutedBy: problem.refutedBy,
    remedy: { text: problem.remedy, ...(problem.change === undefined ? {} : { change: problem.change }) },
  };
}

/**
 * The endpoint that spends the most of its slow requests' time in the services concerned, weighted by its traffic. Where no
 * endpoint spends any there, nobody waits for it; without traces that cannot be told.
 */
function sufferer(
  { service, alsoSaidOf = [] }: SettingProblem,
  { paths, text }: Window,
  views: readonly EndpointView[],
): { readonly view: EndpointView | undefined; readonly isFelt: boolean } {
  const names = new Set([service, ...alsoSaidOf]);
  const weight = (view: EndpointView): number => {
    let [own, all] = [0, 0];
    for (const [key, ns] of view.blameSlow) {
      const node = nodeOfKey(key);
      const callee = paths.callee[node]!;
      all += ns;
      if (names.has(text(paths.service[node]!)) || (callee >= 0 && names.has(text(callee)))) own += ns;
    }
    return all > 0 ? (own / all) * view.traffic : 0;
  };
  const weights = views.map(weight);
  const most = weights.reduce((best, value, i) => (value > weights[best]! ? i : best), 0);
  return { view: views[most], isFelt: views.length === 0 || weights[most]! > 0 };
}

function impactOf(
  { service, harm }: SettingProblem,
  view: EndpointView | undefined,
  predict: Predict,
): { impact: Impact; gain: number; gainNs: number } {
  const inMs = (ns: number): number => Math.round(ns / 1e3) / 1e3;
  if (view === undefined) {
    const endpoint = { service, operation: "all requests" };
    const none = { metric: "mean", now: 0, predicted: 0, low: 0, high: 0, unit: "ms" } as const;
    return { impact: { endpoint, ...none, method: "no trace shows a request" }, gain: 0, gainNs: 0 };
  }
  const endpoint = { service: view.service, operation: view.operation };
  if (harm?.undo === undefined) {
    const now = inMs(view.p99);
    const method = "not predicted: what it costs a request does not show";
    return {
      impact: { endpoint, metric: "p99", now, predicted: now, low: now, high: now, unit: "ms", method },
      gain: 0,
      gainNs: 0,
    };
  }
  const { metric, pair, gain } = bestGain(predict(view, harm.undo));
  return {
    impact: {
      endpoint,
      metric,
      now: inMs(pair.now.value),
      predicted: inMs(pair.predicted.value),
      low: inMs(pair.predicted.low),
      high: inMs(pair.predicted.high),
      unit: "ms",
      method: `replay of ${view.endpoint.traces.length} traces without the cause, 90 % bootstrap interval`,
    },
    gain,
    gainNs: pair.now.value - pair.predicted.value,
  };
}

function severityOf({ harm, confidence }: SettingProblem, gain: number, gainNs: number): Severity {
  if (harm === undefined) return "note";
  const loss = harm.loss ?? 0;
  if (confidence >= 0.6 && (loss >= CRITICAL_LOSS || gain >= CRITICAL_GAIN)) return "critical";
  // A resource that is used up is harm that was measured, also where no trace tells its size.
  if (harm.undo === undefined && harm.loss === undefined) return "warning";
  return loss >= WARNING_LOSS || (gain >= WARNING_GAIN && gainNs >= MIN_HARM_NS) ? "warning" : "note";
}
