import { momentsOf } from "./hypothesis-tests.ts";
import { incompleteBeta, studentQuantile } from "./special-functions.ts";

/** How a request ended. */
export const Outcome = { answered: 0, failed: 1, noAnswer: 2, neverSent: 3 } as const;

/** What a step of open-loop load left behind: one row for each request, in the order in which they were due. */
export interface StepRecord {
  /** requests per second that were asked for */
  readonly perSecond: number;
  /** Unix ms at which the step began */
  readonly startUnixMs: number;
  /** ms from the beginning to the end of the step, or to the moment from which no more were sent */
  readonly lengthMs: number;
  /** ms from the beginning, ascending: when it was due */
  readonly dueMs: Float64Array;
  /** ms from due to its being handed over; NaN where it never was */
  readonly lateMs: Float64Array;
  /** ms from the beginning: when it had a connection; NaN where it never had one */
  readonly connectedMs: Float64Array;
  /** ms from the beginning: last byte of the answer, or the moment at which it failed or was given up */
  readonly endedMs: Float64Array;
  /** values of `Outcome` */
  readonly outcome: Uint8Array;
  /** by what was wrong: "http 503", "timeout", "ECONNRESET" */
  readonly errors: Readonly<Record<string, number>>;
  /** connections that the generator may open at the same time */
  readonly connections: number;
  /** share of the time in which the generator's event loop was busy, 0 .. 1 */
  readonly generatorBusy: number;
}

/** A number with what it may be as well. */
export interface Estimate {
  readonly value: number;
  readonly low: number;
  readonly high: number;
}

/** A step as it was measured, without its settling time. All of requests that were due within the window. */
export interface StepObservation {
  readonly perSecond: number;
  readonly startUnixMs: number;
  /** ms from the step's beginning */
  readonly fromMs: number;
  readonly toMs: number;
  readonly requests: number;
  readonly offeredPerSecond: number;
  /** good answers that ended within the window, per second */
  readonly throughput: Estimate;
  /** failed or without an answer */
  readonly failures: number;
  readonly errors: Readonly<Record<string, number>>;
  /** from the moment a request was due; one without an answer counts with the time after which it was given up */
  readonly p50Ms: number;
  readonly p95Ms: number;
  readonly p99Ms: number;
  /** ms, ascending; what the percentiles are taken from */
  readonly latencyMs: Float64Array;
  /** median of connection to last byte: what the server took, without waiting for a connection */
  readonly serviceP50Ms: number;
  /** requests due and without an end: mean over the window, and by how many they grew from its beginning to its end */
  readonly inFlight: number;
  readonly growth: Estimate;
  /** growth that a queue of a server that just keeps up would show by chance, one time in a hundred */
  readonly growthByChance: number;
  readonly lateP50Ms: number;
  readonly lateP99Ms: number;
  readonly generatorBusy: number;
  /** whether all connections that are allowed were in use at some moment */
  readonly connectionsFull: boolean;
}

/** The first fifth of a step is not counted: queues and connections come from the step before to where they belong. */
export const SETTLE_SHARE = 0.2;
/** Stretches of a window that are compared; their means are taken as independent. */
const BLOCKS = 10;

/** A step's rows → what it shows. A window without a request gives zeros and NaN percentiles. */
export function observeStep(record: StepRecord, settleShare: number = SETTLE_SHARE): StepObservation {
  const fromMs = record.lengthMs * settleShare;
  const toMs = record.lengthMs;
  const seconds = (toMs - fromMs) / 1000;
  const rows = rowsDue(record, fromMs, toMs);
  const { inFlight, answered } = blocksOf(record, fromMs, toMs);
  const perBlock = momentsOf(answered);
  const spread = Math.sqrt(perBlock.variance);
  const blockSeconds = seconds / BLOCKS;
  const half = (studentQuantile(0.1, BLOCKS - 1) * spread) / Math.sqrt(BLOCKS) / blockSeconds;
  const throughput = perBlock.mean / blockSeconds;
  const latencyMs = latencies(record, rows);
  const late = sorted(rows.map((row) => record.lateMs[row]!));
  const service = sorted(
    rows
      .filter((row) => record.outcome[row] === Outcome.answered)
      .map((row) => record.endedMs[row]! - record.connectedMs[row]!),
  );
  return {
    perSecond: record.perSecond,
    startUnixMs: record.startUnixMs,
    fromMs,
    toMs,
    requests: rows.length,
    offeredPerSecond: rows.length / seconds,
    throughput: { value: throughput, low: Math.max(0, throughput - half), high: throughput + half },
    failures: rows.filter((row) => record.outcome[row] !== Outcome.answered).length,
    errors: record.errors,
    p50Ms: quantile(latencyMs, 0.5),
    p95Ms: quantile(latencyMs, 0.95),
    p99Ms: quantile(latencyMs, 0.99),
    latencyMs,
    serviceP50Ms: quantile(service, 0.5),
    inFlight: momentsOf(inFlight).mean,
    growth: growthOf(inFlight),
    growthByChance: studentQuantile(0.02, BLOCKS - 1) * spread * Math.sqrt(BLOCKS),
    lateP50Ms: quantile(late, 0.5),
    lateP99Ms: quantile(late, 0.99),
    generatorBusy: record.generatorBusy,
    connectionsFull: mostConnected(record) >= record.connections,
  };
}

