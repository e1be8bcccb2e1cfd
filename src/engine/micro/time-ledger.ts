import type { WaitClass } from "../../analysis/wait-class.ts";
import type { ProcessRecording, RecordedThread } from "../../model/process-recording.ts";
import { LEDGER_KINDS, type LedgerKind, type LedgerRow } from "../../model/record-report.ts";
import { FrameKind, type StackTable } from "../../model/stack-table.ts";
import { NS_PER_MS } from "../../model/units.ts";

/** Where one thread's wall time went, in nanoseconds. */
export interface ThreadTime {
  readonly thread: RecordedThread;
  readonly ns: Readonly<Record<LedgerKind, number>>;
  /** waits for something to do, but for those that are told as sleep */
  readonly idleNs: number;
  /** of each kind the part in which there was nothing to do */
  readonly idle: ReadonlyMap<LedgerKind, number>;
}

/** A part of the ledger in words. */
interface Part {
  ns: number;
  count: number;
}

export interface TimeLedger {
  readonly wallNs: number;
  readonly threads: readonly ThreadTime[];
  readonly rows: readonly LedgerRow[];
}

/**
 * Splits the wall time of all threads. The times are the recording's exact ones; stacks only split processor time into
 * code and collection, and waits into kinds. What nothing accounts for is "unexplained", never spread over the others.
 * waits: the class per sample of `offCpu`.
 */
export function timeLedger(recording: ProcessRecording, waits: readonly WaitClass[]): TimeLedger {
  const parts = new Map<LedgerKind, Map<string, Part>>();
  const add = (kind: LedgerKind, what: string, ns: number, count: number): void => {
    let held = parts.get(kind);
    if (held === undefined) parts.set(kind, (held = new Map()));
    const part = held.get(what);
    if (part === undefined) held.set(what, { ns, count });
    else [part.ns, part.count] = [part.ns + ns, part.count + count];
  };
  const waitNs = waitsByThread(recording.offCpu, waits, add);
  const gcShare = collectionShares(recording.onCpu);
  const wallNs = recording.threads.reduce((sum, thread) => sum + thread.wallNs, 0);
  const runnableNs = recording.threads.reduce((sum, thread) => sum + thread.runnableNs, 0);
  // The group's quota holds back what is ready to run: it cannot be more than that.
  const throttled = runnableNs === 0 ? 0 : Math.min(1, Math.max(0, recording.counters.throttledNs) / runnableNs);
  const threads = recording.threads.map((thread): ThreadTime => {
    const ns = Object.fromEntries(LEDGER_KINDS.map((kind) => [kind, 0])) as Record<LedgerKind, number>;
    const waited = waitNs.get(thread.tid);
    for (const [kind, value] of waited?.kinds ?? []) ns[kind] += value;
    const gc = (gcShare.get(thread.tid) ?? 0) * thread.cpuNs;
    ns.gc = gc;
    ns.cpu = thread.cpuNs - gc;
    // Major ones stand among the waits.
    const faultNs = Math.min(ns.cpu, thread.faults?.minorNs ?? 0);
    if (faultNs > 0) add("cpu", "minor page faults", faultNs, thread.faults!.minor);
    ns.throttled = thread.runnableNs * throttled;
    ns.runnable = thread.runnableNs - ns.throttled;
    const told = LEDGER_KINDS.reduce((sum, kind) => sum + ns[kind], 0);
    ns.unexplained += Math.max(0, thread.wallNs - told);
    return { thread, ns, idleNs: waited?.idleNs ?? 0, idle: waited?.idle ?? new Map() };
  });
  const rows = LEDGER_KINDS.map((timeKind): LedgerRow => {
    const ns = threads.reduce((sum, one) => sum + one.ns[timeKind], 0);
    const held = [...(parts.get(timeKind) ?? [])].sort((a, b) => b[1].ns - a[1].ns);
    return {
      timeKind,
      share: wallNs === 0 ? 0 : ns / wallNs,
      ms: ns / NS_PER_MS,
      parts: held.map(([what, part]) => ({ what, ms: part.ns / NS_PER_MS, count: Math.round(part.count) })),
    };
  });
  return { wallNs, threads, rows: rows.filter((row) => row.ms > 0) };
}

interface Waited {
  readonly kinds: Map<LedgerKind, number>;
  readonly idle: Map<LedgerKind, number>;
  idleNs: number;
}

function waitsByThread(
  { samples, threads }: StackTable,
  waits: readonly WaitClass[],
  add: (kind: LedgerKind, what: string, ns: number, count: number) => void,
): ReadonlyMap<number, Waited> {
  const found = new Map<number, Waited>();
  for (let row = 0; row < samples.rowCount; row++) {
    const { kind, what, isIdle } = waits[row]!;
    const ns = samples.values[0]![row]!;
    const tid = threads.tid[samples.thread[row]!]!;
    const told = ledgerKindOf(kind);
    let thread = found.get(tid);
    if (thread === undefined) found.set(tid, (thread = { kinds: new Map(), idle: new Map(), idleNs: 0 }));
    thread.kinds.set(told, (thread.kinds.get(told) ?? 0) + ns);
    if (isIdle) thread.idle.set(told, (thread.idle.get(told) ?? 0) + ns);
    if (isIdle && told !== "sleep") thread.idleNs += ns;
    add(told, what, ns, samples.values[1]?.[row] ?? 0);
  }
  return found;
}

const ledgerKindOf = (kind: WaitClass["kind"]): LedgerKind =>
  (LEDGER_KINDS as readonly string[]).includes(kind) ? (kind as LedgerKind) : "unexplained";

/** Share of each thread's samples that were taken within a collection of garbage. */
function collectionShares({ samples, stacks, frames, threads }: StackTable): ReadonlyMap<number, number> {
  const inGc = new Uint8Array(stacks.rowCount);
  for (let row = 0; row < stacks.rowCount; row++) {
    const parent = stacks.parent[row]!;
    const isGc = frames.kind[stacks.frame[row]!] === FrameKind.gc;
    inGc[row] = isGc || (parent >= 0 && inGc[parent] === 1) ? 1 : 0;
  }
  const all = new Map<number, { gc: number; total: number }>();
  for (let row = 0; row < samples.rowCount; row++) {
    const tid = threads.tid[samples.thread[row]!]!;
    let sum = all.get(tid);
    if (sum === undefined) all.set(tid, (sum = { gc: 0, total: 0 }));
    const value = samples.values[0]![row]!;
    sum.total += value;
    const stack = samples.stack[row]!;
    if (stack >= 0 && inGc[stack] === 1) sum.gc += value;
  }
  return new Map([...all].map(([tid, { gc, total }]) => [tid, total === 0 ? 0 : gc / total]));
}
