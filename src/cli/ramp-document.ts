import { bracketOf, rampCeiling, type Bracket, type RampCeiling } from "../analysis/knee.ts";
import { fitUsl, type UslFit, type UslInsufficient } from "../analysis/usl.ts";
import { judgedOf, type RampRun, type RampStep } from "../load/run-ramp.ts";

export const RAMP_SCHEMA = "longpole.ramp/1";

/** What a ramp was asked to do. */
export interface RampRequest {
  readonly target: string;
  readonly requests: number;
  readonly arrivals: "poisson" | "constant";
  readonly seed: number;
  readonly objective: string | null;
  readonly maxErrors: number;
  readonly connections: number;
}

/** What limits at the knee, or what is missing to tell. */
export interface RampLimiter {
  readonly status: "ok" | "insufficient-data" | "gate-failed" | "no-telemetry";
  readonly detail: string;
  readonly limiter?: {
    readonly service: string;
    readonly resource: string;
    readonly ceilingPerSecond: number;
    readonly lowPerSecond: number;
    readonly highPerSecond: number;
    readonly utilisation: number;
  };
  readonly next?: { readonly service: string; readonly resource: string; readonly ceilingPerSecond: number };
  /** title of the first finding above a note at the knee, against the lighter load */
  readonly finding?: string;
}

/** The document that `ramp --json` prints. Numbers carry their unit in the name; what is not known is null. */
export interface RampDocument extends RampRequest {
  readonly schema: typeof RAMP_SCHEMA;
  readonly stop: { readonly reason: RampRun["stop"]; readonly detail: string };
  /** between the highest rate that was sustained and the lowest that was not */
  readonly knee: {
    readonly lowPerSecond: number | null;
    readonly highPerSecond: number | null;
    /** why the upper rate was not sustained */
    readonly reason: string | null;
    readonly detail: string | null;
  };
  readonly ceiling: {
    readonly perSecond: number;
    readonly lowPerSecond: number;
    readonly highPerSecond: number;
    readonly from: RampCeiling["from"];
    readonly collapsesToPerSecond: number | null;
  } | null;
  readonly usl: UslFit | UslInsufficient;
  readonly limiter: RampLimiter;
  readonly generator: {
    readonly ok: boolean;
    readonly mostBusy: number | null;
    readonly mostLateP99Ms: number | null;
    readonly detail: string;
  };
  readonly seconds: number;
  readonly recorded: string | null;
  readonly steps: readonly RampDocumentStep[];
}

interface RampDocumentStep {
  readonly purpose: string;
  readonly perSecond: number;
  /** of the part that counts */
  readonly startUnixNs: string;
  readonly endUnixNs: string;
  readonly requests: number;
  readonly offeredPerSecond: number;
  readonly throughputPerSecond: number;
  readonly throughputLowPerSecond: number;
  readonly throughputHighPerSecond: number;
  readonly failures: number;
  readonly errors: Readonly<Record<string, number>>;
  readonly p50Ms: number | null;
  readonly p95Ms: number | null;
  readonly p99Ms: number | null;
  readonly inFlight: number;
  readonly inFlightGrowth: number;
  readonly verdict: string;
  readonly detail: string;
  readonly recovered: boolean;
  readonly generator: { readonly busy: number; readonly lateP50Ms: number | null; readonly lateP99Ms: number | null };
}

/** A ramp that was run → its document. */
export function rampDocument(
  request: RampRequest,
  run: RampRun,
  limiter: RampLimiter,
  recorded: string | null,
): RampDocument {
  const judged = run.steps.map((step) => ({ observation: step.observation, judged: judgedOf(step) }));
  const bracket = bracketOf(judged.map((step) => step.judged));
  const ceiling = rampCeiling(judged);
  const refused = run.steps.findLast(({ planned }) => planned.perSecond === bracket.high);
  return {
    schema: RAMP_SCHEMA,
    ...request,
    stop: { reason: run.stop, detail: stopText(run, bracket) },
    knee: {
      lowPerSecond: bracket.low,
      highPerSecond: bracket.high,
      reason: refused?.judgement.verdict ?? null,
      detail: refused?.judgement.detail ?? null,
    },
    ceiling:
      ceiling === undefined
        ? null
        : {
            perSecond: rate(ceiling.value),
            lowPerSecond: rate(ceiling.low),
            highPerSecond: rate(ceiling.high),
            from: ceiling.from,
            collapsesToPerSecond: ceiling.collapsesTo === null ? null : rate(ceiling.collapsesTo),
          },
    usl: lawOf(run.steps),
    limiter,
    generator: generatorOf(run.steps),
    seconds: Math.round(run.seconds * 10) / 10,
    recorded,
    steps: run.steps.map(documentStep),
  };
}

