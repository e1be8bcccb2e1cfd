import type { Mechanism } from "../../model/report.ts";
import type { Claim } from "../findings.ts";
import type { Explanation } from "../hot-spot.ts";
import { ms, percent } from "../wording.ts";
import type { Deviation } from "./deviations.ts";
import type { BusyDisk } from "./host-disk.ts";
import { inThreadPool } from "./off-loop.ts";
import type { ResourceReading } from "./readings.ts";
import type { ResourceContext } from "./resource-context.ts";
import { largestOf, meanOf, valuesOf } from "./service-measures.ts";

/** Which readings of spans a used-up resource explains better, by what the resource says. */
const BETTER_THAN: Partial<Record<Mechanism, ReadonlySet<Mechanism>>> = {
  "cpu-throttled": new Set([
    "network-latency",
    "pool-exhausted",
    "cpu-saturated",
    "slow-code",
    "garbage-collection",
    "event-loop-blocked",
    "lock-contention",
    "thread-starvation",
    "run-queue",
    "unknown",
  ]),
  // Not of a lock, or of too few threads: a machine that is short of processors makes all kinds of work wait.
  "noisy-neighbour": new Set(["network-latency", "cpu-saturated", "event-loop-blocked", "run-queue", "unknown"]),
  "garbage-collection": new Set([
    "network-latency",
    "pool-exhausted",
    "cpu-saturated",
    "event-loop-blocked",
    "lock-contention",
    "thread-starvation",
    "garbage-collection",
    "unknown",
  ]),
  "cpu-saturated": new Set([
    "network-latency",
    "pool-exhausted",
    "cpu-saturated",
    "lock-contention",
    "thread-starvation",
    "unknown",
  ]),
  "event-loop-blocked": new Set([
    "event-loop-blocked",
    "cpu-saturated",
    "network-latency",
    "garbage-collection",
    "lock-contention",
    "thread-starvation",
    "unknown",
  ]),
  "pool-exhausted": new Set(["pool-exhausted", "cpu-saturated", "lock-contention", "thread-starvation", "unknown"]),
  "disk-saturated": new Set(["cpu-saturated", "slow-query", "lock-contention", "unknown"]),
  "memory-pressure": new Set(["garbage-collection", "unknown"]),
  // What is kept alive has to be allocated, walked by the collector and found in the caches: all work takes longer.
  "memory-leak": new Set([
    "cpu-saturated",
    "garbage-collection",
    "event-loop-blocked",
    "memory-pressure",
    "run-queue",
    "unknown",
  ]),
};

/**
 * What explains the most of the others comes first: a quota stops everything; memory that is never freed is collected in
 * vain; collecting garbage uses the processor;
 * a process that is busy itself does not need a neighbour to be slow; a pool is full when its users are slow.
 */
const ORDER: readonly Mechanism[] = [
  "cpu-throttled",
  "memory-leak",
  "garbage-collection",
  "cpu-saturated",
  "event-loop-blocked",
  "noisy-neighbour",
  "disk-saturated",
  "pool-exhausted",
  "memory-pressure",
];

/** A processor that is idle for more than half of the time is none that others wait for. */
const IDLE = 0.5;

/** A resource that was used up and is by half more so is worse. */
const WORSE = 1.5;

/** What makes that a connection is held for longer. */
const HOLDS: ReadonlySet<Mechanism> = new Set<Mechanism>([
  "missing-index",
  "slow-query",
  "data-growth",
  "n-plus-one",
  "lock-contention",
]);

/** Mechanisms that say that a service's own work became slower: its own duration has to show it. */
const OWN_WORK: ReadonlySet<Mechanism> = new Set<Mechanism>([
  "slow-code",
  "cpu-saturated",
  "garbage-collection",
  "lock-contention",
  "event-loop-blocked",
]);

/**
 * Holds what the spans suggest against what the metrics measured.
 * - A used-up resource of the service in question names the mechanism, and is added as evidence.
 * - A processor that was measured and is idle speaks against a busy one.
 * - A service whose own requests, by metrics, take as long as in the baseline did not become slower: its metrics
 *   are of the same hour, the baseline's traces may be of another day.
 * - A disk that became busy makes everything wait that writes or reads: that "all of it" became slower, with a processor
 *   that is idle, is its consequence, and so are statements that became slower together.
 */
