import { fitWithinBounds, type LeastSquaresProblem } from "./bounded-least-squares.ts";
import { studentQuantile } from "./special-functions.ts";
import { mapToFloats } from "../model/map-column.ts";

/** null: not bounded by the data on that side. */
export interface UslInterval {
  readonly low: number | null;
  readonly high: number | null;
}

/**
 * The Universal Scalability Law fitted to loads and throughputs:
 * X(N) = gamma N / (1 + alpha (N - 1) + beta N (N - 1)).
 */
export interface UslFit {
  /** "no-peak": throughput does not fall with more load, as far as these data can tell */
  readonly status: "ok" | "no-peak";
  /** contention, coherency (both >= 0), and throughput at load 1 */
  readonly alpha: number;
  readonly beta: number;
  readonly gamma: number;
  /** load with the greatest throughput, and that throughput; null without a peak */
  readonly peakLoad: number | null;
  readonly peakThroughput: number | null;
  /** throughput that contention alone would allow at any load, gamma / alpha; null where there is none */
  readonly limit: number | null;
  /** coverage `level`, by the profile of the sum of squares; of the peak null where there is none */
  readonly intervals: {
    readonly level: number;
    readonly alpha: UslInterval;
    readonly beta: UslInterval;
    readonly gamma: UslInterval;
    readonly peakLoad: UslInterval | null;
    readonly peakThroughput: UslInterval | null;
  };
  readonly points: number;
  readonly detail: string;
}

export interface UslInsufficient {
  readonly status: "insufficient-data";
  readonly missing: "points" | "range";
  readonly have: number;
  readonly need: number;
  readonly detail: string;
}

export interface UslOptions {
  /** coverage of the intervals, default 0.95 */
  readonly level?: number;
}

/** Three parameters need three loads; the fourth is the first that can contradict them. */
const MIN_LOADS = 4;
/** Below this ratio of the loads contention, coherency and gamma all bend the curve by less than 5 % and change places. */
const MIN_RANGE = 3;

/**
 * Fits the law (Gunther, Guerrilla Capacity Planning, 2007) to measured `loads` (> 0) and `throughputs` (>= 0) by
 * nonlinear least squares with alpha, beta >= 0 and gamma > 0, gamma being fitted, not taken from load 1.
 *
 * Intervals are those parameter values at which the best fit of the others has a sum of squares below
 * min (1 + t^2 / (n - 3)) (Bates & Watts 1988, section 6.1): not symmetric, and cut at the bounds. A peak is claimed only
 * where the interval of beta leaves out zero; otherwise the curve may rise as well, and none is invented.
 */
export function fitUsl(
  loads: ArrayLike<number>,
  throughputs: ArrayLike<number>,
  options: UslOptions = {},
): UslFit | UslInsufficient {
  const n = loads.length;
  const distinct = new Set(Array.from(loads)).size;
  if (distinct < MIN_LOADS) return insufficient("points", distinct, MIN_LOADS);
  const largest = Array.from(loads).reduce((a, b) => Math.max(a, b));
  const range = largest / Array.from(loads).reduce((a, b) => Math.min(a, b));
  if (range < MIN_RANGE) return insufficient("range", range, MIN_RANGE);
  const level = options.level ?? 0.95;
  const scale: Scale = { load: largest, throughput: Array.from(throughputs).reduce((a, b) => Math.max(a, b)) };
  if (!(scale.throughput > 0)) return insufficient("points", 0, MIN_LOADS);
  const data: Data = {
    loads: mapToFloats(loads, (load) => load / scale.load),
    one: 1 / scale.load,
    throughputs: mapToFloats(throughputs, (x) => x / scale.throughput),
  };
  const best = bestFit(data);
  // An exact fit has no error to speak of; rounding takes its place.
  const threshold = Math.max(best.sum, 1e-24) * (1 + studentQuantile(1 - level, n - 3) ** 2 / (n - 3));
  return describe(data, best, threshold, scale, level, n);
}

/** Throughput that the law gives at a load. */
export function uslThroughput(law: { alpha: number; beta: number; gamma: number }, load: number): number {
  return (law.gamma * load) / (1 + law.alpha * (load - 1) + law.beta * load * (load - 1));
}

