import { counterRate } from "../../analysis/counter-rates.ts";
import { indexSeries, pointsOf } from "../../analysis/metric-series.ts";
import { attributeText } from "../../model/attribute-table.ts";
import type { MetricTable, Temporality } from "../../model/metric-table.ts";
import type { KernelTime, LedgerTime, ProcessLedger } from "../../model/process-ledger.ts";
import { LEDGER_KINDS, type LedgerKind } from "../../model/record-report.ts";
import { NS_PER_S } from "../../model/units.ts";

/** What the agent sends of the threads of a process: seconds by kind. Who got the processor instead a recording alone tells. */
const TIME = "longpole.process.time";
/** What its probes count of the process within the kernel. */
const BLOCK_IO = "longpole.process.block_io.io";
const BLOCK_DURATION = "longpole.process.block_io.duration";
const LOCK_DURATION = "longpole.process.kernel_lock.duration";
const FAULT_DURATION = "longpole.process.page_fault.duration";
const NAMES: ReadonlySet<string> = new Set([TIME, BLOCK_IO, BLOCK_DURATION, LOCK_DURATION, FAULT_DURATION]);

/**
 * The agent's counters as ledgers of processes: the thread whose number is the process's, and all others together. A process
 * without a service is left out: no span tells of it. Times are those between the first and the last point.
 */
export function agentLedgers(table: MetricTable): ProcessLedger[] {
  const processes = new Map<string, Draft>();
  const index = indexSeries(table);
  for (let series = 0; series < table.seriesCount; series++) {
    const name = table.strings.get(table.name[series]!);
    if (!NAMES.has(name)) continue;
    const resource = textsOf(table, table.resources, table.resource[series]!);
    const labels = textsOf(table, table.labels, table.labelSet[series]!);
    const service = resource.get("service.name") ?? "";
    const rows = pointsOf(index, series);
    if (service === "" || rows.length === 0) continue;
    const temporality = table.temporality[series] as Temporality;
    const { amount, fromNs, toNs } = growth(table, rows, temporality);
    if (!(toNs > fromNs)) continue;
    const draft = draftOf(processes, resource, service);
    if (name === TIME) {
      draft.fromNs = Math.min(draft.fromNs, fromNs);
      draft.toNs = Math.max(draft.toNs, toNs);
    }
    if (name === TIME) addTime(draft, labels, amount * NS_PER_S);
    else if (name === BLOCK_IO) draft.blockBytes += amount;
    else if (name !== FAULT_DURATION)
      addKernelTime(name === BLOCK_DURATION ? draft.blockIo : draft.kernelLocks, table, rows, temporality, amount);
    // Minor ones take processor time, and nobody waits for them.
    else if (labels.get("system.paging.type") === "major")
      addKernelTime(draft.majorFaults, table, rows, temporality, amount);
  }
  // Without times of its threads it is no ledger.
  return [...processes.values()]
    .filter(({ main, others }) => main.size + others.size > 0)
    .map((draft) => ledgerOf(table, draft));
}

interface Draft {
  readonly service: string;
  readonly name: string;
  readonly pid: number;
  fromNs: number;
  toNs: number;
  readonly main: Map<LedgerKind, { ns: number; idleNs: number }>;
  readonly others: Map<LedgerKind, { ns: number; idleNs: number }>;
  readonly blockIo: { count: number; ns: number };
  readonly kernelLocks: { count: number; ns: number };
  readonly majorFaults: { count: number; ns: number };
  blockBytes: number;
}

