import type { ProcessLedger } from "../../model/process-ledger.ts";
import type { SyscallRow } from "../../model/record-report.ts";
import type { EndpointLedger, EndpointLedgerRow, Evidence, Mechanism } from "../../model/report.ts";
import { UNEXPLAINED } from "../../analysis/time-kinds.ts";
import { mapToFloats } from "../../model/map-column.ts";
import { NS_PER_MS, NS_PER_S } from "../../model/units.ts";
import { spanRows } from "../case.ts";
import type { EndpointView } from "../endpoint-view.ts";
import type { Claim } from "../findings.ts";
import { hotSpots, type Explanation } from "../hot-spot.ts";
import type { Window } from "../window.ts";
import { count, ms, percent } from "../wording.ts";

/** A wait of a service's threads is worth a claim from this share of the endpoint's p99 on: less comes and goes in healthy systems. */
const MIN_SHARE = 0.25;
const MIN_NS = NS_PER_MS;

/** An endpoint is worse than its baseline from this factor of its p99 on; less, chance does. */
const WORSE = 1.2;

/** Of the times that somebody else was given the processor, from which share on others are the reason. */
const BY_OTHERS = 0.5;
/** Fewer preemptions name nobody. */
const FEWEST = 20;

const SYNC = /^(?:f(?:data)?sync|sync_file_range|msync|sync(?:fs)?)$/;

const WAITS = ["runnable", "throttled", "lock", "disk"] as const;
type Wait = (typeof WAITS)[number];

/** Mechanisms that say the same about a service, or more. */
const SAID_AS: Readonly<Record<Wait, ReadonlySet<Mechanism>>> = {
  runnable: new Set<Mechanism>(["run-queue", "noisy-neighbour", "cpu-saturated", "cpu-throttled"]),
  throttled: new Set<Mechanism>(["cpu-throttled"]),
  lock: new Set<Mechanism>(["lock-contention", "thread-starvation"]),
  disk: new Set<Mechanism>(["fsync", "disk-saturated", "excessive-syscalls", "memory-pressure"]),
};

export interface WaitContext {
  readonly ledgerOf?: (view: EndpointView) => EndpointLedger | undefined;
  readonly recorded: ReadonlyMap<string, readonly ProcessLedger[]>;
  /** p99 of the endpoint in the baseline, nanoseconds; undefined without one, and where it was not called then */
  readonly p99Before?: (view: EndpointView) => number | undefined;
}

/**
 * What spans and metrics leave unsaid and the threads of a service show: that the slow requests of an endpoint spend a good
 * part of their time ready without a processor, held back by a quota, waiting for a lock or the disk. The claims that were there
 * before, with those; where one tells the same about the service nothing is added.
 */
export function withWaitClaims(
  window: Window,
  views: readonly EndpointView[],
  ownNs: Float64Array,
  claims: readonly Claim[],
  context: WaitContext,
): Claim[] {
  const added: Claim[] = [];
  for (const view of views) {
    const ledger = context.ledgerOf?.(view);
    if (ledger === undefined) continue;
    for (const [service, recorded] of context.recorded) {
      const rows = ledger.rows.filter(
        (row) => row.service === service && row.link !== "spans" && row.callee === undefined,
      );
      const own = rows.reduce((sum, row) => sum + row.p99Ms * NS_PER_MS, 0);
      for (const wait of WAITS) {
        const told = rows.filter((row) => row.timeKind === wait);
        const ns = told.reduce((sum, row) => sum + row.p99Ms * NS_PER_MS, 0);
        if (ns < MIN_NS || ns < MIN_SHARE * view.p99) continue;
        const isSaid = claims.some(
          ({ explanation: { mechanism, subject, harmful } }) =>
            harmful && subject.service === service && SAID_AS[wait].has(mechanism),
        );
        if (isSaid) continue;
        const before = context.p99Before?.(view);
        const isUsual = context.p99Before !== undefined && !(before !== undefined && view.p99 >= WORSE * before);
        const place = { window, view, service, ownNs, share: ns / own, ns, isUsual };
        added.push({ view, explanation: explanationOf(place, wait, told, recorded, context.recorded) });
      }
    }
  }
  return [...claims, ...added];
}

interface Place {
  readonly window: Window;
  readonly view: EndpointView;
  readonly service: string;
  readonly ownNs: Float64Array;
  /** of the service's own time at p99, and nanoseconds */
  readonly share: number;
  readonly ns: number;
  /** the endpoint is no slower than in the baseline: it is a note */
  readonly isUsual: boolean;
}

/** What a wait is called, and what can be done about it. */
interface Named {
  readonly mechanism: Mechanism;
  readonly resource: string;
  readonly what: string;
  readonly cause: string;
  readonly subject?: { readonly syscall?: string; readonly frame?: string; readonly setting?: string };
  readonly refutedBy: string;
  readonly remedy: string;
}

