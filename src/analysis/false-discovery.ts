import { ascendingOrder } from "./ascending-order.ts";

/**
 * Benjamini and Hochberg's adjusted p-values (1995): rejecting those <= q keeps the expected share of false
 * rejections <= q, for independent or positively dependent tests. p-values in any order; same order out.
 */
export function benjaminiHochberg(pValues: Float64Array): Float64Array {
  return stepUp(pValues, 1);
}

/** Benjamini and Yekutieli's (2001): the same promise under any dependence, at the price of a factor of about ln n. */
export function benjaminiYekutieli(pValues: Float64Array): Float64Array {
  let harmonic = 0;
  for (let i = 1; i <= pValues.length; i++) harmonic += 1 / i;
  return stepUp(pValues, harmonic);
}

/** Adjusted p of rank i: the least of factor x n x p(j) / j over all ranks j >= i, at most 1. */
function stepUp(pValues: Float64Array, factor: number): Float64Array {
  const n = pValues.length;
  const order = ascendingOrder(pValues);
  const adjusted = new Float64Array(n);
  let least = 1;
  for (let rank = n; rank >= 1; rank--) {
    least = Math.min(least, (factor * n * pValues[order[rank - 1]!]!) / rank);
    adjusted[order[rank - 1]!] = least;
  }
  return adjusted;
}
