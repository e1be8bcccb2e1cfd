import { normalUpperQuantile } from "./special-functions.ts";

export interface QueueingFit {
  readonly kind: "fit";
  /** self time with nobody else in flight: the service time */
  readonly intercept: number;
  /** self time added by each other request in flight */
  readonly slope: number;
  /** 95 % interval of the slope */
  readonly slopeLow: number;
  readonly slopeHigh: number;
  /** share of the variance of the self times that the in-flight count explains; service times vary by themselves */
  readonly r2: number;
  /** share of the mean self time that is queueing: slope x mean in-flight / mean of the fit; 0 .. 1 */
  readonly queueShare: number;
  readonly observations: number;
}

/** Too few spans, or too little variation of the in-flight count. */
export interface InsufficientVariation {
  readonly kind: "insufficient-data";
  readonly what: "spans" | "levels of in-flight";
  readonly have: number;
  readonly need: number;
}

const MIN_OBSERVATIONS = 60;
/** Bins with fewer observations have no mean to speak of. */
const MIN_IN_BIN = 10;
const MIN_BINS = 3;
/** Contiguous blocks for the jackknife: long enough to hold a busy period, and enough of them for a variance. */
const BLOCKS = 20;

/**
 * Self time of an operation against the number of other requests in flight at its start: intercept and slope of
 * the mean, so that time spent waiting behind others is told from service time where no host data exists.
 * For a single server with exponential service the answer is intercept = slope = mean service time
 * (a request that finds k others waits k services and gets its own).
 *
 * Means are taken in bins of in-flight (1 wide up to 4, then growing by a quarter), and a line is fitted through
 * them, weighted by their standard errors, with Huber's weights (1.345 errors) against a bin that is off.
 * The interval comes from a jackknife that leaves out contiguous blocks, since neighbouring requests share a
 * busy period and are not independent.
 *
 * inFlight: whole numbers >= 0; selfTime: the same length, any unit; both in order of start.
 */
export function fitQueueing(inFlight: Int32Array, selfTime: Float64Array): QueueingFit | InsufficientVariation {
  const n = inFlight.length;
  if (n < MIN_OBSERVATIONS) return { kind: "insufficient-data", what: "spans", have: n, need: MIN_OBSERVATIONS };
  const all = emptyBins();
  const blocks = Array.from({ length: BLOCKS }, emptyBins);
  for (let i = 0; i < n; i++) {
    for (const bins of [all, blocks[Math.floor((i * BLOCKS) / n)]!]) add(bins, inFlight[i]!, selfTime[i]!);
  }
  const line = fitBins(all);
  if (typeof line === "number")
    return { kind: "insufficient-data", what: "levels of in-flight", have: line, need: MIN_BINS };
  const slopes: number[] = [];
  for (const block of blocks) {
    const without = fitBins(minus(all, block));
    if (typeof without !== "number") slopes.push(without.slope);
  }
  // Leaving a block out may leave too few bins; then so much hangs on it that the interval is not known.
  const error = slopes.length < BLOCKS ? Number.POSITIVE_INFINITY : jackknifeError(slopes);
  const reach = STUDENT_975_OF_19 * error;
  return {
    kind: "fit",
    ...line,
    slopeLow: line.slope - reach,
    slopeHigh: line.slope + reach,
    ...quality(line, inFlight, selfTime),
  };
}

/** 97.5 % point of Student's t with BLOCKS - 1 degrees of freedom (R: qt(0.975, 19)). */
const STUDENT_975_OF_19 = 2.093;

/** By bin: observations, sums of in-flight, of self time and of its square. */
interface Bins {
  readonly count: Float64Array;
  readonly x: Float64Array;
  readonly y: Float64Array;
  readonly yy: Float64Array;
}

/** Enough for 10^9 in flight. */
const BIN_COUNT = 100;

function emptyBins(): Bins {
  const column = (): Float64Array => new Float64Array(BIN_COUNT);
  return { count: column(), x: column(), y: column(), yy: column() };
}

function add(bins: Bins, x: number, y: number): void {
  const bin = x < 4 ? x : Math.min(BIN_COUNT - 1, 4 + Math.floor(Math.log(x / 4) / Math.log(1.25)));
  bins.count[bin]!++;
  bins.x[bin]! += x;
  bins.y[bin]! += y;
  bins.yy[bin]! += y * y;
}

