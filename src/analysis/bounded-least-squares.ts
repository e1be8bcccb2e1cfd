import { solveLinear } from "./linear-system.ts";
import { mapToFloats } from "../model/map-column.ts";

/** A sum of squares to be made small; parameters should be of order 1, so that one step width suits them all. */
export interface LeastSquaresProblem {
  /** writes one residual per observation; may be infinite where the parameters make no sense */
  readonly residuals: (parameters: Float64Array, out: Float64Array) => void;
  readonly observations: number;
  readonly low: readonly number[];
  readonly high: readonly number[];
}

export interface LeastSquaresFit {
  readonly parameters: Float64Array;
  readonly sumOfSquares: number;
}

const MAX_ROUNDS = 200;

/**
 * Least squares within bounds from a start: Levenberg and Marquardt's method, with the parameters that stand at a bound
 * and are pushed against it held there (as projected Newton methods do; Bertsekas 1982). Derivatives are central
 * differences. It finds the minimum next to `start`: where there may be several, start from several places.
 */
export function fitWithinBounds(problem: LeastSquaresProblem, start: readonly number[]): LeastSquaresFit {
  const { observations, low, high } = problem;
  const n = start.length;
  let at = mapToFloats(start, (value, i) => clamp(value, low[i]!, high[i]!));
  let residuals = new Float64Array(observations);
  problem.residuals(at, residuals);
  let sum = sumOfSquares(residuals);
  let damping = 1e-3;
  for (let round = 0; round < MAX_ROUNDS && damping < 1e12; round++) {
    const { gradient, hessian } = normalEquations(problem, at, residuals);
    const free = indicesOf(
      n,
      (i) => !(at[i]! <= low[i]! && gradient[i]! > 0) && !(at[i]! >= high[i]! && gradient[i]! < 0),
    );
    const step = solveLinear(
      free.map((i) => free.map((j) => hessian[i * n + j]! * (i === j ? 1 + damping : 1) + (i === j ? 1e-300 : 0))),
      free.map((i) => -gradient[i]!),
    );
    if (step === undefined) break;
    const next = at.slice();
    free.forEach((i, k) => (next[i] = clamp(at[i]! + step[k]!, low[i]!, high[i]!)));
    const nextResiduals = new Float64Array(observations);
    problem.residuals(next, nextResiduals);
    const nextSum = sumOfSquares(nextResiduals);
    if (!(nextSum < sum)) {
      damping *= 10;
      continue;
    }
    const isDone = sum - nextSum <= 1e-15 * sum && moved(at, next) < 1e-12;
    at = next;
    residuals = nextResiduals;
    sum = nextSum;
    damping = Math.max(1e-12, damping / 10);
    if (isDone) break;
  }
  return { parameters: at, sumOfSquares: sum };
}

/** Gradient and approximate second derivatives (n × n, by rows) of half the sum of squares. */
function normalEquations(
  problem: LeastSquaresProblem,
  at: Float64Array,
  residuals: Float64Array,
): { gradient: Float64Array; hessian: Float64Array } {
  const n = at.length;
  const columns = Array.from({ length: n }, (_, i) => derivative(problem, at, i));
  const gradient = new Float64Array(n);
  const hessian = new Float64Array(n * n);
  for (let i = 0; i < n; i++) {
    gradient[i] = dot(columns[i]!, residuals);
    for (let j = 0; j < n; j++) hessian[i * n + j] = dot(columns[i]!, columns[j]!);
  }
  return { gradient, hessian };
}

function derivative(problem: LeastSquaresProblem, at: Float64Array, i: number): Float64Array {
  // The cube root of the precision of a double balances rounding and the third derivative.
  const width = 6e-6 * Math.max(1e-3, Math.abs(at[i]!));
  const shifted = (by: number): { value: number; residuals: Float64Array } => {
    const moved = at.slice();
    moved[i] = clamp(at[i]! + by, problem.low[i]!, problem.high[i]!);
    const out = new Float64Array(problem.observations);
    problem.residuals(moved, out);
    return { value: moved[i]!, residuals: out };
  };
  const up = shifted(width);
  const down = shifted(-width);
  return up.residuals.map((value, k) => (value - down.residuals[k]!) / (up.value - down.value));
}

const clamp = (value: number, low: number, high: number): number => Math.min(high, Math.max(low, value));

function indicesOf(n: number, keep: (i: number) => boolean): number[] {
  return Array.from({ length: n }, (_, i) => i).filter(keep);
}

const sumOfSquares = (values: Float64Array): number => dot(values, values);

function dot(a: Float64Array, b: Float64Array): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i]! * b[i]!;
  return sum;
}

/** Largest change of a parameter, relative to its size or to 1. */
function moved(from: Float64Array, to: Float64Array): number {
  return from.reduce((most, value, i) => Math.max(most, Math.abs(to[i]! - value) / Math.max(1, Math.abs(value))), 0);
}
