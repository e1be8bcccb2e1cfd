import type { DatabaseStatistics } from "../database/database-statistics.ts";
import { readingOf, waitShares } from "../database/statement-reading.ts";
import type { WaitKind } from "../database/wait-kind.ts";
import { spanDuration, spanRows } from "../case.ts";
import type { Window } from "../window.ts";
import type { KnownKind } from "./ledger-kind.ts";

/** What a database tells of the time of calls to it. */
export interface DatabaseTime {
  readonly kind: KnownKind;
  /** of the time that the caller waits, with what chance may make of the samples (90 %) */
  readonly share: number;
  readonly low: number;
  readonly high: number;
}

const KINDS: Partial<Record<WaitKind, KnownKind>> = {
  cpu: "cpu",
  lock: "lock",
  disk: "disk",
  network: "network",
  sleep: "sleep",
};
/** 90 % of a normal distribution lie within this many standard deviations. */
const Z90 = 1.645;

/**
 * What sessions were seen at while they ran the statements of call-path nodes: the processor, locks, the disk. The shares are
 * of the time that callers wait; what passes outside the database, and statements that were met too seldom, are left out.
 * Empty where nothing is known.
 */
export function databaseTimes(
  window: Window,
  nodes: Iterable<number>,
  statistics: DatabaseStatistics | undefined,
): DatabaseTime[] {
  if (statistics === undefined) return [];
  const { paths, text } = window;
  const found = new Map<KnownKind, { ns: number; around: number }>();
  let waitedNs = 0;
  for (const node of nodes) {
    const rows = spanRows(window, node);
    const waited = rows.reduce((sum, row) => sum + spanDuration(window, row), 0);
    waitedNs += waited;
    if (paths.statement[node]! < 0 || paths.callee[node]! < 0) continue;
    const told = readingOf(text(paths.statement[node]!), text(paths.callee[node]!), statistics)?.told;
    const shares = told === undefined ? undefined : waitShares(told);
    if (told === undefined || shares === undefined || !(told.calls > 0) || told.isSinceReset) continue;
    const insideNs = Math.min(waited, (rows.length * 1e9 * told.seconds) / told.calls);
    const samples = told.waits.reduce((sum, one) => sum + (one.kind === "idle" ? 0 : one.samples), 0);
    for (const [wait, share] of shares) {
      const kind = KINDS[wait];
      if (kind === undefined) continue;
      const held = found.get(kind) ?? { ns: 0, around: 0 };
      held.ns += share * insideNs;
      held.around += Z90 * Math.sqrt((share * (1 - share)) / samples) * insideNs;
      found.set(kind, held);
    }
  }
  if (!(waitedNs > 0)) return [];
  return [...found].map(([kind, { ns, around }]) => ({
    kind,
    share: ns / waitedNs,
    low: Math.max(0, ns - around) / waitedNs,
    high: Math.min(waitedNs, ns + around) / waitedNs,
  }));
}
