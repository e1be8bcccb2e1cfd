import { StoreError } from "./store-error.ts";

export const LARGEST_HASH: bigint = 2n ** 64n - 1n;

/** The hash at or below which a share of all traces lies. */
export function highestHash(share: number): bigint {
  if (!(share > 0 && share <= 1))
    throw new StoreError("refused", `a share of ${share} of the traces: above 0, at most 1`);
  // 2^53 steps are as many as a double tells apart below 1.
  return share === 1 ? LARGEST_HASH : (LARGEST_HASH * BigInt(Math.floor(share * 2 ** 53))) / 2n ** 53n;
}
