import type { Finding, Severity } from "../../model/report.ts";
import { REPORT_SCHEMA, SEVERITIES } from "../../model/report.ts";
import type { ProcessRecording, ThreadFaults } from "../../model/process-recording.ts";
import { LEDGER_KINDS, type RecordReport, type ThreadLedger } from "../../model/record-report.ts";
import { NS_PER_MS } from "../../model/units.ts";
import { count, percent } from "../wording.ts";
import { classifyWaits } from "./classified-waits.ts";
import { codeTimeCauses } from "./code-time-causes.ts";
import { busyNs, type MicroCase, type MicroCause } from "./micro-cause.ts";
import { pageFaultAccount } from "./page-fault-account.ts";
import { pageFaultCauses } from "./page-fault-causes.ts";
import { processorWaitCauses } from "./processor-wait-causes.ts";
import { syscallAccount } from "./syscall-account.ts";
import { timeLedger, type ThreadTime, type TimeLedger } from "./time-ledger.ts";
import { waitCauses } from "./wait-causes.ts";

/** Threads told one by one, those with most to do first. */
const THREADS = 50;

const PREEMPTORS = 10;

/** A recording of a process → where its threads' time went, and what stands out. again: how to record it once more, with these flags. */
export function recordReport(recording: ProcessRecording, again: (flags: string) => string): RecordReport {
  const waits = classifyWaits(recording.offCpu);
  const ledger = timeLedger(recording, waits);
  const one: MicroCase = { recording, ledger, waits, again };
  const faults = pageFaultCauses(one);
  // Waits for pages are told once, with what was read where that is known.
  const waiting = waitCauses(one).filter(
    ({ mechanism }) => mechanism !== "memory-pressure" || !faults.some((fault) => fault.mechanism === mechanism),
  );
  const findings = rank([...waiting, ...faults, ...codeTimeCauses(one), ...processorWaitCauses(one)], recording);
  const busiest = ledger.threads.toSorted((a, b) => busyNs(b) - busyNs(a) || a.thread.tid - b.thread.tid);
  const { quality, durationNs, startUnixNs } = recording;
  return {
    schema: REPORT_SCHEMA,
    // First, so that the beginning of a file tells what it is.
    recording: {
      collector: recording.collector,
      pid: recording.pid,
      command: recording.command,
      name: recording.name,
      durationMs: durationNs / NS_PER_MS,
      threadMs: ledger.wallNs / NS_PER_MS,
      threads: busiest.slice(0, THREADS).map(threadLedger),
      threadsLeft: Math.max(0, busiest.length - THREADS),
      counters: { ...recording.counters },
      syscalls: syscallAccount(recording, waits),
      pageFaults: {
        minor: pageFaultAccount(recording, "minor") ?? null,
        major: pageFaultAccount(recording, "major") ?? null,
      },
      latencies: latencies(recording),
      preemptedBy: recording.preemptedBy.slice(0, PREEMPTORS),
      quality: { ...quality, notObserved: quality.notObserved, remarks: quality.remarks },
      cost:
        quality.cost === undefined
          ? null
          : {
              attachMs: quality.cost.attachMs,
              coreShare: quality.cost.cpuNs / durationNs,
              residentBytes: quality.cost.residentBytes,
            },
    },
    window: {
      startUnixNs: String(startUnixNs),
      endUnixNs: String(startUnixNs + BigInt(Math.round(durationNs))),
    },
    dataQuality: {
      traces: 0,
      incompleteTraces: 0,
      spans: 0,
      orphanSpans: 0,
      skewedHosts: [],
      sampling: "none",
      gates: gates(recording, ledger),
      ledger: { received: 0, analysed: 0, incomplete: 0, rejected: [] },
      warnings: quality.remarks,
      complete: true,
    },
    endpoints: [],
    throughput: { status: "insufficient-data", detail: "one process was recorded; ceilings need requests" },
    findings,
    healthy: findings.every(({ severity }) => severity === "note"),
    checkedNotCause: notCauses(recording, ledger, findings),
    unexplained: [],
    ledger: ledger.rows,
  };
}

