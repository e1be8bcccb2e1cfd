/**
 * A quantity over time: stretch i reaches from fromNs[i] to toNs[i] and has one
 * value, finite. Ascending, not overlapping, with gaps where nothing is known.
 */
export interface Signal {
  readonly fromNs: Float64Array;
  readonly toNs: Float64Array;
  readonly value: Float64Array;
}

/** Equal windows: window i reaches from startNs + i * stepNs on. */
export interface Grid {
  readonly startNs: number;
  readonly stepNs: number;
  readonly count: number;
}

/** A window that is known for less than this share of its length is taken as unknown. */
const MIN_COVER = 0.4;

/** Collects the stretches of a signal; those without length, without a finite value or before the last are left out. */
export class SignalBuilder {
  private readonly from: number[] = [];
  private readonly to: number[] = [];
  private readonly values: number[] = [];

  add(fromNs: number, toNs: number, value: number): void {
    const start = Math.max(fromNs, this.to.at(-1) ?? Number.NEGATIVE_INFINITY);
    if (!(toNs > start) || !Number.isFinite(value)) return;
    this.from.push(start);
    this.to.push(toNs);
    this.values.push(value);
  }

  finish(): Signal {
    return {
      fromNs: Float64Array.from(this.from),
      toNs: Float64Array.from(this.to),
      value: Float64Array.from(this.values),
    };
  }
}

/** Mean of the signal in each window, weighted by time; NaN where too little of a window is known. */
export function onGrid(signal: Signal, grid: Grid): Float64Array {
  const { startNs, stepNs, count } = grid;
  const sums = new Float64Array(count);
  const known = new Float64Array(count);
  for (let i = 0; i < signal.value.length; i++) {
    const from = (signal.fromNs[i]! - startNs) / stepNs;
    const to = (signal.toNs[i]! - startNs) / stepNs;
    for (let w = Math.max(0, Math.floor(from)); w < Math.min(count, to); w++) {
      const share = Math.min(to, w + 1) - Math.max(from, w);
      if (share <= 0) continue;
      sums[w]! += share * signal.value[i]!;
      known[w]! += share;
    }
  }
  return sums.map((sum, w) => (known[w]! >= MIN_COVER ? sum / known[w]! : Number.NaN));
}

/** Integral of the signal over its stretches, in value * seconds. */
export function integral(signal: Signal): number {
  let sum = 0;
  for (let i = 0; i < signal.value.length; i++) {
    sum += ((signal.toNs[i]! - signal.fromNs[i]!) / 1e9) * signal.value[i]!;
  }
  return sum;
}
