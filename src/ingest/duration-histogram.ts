/** Upper bounds, seconds: from a turn of the event loop to a disk that hangs; 25 ms is what an acknowledgement may take. */
const BOUNDS_S = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10] as const;

/** Durations counted in buckets, for a histogram in Prometheus' text format. */
export class DurationHistogram {
  /** by bucket, the last for what is longer than all bounds */
  private readonly counts: number[] = Array.from({ length: BOUNDS_S.length + 1 }, () => 0);
  private sumS = 0;

  addMs(durationMs: number): void {
    const seconds = durationMs / 1000;
    let bucket = 0;
    while (bucket < BOUNDS_S.length && seconds > BOUNDS_S[bucket]!) bucket++;
    this.counts[bucket]!++;
    this.sumS += seconds;
  }

  /** Its samples, under the labels given (`key="value"`). */
  text(name: string, labels: string): string {
    let below = 0;
    const buckets = this.counts.map((count, i) => {
      below += count;
      return `${name}_bucket{${labels},le="${BOUNDS_S[i] ?? "+Inf"}"} ${below}\n`;
    });
    return `${buckets.join("")}${name}_sum{${labels}} ${this.sumS}\n${name}_count{${labels}} ${below}\n`;
  }
}
