import { codeProfile } from "../../analysis/code-profile.ts";
import type { OccupiedTime } from "../../analysis/own-time-shares.ts";
import { selfTimes } from "../../analysis/self-time.ts";
import { CALLEE, UNEXPLAINED } from "../../analysis/time-kinds.ts";
import type { ProcessLedger } from "../../model/process-ledger.ts";
import type { StackTable } from "../../model/stack-table.ts";
import { classifyWaits } from "../micro/classified-waits.ts";
import type { ProfileInput } from "../code/service-profiles.ts";
import { oncePerWindow } from "../once-per-window.ts";
import { meanOf, measureOf, type ServiceMeasure } from "../resources/service-measures.ts";
import type { Window } from "../window.ts";
import { OWN_KINDS, type KnownKind } from "./ledger-kind.ts";
import { processesOfSpans } from "./services-of-ledgers.ts";

/** One kind of thread time of a service, and who says so. */
export interface HostTime extends OccupiedTime<KnownKind> {
  /** "statistical": threads were looked at; "metrics": the process's counters alone */
  readonly link: "statistical" | "metrics";
  /** "recording of zones-0.json", "profile zones-0.cpuprofile", "metrics" */
  readonly source: string;
}

/** What a host tells of the threads of one service. */
export interface ServiceHost {
  readonly service: string;
  readonly times: readonly HostTime[];
  /** of an event loop the share of the time that it is taken, and what the runtime's other threads do; absent where there is none */
  readonly loop?: {
    readonly utilisation: number;
    readonly beside: readonly HostTime[];
    readonly pool?: { readonly threads: number; readonly utilisation: number };
  };
}

export interface HostSources {
  readonly ledgers: readonly ProcessLedger[];
  readonly profiles: readonly ProfileInput[];
  readonly measures: readonly ServiceMeasure[] | undefined;
}

/**
 * Thread time of a service by kind, from the strongest source of each kind: recordings of its threads, profiles, metrics of its
 * processes. Undefined where nothing tells.
 */
export function serviceHost(window: Window, service: string, sources: HostSources): ServiceHost | undefined {
  const processes = processesOfSpans(window).filter((one) => one.service === service);
  // Of what spans know as a callee only (a database) each recording is one of its processes, and all of them together are it.
  const instances = Math.max(1, instancesOf(window).get(service) ?? sources.ledgers.length);
  const isLoop = processes.some(({ isEventLoop }) => isEventLoop);
  const recorded = recordedTimes(sources.ledgers, isLoop, instances);
  const profiled = profiledTimes(sources.profiles, isLoop, instances);
  const measured = sources.measures === undefined ? [] : measuredTimes(sources.measures, instances, isLoop);
  // A recording without the runtime's symbols takes collection for code: how much of it there is, others tell; and what of the wait
  // for a processor is a quota's doing, where only the control group's counters tell.
  const others = [...profiled, ...measured];
  const times = partedBy(partedBy(recorded, "cpu", "gc", others), "runnable", "throttled", others);
  const known = new Set(times.map(({ kind }) => kind));
  // A recording of the threads has all of their time: what is not in it is not there.
  for (const source of recorded.length > 0 ? [] : [profiled, measured]) {
    // Processor time and collection are parts of one whole: both come from one source.
    const isTold = known.has("cpu") || known.has("gc");
    for (const one of source) {
      if (known.has(one.kind) || (isTold && (one.kind === "cpu" || one.kind === "gc"))) continue;
      times.push(one);
    }
    for (const { kind } of source) known.add(kind);
  }
  const kept = times.filter(({ perSecond }) => perSecond > 0);
  if (kept.length === 0) return undefined;
  const taken = kept.reduce((sum, { perSecond }) => sum + perSecond, 0) / instances;
  kept.sort((a, b) => OWN_KINDS.indexOf(a.kind) - OWN_KINDS.indexOf(b.kind));
  if (!isLoop) return { service, times: kept };
  const beside = besideLoop(sources.ledgers, instances);
  const pool = threadsBeside(sources.ledgers);
  return {
    service,
    times: kept,
    loop: { utilisation: Math.min(1, taken), beside, ...(pool === undefined ? {} : { pool }) },
  };
}

/** A kind of the recorded times parted by another one that lies within it, and that only others tell. */
function partedBy(
  recorded: readonly HostTime[],
  whole: KnownKind,
  part: KnownKind,
  others: readonly HostTime[],
): HostTime[] {
  const all = recorded.find(({ kind }) => kind === whole);
  const told = others.find(({ kind }) => kind === part);
  if (all === undefined || told === undefined || recorded.some(({ kind }) => kind === part)) return [...recorded];
  const within = Math.min(all.perSecond, told.perSecond);
  const rest = { ...all, perSecond: all.perSecond - within };
  return [...recorded.filter((one) => one !== all), rest, { ...told, perSecond: within }];
}

/**
 * Waits for the network belong to calls, which have spans of their own, and waits for other processes, too. Of an event loop only
 * its thread holds requests up.
 */
const recordedTimes = (ledgers: readonly ProcessLedger[], isLoop: boolean, instances: number): HostTime[] =>
  threadTimes(ledgers, instances, (isMain) => isMain || !isLoop);