export function judgeClaims(claims: readonly Claim[], context: ResourceContext): Claim[] {
  const isHeldLonger = claims.some(({ explanation }) => explanation.harmful && HOLDS.has(explanation.mechanism));
  return claims.map((claim) => {
    const { service } = claim.explanation.subject;
    const disk = diskBehind(claim.explanation, context);
    if (disk !== undefined) return { ...claim, explanation: withDisk(claim.explanation, disk) };
    const readings = context.readings.filter((reading) => reading.service === service && !wasSo(reading, context));
    if (readings.length === 0 && !context.now.services.has(service)) return claim;
    const pooled = inThreadPool(claim.explanation, context);
    if (pooled !== undefined) return { ...claim, explanation: pooled };
    const better = namedBy(claim.explanation, readings, context);
    if (better !== undefined) {
      const explanation = withReading(claim.explanation, better, context);
      // A pool that is full because a statement takes longer is the effect, however well it is measured.
      const isEffect = better.mechanism === "pool-exhausted" && isHeldLonger;
      return {
        ...claim,
        explanation: isEffect ? { ...explanation, confidence: claim.explanation.confidence } : explanation,
      };
    }
    const alibi = claim.explanation.kind === "regression" ? alibiOf(claim.explanation, context) : undefined;
    if (alibi !== undefined) return { ...claim, explanation: withAlibi(claim.explanation, alibi) };
    const risen = context.deviations.find((one) => one.service === service && one.strength >= 2 && one.qValue <= 0.05);
    // What did not change, or does no harm, is not made likelier by the service being slower.
    if (risen !== undefined && claim.explanation.harmful)
      return { ...claim, explanation: withDeviation(claim.explanation, risen) };
    return { ...claim, explanation: withQuietRuntime(withIdleProcessor(claim.explanation, readings), context) };
  });
}

/** What a comparison says where it knows no more than that something, as a whole, takes longer. */
const AS_A_WHOLE: ReadonlySet<Mechanism> = new Set<Mechanism>([
  "cpu-saturated",
  "slow-query",
  "network-latency",
  "lock-contention",
  "unknown",
]);

/** The newly busy disk that explains a general claim of a comparison; nothing where one statement or edge stands out. */
function diskBehind(
  { kind, mechanism, subject, harmful }: Explanation,
  context: ResourceContext,
): BusyDisk | undefined {
  if (!harmful || kind !== "regression" || !AS_A_WHOLE.has(mechanism) || subject.statement !== undefined)
    return undefined;
  const own = context.readings.filter((reading) => reading.service === subject.service);
  const isBusy = own.some(({ resource, utilisation }) => resource === "cpu" && !(meanOf(utilisation) < IDLE));
  if (isBusy) return undefined;
  const hosts = new Set(own.map(({ host }) => host).filter((host) => host !== ""));
  return context.busyDisks.find(({ host }) => hosts.size === 0 || hosts.has(host));
}

function withDisk(explanation: Explanation, { text }: BusyDisk): Explanation {
  return {
    ...explanation,
    harmful: false,
    confidence: explanation.confidence * 0.3,
    counter: [...explanation.counter, `a consequence: ${text}`],
  };
}

/** Used up in the baseline as well: not what changed. */
export function wasSo(reading: ResourceReading, { readingsBefore }: ResourceContext): boolean {
  return readingsBefore.some(
    (one) =>
      one.service === reading.service &&
      one.resource === reading.resource &&
      one.mechanism === reading.mechanism &&
      one.saturated &&
      meanOf(reading.utilisation) < WORSE * meanOf(one.utilisation),
  );
}

function namedBy(
  { mechanism, kind }: Explanation,
  readings: readonly ResourceReading[],
  context: ResourceContext,
): ResourceReading | undefined {
  return readings
    .filter((reading) => reading.saturated || (kind === "regression" && collectsMore(reading, context)))
    .filter((reading) => BETTER_THAN[reading.mechanism]?.has(mechanism) === true)
    .toSorted((a, b) => ORDER.indexOf(a.mechanism) - ORDER.indexOf(b.mechanism))[0];
}

/** What a process runs out of by itself, whatever else its machine does. */
const OF_ITS_OWN: ReadonlySet<Mechanism> = new Set<Mechanism>([
  "cpu-throttled",
  "garbage-collection",
  "event-loop-blocked",
  "pool-exhausted",
]);

/** By how many usual distances the time for collecting garbage has to have risen to be why something became slower. */
const COLLECTS_MORE = 2;

/**
 * Whether a service collects garbage for far longer than in the baseline, if not for a tenth of its time: pauses of 100 ms
 * twice a second are in every tail. A busy machine stretches them as well, by no more than its processors are shared.
 */
