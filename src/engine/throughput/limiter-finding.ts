import type { ChainLink, Evidence, Finding, Mechanism, Severity } from "../../model/report.ts";
import type { EndpointView } from "../endpoint-view.ts";
import { percent } from "../wording.ts";
import type { MeasuredResource } from "./measured-resources.ts";
import { ceilingInterval, measuredOf, nameOf, rateText, type Throughput } from "./throughput.ts";

/** From here on a limiter is a finding: a single server would keep its work waiting for 1 / (1 - 0.85) = 7 times as long. */
const WARNING = 0.85;
/** At this use there is no room for a busier minute. */
const CRITICAL = 0.95;

/**
 * Joins the limiter to the findings where it is near its limit. A finding of the latency path about the same service and
 * resource gets its evidence; where there is none, a finding of its own stands for it. A limiter with room
 * is no finding: every system has one.
 */
export function withLimiter(
  findings: readonly Finding[],
  throughput: Throughput,
  views: readonly EndpointView[],
): Finding[] {
  const { ceiling, measured, report } = throughput;
  const view = views[0];
  if (report.status !== "ok" || ceiling === undefined || view === undefined) return [...findings];
  const limiter = measuredOf(measured, ceiling.limiter);
  const utilisation = limiter.use.hottest?.utilisation ?? usedByRequests(limiter, throughput.model.perSecond);
  if (utilisation < WARNING) return [...findings];
  const same = findings.find((finding) => isSame(finding, limiter));
  if (same !== undefined)
    return findings.map((finding) => (finding === same ? joined(finding, throughput, limiter) : finding));
  const own = limiterFinding(throughput, limiter, utilisation, view);
  const order = (severity: Severity): number => ["critical", "warning", "note"].indexOf(severity);
  const at = findings.findIndex((finding) => order(finding.severity) > order(own.severity));
  const all = at < 0 ? [...findings, own] : [...findings.slice(0, at), own, ...findings.slice(at)];
  return all.map((finding, i) => ({ ...finding, rank: i + 1 }));
}

/** Of a machine what counts is what is used and not yielded: one that is full of work that waits for others keeps nobody waiting. */
function usedByRequests({ use, model }: MeasuredResource, perSecond: number): number {
  if (model.isHost !== true) return use.utilisation;
  return (model.demandS * perSecond + model.background) / (model.capacityEach * model.instances);
}

/** Mechanisms of the latency path that are a busy processor seen from another side. */
const BUSY: ReadonlySet<Mechanism> = new Set([
  "cpu-saturated",
  "event-loop-blocked",
  "load-increase",
  "run-queue",
  "cpu-throttled",
  "slow-code",
  "missing-index",
  "slow-query",
  "n-plus-one",
]);

/** A finding that counts, about the limiter: the same resource, its service kept busy, or what keeps a pool's connections. */
function isSame(finding: Finding, { use }: MeasuredResource): boolean {
  if (finding.severity === "note") return false;
  // Connections are held for as long as the called one takes: what is told of that fills the pool.
  if (use.resource === `pool:${finding.subject.service}`) return true;
  if (finding.subject.service !== use.service) return false;
  if (finding.subject.resource === use.resource) return true;
  // What became slower than a baseline names a pool by its kind where its spans lead to several.
  if (finding.subject.resource === "pool" && finding.mechanism === "pool-exhausted")
    return use.resource.startsWith("pool:");
  if (use.resource === "threads")
    return finding.mechanism === "thread-starvation" || finding.mechanism === "accept-queue";
  return (use.resource === "cpu" || use.resource === "quota") && BUSY.has(finding.mechanism);
}

function joined(finding: Finding, throughput: Throughput, limiter: MeasuredResource): Finding {
  const evidence = [...finding.evidence, statistic(throughput, limiter)];
  const claim = `${nameOf(limiter.use)} is what limits the throughput: ${headroom(throughput)}`;
  return { ...finding, chain: [...finding.chain, { claim, evidence: [evidence.length - 1] }], evidence };
}

const headroom = ({ ceiling, model }: Throughput): string =>
  `full at ${rateText(ceiling!.perSecond)} requests/s, ${(ceiling!.perSecond / model.perSecond).toFixed(2)} times the present load`;

function statistic({ report, model }: Throughput, { use, demand }: MeasuredResource): Evidence {
  const source = use.source === "metrics" ? "measured" : "seen in the spans";
  return {
    kind: use.source === "metrics" ? "series" : "statistic",
    text: `${nameOf(use)}: ${percent(use.utilisation)} in use on average, ${percent(use.worstUtilisation)} in the worst of ${use.busy.length} windows (${source}) at ${rateText(model.perSecond)} requests/s; ${report.detail}`,
    query: `the use of it, over the rate of requests: ${demand.windows} windows, utilisation law`,
  };
}