function explanationOf(
  place: Place,
  wait: Wait,
  told: readonly EndpointLedgerRow[],
  recorded: readonly ProcessLedger[],
  all: WaitContext["recorded"],
): Explanation {
  const { window, view, service, ownNs, share, ns } = place;
  const named = nameOf(wait, service, recorded, all);
  const spots = hotSpots(window, view).filter((spot) => spot.service === service && spot.timeKind === "unexplained");
  const rows = spots.flatMap((spot) =>
    [...spanRows(window, spot.node)].filter((row) => window.kinds[row] === UNEXPLAINED),
  );
  const source = told[0]?.source ?? "samples";
  const of = `${ms(ns)} of the p99 (${percent(ns / view.p99)})`;
  const low = told.reduce((sum, row) => sum + row.lowMs, 0) * NS_PER_MS;
  return {
    mechanism: named.mechanism,
    kind: "resource",
    subject: { service, resource: named.resource, ...named.subject },
    title: `${service} ${named.what}: ${of}`,
    why: `${named.cause.charAt(0).toUpperCase()}${named.cause.slice(1)}.`,
    confidence: low >= 0.5 * ns ? 0.75 : 0.5,
    harmful: !place.isUsual,
    nodes: spots.map((spot) => spot.node),
    undo: [
      {
        kind: "own-time",
        rows: Int32Array.from(rows),
        ownNs: mapToFloats(rows, (row) => ownNs[row]! * Math.max(0, 1 - share)),
      },
    ],
    chain: [
      { claim: `${view.name}: p99 ${ms(view.p99)}`, evidence: [] },
      { claim: `inside ${service}: ${wait} ${of}`, evidence: [0] },
      { claim: named.cause, evidence: [1] },
    ],
    evidence: [
      {
        kind: "statistic",
        text: `${service} ${named.what} for ${of}, at least ${ms(low)}; ${source}`,
        query: "endpoints[].ledger of the report (docs/time-kinds.md)",
      },
      {
        kind: "statistic",
        text: named.cause,
        query: `longpole record -p PID --json: recording.threads, recording.syscalls, recording.preemptedBy`,
      },
      ...kernelEvidence(wait, service, recorded),
    ],
    counter: ["threads were tied to requests by time, not by name: another request's wait counts for this one, too"],
    refutedBy: named.refutedBy,
    remedy: { text: named.remedy },
  };
}

/** A process that waits for less than this share of the time for locks of the kernel is not held up by them. */
const FELT = 0.01;

/** What the kernel counts of the service's processes, where an agent tells: requests for disks, waits for the kernel's own locks. */
function kernelEvidence(wait: Wait, service: string, recorded: readonly ProcessLedger[]): Evidence[] {
  const told: Evidence[] = [];
  const seconds = recorded.reduce((most, { durationNs }) => Math.max(most, durationNs), 0) / NS_PER_S;
  const sumOf = (of: (ledger: ProcessLedger) => number | undefined): number =>
    recorded.reduce((sum, ledger) => sum + (of(ledger) ?? 0), 0);
  const requests = sumOf(({ blockIo }) => blockIo?.count);
  if (wait === "disk" && requests > 0) {
    const each = sumOf(({ blockIo }) => blockIo?.ns) / requests;
    const bytes = sumOf(({ blockIo }) => blockIo?.bytes) / seconds;
    const text = `${service} asked disks for ${count(requests / seconds)} requests a second, ${count(bytes / 1e6)} MB a second, ${ms(each)} each`;
    told.push({ kind: "statistic", text, query: "longpole.process.block_io.duration, longpole.process.block_io.io" });
  }
  const faults = sumOf(({ majorFaults }) => majorFaults?.count);
  if (wait === "disk" && faults > 0) {
    const each = sumOf(({ majorFaults }) => majorFaults?.ns) / faults;
    const text = `${service} waits for ${count(faults / seconds)} pages of its memory a second to be read from a disk, ${ms(each)} each`;
    told.push({ kind: "statistic", text, query: "longpole.process.page_fault.duration" });
  }
  const lockShare = sumOf(({ kernelLocks }) => kernelLocks?.ns) / NS_PER_S / seconds;
  if (lockShare >= FELT) {
    const waits = count(sumOf(({ kernelLocks }) => kernelLocks?.count) / seconds);
    const text = `threads of ${service} wait for locks of the kernel itself ${ms(lockShare * NS_PER_S)} of each second, ${waits} times`;
    told.push({ kind: "statistic", text, query: "longpole.process.kernel_lock.duration" });
  }
  return told;
}

