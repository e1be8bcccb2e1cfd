import { GC_BOUNDS, type Pauses } from "./gc-pauses.ts";

/** One series of a metric at the moment of the reading. */
export interface MetricPoint {
  readonly name: string;
  readonly unit: string;
  readonly attributes: Readonly<Record<string, string>>;
  readonly value:
    | { readonly kind: "gauge"; readonly value: number }
    /** a sum since the hook was loaded */
    | { readonly kind: "counter" | "up-down-counter"; readonly value: number }
    | {
        readonly kind: "histogram";
        readonly count: number;
        readonly sum: number;
        readonly min: number;
        readonly max: number;
        readonly bounds: readonly number[];
        readonly buckets: readonly number[];
      };
}

/** Collections of one type as a histogram of seconds. */
export function histogramPoint(
  name: string,
  attributes: Readonly<Record<string, string>>,
  { count, sum, min, max, buckets }: Pauses,
): MetricPoint {
  const value = { kind: "histogram" as const, count, sum, min, max, bounds: GC_BOUNDS, buckets: [...buckets] };
  return { name, unit: "s", attributes, value };
}
