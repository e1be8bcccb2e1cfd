import { levelChanges } from "../../engine/history-change.ts";
import type { EndpointReport, Finding, Report } from "../../model/report.ts";
import type { Store, StoredFinding, TimeRange } from "../../store/store.ts";
import type { FindingScore } from "../api/findings.ts";
import type { Log } from "../log.ts";
import { endpointHistories } from "./baseline.ts";
import type { LiveQuery } from "./live-diagnosis.ts";

/** How long an unscored finding waits for its fix. */
const WAIT_NS = 14n * 86_400n * 1_000_000_000n;
/** The past in which the change that mended an endpoint is looked for. */
const HISTORY_NS = 4n * 3_600n * 1_000_000_000n;

type Findings = Pick<Store, "saveFindings" | "readFindings" | "red">;

/**
 * Keeps what reports found, and holds each prediction against what came: when a finding is gone from a report and its
 * endpoint's level fell since, the percentile of that report is the measurement.
 */
export class FindingKeeper {
  private readonly store: Findings;
  private readonly log: Log;
  private last: Promise<void> = Promise.resolve();

  constructor(store: Findings, log: Log) {
    this.store = store;
    this.log = log;
  }

  /** Takes a report's findings in. What fails here is told in the log: the report is an answer without it. */
  keep(query: LiveQuery, json: string): Promise<void> {
    this.last = this.last
      .then(() => this.take(query, json))
      .catch((error: unknown) => {
        this.log("warn", "findings are not kept", { error });
      });
    return this.last;
  }

  private async take(query: LiveQuery, json: string): Promise<void> {
    const report = JSON.parse(json) as Report;
    if (!report.dataQuality.complete || report.endpoints.length === 0) return;
    const { fromUnixNs, toUnixNs } = query.range;
    const known = await this.store.readFindings({ fromUnixNs: toUnixNs - WAIT_NS, toUnixNs: toUnixNs + 1n });
    const byId = new Map(known.map((stored) => [stored.id, stored]));
    const seen = report.findings.filter(({ severity }) => severity !== "note");
    const saved = seen.map((finding): StoredFinding => {
      const before = byId.get(finding.id);
      const firstSeenUnixNs = before?.firstSeenUnixNs ?? toUnixNs;
      return {
        id: finding.id,
        window: { fromUnixNs, toUnixNs },
        firstSeenUnixNs: firstSeenUnixNs < toUnixNs ? firstSeenUnixNs : toUnixNs,
        lastSeenUnixNs: toUnixNs,
        json: JSON.stringify(finding),
        // It is there again: what was measured meanwhile was another time.
        scoreJson: "",
      };
    });
    const ids = new Set(seen.map(({ id }) => id));
    for (const stored of known) {
      if (stored.scoreJson !== "" || ids.has(stored.id) || stored.lastSeenUnixNs > toUnixNs) continue;
      const score = await this.score(stored, report, query.range);
      if (score !== undefined) saved.push({ ...stored, scoreJson: JSON.stringify(score) });
    }
    if (saved.length > 0) await this.store.saveFindings(saved);
  }

  private async score(stored: StoredFinding, report: Report, range: TimeRange): Promise<FindingScore | undefined> {
    const finding = JSON.parse(stored.json) as Finding;
    const { endpoint, metric, now, predicted, low, high, unit } = finding.impact;
    if (metric !== "p50" && metric !== "p95" && metric !== "p99") return undefined;
    const measured = report.endpoints.find(isOf(endpoint));
    // A percentile from too few requests would be a score of chance.
    if (measured === undefined || measured.caution !== undefined) return undefined;
    const past = { fromUnixNs: range.toUnixNs - HISTORY_NS, toUnixNs: range.toUnixNs };
    const name = `${endpoint.service} ${endpoint.operation}`;
    const histories = (await endpointHistories(this.store, past, 60, name)).filter(isOf(endpoint));
    const fall = levelChanges(histories)
      .filter(({ atUnixNs, beforeNs, afterNs }) => {
        const isSince = atUnixNs > stored.window.fromUnixNs && atUnixNs <= range.fromUnixNs;
        return isSince && afterNs < beforeNs;
      })
      .at(-1);
    if (fall === undefined) return undefined;
    const value = measured[`${metric}Ms`];
    return {
      changedUnixNs: String(fall.atUnixNs),
      metric,
      before: now,
      predicted,
      low,
      high,
      measured: value,
      requests: measured.requests,
      within: value >= low && value <= high,
      unit,
    };
  }
}

const isOf =
  (endpoint: { readonly service: string; readonly operation: string }) =>
  (other: Pick<EndpointReport, "service" | "operation">): boolean =>
    other.service === endpoint.service && other.operation === endpoint.operation;
