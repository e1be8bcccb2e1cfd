import { solveLinear } from "./linear-system.ts";
import { mapToFloats } from "../model/map-column.ts";

/** Least squares in its normal equations: A'A (k × k, by rows) and A'y. Sums over observations, so stretches of them add up. */
export interface NormalEquations {
  readonly size: number;
  readonly gram: Float64Array;
  readonly cross: Float64Array;
}

/** Normal equations of `target` = sum of `columns` times coefficients; all of one length. */
export function normalEquations(columns: readonly Float64Array[], target: Float64Array): NormalEquations {
  const size = columns.length;
  const gram = new Float64Array(size * size);
  for (let i = 0; i < size; i++) {
    for (let j = 0; j <= i; j++) gram[i * size + j] = gram[j * size + i] = dot(columns[i]!, columns[j]!);
  }
  return { size, gram, cross: mapToFloats(columns, (column) => dot(column, target)) };
}

/** Relative to the largest entry: smaller gradients are rounding. */
const TOLERANCE = 1e-10;

/**
 * Coefficients >= 0 of the least squares problem: the active set method of Lawson and Hanson (Solving Least Squares
 * Problems, 1974, chapter 23). One coefficient is let in at a time, the one that lowers the sum of squares fastest; those
 * that would become negative are put back to zero. A column that others make up exactly stays at zero.
 */
export function nonNegativeLeastSquares({ size, gram, cross }: NormalEquations): Float64Array {
  const x = new Float64Array(size);
  const isFree = new Uint8Array(size);
  const tolerance = TOLERANCE * cross.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  // Each round lowers the sum of squares, so no set of free columns comes twice; rounding may say otherwise.
  for (let round = 0; round < 3 * size + 10; round++) {
    const next = steepest(gram, cross, x, isFree, tolerance);
    if (next < 0) break;
    isFree[next] = 1;
    if (!settle(gram, cross, x, isFree)) {
      isFree[next] = 2;
      x[next] = 0;
    }
  }
  return x;
}

/** The column at zero with the steepest descent; -1 when none descends. */
function steepest(
  gram: Float64Array,
  cross: Float64Array,
  x: Float64Array,
  isFree: Uint8Array,
  tolerance: number,
): number {
  let best = -1;
  let most = tolerance;
  for (let i = 0; i < x.length; i++) {
    if (isFree[i] !== 0) continue;
    let descent = cross[i]!;
    for (let j = 0; j < x.length; j++) descent -= gram[i * x.length + j]! * x[j]!;
    if (descent > most) {
      most = descent;
      best = i;
    }
  }
  return best;
}

/** Solves for the free columns, and gives up those that get in the way. False where they are not independent. */
function settle(gram: Float64Array, cross: Float64Array, x: Float64Array, isFree: Uint8Array): boolean {
  for (;;) {
    const free = [...x.keys()].filter((i) => isFree[i] === 1);
    const solved = solveLinear(
      free.map((i) => free.map((j) => gram[i * x.length + j]!)),
      free.map((i) => cross[i]!),
    );
    if (solved === undefined) return false;
    if (solved.every((value) => value > 0)) {
      x.fill(0);
      free.forEach((i, k) => (x[i] = solved[k]!));
      return true;
    }
    // As far towards the solution as all stay above zero; the one that stops it goes.
    let step = 1;
    let stop = -1;
    free.forEach((i, k) => {
      const reach = solved[k]! > 0 ? 1 : x[i]! / (x[i]! - solved[k]! || 1);
      if (stop >= 0 ? reach < step : solved[k]! <= 0) {
        step = reach;
        stop = i;
      }
    });
    free.forEach((i, k) => (x[i]! += step * (solved[k]! - x[i]!)));
    x[stop] = 0;
    isFree[stop] = 0;
  }
}

/**
 * Condition number of the columns, each scaled to length 1 first (Belsley, Kuh & Welsch 1980): above 30 some of them
 * can hardly be told apart. Infinity where one is made up of others, or is zero.
 */
export function scaledCondition({ size, gram }: NormalEquations): number {
  if (size === 0) return 1;
  const scaled = new Float64Array(size * size);
  for (let i = 0; i < size; i++) {
    for (let j = 0; j < size; j++) {
      scaled[i * size + j] = gram[i * size + j]! / Math.sqrt(gram[i * size + i]! * gram[j * size + j]!);
    }
  }
  if (!scaled.every(Number.isFinite)) return Infinity;
  const values = symmetricEigenvalues(scaled, size);
  const smallest = Math.min(...values);
  return smallest <= 1e-14 ? Infinity : Math.sqrt(Math.max(...values) / smallest);
}

/** By Jacobi's rotations, which for a few dozen columns are as fast as anything. */
function symmetricEigenvalues(matrix: Float64Array, n: number): number[] {
  const a = matrix.slice();
  for (let sweep = 0; sweep < 50; sweep++) {
    let off = 0;
    for (let p = 0; p < n; p++) {
      for (let q = p + 1; q < n; q++) {
        off += a[p * n + q]! ** 2;
        if (Math.abs(a[p * n + q]!) > 1e-300) rotate(a, n, p, q);
      }
    }
    if (off < 1e-30) break;
  }
  return Array.from({ length: n }, (_, i) => a[i * n + i]!);
}

function rotate(a: Float64Array, n: number, p: number, q: number): void {
  const theta = (a[q * n + q]! - a[p * n + p]!) / (2 * a[p * n + q]!);
  const t = (theta >= 0 ? 1 : -1) / (Math.abs(theta) + Math.sqrt(theta * theta + 1));
  const cosine = 1 / Math.sqrt(t * t + 1);
  const sine = t * cosine;
  for (let k = 0; k < n; k++) {
    const [kp, kq] = [a[k * n + p]!, a[k * n + q]!];
    a[k * n + p] = cosine * kp - sine * kq;
    a[k * n + q] = sine * kp + cosine * kq;
  }
  for (let k = 0; k < n; k++) {
    const [pk, qk] = [a[p * n + k]!, a[q * n + k]!];
    a[p * n + k] = cosine * pk - sine * qk;
    a[q * n + k] = sine * pk + cosine * qk;
  }
}

function dot(a: Float64Array, b: Float64Array): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i]! * b[i]!;
  return sum;
}
