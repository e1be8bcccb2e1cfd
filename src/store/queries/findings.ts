import type { StoredFinding } from "../store.ts";
import { decimalSeconds as decimal, inRange, nanoseconds } from "./time-range.ts";

export interface FindingRow {
  readonly id: string;
  readonly first: string;
  readonly last: string;
  readonly window_from: string;
  readonly window_to: string;
  readonly json: string;
  readonly score: string;
}

/** The last row of each finding; `FINAL` is cheap, as there are few. */
export const READ_FINDINGS: string = `SELECT id, ${nanoseconds("first_seen")} AS first, ${nanoseconds("last_seen")} AS last,
  ${nanoseconds("findings.window_from")} AS window_from, ${nanoseconds("findings.window_to")} AS window_to, json, score
FROM findings FINAL
WHERE ${inRange("last_seen")}
ORDER BY last_seen DESC, id`;

export function findingValues(finding: StoredFinding): Record<string, string> {
  return {
    id: finding.id,
    first_seen: decimal(finding.firstSeenUnixNs),
    last_seen: decimal(finding.lastSeenUnixNs),
    window_from: decimal(finding.window.fromUnixNs),
    window_to: decimal(finding.window.toUnixNs),
    json: finding.json,
    score: finding.scoreJson,
  };
}

export function storedFinding(row: FindingRow): StoredFinding {
  return {
    id: row.id,
    firstSeenUnixNs: BigInt(row.first),
    lastSeenUnixNs: BigInt(row.last),
    window: { fromUnixNs: BigInt(row.window_from), toUnixNs: BigInt(row.window_to) },
    json: row.json,
    scoreJson: row.score,
  };
}
