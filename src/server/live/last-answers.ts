import type { Report } from "../../model/report.ts";
import type { LiveQuery } from "./live-diagnosis.ts";

/** What is kept of answers to questions, by their kind: reports are some 100 kB, pages some MB. */
const MOST_BYTES = 48e6;

/**
 * The last answer to each question, for the time in which the store does not answer: an old answer that says that it is
 * old tells more than none. Windows that end now are the same question when they are of one length; others only when
 * they are the same window.
 */
export class LastAnswers {
  private readonly held = new Map<string, { readonly json: string; readonly madeUnixNs: bigint }>();
  private bytes = 0;

  keep(kind: "report" | "page", query: LiveQuery, endsNow: boolean, json: string, madeUnixNs: bigint): void {
    const key = keyOf(kind, query, endsNow);
    this.forget(key);
    this.held.set(key, { json, madeUnixNs });
    this.bytes += json.length;
    for (const [oldest] of this.held) {
      if (this.bytes <= MOST_BYTES) break;
      this.forget(oldest);
    }
  }

  /** The JSON of the last answer, with `why` it is not a newer one; undefined where there was none. */
  stale(kind: "report" | "page", query: LiveQuery, endsNow: boolean, why: string): string | undefined {
    const held = this.held.get(keyOf(kind, query, endsNow));
    if (held === undefined) return undefined;
    const answer = JSON.parse(held.json) as Report | { readonly report: Report };
    const mark = (report: Report): Report => marked(report, why, held.madeUnixNs);
    return JSON.stringify("report" in answer ? { ...answer, report: mark(answer.report) } : mark(answer));
  }

  private forget(key: string): void {
    this.bytes -= this.held.get(key)?.json.length ?? 0;
    this.held.delete(key);
  }
}

function keyOf(kind: string, { range, baseline, endpoint, objectives }: LiveQuery, endsNow: boolean): string {
  const window = endsNow ? range.toUnixNs - range.fromUnixNs : [range.fromUnixNs, range.toUnixNs];
  // A baseline that was given as a time before the window moves with it.
  const before =
    baseline.kind !== "range"
      ? baseline.kind
      : endsNow
        ? [range.fromUnixNs - baseline.range.fromUnixNs, range.toUnixNs - baseline.range.toUnixNs]
        : [baseline.range.fromUnixNs, baseline.range.toUnixNs];
  const plain = (_: string, value: unknown): unknown => (typeof value === "bigint" ? String(value) : value);
  return JSON.stringify([kind, endsNow, window, before, endpoint, objectives], plain);
}

function marked(report: Report, why: string, madeUnixNs: bigint): Report {
  const { live, dataQuality } = report;
  if (live === undefined) return report;
  const at = new Date(Number(madeUnixNs / 1_000_000n)).toISOString().slice(0, 19);
  const warning = `the store does not answer (${why}): this is what was answered at ${at}Z`;
  return {
    ...report,
    live: { ...live, stale: { why, madeUnixNs: String(madeUnixNs) } },
    dataQuality: { ...dataQuality, warnings: [warning, ...dataQuality.warnings] },
  };
}
