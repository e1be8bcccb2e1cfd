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
  const sorted = values.slice().sort();
  // Mean rank of the run of equal values that begins here; a plain sort and a search are half of a sort of indices.
  const meanAt = new Float64Array(sorted.length);
  for (let from = 0; from < sorted.length;) {
    let to = from + 1;
    while (to < sorted.length && sorted[to] === sorted[from]) to++;
    meanAt[from] = (from + 1 + to) / 2;
    from = to;
  }
  return values.map((value) => meanAt[firstAtLeast(sorted, value)]!);
}

function firstAtLeast(ascending: Float64Array, value: number): number {
  let low = 0;
  let high = ascending.length - 1;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (ascending[middle]! < value) low = middle + 1;
    else high = middle;
  }
  return low;
}
