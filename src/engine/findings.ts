import type { Finding, Mechanism, Severity } from "../model/report.ts";
import { NS_PER_MS } from "../model/units.ts";
import type { EndpointView } from "./endpoint-view.ts";
import type { Explanation, Undo } from "./hot-spot.ts";
import { bestGain, type Predict, type PredictedEndpoint } from "./prediction.ts";
import { ms, percent } from "./wording.ts";

/** An explanation at the endpoint where it was found. */
export interface Claim {
  readonly view: EndpointView;
  readonly explanation: Explanation;
  /** given where the prediction is not a replay of the endpoint's traces (a flow through a queue), and for what */
  readonly predicted?: PredictedEndpoint;
  readonly at?: { readonly service: string; readonly operation: string };
  /** true where nobody waits for it at the other end of a request */
  readonly background?: boolean;
  /** how it was predicted, where it is no replay of the endpoint's traces */
  readonly method?: string;
  /** given where it is the consequence of another claim: the service that one is about */
  readonly becauseOf?: string;
}

/** What the spans have told before metrics are asked, so that nothing is said twice. */
export interface Told {
  /** findings above a note */
  readonly loud: readonly Finding[];
  /** what was found too, and is a consequence of a loud finding */
  readonly consequences: readonly { readonly mechanism: Mechanism; readonly service: string; readonly of: string }[];
}

/** Gains below this are not worth waking anybody. */
const MIN_HARM_NS = 1e6;
const WARNING_GAIN = 0.1;
const CRITICAL_GAIN = 0.5;
const MIN_HINT_GAIN = 0.05;
/** Requests that fail are worse than slow ones. */
const WARNING_LOSS = 0.02;
const CRITICAL_LOSS = 0.25;
/** Work behind a queue counts less than what a user waits for. */
const BACKGROUND_WEIGHT = 0.25;

/**
 * Claims → findings: those with the same mechanism and subject (or matter) become one, each
 * is replayed without its cause on every endpoint where it was seen, and they are
 * ranked by severity, then by expected gain (relative gain of the percentiles,
 * weighted by traffic, or as `weight` says) times confidence. Ties are broken by id.
 * `others`: findings that rest on no replay, given what these told.
 */
export function rankFindings(
  claims: readonly Claim[],
  predict: Predict,
  weight: (view: EndpointView) => number = (view) => view.traffic,
  others: (told: Told) => readonly RankedDraft[] = () => [],
): Finding[] {
  const claimed = [...groupClaims(claims).values()].map((group) => draft(group, predict, weight));
  const loud = claimed.filter((d) => d.severity !== "note" && d.score > 0).map((d) => d.finding);
  const drafts = [...claimed, ...others({ loud, consequences: consequencesOf(claims, loud) })];
  const ordered = drafts.filter((d) => d.score > 0);
  ordered.sort(
    (a, b) =>
      severityOrder(b.severity) - severityOrder(a.severity) ||
      b.score - a.score ||
      (a.finding.id < b.finding.id ? -1 : 1),
  );
  // The same may be known from spans and from metrics: it is told once, as the graver of the two.
  const kept = ordered.filter((d, i) => ordered.findIndex((other) => other.finding.id === d.finding.id) === i);
  return kept.map((d, i) => ({ ...d.finding, rank: i + 1 }));
}

function consequencesOf(claims: readonly Claim[], loud: readonly Finding[]): Told["consequences"] {
  return claims.flatMap(({ becauseOf: of, explanation: { mechanism, subject } }) =>
    of !== undefined && loud.some((finding) => finding.subject.service === of)
      ? [{ mechanism, service: subject.service, of }]
      : [],
  );
}

/** A finding before it has its rank. */
export interface RankedDraft {
  readonly finding: Finding;
  readonly severity: Severity;
  readonly score: number;
}

const severityOrder = (severity: Severity): number => ["note", "warning", "critical"].indexOf(severity);

function groupClaims(claims: readonly Claim[]): Map<string, Claim[]> {
  const groups = new Map<string, Claim[]>();
  for (const claim of claims) {
    const id = findingId(claim.explanation);
    const held = groups.get(id);
    if (held === undefined) groups.set(id, [claim]);
    else held.push(claim);
  }
  return groups;
}

/** Stable across runs on the same data: made of what the finding is about, not of its rank or numbers. */
export function findingId(explanation: Pick<Explanation, "mechanism" | "subject" | "matter">): string {
  const { mechanism, matter } = explanation;
  const { service, operation, resource, statement, instance } = explanation.subject;
  const parts = matter === undefined ? [operation, resource, statement, instance] : [matter];
  return `${mechanism}-${fnv1a([mechanism, service, ...parts].map((part) => part ?? "").join("\u0000"))}`;
}

function fnv1a(text: string): string {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  return (hash >>> 0).toString(16).padStart(8, "0");
}