function draftOf(processes: Map<string, Draft>, resource: ReadonlyMap<string, string>, service: string): Draft {
  const pid = Number(resource.get("process.pid") ?? -1);
  const key = JSON.stringify([resource.get("host.name"), pid, service, resource.get("service.instance.id")]);
  let draft = processes.get(key);
  if (draft === undefined) {
    const name = resource.get("process.executable.name") ?? service;
    const times = { fromNs: Number.POSITIVE_INFINITY, toNs: Number.NEGATIVE_INFINITY };
    const disk = { blockIo: { count: 0, ns: 0 }, majorFaults: { count: 0, ns: 0 }, blockBytes: 0 };
    const kernel = { ...disk, kernelLocks: { count: 0, ns: 0 } };
    draft = { service, name, pid, ...times, main: new Map(), others: new Map(), ...kernel };
    processes.set(key, draft);
  }
  return draft;
}

function addTime(draft: Draft, labels: ReadonlyMap<string, string>, ns: number): void {
  const kind = LEDGER_KINDS.find((one) => one === labels.get("longpole.time.kind"));
  if (kind === undefined) return;
  const thread = labels.get("longpole.thread") === "main" ? draft.main : draft.others;
  const held = thread.get(kind) ?? { ns: 0, idleNs: 0 };
  const idleNs = labels.get("longpole.idle") === "true" ? ns : 0;
  thread.set(kind, { ns: held.ns + ns, idleNs: held.idleNs + idleNs });
}

/** A histogram's growth: how many values, and their sum of `seconds`. */
function addKernelTime(
  into: { count: number; ns: number },
  table: MetricTable,
  rows: Int32Array,
  temporality: Temporality,
  seconds: number,
): void {
  const { distribution, distributions } = table.points;
  const countOf = (row: number): number => distributions.count[distribution[row]!] ?? Number.NaN;
  into.count += growth(table, rows, temporality, countOf).amount;
  into.ns += seconds * NS_PER_S;
}

const happened = (time: KernelTime): boolean => time.count > 0;

function ledgerOf(table: MetricTable, draft: Draft): ProcessLedger {
  const { service, name, pid, fromNs, toNs, main, others, blockIo, kernelLocks, majorFaults } = draft;
  const times = (thread: Draft["main"]): LedgerTime[] =>
    [...thread].map(([kind, { ns, idleNs }]) => ({ kind, ns, idleNs }));
  const wall = (thread: Draft["main"]): number => [...thread.values()].reduce((sum, { ns }) => sum + ns, 0);
  const threads = [
    { pid, tid: pid, name: "main", wallNs: wall(main), times: times(main) },
    { pid, tid: -1, name: "other threads", wallNs: wall(others), times: times(others) },
  ];
  return {
    source: "longpole agent",
    service,
    name,
    pid,
    startUnixNs: table.baseUnixNs + BigInt(Math.round(fromNs)),
    durationNs: toNs - fromNs,
    threads: threads.filter(({ wallNs }) => wallNs > 0),
    parts: [],
    preemptedBy: [],
    syscalls: [],
    ...(happened(blockIo) ? { blockIo: { ...blockIo, bytes: draft.blockBytes } } : {}),
    ...(happened(kernelLocks) ? { kernelLocks } : {}),
    ...(happened(majorFaults) ? { majorFaults } : {}),
  };
}

/** By how much a counter grew, and between which times that is known. */
function growth(
  table: MetricTable,
  rows: Int32Array,
  temporality: Temporality,
  valueOf?: (row: number) => number,
): { amount: number; fromNs: number; toNs: number } {
  const { rate } = counterRate(table, rows, temporality, valueOf);
  let amount = 0;
  for (let i = 0; i < rate.value.length; i++) amount += (rate.value[i]! * (rate.toNs[i]! - rate.fromNs[i]!)) / NS_PER_S;
  const n = rate.value.length;
  return { amount, fromNs: n === 0 ? 0 : rate.fromNs[0]!, toNs: n === 0 ? 0 : rate.toNs[n - 1]! };
}

function textsOf(table: MetricTable, lists: MetricTable["labels"], list: number): Map<string, string> {
  const texts = new Map<string, string>();
  for (let row = lists.listStart[list]!; row < lists.listStart[list + 1]!; row++)
    texts.set(table.strings.get(lists.key[row]!), attributeText(lists, table.strings, row));
  return texts;
}