interface Scale {
  readonly load: number;
  readonly throughput: number;
}

/** Loads and throughputs relative to their largest; `one` is load 1 on that scale. */
interface Data {
  readonly loads: Float64Array;
  readonly one: number;
  readonly throughputs: Float64Array;
}

/** In units of `Data`: X = c u / (1 + a (u - one) + b u (u - one)). */
interface Curve {
  readonly a: number;
  readonly b: number;
  readonly c: number;
  readonly sum: number;
}

function describe(data: Data, best: Curve, threshold: number, scale: Scale, level: number, points: number): UslFit {
  const profile = (fixed: Fixed): UslInterval => profileInterval(data, best, threshold, fixed);
  const scaled = ({ low, high }: UslInterval, by: number): UslInterval => ({
    low: low === null ? null : low * by,
    high: high === null ? null : high * by,
  });
  const perLoad = scale.throughput / scale.load;
  const beta = scaled(profile("b"), 1 / scale.load ** 2);
  const alpha = best.a / scale.load;
  const law = { alpha, beta: best.b / scale.load ** 2, gamma: best.c * perLoad };
  const hasPeak = law.beta > 0 && (beta.low ?? 0) > 0 && alpha < 1;
  const peakLoad = hasPeak ? Math.sqrt((1 - alpha) / law.beta) : null;
  return {
    status: hasPeak ? "ok" : "no-peak",
    ...law,
    peakLoad,
    peakThroughput: peakLoad === null ? null : uslThroughput(law, peakLoad),
    limit: alpha > 0 ? law.gamma / alpha : null,
    intervals: {
      level,
      alpha: scaled(profile("a"), 1 / scale.load),
      beta,
      gamma: scaled(profile("c"), perLoad),
      peakLoad: hasPeak ? scaled(profile("peakLoad"), scale.load) : null,
      peakThroughput: hasPeak ? scaled(profile("peakThroughput"), scale.throughput) : null,
    },
    points,
    detail: peakText(law, peakLoad, scale.load),
  };
}

function peakText(law: { beta: number }, peakLoad: number | null, largestLoad: number): string {
  if (peakLoad === null && law.beta === 0) return "no peak: throughput does not fall with more load in these data";
  if (peakLoad === null) return "no peak that these data could tell from none: the interval of beta reaches zero";
  if (peakLoad <= largestLoad) return "the peak lies within the measured loads";
  return `the peak lies beyond the largest measured load, by a factor of ${(peakLoad / largestLoad).toFixed(2)}: extrapolated`;
}

function insufficient(missing: "points" | "range", have: number, need: number): UslInsufficient {
  const detail =
    missing === "points"
      ? `throughput at ${have} different loads, ${need} at least are needed`
      : `the largest load is ${have.toPrecision(3)} times the smallest, a range of ${need} times at least is needed`;
  return { status: "insufficient-data", missing, have, need, detail };
}

/** Best of the fits from several starts, each refined; starts with no, little and much of each bend. */
function bestFit(data: Data): Curve {
  let best: Curve | undefined;
  for (const a of [0, 1, 10]) {
    for (const b of [0, 1, 10]) {
      const { parameters, sumOfSquares } = fitWithinBounds(problemOf(data, curveOf), [a, b, 1 + a + b]);
      if (best === undefined || sumOfSquares < best.sum) best = { ...curveOf(parameters, data), sum: sumOfSquares };
    }
  }
  return best!;
}

type CurveOf = (parameters: ArrayLike<number>, data: Data) => { a: number; b: number; c: number };

const curveOf: CurveOf = (p) => ({ a: p[0]!, b: p[1]!, c: p[2]! });

function problemOf(data: Data, toCurve: CurveOf, size = 3): LeastSquaresProblem {
  return {
    observations: data.loads.length,
    low: Array.from({ length: size }, () => 0),
    high: Array.from({ length: size }, () => Infinity),
    residuals: (parameters, out) => {
      const { a, b, c } = toCurve(parameters, data);
      for (let i = 0; i < out.length; i++) {
        const u = data.loads[i]!;
        const spread = 1 + a * (u - data.one) + b * u * (u - data.one);
        // A curve with a pole within the loads is none.
        out[i] = spread > 0 ? (c * u) / spread - data.throughputs[i]! : Infinity;
      }
    },
  };
}

