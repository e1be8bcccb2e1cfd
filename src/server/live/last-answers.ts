import type { Report } from "../../model/report.ts";
import type { AnswerFiles } from "./answer-files.ts";
import type { LiveQuery } from "./live-diagnosis.ts";
import { PackedTexts } from "./packed-texts.ts";

/** What is kept of answers to questions, packed: reports are some 10 kB, pages some 100 kB. */
const MOST_BYTES = 16e6;

/** An answer of before. */
export interface LastAnswer {
  readonly json: string;
  /** the clock when it was asked for */
  readonly madeUnixNs: bigint;
}

/**
 * The last answer to each question, for the time in which there is no newer one, because the store does not answer or
 * because it is still being computed: an old answer that says that it is old tells more than none. Windows that end now
 * are the same question when they are of one length; others only when they are the same window. Answers of windows that
 * end now outlive the process, where there are files for them.
 */
export class LastAnswers {
  private readonly held = new PackedTexts<bigint>(MOST_BYTES);
  private readonly files: AnswerFiles | undefined;

  constructor(files?: AnswerFiles) {
    this.files = files;
    for (const { key, madeUnixNs, bytes } of files?.read() ?? [])
      this.remove(this.held.put(key, { bytes, note: madeUnixNs }));
  }

  async keep(
    kind: "report" | "page",
    query: LiveQuery,
    endsNow: boolean,
    json: string,
    madeUnixNs: bigint,
  ): Promise<void> {
    const key = keyOf(kind, query, endsNow);
    // Of two that were asked for one after the other the first may be done last.
    if ((this.held.noteOf(key) ?? 0n) > madeUnixNs) return;
    const { packed, gone } = await this.held.keep(key, json, madeUnixNs);
    if (endsNow) this.files?.write({ key, madeUnixNs, bytes: packed.bytes });
    this.remove(gone);
  }

  /** Undefined where there was none. */
  async last(kind: "report" | "page", query: LiveQuery, endsNow: boolean): Promise<LastAnswer | undefined> {
    const key = keyOf(kind, query, endsNow);
    try {
      const held = await this.held.get(key);
      return held === undefined ? undefined : { json: held.text, madeUnixNs: held.note };
    } catch {
      // A file of before that was damaged: as if there were none.
      this.held.forget(key);
      this.remove([key]);
      return undefined;
    }
  }

  /** The last answer, with `why` it is not a newer one; undefined where there was none. */
  async stale(
    kind: "report" | "page",
    query: LiveQuery,
    endsNow: boolean,
    why: string,
  ): Promise<LastAnswer | undefined> {
    const last = await this.last(kind, query, endsNow);
    if (last === undefined) return undefined;
    const answer = JSON.parse(last.json) as Report | { readonly report: Report };
    const mark = (report: Report): Report => marked(report, why, last.madeUnixNs);
    const json = JSON.stringify("report" in answer ? { ...answer, report: mark(answer.report) } : mark(answer));
    return { ...last, json };
  }

  private remove(keys: readonly string[]): void {
    for (const key of keys) this.files?.remove(key);
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
