import type { Draws } from "./random.ts";

/** A distribution of times (ms) or sizes as data; `cv` is the coefficient of variation. */
export type Distribution =
  | { kind: "constant"; value: number }
  | { kind: "exponential"; mean: number }
  | { kind: "uniform"; low: number; high: number }
  | { kind: "lognormal"; mean: number; cv: number }
  | { kind: "gamma"; mean: number; cv: number }
  /** with probability `share` from `rare`, else from `usual` */
  | { kind: "mixture"; share: number; rare: Distribution; usual: Distribution }
  /** `factor` times a draw of `of`, plus `add` */
  | { kind: "scaled"; factor: number; add: number; of: Distribution };

export function sample(distribution: Distribution, draws: Draws): number {
  switch (distribution.kind) {
    case "constant":
      return distribution.value;
    case "exponential":
      return draws.exponential(distribution.mean);
    case "uniform":
      return draws.between(distribution.low, distribution.high);
    case "lognormal": {
      // E = exp(mu + s²/2) and cv² = exp(s²) - 1
      const s2 = Math.log1p(distribution.cv ** 2);
      return distribution.mean * Math.exp(Math.sqrt(s2) * draws.normal() - s2 / 2);
    }
    case "gamma": {
      const shape = distribution.cv ** -2;
      return (sampleGamma(shape, draws) * distribution.mean) / shape;
    }
    case "mixture":
      return sample(draws.chance(distribution.share) ? distribution.rare : distribution.usual, draws);
    case "scaled":
      return distribution.factor * sample(distribution.of, draws) + distribution.add;
  }
}

export function mean(distribution: Distribution): number {
  switch (distribution.kind) {
    case "constant":
      return distribution.value;
    case "uniform":
      return (distribution.low + distribution.high) / 2;
    case "exponential":
    case "lognormal":
    case "gamma":
      return distribution.mean;
    case "mixture":
      return distribution.share * mean(distribution.rare) + (1 - distribution.share) * mean(distribution.usual);
    case "scaled":
      return distribution.factor * mean(distribution.of) + distribution.add;
  }
}

/** E[X²], for the Pollaczek–Khinchine formula. */
export function secondMoment(distribution: Distribution): number {
  switch (distribution.kind) {
    case "constant":
      return distribution.value ** 2;
    case "exponential":
      return 2 * distribution.mean ** 2;
    case "uniform":
      return (distribution.low ** 2 + distribution.low * distribution.high + distribution.high ** 2) / 3;
    case "lognormal":
    case "gamma":
      return distribution.mean ** 2 * (1 + distribution.cv ** 2);
    case "mixture":
      return (
        distribution.share * secondMoment(distribution.rare) +
        (1 - distribution.share) * secondMoment(distribution.usual)
      );
    case "scaled": {
      const { factor, add, of } = distribution;
      return factor ** 2 * secondMoment(of) + 2 * factor * add * mean(of) + add ** 2;
    }
  }
}

export const constant = (value: number): Distribution => ({ kind: "constant", value });
export const exponential = (of: number): Distribution => ({ kind: "exponential", mean: of });
export const lognormal = (of: number, cv: number): Distribution => ({ kind: "lognormal", mean: of, cv });
export const gamma = (of: number, cv: number): Distribution => ({ kind: "gamma", mean: of, cv });
export const scaled = (of: Distribution, factor: number, add = 0): Distribution => ({
  kind: "scaled",
  factor,
  add,
  of,
});
/** The usual draw, but with probability `share` a `rare` one. */
export const sometimes = (share: number, rare: Distribution, usual: Distribution): Distribution => ({
  kind: "mixture",
  share,
  rare,
  usual,
});

/** Marsaglia and Tsang (2000); shapes below 1 by the power-of-uniform boost. */
function sampleGamma(shape: number, draws: Draws): number {
  if (shape < 1) return sampleGamma(shape + 1, draws) * draws.uniform() ** (1 / shape);
  const d = shape - 1 / 3;
  const c = 1 / Math.sqrt(9 * d);
  for (;;) {
    const x = draws.normal();
    const v = (1 + c * x) ** 3;
    if (v > 0 && Math.log(draws.uniform()) < (x * x) / 2 + d - d * v + d * Math.log(v)) return d * v;
  }
}
