import { classifyWait } from "../../analysis/wait-class.ts";
import { LEDGER_KINDS, type LedgerKind } from "../../model/record-report.ts";
import type { StackTable } from "../../model/stack-table.ts";
import { foundStack } from "../found-stack.ts";
import { WaitDetail, type ProbeRecord, type RawStack } from "../probe-stream.ts";
import { marksOf, stackTableOf, type FoundStack, type FrameQuality, type WeightedStack } from "../recorded-stacks.ts";
import { Symboliser } from "../symboliser.ts";
import { syscallName } from "../syscall-names.ts";
import { weightedSamples, weightedWaits, type ThreadTime, type WaitTime } from "../weighted-stacks.ts";
import { ProcessCounts } from "./process-counts.ts";
import { ThreadTimes, type ThreadTotals, type WaitKind, type WaitTotals } from "./thread-times.ts";

type Of<T extends ProbeRecord["type"]> = Extract<ProbeRecord, { readonly type: T }>;

/** What processes did since the last profile. */
export interface ProbeProfiles {
  readonly onCpu: StackTable;
  readonly offCpu: StackTable;
  readonly quality: FrameQuality;
}

/** Costs of the helper and what it could not keep, since its start. */
export type HelperTotals = Extract<ProbeRecord, { readonly lostEvents: number }>;

/** Times below this are not worth a line of a profile. */
const LEAST_NS = 1e6;
/** A stack takes some 50 µs to unwind: more of them than this between two ticks are taken by frame pointers alone. */
const MOST_UNWOUND = 1500;
const NOTHING: readonly number[] = [];

interface ThreadBase {
  readonly cpuNs: number;
  readonly firstNs: number;
}

/** Takes in what a serving helper tells: exact times at each tick, and profiles when they are asked for. */
export class ProbeWindow {
  readonly times: ThreadTimes = new ThreadTimes();
  readonly counts: ProcessCounts = new ProcessCounts();
  /** of the last tick */
  totals: HelperTotals | undefined;
  readonly probes: Of<"probe">[] = [];
  private symboliser: Symboliser;
  private readonly isKnown = new Set<number>();
  private readonly wantsMaps: (pid: number) => void;
  private threads: Of<"thread">[] = [];
  private waits: Of<"wait">[] = [];
  private samples: FoundStack[] = [];
  private readonly waitStacks = new Map<string, FoundStack>();
  private readonly waitTimes = new Map<string, number>();
  /** by thread: its totals at the last profile, and now */
  private threadBase = new Map<number, ThreadBase>();
  private threadNow = new Map<number, Of<"thread">>();
  private waitBase = new Map<string, number>();
  private waitNow = new Map<string, Of<"wait">>();
  private readonly kinds = new Map<string, WaitKind & { readonly isByStack: boolean }>();
  private unwound = 0;
  private began: Pick<Of<"hello">, "startedNs" | "startedUnixNs"> = { startedNs: 0, startedUnixNs: 0n };

  /**
   * wantsMaps: asked for each process that the window has to name addresses of and may not look at itself, and again, ever less
   * often, where one of them lies in nothing that is known; the answer comes by `see`.
   */
  constructor(wantsMaps: (pid: number) => void) {
    this.wantsMaps = wantsMaps;
    this.symboliser = new Symboliser(wantsMaps);
  }

  /** An answer that comes after its process has ended, or became another program, is of no use. */
  see(pid: number, maps: string): void {
    if (this.isKnown.has(pid)) this.symboliser.see(pid, maps);
  }

  /** Processes that the window is about; others are forgotten. */
  keep(pids: ReadonlySet<number>): void {
    this.times.keep(pids);
    for (const pid of this.isKnown)
      if (!pids.has(pid)) {
        this.isKnown.delete(pid);
        this.symboliser.forget(pid);
      }
  }

