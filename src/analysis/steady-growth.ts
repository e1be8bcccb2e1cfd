/** How a quantity grew over a run of windows. */
export interface Growth {
  /** means of the first and the last quarter */
  readonly first: number;
  readonly last: number;
  readonly increase: number;
  readonly factor: number;
  /** Kendall's tau against time: 1 when it never fell */
  readonly tau: number;
}

/** At this many windows tau is taken over every k-th: the cost is quadratic. */
const MAX_PAIRED = 200;

/**
 * Growth of the finite values over time. Levels are means of quarters, so that single
 * values don't decide; steadiness is Kendall's tau, which a sawtooth of garbage collections lowers
 * but a rising one does not undo. Undefined with fewer than 6 values.
 */
export function growthOf(values: ArrayLike<number>): Growth | undefined {
  const known = Float64Array.from(values).filter((value) => Number.isFinite(value));
  const n = known.length;
  if (n < 6) return undefined;
  const quarter = Math.max(2, n >> 2);
  const mean = (part: Float64Array): number => part.reduce((sum, value) => sum + value, 0) / part.length;
  const first = mean(known.subarray(0, quarter));
  const last = mean(known.subarray(n - quarter));
  return {
    first,
    last,
    increase: last - first,
    factor: first > 0 ? last / first : Number.POSITIVE_INFINITY,
    tau: tauOf(known),
  };
}

function tauOf(values: Float64Array): number {
  const step = Math.ceil(values.length / MAX_PAIRED);
  const chosen = values.filter((_, i) => i % step === 0);
  let balance = 0;
  let pairs = 0;
  for (let i = 0; i < chosen.length; i++) {
    for (let j = i + 1; j < chosen.length; j++) {
      balance += Math.sign(chosen[j]! - chosen[i]!);
      pairs++;
    }
  }
  return balance / pairs;
}
