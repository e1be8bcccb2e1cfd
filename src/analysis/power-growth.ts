import type { Estimate } from "./bootstrap.ts";
import { Random } from "./random.ts";
import { quantileOf } from "./weighted-quantile.ts";
import { mapToFloats } from "../model/map-column.ts";

/** How a time grows with a size: time = constant + factor x size^exponent. */
export interface PowerGrowth {
  readonly kind: "fit";
  /** 0: reads by an index; 1: reads everything; 2: compares everything with everything. With a 90 % interval */
  readonly exponent: Estimate;
  /** the fitted median time at a size, in the unit of the times */
  timeAt(size: number): number;
  readonly smallest: number;
  readonly largest: number;
  readonly observations: number;
}

/** The size hardly changed, or there are too few observations at different sizes. */
export interface InsufficientGrowth {
  readonly kind: "insufficient-data";
  readonly what: "range of sizes" | "sizes with enough observations";
  readonly have: number;
  readonly need: number;
}

/** Below, noise of a few per cent per bin makes every exponent between 0 and 2 possible. */
const MIN_RANGE = 1.3;
const BINS = 12;
/** A median of fewer says little. */
const MIN_IN_BIN = 8;
const MIN_BINS = 4;
/**
 * A constant beside the growing part can only be told from a smaller exponent where the sizes span some
 * doublings: over one doubling 1 + n and 2 sqrt(n) differ by less than 2 %.
 */
const RANGE_FOR_CONSTANT = 8;
const EXPONENTS: readonly number[] = Array.from({ length: 61 }, (_, i) => i / 20);
const RESAMPLES = 200;

/**
 * Exponent of the growth of a time with a size, from observations of both, after the log-spaced bins of trend
 * profiling (Goldsmith, Aiken and Wilkerson, ESEC/FSE 2007): medians of bins of equal width in the logarithm of the
 * size, to which constant (>= 0), factor (>= 0) and exponent (0 to 3) are fitted by relative error. The constant is
 * taken as 0 unless the sizes span a factor of 8. The interval comes from resampling the observations of each bin.
 *
 * size, time: > 0, the same length, in any order. Medians, since times have long tails.
 */
export function fitPowerGrowth(size: Float64Array, time: Float64Array, seed: number): PowerGrowth | InsufficientGrowth {
  const usable = usableRows(size, time);
  const smallest = usable.reduce((least, i) => Math.min(least, size[i]!), Infinity);
  const largest = usable.reduce((most, i) => Math.max(most, size[i]!), 0);
  const range = usable.length === 0 ? 1 : largest / smallest;
  if (range < MIN_RANGE) return { kind: "insufficient-data", what: "range of sizes", have: range, need: MIN_RANGE };
  const bins = binsOf(usable, size, time, smallest, range);
  if (bins.length < MIN_BINS)
    return { kind: "insufficient-data", what: "sizes with enough observations", have: bins.length, need: MIN_BINS };
  const withConstant = range >= RANGE_FOR_CONSTANT;
  const points = bins.map(({ size: at, times }) => ({ size: at, time: quantileOf(times, 0.5), weight: times.length }));
  const best = fitPoints(points, withConstant);
  const random = new Random(seed);
  const exponents = mapToFloats({ length: RESAMPLES }, () => {
    const resampled = bins.map(({ size: at, times }) => {
      const drawn = times.map(() => times[random.below(times.length)]!);
      return { size: at, time: quantileOf(drawn, 0.5), weight: times.length };
    });
    return fitPoints(resampled, withConstant).exponent;
  });
  return {
    kind: "fit",
    exponent: { value: best.exponent, low: quantileOf(exponents, 0.05), high: quantileOf(exponents, 0.95) },
    timeAt: (at) => best.constant + best.factor * at ** best.exponent,
    smallest,
    largest,
    observations: usable.length,
  };
}

function usableRows(size: Float64Array, time: Float64Array): number[] {
  const rows: number[] = [];
  for (let i = 0; i < size.length; i++) if (size[i]! > 0 && time[i]! > 0 && size[i]! < Infinity) rows.push(i);
  return rows;
}

interface Bin {
  /** geometric mean of its sizes */
  readonly size: number;
  readonly times: Float64Array;
}

function binsOf(
  rows: readonly number[],
  size: Float64Array,
  time: Float64Array,
  smallest: number,
  range: number,
): Bin[] {
  const members: number[][] = Array.from({ length: BINS }, () => []);
  for (const i of rows) {
    const place = Math.floor((Math.log(size[i]! / smallest) / Math.log(range)) * BINS);
    members[Math.min(BINS - 1, place)]!.push(i);
  }
  return members
    .filter((bin) => bin.length >= MIN_IN_BIN)
    .map((bin) => ({
      size: Math.exp(bin.reduce((sum, i) => sum + Math.log(size[i]!), 0) / bin.length),
      times: mapToFloats(bin, (i) => time[i]!),
    }));
}

interface Point {
  readonly size: number;
  readonly time: number;
  readonly weight: number;
}

interface Fit {
  readonly exponent: number;
  readonly constant: number;
  readonly factor: number;
}

function fitPoints(points: readonly Point[], withConstant: boolean): Fit {
  let best: Fit & { error: number } = { exponent: 0, constant: 0, factor: 0, error: Infinity };
  for (const exponent of EXPONENTS) {
    const fit = fitAt(exponent, points, withConstant);
    // Of equals the smaller exponent: nothing that is not there is claimed.
    if (fit.error < best.error * (1 - 1e-9)) best = fit;
  }
  return best;
}

/** Least squares of relative errors in constant and factor, both >= 0, at a given exponent. */
function fitAt(exponent: number, points: readonly Point[], withConstant: boolean): Fit & { error: number } {
  let [cc, cf, ff, c, f] = [0, 0, 0, 0, 0];
  for (const { size, time, weight } of points) {
    const [u, v] = [1 / time, size ** exponent / time];
    cc += weight * u * u;
    cf += weight * u * v;
    ff += weight * v * v;
    c += weight * u;
    f += weight * v;
  }
  const determinant = cc * ff - cf * cf;
  let constant = 0;
  let factor = f / ff;
  if (withConstant && exponent > 0 && determinant > 1e-12 * cc * ff) {
    const [a, b] = [(c * ff - f * cf) / determinant, (f * cc - c * cf) / determinant];
    if (a > 0 && b >= 0) [constant, factor] = [a, b];
    else if (b < 0) [constant, factor] = [c / cc, 0];
  }
  let error = 0;
  for (const { size, time, weight } of points) {
    error += weight * ((constant + factor * size ** exponent) / time - 1) ** 2;
  }
  return { exponent, constant, factor, error };
}