function minus(a: Bins, b: Bins): Bins {
  const of = (key: keyof Bins): Float64Array => a[key].map((value, i) => value - b[key][i]!);
  return { count: of("count"), x: of("x"), y: of("y"), yy: of("yy") };
}

interface Line {
  readonly intercept: number;
  readonly slope: number;
}

/** The line through the means of the bins, or the number of usable bins if there are too few. */
function fitBins(bins: Bins): Line | number {
  const x: number[] = [];
  const y: number[] = [];
  const counts: number[] = [];
  let within = 0;
  let freedom = 0;
  for (let b = 0; b < BIN_COUNT; b++) {
    const count = bins.count[b]!;
    if (count < MIN_IN_BIN) continue;
    x.push(bins.x[b]! / count);
    y.push(bins.y[b]! / count);
    counts.push(count);
    within += Math.max(0, bins.yy[b]! - (bins.y[b]! * bins.y[b]!) / count);
    freedom += count - 1;
  }
  if (x.length < MIN_BINS) return x.length;
  // One variance for all bins: single ones are too few to estimate theirs. Without any, bins weigh by their counts.
  const variance = within / freedom || 1;
  const information = counts.map((count) => count / variance);
  let line = weightedLine(x, y, information);
  for (let round = 0; round < 20; round++) {
    const current = line;
    const residuals = x.map((at, i) => (y[i]! - current.intercept - current.slope * at) * Math.sqrt(information[i]!));
    const scale = Math.max(1, median(residuals.map(Math.abs)) / NORMAL_QUARTILE);
    const huber = residuals.map((r) => Math.min(1, (1.345 * scale) / Math.max(Math.abs(r), Number.MIN_VALUE)));
    line = weightedLine(
      x,
      y,
      information.map((w, i) => w * huber[i]!),
    );
  }
  return line;
}

/** Median of |z| of a standard normal variable. */
const NORMAL_QUARTILE: number = normalUpperQuantile(0.25);

function weightedLine(x: readonly number[], y: readonly number[], weight: readonly number[]): Line {
  let w = 0;
  let meanX = 0;
  let meanY = 0;
  for (let i = 0; i < x.length; i++) {
    w += weight[i]!;
    meanX += weight[i]! * x[i]!;
    meanY += weight[i]! * y[i]!;
  }
  meanX /= w;
  meanY /= w;
  let xx = 0;
  let xy = 0;
  for (let i = 0; i < x.length; i++) {
    xx += weight[i]! * (x[i]! - meanX) ** 2;
    xy += weight[i]! * (x[i]! - meanX) * (y[i]! - meanY);
  }
  const slope = xy / xx;
  return { intercept: meanY - slope * meanX, slope };
}

function median(values: number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  return (sorted[(sorted.length - 1) >> 1]! + sorted[sorted.length >> 1]!) / 2;
}

/** Standard error of an estimate from its values with one block left out each. */
function jackknifeError(values: readonly number[]): number {
  const mean = values.reduce((sum, v) => sum + v, 0) / values.length;
  const squares = values.reduce((sum, v) => sum + (v - mean) ** 2, 0);
  return Math.sqrt(((values.length - 1) / values.length) * squares);
}

function quality(
  line: Line,
  inFlight: Int32Array,
  selfTime: Float64Array,
): { r2: number; queueShare: number; observations: number } {
  const n = inFlight.length;
  let meanX = 0;
  let meanY = 0;
  for (let i = 0; i < n; i++) {
    meanX += inFlight[i]! / n;
    meanY += selfTime[i]! / n;
  }
  let residual = 0;
  let total = 0;
  for (let i = 0; i < n; i++) {
    residual += (selfTime[i]! - line.intercept - line.slope * inFlight[i]!) ** 2;
    total += (selfTime[i]! - meanY) ** 2;
  }
  const queueing = Math.max(0, line.slope * meanX);
  const service = Math.max(0, line.intercept);
  return {
    r2: total === 0 ? 0 : Math.max(0, 1 - residual / total),
    queueShare: queueing === 0 ? 0 : queueing / (queueing + service),
    observations: n,
  };
}
