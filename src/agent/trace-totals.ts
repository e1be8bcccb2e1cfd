import { TRACE_SCHEMA, type TraceBucket, type TraceReport, type TraceRow } from "../model/trace-report.ts";
import type { BpftraceLine } from "./run-bpftrace.ts";
import { syscallName } from "./syscall-names.ts";
import type { TraceProbe } from "./trace-probes.ts";

/** Adds up what a probe tells, second by second. */
export class TraceTotals {
  hits = 0;
  isLimited = false;
  private rows = new Map<string, TraceBucket[]>();
  private before: readonly TraceBucket[] = [];
  private readonly intervals: TraceReport["intervals"][number][] = [];
  private readonly printed: string[] = [];
  private readonly probe: Pick<TraceProbe, "name" | "title" | "unit" | "keys">;

  constructor(probe: Pick<TraceProbe, "name" | "title" | "unit" | "keys">) {
    this.probe = probe;
  }

  /** Takes one line in; the interval that it ends, where it ends one. */
  take(line: BpftraceLine, atSeconds: number): TraceReport["intervals"][number] | undefined {
    const isOwn = this.probe.name !== "program";
    switch (line.type) {
      case "attached":
        return undefined;
      case "text": {
        const told = /^(hits|limit) (\d+)\n$/.exec(line.text);
        if (!isOwn || told === null) this.printed.push(line.text);
        else [this.hits, this.isLimited] = [Number(told[2]), told[1] === "limit" || this.isLimited];
        return undefined;
      }
      case "counts":
        if (isOwn && line.map !== "@ns") return undefined;
        return this.add(
          line.map,
          line.rows.map(({ key, count }) => ({ key, buckets: [{ low: 0, high: Infinity, count }] })),
          atSeconds,
        );
      case "histogram":
        return this.add(line.map, line.rows, atSeconds);
    }
  }

  private add(
    map: string,
    rows: readonly { readonly key: string; readonly buckets: readonly TraceBucket[] }[],
    atSeconds: number,
  ): TraceReport["intervals"][number] | undefined {
    for (const { key, buckets } of rows) this.rows.set(this.keyText(map, key), [...buckets]);
    const now = merged([...this.rows.values()]);
    const buckets = now
      .map((bucket) => ({
        ...bucket,
        count: bucket.count - (this.before.find(({ low }) => low === bucket.low)?.count ?? 0),
      }))
      .filter(({ count }) => count > 0);
    this.before = now;
    const interval = { atSeconds, count: sum(buckets), buckets };
    this.intervals.push(interval);
    return interval;
  }

  /** A given program has maps of its own names. */
  private keyText(map: string, key: string): string {
    if (this.probe.name === "program") return key === "" ? map : `${map}[${key}]`;
    return this.probe.keys === "syscall" ? syscallName(Number(key)) : key;
  }

  report(seconds: number, wasInterrupted: boolean): TraceReport {
    const { name, title, unit } = this.probe;
    const totals = [...this.rows].map(([key, buckets]): TraceRow => {
      const quantile = (share: number): number | null => (unit === "count" ? null : bucketQuantile(buckets, share));
      return {
        key,
        count: sum(buckets),
        p50: quantile(0.5),
        p99: quantile(0.99),
        buckets: buckets.filter(({ count }) => count > 0),
      };
    });
    totals.sort((a, b) => b.count - a.count || (a.key < b.key ? -1 : 1));
    return {
      schema: TRACE_SCHEMA,
      probe: name,
      title,
      unit,
      seconds,
      hits: Math.max(
        this.hits,
        totals.reduce((all, row) => all + row.count, 0),
      ),
      ended: this.isLimited ? "limit" : wasInterrupted ? "interrupt" : "time",
      totals,
      intervals: this.intervals.filter(({ count }) => count > 0),
      printed: this.printed,
    };
  }
}

const sum = (buckets: readonly TraceBucket[]): number => buckets.reduce((all, { count }) => all + count, 0);

function merged(all: readonly (readonly TraceBucket[])[]): TraceBucket[] {
  const byLow = new Map<number, TraceBucket>();
  for (const bucket of all.flat()) {
    const held = byLow.get(bucket.low);
    byLow.set(bucket.low, held === undefined ? bucket : { ...held, count: held.count + bucket.count });
  }
  return [...byLow.values()].sort((a, b) => a.low - b.low);
}

/** The value below which a share of the counts lies, as if each bucket were filled evenly on a scale of powers. */
export function bucketQuantile(buckets: readonly TraceBucket[], share: number): number | null {
  const wanted = share * sum(buckets);
  let seen = 0;
  for (const { low, high, count } of buckets) {
    if (count === 0) continue;
    if (seen + count >= wanted) {
      const from = Math.max(1, low);
      return from * (Math.max(from, high) / from) ** ((wanted - seen) / count);
    }
    seen += count;
  }
  return null;
}