const collectsMore = ({ service, mechanism }: ResourceReading, { deviations }: ResourceContext): boolean =>
  mechanism === "garbage-collection" &&
  deviations.some(
    (one) =>
      one.service === service && one.quantity === "gc-time" && one.strength >= COLLECTS_MORE && one.qValue <= 0.05,
  );

function withReading(explanation: Explanation, reading: ResourceReading, { before }: ResourceContext): Explanation {
  const renamed = reading.mechanism !== explanation.mechanism;
  const at = explanation.evidence.length;
  // An operation that uses the processor up stays the subject: only what it runs out of is new.
  const keepsOperation = explanation.mechanism === "slow-code" || !renamed;
  const { operation: _, ...subject } = explanation.subject;
  return {
    ...explanation,
    mechanism: reading.mechanism,
    // Without earlier times to hold it against, a resource of its own that is used up is what shows the harm.
    harmful: explanation.harmful || (before === undefined && reading.saturated && OF_ITS_OWN.has(reading.mechanism)),
    kind: explanation.kind === "regression" ? "regression" : "resource",
    subject: {
      ...(keepsOperation ? explanation.subject : subject),
      resource: isNamedPool(explanation, reading) ? explanation.subject.resource! : reading.resource,
      ...(reading.host === "" || reading.resource !== "host-cpu" ? {} : { host: reading.host }),
    },
    title: renamed ? `${titleOf(reading)}: ${explanation.title}` : explanation.title,
    confidence: Math.max(explanation.confidence, 1 - (1 - explanation.confidence) * 0.3),
    chain: [...explanation.chain, { claim: reading.text, evidence: [at] }],
    evidence: [...explanation.evidence, evidenceOf(reading)],
    counter: explanation.counter.filter((text) => !text.startsWith("estimated from spans alone")),
    remedy: renamed ? { text: REMEDIES[reading.mechanism] ?? explanation.remedy.text } : explanation.remedy,
  };
}

/** Spans name a pool by its database, metrics by its address: the spans' name is the one that their callers use. */
const isNamedPool = ({ subject }: Explanation, { mechanism }: ResourceReading): boolean =>
  mechanism === "pool-exhausted" && subject.resource?.startsWith("pool:") === true;

export const evidenceOf = (reading: ResourceReading): Explanation["evidence"][number] => ({
  kind: "series",
  text: reading.text,
  query: `${reading.metrics.join(", ")} of ${reading.service}`,
});

export function titleOf({ service, mechanism, resource, host }: ResourceReading): string {
  switch (mechanism) {
    case "cpu-throttled":
      return `${service} is stopped by its CPU quota`;
    case "noisy-neighbour":
      return `${service} shares ${host} with something else that uses its processors`;
    case "garbage-collection":
      return `${service} spends its time collecting garbage`;
    case "event-loop-blocked":
      return `the event loop of ${service} stands still`;
    case "pool-exhausted":
      return `${service} has used up ${resource}`;
    case "memory-leak":
      return `memory of ${service} grows without end`;
    case "memory-pressure":
      return `${service} is short of memory`;
    case "disk-saturated":
      return `the disk of ${service} is busy all the time`;
    default:
      return resource === "event-loop"
        ? `the only thread of ${service} is busy all the time`
        : `${service} uses all the CPU it may`;
  }
}

export const REMEDIES: Partial<Record<Mechanism, string>> = {
  "cpu-throttled":
    "Raise or remove the CPU limit, or fit the number of threads to it; less work per request helps as well.",
  "noisy-neighbour":
    "Move the service or its neighbour to another machine, or give each its own share (cgroup weights, CPU sets).",
  "garbage-collection":
    "Allocate less per request, give the heap more room, or look for what keeps memory alive: an allocation profile names it.",
  "cpu-saturated": "More instances or cores, or less work per request: a CPU profile says which.",
  "event-loop-blocked":
    "Find the synchronous work (a CPU profile of the pause), make it smaller or move it to a worker.",
  "pool-exhausted":
    "Give the pool more connections, as far as the database bears them, or hold each for a shorter time.",
  "memory-pressure": "More memory, or less of it in use: a heap profile says by what.",
  "memory-leak": "Compare two heap snapshots some minutes apart: what was added and never freed is the leak.",
  "disk-saturated": "Write less or in larger pieces, sync less often, or give it a faster disk of its own.",
  "run-queue": "More cores, or fewer threads that want them at once.",
};

