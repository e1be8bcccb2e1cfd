/** A law that must hold of data that a capacity is computed from; a broken one says what is wrong with the data. */
export interface Gate {
  readonly name: "littles-law" | "utilisation-law" | "least-work" | "clock-law" | "forced-flow" | "missing-spans";
  readonly ok: boolean;
  /** by how much the law is broken, relative; 0 where it holds exactly */
  readonly error: number;
  readonly detail: string;
}

/** Beyond this a mean of the window does not describe any moment of it, */
const MAX_ERROR = 0.1;
/** unless so few requests are open at its edges that the throughput is right all the same. */
const MAX_OPEN = 0.05;

/**
 * Little's law over a window: mean number in flight = completions per time × mean residence (Little 1961). Of spans both
 * sides come from the same times, so what breaks it is the edges: work that piles up, or a window that is short
 * against the residence. Either way its throughput is not that of a steady state.
 *
 * startNs, endNs: requests that touch the window, on its clock; a request that ends after the window is in flight there,
 * but no completion.
 */
export function littlesLaw(startNs: Float64Array, endNs: Float64Array, fromNs: number, toNs: number): Gate {
  let inFlightNs = 0;
  let residenceNs = 0;
  let completions = 0;
  let open = 0;
  for (let i = 0; i < startNs.length; i++) {
    inFlightNs += Math.max(0, Math.min(endNs[i]!, toNs) - Math.max(startNs[i]!, fromNs));
    if (endNs[i]! > toNs && startNs[i]! < toNs) open++;
    if (endNs[i]! > toNs || endNs[i]! <= fromNs) continue;
    residenceNs += endNs[i]! - startNs[i]!;
    completions++;
  }
  const inFlight = inFlightNs / (toNs - fromNs);
  const product = residenceNs / (toNs - fromNs);
  const error = inFlight === 0 ? 0 : Math.abs(product - inFlight) / inFlight;
  const ok = completions > 0 && (error <= MAX_ERROR || open <= MAX_OPEN * completions);
  const sides = `${inFlight.toFixed(2)} requests in flight, ${product.toFixed(2)} by throughput times duration`;
  const reason = completions === 0 ? "; no request ended in the window" : "; work piles up, or the window is too short";
  return { name: "littles-law", ok, error, detail: ok ? sides : sides + reason };
}