  /** Gives up what files are known: their names are read anew when they are asked for. */
  forgetSymbols(): void {
    this.symboliser = new Symboliser(this.wantsMaps);
    for (const pid of this.isKnown) this.wantsMaps(pid);
  }

  take(record: ProbeRecord): void {
    switch (record.type) {
      case "hello":
        this.began = record;
        this.counts.begin(record.startedUnixNs);
        return;
      case "count":
        this.counts.take(record);
        return;
      case "probe":
        this.probes.push(record);
        return;
      case "sample":
        this.samples.push(this.found(record.stack));
        return;
      case "wait-stack":
        this.waitStack(record.stack);
        return;
      case "wait-done":
        this.waitTimes.set(`${record.tid} ${record.value}`, record.ns);
        return;
      case "exec":
        this.isKnown.delete(record.tgid);
        this.symboliser.forget(record.tgid);
        return;
      case "thread":
        this.threads.push(record);
        return;
      case "wait":
        this.waits.push(record);
        return;
      case "tick":
      case "end":
        this.tick(record);
        return;
      default:
        // Histograms, page faults and who preempted, which nothing here is made of.
        return;
    }
  }

  /** The profiles since the last call; undefined before the first tick. at: when it began, and how long it is. */
  profiles(
    at: { readonly startUnixNs: bigint; readonly durationNs: number },
    processName: (tgid: number) => string,
    serviceName: (tgid: number) => string,
  ): ProbeProfiles | undefined {
    if (this.totals === undefined) return undefined;
    const names = new Map([...this.threadNow].map(([tid, { tgid, comm }]) => [tid, { tgid, name: comm }]));
    const quality: FrameQuality = { frames: 0, named: 0, namelessCompiled: 0, stacks: 0, rooted: 0 };
    const table = (stacks: readonly WeightedStack[], types: readonly (readonly [string, string])[]): StackTable =>
      stackTableOf(stacks, types, names, processName, at, this.symboliser, quality, serviceName);
    const onCpu = table(weightedSamples(this.samples, this.threadTimes(), LEAST_NS), [
      ["cpu", "nanoseconds"],
      ["samples", "count"],
    ]);
    const offCpu = table(weightedWaits(this.sampledWaits(), this.waitTotals(), LEAST_NS), [["off-cpu", "nanoseconds"]]);
    this.beginProfile();
    return { onCpu, offCpu, quality };
  }

  /** What was seen so far is not of the next profile. */
  beginProfile(): void {
    this.samples = [];
    this.waitStacks.clear();
    this.waitTimes.clear();
    for (const [tid, { endedNs }] of this.threadNow) if (endedNs > 0) this.threadNow.delete(tid);
    for (const [key, { tid }] of this.waitNow) if (!this.threadNow.has(tid)) this.waitNow.delete(key);
    this.threadBase = new Map([...this.threadNow].map(([tid, { cpuNs, firstNs }]) => [tid, { cpuNs, firstNs }]));
    this.waitBase = new Map([...this.waitNow].map(([key, { ns }]) => [key, ns]));
    this.symboliser.forgetCompiled();
  }

  private tick(totals: HelperTotals): void {
    const kindOf = (tgid: number, wait: WaitTotals): WaitKind => this.kindOf(tgid, wait);
    const threads: readonly ThreadTotals[] = this.threads;
    this.times.add(threads, this.waits, kindOf);
    // Of what has ended the last word stands, until a profile is made of it.
    const ended = new Set([...this.threadNow.values()].filter(({ endedNs }) => endedNs > 0).map(({ tid }) => tid));
    this.threadNow = new Map([...this.threadNow].filter(([tid]) => ended.has(tid)));
    this.waitNow = new Map([...this.waitNow].filter(([, { tid }]) => ended.has(tid)));
    for (const thread of this.threads) this.threadNow.set(thread.tid, thread);
    for (const wait of this.waits) this.waitNow.set(`${wait.tid} ${wait.syscall} ${wait.detail}`, wait);
    if (this.kinds.size > MOST_KINDS) this.kinds.clear();
    this.threads = [];
    this.waits = [];
    this.unwound = 0;
    this.totals = totals;
    const { startedNs, startedUnixNs } = this.began;
    this.counts.tick(startedUnixNs + BigInt(Math.round(totals.endedNs - startedNs)));
  }