/** The probability that `count` or more of `n` exceed a limit that each exceeds with probability `share`. */
export function chanceOfAsMany(count: number, n: number, share: number): number {
  if (count <= 0) return 1;
  return share <= 0 ? 0 : incompleteBeta(share, count, n - count + 1);
}

function rowsDue({ dueMs, outcome }: StepRecord, fromMs: number, toMs: number): number[] {
  const rows: number[] = [];
  for (let row = 0; row < dueMs.length; row++)
    if (dueMs[row]! >= fromMs && dueMs[row]! < toMs && outcome[row] !== Outcome.neverSent) rows.push(row);
  return rows;
}

/** Mean of the requests in flight, and number of good answers, in each stretch of the window. */
function blocksOf(
  record: StepRecord,
  fromMs: number,
  toMs: number,
): { inFlight: Float64Array; answered: Float64Array } {
  const lengthMs = (toMs - fromMs) / BLOCKS;
  const inFlight = new Float64Array(BLOCKS);
  const answered = new Float64Array(BLOCKS);
  const { dueMs, endedMs, outcome } = record;
  for (let row = 0; row < dueMs.length; row++) {
    if (outcome[row] === Outcome.neverSent) continue;
    const due = Math.max(dueMs[row]!, fromMs);
    const end = endedMs[row]!;
    for (let b = Math.floor((due - fromMs) / lengthMs); b < BLOCKS && fromMs + b * lengthMs < end; b++) {
      const open = Math.min(end, fromMs + (b + 1) * lengthMs) - Math.max(due, fromMs + b * lengthMs);
      inFlight[b]! += Math.max(0, open) / lengthMs;
    }
    const block = Math.floor((end - fromMs) / lengthMs);
    if (outcome[row] === Outcome.answered && block >= 0 && block < BLOCKS) answered[block]!++;
  }
  return { inFlight, answered };
}

/** Growth over the whole window by the straight line through the blocks' means; 90 % interval by Student's t. */
function growthOf(blocks: Float64Array): Estimate {
  const middle = (BLOCKS - 1) / 2;
  const mean = momentsOf(blocks).mean;
  // Sum of squared distances of 0 .. B - 1 from their middle: B (B^2 - 1) / 12.
  const sumOfSquares = (BLOCKS * (BLOCKS ** 2 - 1)) / 12;
  const slope = blocks.reduce((sum, value, b) => sum + (b - middle) * (value - mean), 0) / sumOfSquares;
  const rest = blocks.reduce((sum, value, b) => sum + (value - mean - slope * (b - middle)) ** 2, 0);
  const half = studentQuantile(0.1, BLOCKS - 2) * Math.sqrt(rest / (BLOCKS - 2) / sumOfSquares);
  return { value: slope * BLOCKS, low: (slope - half) * BLOCKS, high: (slope + half) * BLOCKS };
}

/** Of good answers and of requests given up; a quick refusal is a failure, not a short latency. */
function latencies({ dueMs, endedMs, outcome }: StepRecord, rows: readonly number[]): Float64Array {
  return sorted(rows.filter((row) => outcome[row] !== Outcome.failed).map((row) => endedMs[row]! - dueMs[row]!));
}

const sorted = (values: readonly number[]): Float64Array => Float64Array.from(values).sort();

/** Of ascending values, the smallest that at least a share `p` of them does not exceed; NaN of none. */
function quantile(ascending: Float64Array, p: number): number {
  return ascending.length === 0 ? Number.NaN : ascending[Math.max(0, Math.ceil(p * ascending.length) - 1)]!;
}

/** The most connections that were in use at the same moment. */
function mostConnected({ connectedMs, endedMs }: StepRecord): number {
  const known = connectedMs.map((at, row) => (Number.isNaN(at) ? Infinity : Math.min(at, endedMs[row]!))).sort();
  const ends = endedMs.filter((_, row) => !Number.isNaN(connectedMs[row]!)).sort();
  let most = 0;
  for (let begun = 0, ended = 0; begun < ends.length; begun++) {
    while (ends[ended]! <= known[begun]!) ended++;
    most = Math.max(most, begun + 1 - ended);
  }
  return most;
}