function nameOf(wait: Wait, service: string, recorded: readonly ProcessLedger[], all: WaitContext["recorded"]): Named {
  switch (wait) {
    case "runnable":
      return processorWait(service, recorded, all);
    case "throttled":
      return {
        mechanism: "cpu-throttled",
        resource: "quota",
        what: "is held back by its quota",
        cause: `threads of ${service} are held back for ${percent(kindShare(recorded, "throttled"))} of the time of its busiest thread`,
        subject: { setting: "cpu.max" },
        refutedBy: "no throttled periods in cpu.stat of its control group",
        remedy: "Raise the quota, or let fewer threads run at once.",
      };
    case "lock": {
      const call = callOf(recorded, /^futex|^flock$|^fcntl/);
      const what = recorded.flatMap(({ parts }) => parts.filter(({ kind }) => kind === "lock"))[0]?.what ?? "a lock";
      return {
        mechanism: "lock-contention",
        resource: "lock",
        what: "waits for a lock",
        cause: `${what} holds threads of ${service} up for ${percent(kindShare(recorded, "lock"))} of the time of its busiest thread${pathOf(call)}`,
        subject: subjectOf(call),
        refutedBy: "the same time with one request at a time",
        remedy:
          "Hold the lock for less, or split it, so that requests that have nothing to do with each other do not meet.",
      };
    }
    case "disk": {
      const sync = callOf(recorded, SYNC);
      const call = sync ?? callOf(recorded, /./);
      return {
        mechanism: sync === undefined ? "disk-saturated" : "fsync",
        resource: "disk",
        what: sync === undefined ? "waits for the disk" : `waits for the disk with ${sync.syscall}`,
        cause: `threads of ${service} wait for the disk for ${percent(kindShare(recorded, "disk"))} of the time of its busiest thread${pathOf(call)}`,
        subject: subjectOf(call),
        refutedBy: "the same time on a disk that has nothing else to do",
        remedy:
          sync === undefined
            ? "Keep what is read in memory, or move it to a faster disk."
            : "Sync once per batch or at an interval rather than each time, and off the thread that serves requests.",
      };
    }
  }
}

function processorWait(service: string, recorded: readonly ProcessLedger[], all: WaitContext["recorded"]): Named {
  const own = new Set([...all.values()].flatMap((ledgers) => ledgers.map(({ pid }) => pid)));
  let [total, foreign] = [0, 0];
  const names = new Map<string, number>();
  for (const { preemptedBy } of recorded) {
    for (const { pid, name, count } of preemptedBy) {
      total += count;
      if (own.has(pid)) continue;
      foreign += count;
      const who = `${name === "" ? "a process" : name} (pid ${pid})`;
      names.set(who, (names.get(who) ?? 0) + count);
    }
  }
  const [first] = [...names].sort((a, b) => b[1] - a[1]);
  const isNeighbour = total >= FEWEST && foreign / total >= BY_OTHERS && first !== undefined;
  const waits = `threads of ${service} are ready without a processor for ${percent(kindShare(recorded, "runnable"))} of the time of its busiest thread`;
  return {
    mechanism: isNeighbour ? "noisy-neighbour" : "run-queue",
    resource: "run-queue",
    what: "waits for a processor",
    cause: isNeighbour
      ? `${waits}; ${first[0]} got it in ${percent(first[1] / total)} of ${total.toLocaleString("en")} preemptions, processes outside of these traces in ${percent(foreign / total)}`
      : waits,
    refutedBy: "idle processors on its host at the same time",
    remedy: isNeighbour
      ? `Move ${first[0]} to another host or bind it to other processors, or give ${service} a greater weight.`
      : `Give the host of ${service} more processors, or run fewer processes on it.`,
  };
}

/** Share of its wall time that the thread with most of it spends on a kind, over all processes. */
function kindShare(recorded: readonly ProcessLedger[], kind: Wait): number {
  const shares = recorded.flatMap(({ threads }) =>
    threads
      .filter(({ wallNs }) => wallNs > 0)
      .map(({ times, wallNs }) =>
        times.reduce((sum, time) => sum + (time.kind === kind ? time.ns - time.idleNs : 0) / wallNs, 0),
      ),
  );
  return Math.max(0, ...shares);
}

/** The system call of these in which most time is waited. */
const callOf = (recorded: readonly ProcessLedger[], names: RegExp): SyscallRow | undefined =>
  recorded
    .flatMap(({ syscalls }) => syscalls)
    .filter(({ syscall, waitMs }) => names.test(syscall) && waitMs > 0)
    .toSorted((a, b) => b.waitMs - a.waitMs)[0];

/** Functions of a runtime, and code without names, are nothing that anybody could change. */
const NOT_OURS = /^$|^\[|\((?:node|java|python[\d.]*|ruby|perl|lib[\w.+-]+\.so[\d.]*)\)$/;

const subjectOf = (call: SyscallRow | undefined): NonNullable<Named["subject"]> =>
  call === undefined ? {} : { syscall: call.syscall, ...(NOT_OURS.test(call.frame) ? {} : { frame: call.frame }) };

const pathOf = (call: SyscallRow | undefined): string =>
  call === undefined || call.kernelPath.length === 0
    ? ""
    : `, in ${call.syscall} through ${call.kernelPath.join(" → ")}`;
