/**
 * Popularity after Zipf: the k-th most popular of n things has a share in proportion to k^-exponent.
 * Gives the rank, from 0, at a uniform draw from [0, 1); exact, by a table of sums.
 */
export function zipf(n: number, exponent: number): (uniform: number) => number {
  const sums = new Float64Array(n);
  let sum = 0;
  for (let k = 0; k < n; k++) sums[k] = sum += (k + 1) ** -exponent;
  return (uniform) => {
    const wanted = uniform * sum;
    let low = 0;
    let high = n - 1;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (sums[middle]! > wanted) high = middle;
      else low = middle + 1;
    }
    return low;
  };
}
