/**
 * Index of dispersion of arrivals: variance over mean of how many come in stretches of `widthNs`. 1 of arrivals at random
 * (Poisson), less of a metronome, more of bursts. NaN with fewer than 20 stretches.
 *
 * startNs: any order.
 */
export function dispersion(startNs: Float64Array, widthNs: number): number {
  let [first, last] = [Infinity, -Infinity];
  for (const at of startNs) {
    first = Math.min(first, at);
    last = Math.max(last, at);
  }
  const bins = Math.floor((last - first) / widthNs);
  if (!(widthNs > 0) || !(bins >= 20)) return Number.NaN;
  const counts = new Float64Array(bins);
  for (const at of startNs) {
    const bin = Math.floor((at - first) / widthNs);
    if (bin < bins) counts[bin]!++;
  }
  const mean = counts.reduce((sum, n) => sum + n, 0) / bins;
  return mean > 0 ? counts.reduce((sum, n) => sum + (n - mean) ** 2, 0) / (bins - 1) / mean : Number.NaN;
}

/**
 * How much longer than at random arrivals wait when they come in bursts: (I + 1) / 2 in heavy traffic (Kingman 1962, with the
 * index of dispersion for the arrivals' squared variation, Fendick & Whitt 1989), at least 1.
 */
export function burstFactor(startNs: Float64Array, widthNs: number): number {
  const index = dispersion(startNs, widthNs);
  return Number.isNaN(index) ? 1 : Math.max(1, (index + 1) / 2);
}
