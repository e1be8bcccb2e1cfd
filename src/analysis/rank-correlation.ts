/**
 * Spearman's rank correlation of two columns: 1 when one grows with the other
 * without exception, whatever the shape of the curve. Ties get their mean rank.
 * NaN when a column is constant or shorter than 3. O(n log n).
 */
export function rankCorrelation(x: Float64Array, y: Float64Array): number {
  if (x.length !== y.length) throw new RangeError(`columns of ${x.length} and ${y.length}`);
  if (x.length < 3) return Number.NaN;
  const a = ranks(x);
  const b = ranks(y);
  const mean = (x.length + 1) / 2;
  let ab = 0;
  let aa = 0;
  let bb = 0;
  for (let i = 0; i < a.length; i++) {
    ab += (a[i]! - mean) * (b[i]! - mean);
    aa += (a[i]! - mean) ** 2;
    bb += (b[i]! - mean) ** 2;
  }
  return aa === 0 || bb === 0 ? Number.NaN : ab / Math.sqrt(aa * bb);
}

/** Ranks from 1; equal values share the mean of their places. */
export function ranks(values: Float64Array): Float64Array {
  const order = Uint32Array.from(values.keys()).sort((i, j) => values[i]! - values[j]! || i - j);
  const rank = new Float64Array(values.length);
  for (let from = 0; from < order.length;) {
    let to = from + 1;
    while (to < order.length && values[order[to]!] === values[order[from]!]) to++;
    for (let k = from; k < to; k++) rank[order[k]!] = (from + 1 + to) / 2;
    from = to;
  }
  return rank;
}