function draft(group: readonly Claim[], predict: Predict, weight: (view: EndpointView) => number): RankedDraft {
  const byView = new Map<EndpointView, Claim[]>();
  for (const claim of group) {
    const held = byView.get(claim.view);
    if (held === undefined) byView.set(claim.view, [claim]);
    else held.push(claim);
  }
  const background = group.every((claim) => claim.background === true);
  const perEndpoint = [...byView].map(([view, claims]) => {
    const explanations = claims.map((claim) => claim.explanation);
    const predicted = claims[0]!.predicted ?? predict(view, undoOf(explanations));
    const at = claims[0]!.at ?? { service: view.service, operation: view.operation };
    const best = bestGain(predicted);
    const explanation = explanations.reduce((a, b) => (b.confidence > a.confidence ? b : a));
    const loss = explanations.reduce((most, e) => Math.max(most, e.loss ?? 0), 0);
    const gainNs = best.pair.now.value - best.pair.predicted.value;
    const byLatency = severityOf(explanation, best.gain, gainNs, background);
    const byLoss = severityOfLoss(explanation, loss);
    const severity = severityOrder(byLoss) > severityOrder(byLatency) ? byLoss : byLatency;
    const method = claims[0]!.method ?? replayMethod(view);
    return { view, at, method, explanation, predicted, best, severity, harm: Math.max(0, best.gain, loss) };
  });
  const expected = perEndpoint.reduce((sum, e) => sum + weight(e.view) * e.harm, 0);
  // A cause that shows at one rare endpoint only is as real there, and told there: severity looks at the endpoint,
  // rank at the traffic.
  const main = perEndpoint.reduce((a, b) => (isWorse(b, a) ? b : a));
  const { explanation, severity } = main;
  const others = perEndpoint.filter((e) => e !== main && e.best.gain >= 0.02);
  // What a profile shows of a function, with no harm in it, is a hint only where removing it would be felt.
  const isIdle = explanation.kind === "code" && explanation.matter !== undefined && main.harm < MIN_HINT_GAIN;
  return {
    severity,
    score: severity === "note" && isIdle ? 0 : expected * explanation.confidence * (background ? BACKGROUND_WEIGHT : 1),
    finding: finding(explanation, severity, main, others),
  };

  function isWorse(a: (typeof perEndpoint)[number], b: (typeof perEndpoint)[number]): boolean {
    const difference = severityOrder(a.severity) - severityOrder(b.severity);
    return difference !== 0 ? difference > 0 : weight(a.view) * a.harm > weight(b.view) * b.harm;
  }
}

/** What takes all of them away; waits that several explain end once. */
function undoOf(explanations: readonly Explanation[]): Undo[] {
  const waits = new Set(explanations.map((explanation) => explanation.waits));
  return [...explanations.flatMap(({ undo }) => undo), ...[...waits].flatMap((one) => one?.undo ?? [])];
}

/** `background`: nobody waits for it at the other end of a request. */
function severityOf(explanation: Explanation, gain: number, gainNs: number, background: boolean): Severity {
  if (!explanation.harmful || gain < WARNING_GAIN || gainNs < MIN_HARM_NS) return "note";
  if (background) return "warning";
  return gain >= CRITICAL_GAIN && explanation.confidence >= 0.6 ? "critical" : "warning";
}

function severityOfLoss(explanation: Explanation, loss: number): Severity {
  if (!explanation.harmful || loss < WARNING_LOSS) return "note";
  return loss >= CRITICAL_LOSS && explanation.confidence >= 0.6 ? "critical" : "warning";
}

interface AtEndpoint {
  readonly view: EndpointView;
  readonly at: { readonly service: string; readonly operation: string };
  readonly predicted: PredictedEndpoint;
  readonly best: ReturnType<typeof bestGain>;
  readonly method: string;
}

const replayMethod = ({ endpoint }: EndpointView): string =>
  `replay of ${endpoint.traces.length} traces without the cause, 90 % bootstrap interval`;

function finding(
  explanation: Explanation,
  severity: Severity,
  main: AtEndpoint,
  others: readonly AtEndpoint[],
): Finding {
  const { metric, pair } = main.best;
  const inMs = (ns: number): number => Math.round((ns / NS_PER_MS) * 1000) / 1000;
  const also = others.map(
    (e) =>
      `Also at ${e.view.name}: ${e.best.metric} ${ms(e.best.pair.now.value)} → ${ms(e.best.pair.predicted.value)}.`,
  );
  return {
    rank: 0,
    id: findingId(explanation),
    kind: explanation.kind,
    severity,
    confidence: explanation.confidence,
    title: explanation.title,
    why: [explanation.why, ...also.slice(0, 3)].join(" ").trim(),
    subject: explanation.subject,
    mechanism: explanation.mechanism,
    impact: {
      endpoint: main.at,
      metric,
      now: inMs(pair.now.value),
      predicted: inMs(pair.predicted.value),
      low: inMs(pair.predicted.low),
      high: inMs(pair.predicted.high),
      unit: "ms",
      method: main.method,
    },
    chain: explanation.chain,
    evidence: explanation.evidence,
    counter: [
      ...explanation.counter,
      ...(main.view.caution === undefined ? [] : [main.view.caution]),
      ...(main.best.gain > 0 && pair.predicted.high >= pair.now.value
        ? [`the interval of the prediction (up to ${ms(pair.predicted.high)}) includes no gain at all`]
        : []),
      ...(explanation.confidence < 0.5
        ? [`the evidence in these traces supports this with ${percent(explanation.confidence)} only`]
        : []),
    ],
    refutedBy: explanation.refutedBy,
    remedy: {
      text: explanation.remedy.text,
      ...(explanation.remedy.change === undefined ? {} : { change: explanation.remedy.change }),
      ...(explanation.whatIf === undefined ? {} : { whatIf: explanation.whatIf }),
    },
  };
}