/** Whether the ramp found what it was for: a rate that is sustained, and one that is not or the largest wanted. */
export function isAnswered({ knee, stop }: RampDocument): boolean {
  return knee.lowPerSecond !== null && (knee.highPerSecond !== null || stop.reason === "max-rate");
}

/**
 * The law of the steady steps. Its load is the mean number of requests in flight: in an open load the rate is given, and
 * what grows with contention is how many are inside (Little's law makes it rate times latency).
 */
function lawOf(steps: readonly RampStep[]): UslFit | UslInsufficient {
  const steady = steps
    .filter(({ judgement, observation }) => judgement.verdict === "steady" && observation.inFlight > 0)
    .map(({ observation }) => observation);
  return fitUsl(
    steady.map(({ inFlight }) => inFlight),
    steady.map(({ throughput }) => throughput.value),
  );
}

function stopText({ stop, steps }: RampRun, { low, high }: Bracket): string {
  switch (stop) {
    case "knee":
      return steps.at(-1)?.judgement.verdict === "steady" && steps.at(-1)?.planned.purpose === "confirm"
        ? "the knee was found, and the rate below it held for twice as long"
        : "the knee was found; the rate below it was not tried for longer";
    case "max-rate":
      return `${low === null ? "the" : "sustained up to the"} largest rate that was wanted`;
    case "generator":
      return `the load generator is the limit, not the target: ${steps.at(-1)?.judgement.detail ?? ""}`;
    case "no-steady-rate":
      return `not even ${high ?? 0} requests per second were sustained`;
    case "budget":
      return "the time that was given is used up";
    case "interrupted":
      return "interrupted; what was known by then stands here";
    case "target-lost":
      return "the target no longer answers at all";
  }
}

function generatorOf(steps: readonly RampStep[]): RampDocument["generator"] {
  const fault = steps.find(({ judgement }) => judgement.verdict === "generator");
  const most = (of: (step: RampStep) => number): number | null => {
    const known = steps.map(of).filter((value) => Number.isFinite(value));
    return known.length === 0 ? null : rounded(known.reduce((a, b) => Math.max(a, b)));
  };
  return {
    ok: fault === undefined,
    mostBusy: most(({ observation }) => observation.generatorBusy),
    mostLateP99Ms: most(({ observation }) => observation.lateP99Ms),
    detail: fault?.judgement.detail ?? "requests left when they were due",
  };
}

function documentStep({ planned, observation, judgement, after }: RampStep): RampDocumentStep {
  const { throughput, startUnixMs, fromMs, toMs } = observation;
  return {
    purpose: planned.purpose,
    perSecond: planned.perSecond,
    startUnixNs: unixNs(startUnixMs + fromMs),
    endUnixNs: unixNs(startUnixMs + toMs),
    requests: observation.requests,
    offeredPerSecond: rate(observation.offeredPerSecond),
    throughputPerSecond: rate(throughput.value),
    throughputLowPerSecond: rate(throughput.low),
    throughputHighPerSecond: rate(throughput.high),
    failures: observation.failures,
    errors: observation.errors,
    p50Ms: known(observation.p50Ms),
    p95Ms: known(observation.p95Ms),
    p99Ms: known(observation.p99Ms),
    inFlight: rounded(observation.inFlight),
    inFlightGrowth: rounded(observation.growth.value),
    verdict: judgement.verdict,
    detail: judgement.detail,
    recovered: after === "recovered",
    generator: {
      busy: rounded(observation.generatorBusy),
      lateP50Ms: known(observation.lateP50Ms),
      lateP99Ms: known(observation.lateP99Ms),
    },
  };
}

/** To a microsecond: what the clock of the generator tells. */
export const unixNs = (ms: number): string => String(BigInt(Math.round(ms * 1000)) * 1000n);
const rounded = (value: number): number => Math.round(value * 1000) / 1000;
const rate = (value: number): number => Number(value.toPrecision(4));
const known = (value: number): number | null => (Number.isFinite(value) ? rounded(value) : null);