  private found(raw: RawStack): FoundStack {
    if (!this.isKnown.has(raw.tgid)) {
      this.isKnown.add(raw.tgid);
      if (!this.symboliser.look(raw.tgid)) this.wantsMaps(raw.tgid);
    }
    if (this.unwound++ < MOST_UNWOUND) return foundStack(raw, this.symboliser);
    const { tgid, tid, syscall, kernel, detail, user } = raw;
    return { tgid, tid, syscall, detail: detail & ~WaitDetail.before, kernel, user, isRooted: false };
  }

  private waitStack(raw: RawStack): void {
    const stack = this.found(raw);
    this.waitStacks.set(`${stack.tid} ${raw.value}`, stack);
    const key = `${stack.tgid} ${stack.syscall} ${stack.detail}`;
    // The first of each kind of wait of a process says what such a wait is for.
    if (this.kinds.get(key)?.isByStack !== true) this.kinds.set(key, this.classified(stack, true));
  }

  private kindOf(tgid: number, { tid, syscall, detail }: WaitTotals): WaitKind {
    const key = `${tgid} ${syscall} ${detail & ~WaitDetail.before}`;
    let kind: WaitKind | undefined = this.kinds.get(key);
    if (kind === undefined) {
      const stack = { tgid, tid, syscall, detail, kernel: NOTHING, user: [], isRooted: false };
      const found = this.classified(stack, false);
      this.kinds.set(key, found);
      kind = found;
    }
    return kind;
  }

  private classified(stack: FoundStack, isByStack: boolean): WaitKind & { readonly isByStack: boolean } {
    const { kind, isIdle } = classifyWait({
      syscall: stack.syscall < 0 ? "" : syscallName(stack.syscall),
      marks: marksOf(stack),
      kernel: stack.kernel.map((address) => this.symboliser.kernel(address).name),
      user: stack.user.map((address, i) => this.symboliser.user(stack.tgid, i === 0 ? address : address - 1).name),
    });
    return { kind: isLedgerKind(kind) ? kind : "unexplained", isIdle, isByStack };
  }

  /** Processor times of threads since the last profile. */
  private threadTimes(): ThreadTime[] {
    return [...this.threadNow.values()].map(({ tid, tgid, cpuNs, firstNs }) => {
      const base = this.threadBase.get(tid);
      // What was open when it was told may have been less: the kernel's count puts it right.
      return { tid, tgid, cpuNs: Math.max(0, cpuNs - (base?.firstNs === firstNs ? base.cpuNs : 0)) };
    });
  }

  /** Times of waits since the last profile. */
  private waitTotals(): WaitTime[] {
    return [...this.waitNow].flatMap(([key, { tid, syscall, detail, ns, count }]) => {
      const thread = this.threadNow.get(tid);
      const grown = ns - (this.waitBase.get(key) ?? 0);
      return thread === undefined || grown <= 0 ? [] : [{ tid, tgid: thread.tgid, syscall, detail, ns: grown, count }];
    });
  }

  /** Stacks of waits and how long those were; one that still goes on counts as much as a short one. */
  private sampledWaits(): { stack: FoundStack; ns: number }[] {
    return [...this.waitStacks].map(([key, stack]) => ({ stack, ns: this.waitTimes.get(key) ?? LEAST_NS }));
  }
}

/** Kinds of waits of all processes; beyond them those that were learnt are learnt anew. */
const MOST_KINDS = 20_000;

const isLedgerKind = (kind: string): kind is LedgerKind => (LEDGER_KINDS as readonly string[]).includes(kind);