/** What a runtime's other threads compute for requests (hashes, compression), and read and write for them. */
const besideLoop = (ledgers: readonly ProcessLedger[], instances: number): HostTime[] =>
  threadTimes(ledgers, instances, (isMain) => !isMain).filter(({ kind }) => kind === "cpu" || kind === "disk");

/**
 * How many of a process's other threads share their work, and how busy each of them is, waits for a processor included: threads that
 * do next to nothing (compilers, timers) are none of them. Kish's effective number, (Σ b)² / Σ b².
 */
function threadsBeside(ledgers: readonly ProcessLedger[]): { threads: number; utilisation: number } | undefined {
  let [threads, busy, processes] = [0, 0, 0];
  for (const { pid, durationNs, threads: all } of ledgers) {
    if (!(durationNs > 0)) continue;
    const each = all
      .filter(({ tid }) => tid !== pid)
      .map(({ times }) => {
        const ofWork = times.filter(({ kind }) => kind === "cpu" || kind === "disk" || kind === "runnable");
        return ofWork.reduce((sum, { ns, idleNs }) => sum + Math.max(0, ns - idleNs), 0) / durationNs;
      });
    const sum = each.reduce((total, one) => total + one, 0);
    if (!(sum > 0)) continue;
    threads += sum ** 2 / each.reduce((total, one) => total + one ** 2, 0);
    busy += sum;
    processes++;
  }
  if (processes === 0) return undefined;
  const number = Math.max(1, Math.round(threads / processes));
  return { threads: number, utilisation: Math.min(1, busy / processes / number) };
}

function threadTimes(
  ledgers: readonly ProcessLedger[],
  instances: number,
  counts: (isMain: boolean) => boolean,
): HostTime[] {
  const sums = new Map<KnownKind, number>();
  for (const { pid, durationNs, threads } of ledgers) {
    if (!(durationNs > 0)) continue;
    for (const thread of threads) {
      if (!counts(thread.tid === pid)) continue;
      for (const { kind, ns, idleNs } of thread.times) {
        if (kind === "unexplained" || kind === "callee" || kind === "network") continue;
        const perSecond = Math.max(0, ns - idleNs) / durationNs;
        sums.set(kind, (sums.get(kind) ?? 0) + (perSecond * instances) / ledgers.length);
      }
    }
  }
  const source = `recording of ${fileNames(ledgers.map((one) => one.source))}`;
  return [...sums].map(([kind, perSecond]) => ({ kind, perSecond, link: "statistical", source }));
}

/** Columns that are processor time, or wall time of a thread; the first that a profile has. */
const ON = ["cpu", "wall"];

function profiledTimes(profiles: readonly ProfileInput[], isLoop: boolean, instances: number): HostTime[] {
  const sums = new Map<KnownKind, number>();
  const add = (kind: KnownKind, perSecond: number): void => void sums.set(kind, (sums.get(kind) ?? 0) + perSecond);
  // Processes of the same service, in one file or several; each kind of table counts its own.
  const lengths = { on: 0, off: 0 };
  const totals: { kind: KnownKind; ns: number; of: "on" | "off" }[] = [];
  for (const { stacks } of profiles) {
    for (const { kind, ns, of } of kindsOfStacks(stacks, isLoop)) totals.push({ kind, ns, of });
    const length = stacks.processes.durationNs.reduce((sum, ns) => sum + Math.max(0, ns), 0);
    if (nanosecondColumn(stacks, ON) >= 0) lengths.on += length;
    if (nanosecondColumn(stacks, ["off-cpu"]) >= 0) lengths.off += length;
  }
  for (const { kind, ns, of } of totals) if (lengths[of] > 0) add(kind, (ns / lengths[of]) * instances);
  const source = `profile ${fileNames(profiles.map((one) => one.source))}`;
  return [...sums].map(([kind, perSecond]) => ({ kind, perSecond, link: "statistical", source }));
}

/** Of an event loop's process the thread that serves requests, where the profile tells threads apart. */
function isServing({ samples, threads, processes }: StackTable, row: number, isLoop: boolean): boolean {
  const thread = samples.thread[row]!;
  const [tid, pid] = [threads.tid[thread]!, processes.pid[threads.process[thread]!]!];
  return !isLoop || tid < 0 || pid < 0 || tid === pid;
}

function kindsOfStacks(stacks: StackTable, isLoop: boolean): { kind: KnownKind; ns: number; of: "on" | "off" }[] {
  const found: { kind: KnownKind; ns: number; of: "on" | "off" }[] = [];
  const on = nanosecondColumn(stacks, ON);
  if (on >= 0) {
    const isWall = stacks.valueTypes[on]!.type === "wall";
    const keep = (row: number): boolean => isServing(stacks, row, isLoop);
    for (const { work, value } of codeProfile(stacks, stacks.samples.values[on]!, keep).classes)
      found.push({ kind: kindOfWork(work, isWall), ns: value, of: "on" });
  }
  const off = nanosecondColumn(stacks, ["off-cpu"]);
  if (off >= 0) {
    classifyWaits(stacks).forEach(({ kind, isIdle }, row) => {
      const ns = stacks.samples.values[off]![row]!;
      if (
        !isIdle &&
        ns > 0 &&
        isServing(stacks, row, isLoop) &&
        (kind === "lock" || kind === "disk" || kind === "sleep")
      )
        found.push({ kind, ns, of: "off" });
    });
  }
  return found;
}

