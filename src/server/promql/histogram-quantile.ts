import { dropping, type Labels, remembered, valueOf } from "./labels.ts";
import type { VectorSample } from "./vector.ts";

/**
 * The quantile of each histogram among samples that carry their upper bound in `le`, by linear interpolation within the
 * bucket. As Prometheus 2.42 does it (promql/quantile.go, bucketQuantile).
 */
export function histogramQuantile(q: number, vector: readonly VectorSample[]): VectorSample[] {
  const withoutBound = remembered(dropping(["le"]));
  const histograms = new Map<string, { labels: Labels; buckets: Map<number, number> }>();
  for (const { labels, value } of vector) {
    const text = valueOf(labels, "le");
    const bound = /^\+?inf$/i.test(text) ? Infinity : text === "" ? NaN : Number(text);
    if (Number.isNaN(bound)) continue;
    const rest = withoutBound(labels);
    const held = histograms.get(rest.key) ?? { labels: rest, buckets: new Map<number, number>() };
    histograms.set(rest.key, held);
    held.buckets.set(bound, (held.buckets.get(bound) ?? 0) + value);
  }
  return [...histograms.values()].map(({ labels, buckets }) => ({ labels, value: bucketQuantile(q, buckets) }));
}

function bucketQuantile(q: number, counts: ReadonlyMap<number, number>): number {
  if (Number.isNaN(q)) return NaN;
  if (q < 0) return -Infinity;
  if (q > 1) return Infinity;
  const bounds = [...counts.keys()].sort((a, b) => a - b);
  if (bounds.length < 2 || bounds.at(-1) !== Infinity) return NaN;
  // Counts that were read at different times may fall from bucket to bucket; a count includes those below.
  let most = -Infinity;
  const upTo = bounds.map((bound) => (most = Math.max(most, counts.get(bound)!)));
  const all = upTo.at(-1)!;
  if (all === 0 || Number.isNaN(all)) return NaN;
  const rank = q * all;
  const at = upTo.slice(0, -1).findIndex((count) => count >= rank);
  if (at < 0) return bounds.at(-2)!;
  if (at === 0 && bounds[0]! <= 0) return bounds[0]!;
  const [start, below] = at === 0 ? [0, 0] : [bounds[at - 1]!, upTo[at - 1]!];
  return start + (bounds[at]! - start) * ((rank - below) / (upTo[at]! - below));
}
