/** A quota of processor time per period, told by how often work ran into it. Seconds per period. */
export interface QuotaEstimate {
  readonly value: number;
  readonly low: number;
  readonly high: number;
}

/**
 * The quota that would have stopped this work in this share of its periods.
 *
 * work: seconds of processor asked for in each period, in order of time. What a period cannot do is left to the next:
 * left[k+1] = max(0, left[k] + work[k] - quota), and a period with more than the quota is a stopped one. The share of
 * stopped periods falls with the quota, so that it is found by halving. The interval (90 %) is that of the count of
 * stopped periods. Undefined with no work, or where none or all periods were stopped: then it may be anything.
 */
export function quotaFromStops(work: Float64Array, stoppedShare: number): QuotaEstimate | undefined {
  const n = work.length;
  const total = work.reduce((sum, w) => sum + w, 0);
  if (n === 0 || !(total > 0) || !(stoppedShare > 0) || stoppedShare >= 1) return undefined;
  const reach = 1.645 * Math.sqrt((stoppedShare * (1 - stoppedShare)) / n);
  const value = quotaAt(work, stoppedShare);
  const high = quotaAt(work, Math.max(0.5 / n, stoppedShare - reach));
  const low = quotaAt(work, Math.min(1 - 0.5 / n, stoppedShare + reach));
  return { value, low, high };
}

function quotaAt(work: Float64Array, share: number): number {
  const mean = work.reduce((sum, w) => sum + w, 0) / work.length;
  // Below the mean work piles up without end; above all of it no period is stopped.
  let [low, high] = [mean, work.reduce((sum, w) => sum + w, 0)];
  for (let i = 0; i < 60; i++) {
    const middle = (low + high) / 2;
    if (stoppedAt(work, middle) > share) low = middle;
    else high = middle;
  }
  return (low + high) / 2;
}

function stoppedAt(work: Float64Array, quota: number): number {
  let left = 0;
  let stopped = 0;
  for (const w of work) {
    if (left + w > quota) stopped++;
    left = Math.max(0, left + w - quota);
  }
  return stopped / work.length;
}