type Fixed = "a" | "b" | "c" | "peakLoad" | "peakThroughput";

/**
 * By what is held: value at the best fit, and the curve from the held value and the two that remain free. With a peak at
 * load p and throughput x, b = (1 - a one) / p^2 and X(p) = x gives c.
 */
const HELD: Readonly<
  Record<
    Fixed,
    {
      value: (curve: Curve, one: number) => number;
      rest: (curve: Curve, one: number) => number[];
      curve: (held: number) => CurveOf;
    }
  >
> = {
  a: { value: (f) => f.a, rest: (f) => [f.b, f.c], curve: (held) => (p) => ({ a: held, b: p[0]!, c: p[1]! }) },
  b: { value: (f) => f.b, rest: (f) => [f.a, f.c], curve: (held) => (p) => ({ a: p[0]!, b: held, c: p[1]! }) },
  c: { value: (f) => f.c, rest: (f) => [f.a, f.b], curve: (held) => (p) => ({ a: p[0]!, b: p[1]!, c: held }) },
  peakLoad: {
    value: peakOf,
    rest: (f) => [f.a, f.c],
    curve:
      (held) =>
      (p, { one }) => ({ a: p[0]!, b: Math.max(0, 1 - p[0]! * one) / held ** 2, c: p[1]! }),
  },
  peakThroughput: {
    value: (f, one) => peakThroughputOf(f, one),
    rest: (f, one) => [f.a, peakOf(f, one)],
    curve:
      (held) =>
      (p, { one }) => {
        const [a, peak] = [p[0]!, Math.max(1e-9, p[1]!)];
        const b = Math.max(0, 1 - a * one) / peak ** 2;
        return { a, b, c: (held * (1 + a * (peak - one) + b * peak * (peak - one))) / peak };
      },
  },
};

function peakOf(curve: { a: number; b: number }, one: number): number {
  return Math.sqrt(Math.max(0, 1 - curve.a * one) / curve.b);
}

function peakThroughputOf(curve: { a: number; b: number; c: number }, one: number): number {
  const peak = peakOf(curve, one);
  return (curve.c * peak) / (1 + curve.a * (peak - one) + curve.b * peak * (peak - one));
}

/** Where the best fit with a value held crosses the threshold, below and above the value of the best fit. */
function profileInterval(data: Data, best: Curve, threshold: number, fixed: Fixed): UslInterval {
  const { value, rest, curve } = HELD[fixed];
  const centre = value(best, data.one);
  const sumAt = (held: number): number => {
    const problem = problemOf(data, curve(held), 2);
    const from = fitWithinBounds(problem, rest(best, data.one));
    const other = fitWithinBounds(problem, fixed === "c" ? [1, 1] : [0, 1]);
    return Math.min(from.sumOfSquares, other.sumOfSquares);
  };
  const isWithin = (held: number): boolean => sumAt(held) <= threshold;
  return { low: lowEnd(centre, isWithin), high: highEnd(centre, isWithin) };
}

function lowEnd(centre: number, isWithin: (held: number) => boolean): number {
  if (centre <= 0 || isWithin(0)) return 0;
  return between(0, centre, (held) => !isWithin(held));
}

/** null where even a thousand times the value (or a thousand, from zero) fits as well. */
function highEnd(centre: number, isWithin: (held: number) => boolean): number | null {
  let inside = centre;
  for (let step = Math.max(1e-3, centre * 0.1); step < 1e3 * Math.max(1, centre); step *= 2) {
    if (!isWithin(centre + step)) return between(inside, centre + step, isWithin);
    inside = centre + step;
  }
  return null;
}

/** The point where `below` turns from true to false, to a millionth. */
function between(low: number, high: number, below: (value: number) => boolean): number {
  for (let i = 0; i < 40 && high - low > 1e-7 * high; i++) {
    const middle = (low + high) / 2;
    if (below(middle)) low = middle;
    else high = middle;
  }
  return (low + high) / 2;
}