/** The duration of the service's requests where both windows know it and it did not rise, nor its processor. */
function alibiOf({ mechanism, subject }: Explanation, { deviations }: ResourceContext): Deviation | undefined {
  if (!OWN_WORK.has(mechanism)) return undefined;
  const own = deviations.filter((one) => one.service === subject.service);
  const duration = own.find((one) => one.quantity === "duration");
  const isBusier = own.some(
    (one) => /^(cpu|gc|event-loop|throttled|host-cpu)/.test(one.quantity) && one.strength >= 1.5,
  );
  return duration !== undefined && duration.strength < 0.8 && !isBusier ? duration : undefined;
}

function withAlibi(explanation: Explanation, { now, usual }: Deviation): Explanation {
  const text = `by its metrics ${explanation.subject.service} answers as fast as in the baseline (${ms(1e9 * now)}, usually ${ms(1e9 * usual.median)} to ${ms(1e9 * (usual.median + usual.above))})`;
  return {
    ...explanation,
    harmful: false,
    confidence: explanation.confidence * 0.2,
    counter: [...explanation.counter, text],
  };
}

function withDeviation(explanation: Explanation, deviation: Deviation): Explanation {
  const at = explanation.evidence.length;
  const text = deviationText(deviation);
  return {
    ...explanation,
    confidence: 1 - (1 - explanation.confidence) * 0.5,
    chain: [...explanation.chain, { claim: text, evidence: [at] }],
    evidence: [
      ...explanation.evidence,
      { kind: "series", text, query: `${deviation.quantity} of ${deviation.service}, now and in the baseline` },
    ],
  };
}

function withIdleProcessor(explanation: Explanation, readings: readonly ResourceReading[]): Explanation {
  if (explanation.mechanism !== "cpu-saturated") return explanation;
  const processors = readings.filter(
    ({ resource }) => resource === "cpu" || resource === "event-loop" || resource === "host-cpu",
  );
  const idle = processors.find(({ utilisation }) => meanOf(utilisation) < IDLE);
  if (idle === undefined || processors.some(({ saturated }) => saturated)) return explanation;
  return {
    ...explanation,
    confidence: explanation.confidence * 0.7,
    counter: [...explanation.counter, `${idle.text}: that is not busy`],
  };
}

/** Pauses that a runtime that was watched has not had: its event loop never stood still for as long, and hardly collected. */
const QUIET = { delayS: 0.05, collecting: 0.05 } as const;

/**
 * That all requests of a process stop for some milliseconds, with a runtime whose own figures show no pause, is how its
 * machine shares its processors: it shows in healthy systems.
 */
function withQuietRuntime(explanation: Explanation, { now }: ResourceContext): Explanation {
  if (explanation.mechanism !== "garbage-collection" || !explanation.harmful) return explanation;
  const { service } = explanation.subject;
  const all = now.services.get(service);
  const [delay, collecting] = [valuesOf(all, "event-loop-delay"), valuesOf(all, "gc-time")].map(largestOf);
  if (!(delay! < QUIET.delayS) || !(collecting! < QUIET.collecting)) return explanation;
  return {
    ...explanation,
    harmful: false,
    confidence: explanation.confidence * 0.3,
    counter: [
      ...explanation.counter,
      `its event loop is never more than ${ms(1e9 * delay!)} late, and it collects garbage for ${percent(collecting!)} of the time at most: these are no pauses of its runtime`,
    ],
  };
}

/** "cpu-used rose from 0.01 (up to 0.02) to 0.5". */
export function deviationText({ service, quantity, resource, now, usual }: Deviation): string {
  const isShare = /share|busy$/.test(quantity);
  const isTime = /duration|delay|wait$/.test(quantity);
  const text = (value: number): string =>
    isShare ? percent(value) : isTime ? ms(1e9 * value) : value >= 1e5 ? value.toExponential(1) : value.toPrecision(3);
  const what = `${WORDS[quantity] ?? quantity}${resource === "" ? "" : ` (${resource})`} of ${service}`;
  return `${what}: ${text(now)} in the worse half of the time, usually ${text(usual.median)} and seldom above ${text(usual.median + usual.above)}`;
}

const WORDS: Partial<Record<Deviation["quantity"], string>> = {
  "cpu-used": "CPU in use, cores,",
  "cpu-share": "CPU against its limit",
  duration: "duration of requests",
  "call-duration": "duration of calls",
  "request-failed-share": "share of failed requests",
  "host-cpu-share": "CPU of the machine",
  "memory-share": "memory against its limit",
  "gc-time": "seconds per second of garbage collection",
};
