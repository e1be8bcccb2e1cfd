/** Draws from common distributions, for simulations in tests. The source of uniform numbers is given. */
export interface Uniform {
  /** in [0, 1) */
  uniform(): number;
}

/** Mean 0, standard deviation 1 (Box–Muller). */
export function normal(source: Uniform): number {
  return Math.sqrt(-2 * Math.log(1 - source.uniform())) * Math.cos(2 * Math.PI * source.uniform());
}

export function exponential(source: Uniform, mean: number): number {
  return -mean * Math.log(1 - source.uniform());
}

/** `median` is that of the result, `sigma` the standard deviation of its logarithm. */
export function lognormal(source: Uniform, median: number, sigma: number): number {
  return median * Math.exp(sigma * normal(source));
}

/** Sum of `shape` exponentials (shape a whole number), with the given mean. */
export function erlang(source: Uniform, shape: number, mean: number): number {
  let sum = 0;
  for (let i = 0; i < shape; i++) sum += exponential(source, mean / shape);
  return sum;
}

/** Least value 1, tail index `alpha`: infinite variance for alpha <= 2. */
export function pareto(source: Uniform, alpha: number): number {
  return (1 - source.uniform()) ** (-1 / alpha);
}

/** A column of `n` draws. */
export function sampleOf(n: number, draw: () => number): Float64Array {
  const out = new Float64Array(n);
  for (let i = 0; i < n; i++) out[i] = draw();
  return out;
}
