import type { Evidence } from "../../model/report.ts";
import type { Explanation } from "../hot-spot.ts";
import { ms, percent, shorten } from "../wording.ts";
import type { LockWait } from "./database-statistics.ts";
import { type StatementReading, waitShares } from "./statement-reading.ts";

/** A claim that a statement is slow, made one about who holds what it waits for. */
export function withLock(explanation: Explanation, reading: StatementReading): Explanation {
  const [worst] = reading.locks;
  const { resource: _, ...subject } = explanation.subject;
  const where = worst!.relation === "" ? "rows" : worst!.relation;
  const at = explanation.evidence.length;
  const locked = waitShares(reading.told)!.get("lock")!;
  return {
    ...explanation,
    mechanism: "lock-contention",
    subject: { ...subject, resource: `lock:${where}` },
    title: lockTitle(reading),
    why: `${explanation.why} ${percent(locked)} of the time its sessions wait for a lock.`,
    confidence: 0.95,
    chain: [...explanation.chain, { claim: lockText(worst!), evidence: [at] }],
    evidence: [...explanation.evidence, ...lockEvidence(reading)],
    counter: explanation.counter.filter((text) => !text.startsWith("traces show neither the plan")),
    refutedBy: "pg_stat_activity shows its sessions at work, or waiting for something else than a lock",
    remedy: {
      text: lockRemedy(
        worst!,
        "Shorten the transaction that holds the row: no calls inside it, and commit as soon as it has written.",
      ),
    },
  };
}

/** Who waited for whom, the longest waits first. */
export const lockEvidence = ({ locks }: StatementReading): Evidence[] =>
  locks.slice(0, 3).map((lock) => ({
    kind: "statistic",
    text: lockText(lock),
    query: "pg_blocking_pids() of waiting sessions, sampled (postgresql.lock.wait.time)",
  }));

export function lockTitle({ told, locks }: StatementReading): string {
  const [worst] = locks;
  const on = worst!.relation === "" ? "" : ` on ${worst!.relation}`;
  return `${shorten(told.statement, 50)} waits for a lock${on} that ${holderText(worst!, 50)} holds`;
}

/** "sessions waited 42 s, the longest 12 s, for a lock on public.orders that ... holds". */
export function lockText(lock: LockWait): string {
  const on = lock.relation === "" ? "" : ` on ${lock.relation}`;
  const longest = lock.longestSeconds > 0 ? `, the longest ${ms(1e9 * lock.longestSeconds)},` : "";
  return `sessions with ${shorten(lock.statement, 60)} waited ${ms(1e9 * lock.seconds)} in all${longest} for a lock${on} that ${holderText(lock, 60)} held`;
}

/** What to do about the holder, where its state says more than `usual` does. */
export function lockRemedy({ holder }: LockWait, usual: string): string {
  if (holder?.state.startsWith("idle in transaction") !== true) return usual;
  const who = holder.application === "" ? "the holder" : holder.application;
  return `Let ${who} commit before it does anything else: its transaction is open and runs nothing. idle_in_transaction_session_timeout ends those that are forgotten.`;
}

function holderText({ holder }: LockWait, length: number): string {
  if (holder === undefined) return "a session that was gone when it was asked for";
  const who = holder.application === "" ? "a session" : holder.application;
  const doing = holder.state.startsWith("idle in transaction") ? "idle in its transaction after" : "at";
  return holder.statement === ""
    ? `${who} (${holder.state})`
    : `${who} (${doing} ${shorten(holder.statement, length)})`;
}
