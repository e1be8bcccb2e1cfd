import type { EndpointView } from "./endpoint-view.ts";

/** What of the endpoint's time something takes: its share of the p99 or of the median, whichever is more; 0 of no time. */
export function shareOfTime(view: Pick<EndpointView, "p50" | "p99">, slowNs: number, typicalNs: number): number {
  // Fast requests recorded in whole milliseconds may have a median of 0.
  return Math.max(view.p99 > 0 ? slowNs / view.p99 : 0, view.p50 > 0 ? typicalNs / view.p50 : 0);
}