const threadLedger = (time: ThreadTime): ThreadLedger => ({
  pid: time.thread.pid,
  tid: time.thread.tid,
  name: time.thread.name,
  wallMs: time.thread.wallNs / NS_PER_MS,
  busyShare: time.thread.wallNs === 0 ? 0 : busyNs(time) / time.thread.wallNs,
  ledger: LEDGER_KINDS.filter((kind) => time.ns[kind] > 0).map((timeKind) => ({
    timeKind,
    share: time.ns[timeKind] / time.thread.wallNs,
    idleShare: Math.min(time.ns[timeKind], time.idle.get(timeKind) ?? 0) / time.thread.wallNs,
  })),
  ...(time.thread.faults === undefined ? {} : { faults: faultsOf(time.thread.faults) }),
});

const faultsOf = ({ minor, major, minorNs, majorNs }: ThreadFaults): NonNullable<ThreadLedger["faults"]> => ({
  minor,
  major,
  ...(minorNs === undefined ? {} : { minorMs: minorNs / NS_PER_MS }),
  ...(majorNs === undefined ? {} : { majorMs: majorNs / NS_PER_MS }),
});

/** Histograms in figures; segments that were sent again have a number, but no latency. */
function latencies({ histograms }: ProcessRecording): RecordReport["recording"]["latencies"] {
  return histograms
    .filter(({ what, count }) => count > 0 && what !== "tcp-retransmit")
    .toSorted((a, b) => b.sumNs - a.sumNs)
    .map(({ what, which, count, sumNs, edgesNs, counts }) => ({
      what,
      which,
      count,
      meanMs: sumNs / count / NS_PER_MS,
      p50Ms: upperEdge(edgesNs, counts, count * 0.5) / NS_PER_MS,
      p99Ms: upperEdge(edgesNs, counts, count * 0.99) / NS_PER_MS,
    }));
}

/** The edge at or below which so many lie. */
function upperEdge(edges: readonly number[], counts: readonly number[], wanted: number): number {
  let seen = 0;
  const found = counts.findIndex((count) => (seen += count) >= wanted);
  return edges[found < 0 ? edges.length - 1 : found] ?? 0;
}

/** Of a thread's wall time; below, a finding is a note, or none at all. */
const CRITICAL_SHARE = 0.5;
const WARNING_SHARE = 0.1;
const NOTE_SHARE = 0.01;
/** Of what a mostly idle thread does: a server with little load is as slow as its requests are. */
const BUSY_SHARE = 0.3;
const LEAST_OF_BUSY = 0.03;

function severityOf({ gainNs, thread, most }: MicroCause): Severity | undefined {
  const ofWall = gainNs / thread.thread.wallNs;
  const ofBusy = gainNs / Math.max(1, busyNs(thread));
  const found =
    ofWall >= CRITICAL_SHARE
      ? "critical"
      : ofWall >= WARNING_SHARE || (ofBusy >= BUSY_SHARE && ofWall >= LEAST_OF_BUSY)
        ? "warning"
        : ofWall >= NOTE_SHARE
          ? "note"
          : undefined;
  if (found === undefined) return undefined;
  return SEVERITIES[Math.min(SEVERITIES.indexOf(found), SEVERITIES.indexOf(most))];
}

/** By severity, then by the time that would be gone, weighed by how sure it is. Ties are broken by the id. */
function rank(causes: readonly MicroCause[], recording: ProcessRecording): Finding[] {
  const drafts = causes.flatMap((cause) => {
    const severity = severityOf(cause);
    return severity === undefined ? [] : [{ cause, severity, id: idOf(cause) }];
  });
  drafts.sort(
    (a, b) =>
      SEVERITIES.indexOf(b.severity) - SEVERITIES.indexOf(a.severity) ||
      b.cause.gainNs * b.cause.confidence - a.cause.gainNs * a.cause.confidence ||
      (a.id < b.id ? -1 : 1),
  );
  return drafts.map(({ cause, severity, id }, i) => findingOf(cause, severity, id, i + 1, recording));
}

/** FNV-1a over what a finding is about, so that the same cause has the same id in every recording. */
function idOf({ mechanism, subject }: MicroCause): string {
  let hash = 0x811c9dc5;
  for (const character of JSON.stringify([subject.frame, subject.syscall, subject.resource])) {
    hash = Math.imul(hash ^ character.codePointAt(0)!, 0x01000193) >>> 0;
  }
  return `${mechanism}-${hash.toString(16).padStart(8, "0")}`;
}

