/** A series as it is kept; lists as [key, AttributeType, value, key, ...]. */
export interface StoredSeries {
  readonly id: bigint;
  readonly name: string;
  readonly unit: string;
  /** MetricKind */
  readonly kind: number;
  /** Temporality */
  readonly temporality: number;
  readonly monotonic: boolean;
  readonly resource: readonly (string | number)[];
  readonly labels: readonly (string | number)[];
}

/** Points of several series, by series and ascending time. */
export interface StoredPoints {
  readonly rowCount: number;
  readonly series: BigUint64Array;
  /** nanoseconds since 1970 */
  readonly timeNs: BigInt64Array;
  /** NaN: none was recorded */
  readonly value: Float64Array;
}

/** A point of a distribution: of a histogram its buckets' counts, of a summary values at quantiles. */
export interface StoredDistribution {
  readonly series: bigint;
  readonly timeNs: bigint;
  readonly sum: number;
  readonly count: number;
  readonly bounds: Float64Array;
  readonly counts: Float64Array;
}

export interface PointRange {
  readonly fromUnixNs: bigint;
  /** not included */
  readonly toUnixNs: bigint;
}

/** Finds series by name, and reads the points of some. Methods throw StoreError, as those of Store do. */
export interface MetricLookup {
  /**
   * Series that may have points since `sinceUnixNs`, to the day: those of any of `names` (in which all but letters,
   * digits, _ and : stand as _), all if absent. Throws StoreError "too-large" for more than `most`.
   */
  series(
    sinceUnixNs: bigint,
    names: readonly string[] | undefined,
    most: number,
    signal?: AbortSignal,
  ): Promise<readonly StoredSeries[]>;
  /** Points of gauges and sums, in tables that follow each other. Throws StoreError "too-large" for more than `most`. */
  points(
    ids: readonly bigint[],
    range: PointRange,
    most: number,
    signal?: AbortSignal,
  ): Promise<readonly StoredPoints[]>;
  /** Points of histograms and summaries, likewise. */
  distributions(
    ids: readonly bigint[],
    range: PointRange,
    most: number,
    signal?: AbortSignal,
  ): Promise<readonly StoredDistribution[]>;
  /** Finite bounds that distributions have had since a time, ascending. */
  bounds(ids: readonly bigint[], since: bigint, signal?: AbortSignal): Promise<ReadonlyMap<bigint, readonly number[]>>;
  /** Those of the values that a regular expression matches whole, in time that is linear whatever it is. */
  matching(values: readonly string[], pattern: string, signal?: AbortSignal): Promise<ReadonlySet<string>>;
}