/** A thread that syncs in a profile of wall time waits for the disk; of processor time it computes. */
export const kindOfWork = (work: string, isWall: boolean): "gc" | "disk" | "cpu" =>
  work === "gc" ? "gc" : work === "fsync" && isWall ? "disk" : "cpu";

/** The first of these types that has a column of nanoseconds; -1 for none. */
export const nanosecondColumn = ({ valueTypes }: StackTable, types: readonly string[]): number => {
  const found = types.find((type) => valueTypes.some((one) => one.type === type && one.unit === "nanoseconds"));
  return valueTypes.findIndex((one) => one.type === found && one.unit === "nanoseconds");
};

function measuredTimes(measures: readonly ServiceMeasure[], instances: number, isLoop: boolean): HostTime[] {
  const mean = (...names: Parameters<typeof measureOf>[1][]): number => {
    const found = names.map((name) => measureOf(measures, name)).find((one) => one !== undefined);
    const value = meanOf(found?.values);
    return Number.isFinite(value) ? value : 0;
  };
  const active = mean("event-loop-active");
  // Of a runtime with one thread for requests, the others' processor time (compilers, collectors) delays no request.
  const used = isLoop && active > 0 ? Math.min(mean("cpu-used"), active) : mean("cpu-used");
  const gc = Math.min(used, mean("gc-time"));
  const throttled = Math.min(mean("throttled-time"), isLoop && active > 0 ? Math.max(0, active - used) : instances);
  // Who is stopped by a quota stands in the queue as well.
  const queued = mean("runnable-main") + (isLoop ? 0 : mean("runnable-others"));
  const rows: [KnownKind, number][] = [
    ["cpu", used - gc],
    ["gc", gc],
    ["runnable", Math.max(0, queued - throttled)],
    ["throttled", throttled],
  ];
  return rows.map(([kind, perSecond]) => ({ kind, perSecond, link: "metrics", source: "metrics" }));
}

function fileNames(paths: readonly string[]): string {
  const names = [...new Set(paths)].map((path) => path.slice(path.lastIndexOf("/") + 1));
  return names.length <= 2 ? names.join(", ") : `${names.slice(0, 2).join(", ")} and ${names.length - 2} more`;
}

const instancesOf = oncePerWindow(({ forest, facts, text }): ReadonlyMap<string, number> => {
  const found = new Map<number, Set<number>>();
  for (const row of forest.rows) {
    const service = facts.service[row]!;
    let held = found.get(service);
    if (held === undefined) found.set(service, (held = new Set()));
    held.add(facts.instance[row]!);
  }
  return new Map([...found].map(([service, instances]) => [text(service), instances.size]));
});

export interface RequestsInside {
  readonly own: number;
  readonly inCalls: number;
}

/** Mean number of a service's requests that are at work of their own, and in calls; all instances together. */
export const requestsInside: (window: Window) => ReadonlyMap<string, RequestsInside> = oncePerWindow((window) => {
  const { forest, facts, kinds, text } = window;
  const self = selfTimes(forest);
  const sums = new Map<number, { own: number; inCalls: number }>();
  let [first, last] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  for (const row of forest.rows) {
    first = Math.min(first, forest.startNs[row]!);
    last = Math.max(last, forest.endNs[row]!);
    const service = facts.service[row]!;
    let held = sums.get(service);
    if (held === undefined) sums.set(service, (held = { own: 0, inCalls: 0 }));
    const weighted = self[row]! * (forest.weight[forest.trace[row]!] ?? 1);
    if (kinds[row] === UNEXPLAINED) held.own += weighted;
    else held.inCalls += weighted;
  }
  const length = Math.max(1, last - first);
  return new Map(
    [...sums].map(([id, { own, inCalls }]) => [text(id), { own: own / length, inCalls: inCalls / length }]),
  );
});

/** Mean number of calls that are inside of what sends no spans, by its name. */
export const callsInside: (window: Window) => ReadonlyMap<string, number> = oncePerWindow((window) => {
  const { forest, kinds, paths, text } = window;
  const sums = new Map<number, number>();
  let [first, last] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  for (const row of forest.rows) {
    first = Math.min(first, forest.startNs[row]!);
    last = Math.max(last, forest.endNs[row]!);
    const callee = kinds[row] === CALLEE ? paths.callee[paths.nodeOfRow[row]!]! : -1;
    if (callee < 0) continue;
    const ns = (forest.endNs[row]! - forest.startNs[row]!) * (forest.weight[forest.trace[row]!] ?? 1);
    sums.set(callee, (sums.get(callee) ?? 0) + ns);
  }
  return new Map([...sums].map(([id, ns]) => [text(id), ns / Math.max(1, last - first)]));
});