function findingOf(
  cause: MicroCause,
  severity: Severity,
  id: string,
  at: number,
  recording: ProcessRecording,
): Finding {
  const { thread, ...told } = cause;
  const wallMs = thread.thread.wallNs / NS_PER_MS;
  const without = (ns: number): number => Math.max(0, wallMs - ns / NS_PER_MS);
  return {
    rank: at,
    id,
    kind: told.kind,
    severity,
    confidence: told.confidence,
    title: told.title,
    why: told.why,
    subject: { service: recording.name, ...told.subject },
    mechanism: told.mechanism,
    impact: {
      endpoint: { service: recording.name, operation: `thread ${thread.thread.name}` },
      metric: "mean",
      now: wallMs,
      predicted: without(cause.gainNs),
      low: without(cause.highNs),
      high: without(cause.lowNs),
      unit: "ms",
      method: "time of the thread in the recording",
    },
    chain: [
      {
        claim: `${recording.name}: thread ${thread.thread.name}, ${percent(busyNs(thread) / Math.max(1, thread.thread.wallNs))} of its time busy`,
        evidence: [],
      },
      { claim: told.why.replace(/\.$/, ""), evidence: told.evidence.map((_, i) => i) },
    ],
    evidence: told.evidence,
    counter: told.counter,
    refutedBy: told.refutedBy,
    remedy: told.remedy,
  };
}

/** How far two ways of counting the same may differ, as a share of the recording: they are read a little earlier and later. */
const TOLERANCE = 0.05;

function gates(
  { counters, threads, collector, durationNs }: ProcessRecording,
  { wallNs, rows }: TimeLedger,
): RecordReport["dataQuality"]["gates"] {
  const sum = rows.reduce((all, row) => all + row.ms * NS_PER_MS, 0);
  const whole = {
    name: "ledger-sums",
    ok: wallNs > 0 && Math.abs(sum / wallNs - 1) < 0.001,
    detail: `${percent(wallNs === 0 ? 0 : sum / wallNs)} of the threads' time is told`,
  };
  // Children have counters of their own, and threads that ended took theirs with them.
  const pids = new Set(threads.map(({ pid }) => pid));
  if (collector !== "helper" || counters.schedRunNs < 0 || pids.size > 1) return [whole];
  const cpu = threads.reduce((all, thread) => all + thread.cpuNs, 0);
  const off = Math.abs(cpu - counters.schedRunNs) / Math.max(1, durationNs);
  const detail = `processor time differs from /proc/PID/schedstat by ${percent(off)} of a core`;
  return [whole, { name: "schedstat", ok: off <= TOLERANCE, detail }];
}

function notCauses(
  { counters, quality, durationNs }: ProcessRecording,
  { rows, wallNs }: TimeLedger,
  findings: readonly Finding[],
): RecordReport["checkedNotCause"] {
  const told = new Set(findings.map(({ mechanism }) => mechanism));
  const share = (kind: string): number =>
    ((rows.find(({ timeKind }) => timeKind === kind)?.ms ?? 0) * NS_PER_MS) / Math.max(1, wallNs);
  const entries: { what: string; detail: string }[] = [];
  if (!told.has("lock-contention"))
    entries.push({ what: "locks", detail: `${percent(share("lock"))} of the threads' time` });
  if (!told.has("fsync") && !told.has("disk-saturated"))
    entries.push({ what: "disk", detail: `${percent(share("disk"))} of the threads' time` });
  if (!told.has("run-queue") && !told.has("noisy-neighbour"))
    entries.push({ what: "waiting for a processor", detail: `${percent(share("runnable"))} of the threads' time` });
  if (!told.has("cpu-throttled") && counters.throttledNs >= 0)
    entries.push({
      what: "CPU quota",
      detail:
        counters.throttledNs === 0
          ? "never throttled"
          : `throttled for ${percent(counters.throttledNs / durationNs)} of the time`,
    });
  if (!told.has("memory-pressure") && counters.majorFaults >= 0)
    entries.push({
      what: "paging",
      detail: `${count(counters.majorFaults)} page faults that read the disk, ${count(counters.minorFaults)} that did not`,
    });
  const isUnseen = quality.notObserved.some(({ what }) => /off-cpu|sched/.test(what));
  return isUnseen ? [] : entries;
}