function limiterFinding(
  throughput: Throughput,
  limiter: MeasuredResource,
  utilisation: number,
  view: EndpointView,
): Finding {
  const { ceiling, next, model, report } = throughput;
  const { use } = limiter;
  const interval = ceilingInterval(throughput.measured, ceiling!, model.perSecond);
  const afterInterval = next === undefined ? undefined : ceilingInterval(throughput.measured, next, model.perSecond);
  const name = nameOf(use);
  const chain: ChainLink[] = [
    { claim: `${name} is in use ${percent(utilisation)} of the time`, evidence: [0] },
    { claim: `at ${rateText(ceiling!.perSecond)} requests/s it is full, and more load only waits`, evidence: [0] },
  ];
  const instance = use.hottest;
  return {
    rank: 0,
    id: `limiter-${use.service}-${use.resource}`,
    kind: "throughput",
    severity: utilisation >= CRITICAL ? "critical" : "warning",
    confidence: interval.low > model.perSecond * 1.25 ? 0.6 : 0.85,
    title: `${name} limits the throughput: ${percent(utilisation)} in use, ${headroom(throughput)}`,
    why:
      next === undefined
        ? "Nothing else that was measured limits behind it."
        : report.together !== undefined
          ? `${nameOf(next.limiter)} is full at nearly the same load: room for one alone gains up to ${rateText(report.together.onePerSecond)} requests/s, for both ${rateText(report.together.bothPerSecond)}.`
          : `Without it, ${nameOf(next.limiter)} would limit next, at ${rateText(next.perSecond)} requests/s.`,
    subject: {
      service: use.service,
      resource: use.resource,
      ...(instance === undefined || instance.instance === "" ? {} : { instance: instance.instance }),
      ...(instance === undefined || instance.host === "" ? {} : { host: instance.host }),
    },
    mechanism: mechanismOf(use.resource),
    impact: {
      endpoint: { service: view.service, operation: view.operation },
      metric: "ceiling",
      now: round(ceiling!.perSecond),
      predicted: round(next?.perSecond ?? ceiling!.perSecond),
      low: round(afterInterval?.low ?? interval.low),
      high: round(afterInterval?.high ?? interval.high),
      unit: "requests/s",
      method: "utilisation law over windows of the metrics, ceiling of the next limiter, 90 % interval",
    },
    chain,
    evidence: [statistic(throughput, limiter)],
    counter: counterOf(throughput, limiter),
    refutedBy: `throughput grows beyond ${rateText(interval.high)} requests/s while ${name} stays as it is`,
    remedy: remedyOf(limiter, model.perSecond),
  };
}

function counterOf({ measured }: Throughput, { use, demand }: MeasuredResource): string[] {
  const few = demand.windows < 8 ? [`${demand.windows} windows only: the interval is wide`] : [];
  const alone = measured.length === 1 ? ["no other resource was measured"] : [];
  const apart =
    use.hottest === undefined
      ? []
      : [
          `one instance is busier than the others (${percent(use.hottest.utilisation)}): balancing the load gains as well`,
        ];
  return [...few, ...alone, ...apart];
}

function mechanismOf(resource: string): Mechanism {
  if (resource.startsWith("pool:")) return "pool-exhausted";
  if (resource.startsWith("lock:")) return "lock-contention";
  switch (resource) {
    case "threads":
      return "thread-starvation";
    case "disk":
      return "disk-saturated";
    case "quota":
      return "cpu-throttled";
    case "cpu":
      return "cpu-saturated";
    default:
      return "unknown";
  }
}

/** Room for a third more than the present load. */
const TARGET = 0.75;

function remedyOf({ use, demand }: MeasuredResource, perSecond: number): Finding["remedy"] {
  const needed = (demand.perRequest.value * perSecond + demand.background) / TARGET;
  const less = "or let each request need less of it";
  if (use.resource.startsWith("pool:")) {
    const size = Math.max(use.capacityEach + 1, Math.ceil(needed / use.instances));
    return {
      text: `Give the pool more connections, as far as the database bears them (instances × pool below max_connections), ${less}.`,
      change: `pool.max: ${use.capacityEach} -> ${size}`,
      whatIf: `service=${use.service},${use.resource}=${size}`,
    };
  }
  if (use.resource !== "cpu" || !use.isCapacityKnown) return { text: `Give ${nameOf(use)} more room, ${less}.` };
  const replicas = Math.max(use.instances + 1, Math.ceil(needed / use.capacityEach));
  return {
    text: `Add replicas or cores, ${less}.`,
    change: `replicas: ${use.instances} -> ${replicas}`,
    whatIf: `service=${use.service},replicas=${replicas}`,
  };
}

const round = (value: number): number => Number(value.toPrecision(4));
