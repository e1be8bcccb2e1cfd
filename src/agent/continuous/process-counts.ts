import { readlinkSync } from "node:fs";
import { basename } from "node:path";
import { HOST, PROCESS } from "../counters/metrics.ts";
import {
  distributionLabelBytes,
  labelBytes,
  type AttributeBytes,
  type Distribution,
  type Metric,
  type ResourceMetrics,
} from "../export/metric-points.ts";
import { COUNT_FIRST_NS, COUNT_SLOTS, CountKind, type CountRecord } from "../probe-stream.ts";

/** Probes that count together, and are given up together. */
export type CountGroup = "page faults" | "kernel locks" | "TCP" | "block I/O";

/** Seconds; the last slot has no end. */
const BOUNDS: readonly number[] = Array.from({ length: COUNT_SLOTS - 1 }, (_, i) => (COUNT_FIRST_NS * 2 ** i) / 1e9);

const DIRECTIONS: Readonly<Record<number, string>> = {
  [CountKind.blockRead]: "read",
  [CountKind.blockWrite]: "write",
  [CountKind.blockFlush]: "flush",
  [CountKind.blockDiscard]: "discard",
};

/** How often something happened, how long it took and how much it moved. */
interface Amounts {
  count: number;
  ns: number;
  bytes: number;
  readonly slots: number[];
}

interface Entry extends Amounts {
  readonly kind: number;
  readonly which: number;
  /** when it was known that nothing of it had happened yet */
  readonly sinceUnixNs: bigint;
}

/**
 * What the probes count of each process, and of the machine's disks, as the helper tells it at each tick. What a process did is
 * known until the tick after its end; in the sums of the machine it stays.
 */
export class ProcessCounts {
  private readonly processes = new Map<number, Map<string, Entry>>();
  private readonly disks = new Map<string, Entry>();
  private roundTrips = new Map<number, CountRecord>();
  private nextRoundTrips = new Map<number, CountRecord>();
  private readonly deviceNames = new Map<number, string>();
  private readonly labels = new Map<string, AttributeBytes>();
  private sinceUnixNs = 0n;
  private tickUnixNs = 0n;

  /** When the helper began to count. */
  begin(unixNs: bigint): void {
    this.sinceUnixNs = unixNs;
    this.tickUnixNs = unixNs;
  }

  take(record: CountRecord): void {
    const { tgid, kind, which, isLast } = record;
    if (kind === CountKind.roundTrip) {
      this.nextRoundTrips.set(tgid, record);
      return;
    }
    const key = `${kind} ${which}`;
    let entries = this.processes.get(tgid);
    if (entries === undefined) this.processes.set(tgid, (entries = new Map()));
    const before = entries.get(key);
    const { count, ns, bytes } = record;
    const slots = grown(before?.slots, record.slots);
    if (kind in DIRECTIONS) this.addToDisk(key, { ...record, slots }, before);
    const sinceUnixNs = before?.sinceUnixNs ?? this.tickUnixNs;
    if (!isLast) entries.set(key, { kind, which, sinceUnixNs, count, ns, bytes, slots });
    else entries.delete(key);
    if (entries.size === 0) this.processes.delete(tgid);
  }

  /** All of a tick were told; it was taken then. */
  tick(unixNs: bigint): void {
    this.tickUnixNs = unixNs;
    // A process that had connections has none now, which is known as well.
    const had = [...this.roundTrips.values()].filter(({ tgid }) => !this.nextRoundTrips.has(tgid));
    for (const one of had) if (one.count > 0) this.nextRoundTrips.set(one.tgid, { ...one, count: 0, ns: 0 });
    this.roundTrips = this.nextRoundTrips;
    this.nextRoundTrips = new Map();
  }

  /** What is known of a process; nothing of groups that were given up. */
  addProcess(into: ResourceMetrics, pid: number, given: ReadonlySet<CountGroup>): void {
    for (const entry of this.processes.get(pid)?.values() ?? []) {
      const { kind, count, sinceUnixNs } = entry;
      if (given.has(groupOf(kind))) continue;
      if (kind in DIRECTIONS) this.addBlockIo(into, entry, PROCESS.blockIo, PROCESS.blockDuration);
      else if (kind === CountKind.connect || kind === CountKind.connectFailed) {
        const outcome = { "longpole.tcp.outcome": kind === CountKind.connect ? "connected" : "failed" };
        const labels = this.labelsOf(`connect ${kind}`, () => distributionLabelBytes(outcome));
        into.addDistribution(PROCESS.connectDuration, distributionOf(entry), labels, sinceUnixNs);
      } else if (kind === CountKind.retransmit) into.add(PROCESS.tcpRetransmits, count, undefined, sinceUnixNs);
      else if (kind === CountKind.resetSent || kind === CountKind.resetReceived) {
        const direction = { "network.io.direction": kind === CountKind.resetSent ? "transmit" : "receive" };
        const labels = this.labelsOf(`reset ${kind}`, () => labelBytes(direction));
        into.add(PROCESS.tcpResets, count, labels, sinceUnixNs);
      } else if (kind === CountKind.kernelLock)
        into.addDistribution(PROCESS.kernelLockDuration, distributionOf(entry), NO_LABELS, sinceUnixNs);
      else if (kind === CountKind.minorFault || kind === CountKind.majorFault) {
        const type = { "system.paging.type": kind === CountKind.minorFault ? "minor" : "major" };
        const labels = this.labelsOf(`fault ${kind}`, () => distributionLabelBytes(type));
        into.addDistribution(PROCESS.faultDuration, distributionOf(entry), labels, sinceUnixNs);
      }
    }
    const open = given.has("TCP") ? undefined : this.roundTrips.get(pid);
    if (open === undefined) return;
    into.add(PROCESS.tcpOpen, open.count);
    into.add(PROCESS.tcpRoundTrip, open.count > 0 ? open.ns / open.count / 1e9 : undefined);
  }

  /** Of the machine's disks: of all processes and of the kernel itself. */
  addHost(into: ResourceMetrics): void {
    for (const entry of this.disks.values()) this.addBlockIo(into, entry, HOST.blockIo, HOST.blockDuration);
  }

  private addBlockIo(into: ResourceMetrics, entry: Entry, io: Metric, duration: Metric): void {
    const { kind, which, bytes, sinceUnixNs } = entry;
    const attributes = { "system.device": this.deviceName(which), "disk.io.direction": DIRECTIONS[kind]! };
    const key = `${kind} ${which}`;
    const labels = this.labelsOf(`duration ${key}`, () => distributionLabelBytes(attributes));
    into.addDistribution(duration, distributionOf(entry), labels, sinceUnixNs);
    if (kind !== CountKind.blockRead && kind !== CountKind.blockWrite) return;
    into.add(
      io,
      bytes,
      this.labelsOf(`io ${key}`, () => labelBytes(attributes)),
      sinceUnixNs,
    );
  }

  private addToDisk(key: string, record: CountRecord, before: Amounts | undefined): void {
    const { kind, which } = record;
    let disk = this.disks.get(key);
    if (disk === undefined) {
      const nothing: Amounts = { count: 0, ns: 0, bytes: 0, slots: record.slots.map(() => 0) };
      this.disks.set(key, (disk = { kind, which, sinceUnixNs: this.sinceUnixNs, ...nothing }));
    }
    disk.count += record.count - (before?.count ?? 0);
    disk.ns += record.ns - (before?.ns ?? 0);
    disk.bytes += record.bytes - (before?.bytes ?? 0);
    for (const [slot, count] of record.slots.entries()) disk.slots[slot]! += count - (before?.slots[slot] ?? 0);
  }

  /** As /proc/diskstats names it; by its numbers where the kernel does not tell. */
  private deviceName(which: number): string {
    let name = this.deviceNames.get(which);
    if (name !== undefined) return name;
    const numbers = `${which >>> 20}:${which & 0xfffff}`;
    try {
      name = basename(readlinkSync(`/sys/dev/block/${numbers}`));
    } catch {
      // A file of /sys that is not there, in a container for one.
      name = numbers;
    }
    this.deviceNames.set(which, name);
    return name;
  }

  private labelsOf(key: string, make: () => AttributeBytes): AttributeBytes {
    let labels = this.labels.get(key);
    if (labels === undefined) this.labels.set(key, (labels = make()));
    return labels;
  }
}

const NO_LABELS = distributionLabelBytes({});

function groupOf(kind: number): CountGroup {
  if (kind in DIRECTIONS) return "block I/O";
  if (kind === CountKind.minorFault || kind === CountKind.majorFault) return "page faults";
  return kind === CountKind.kernelLock ? "kernel locks" : "TCP";
}

/**
 * The kernel counts slots in 32 bits, which a program that touches new memory all the time fills within hours: they go on from
 * what was held.
 */
const grown = (held: readonly number[] | undefined, told: readonly number[]): number[] =>
  held === undefined ? [...told] : held.map((count, slot) => count + ((told[slot]! - count) >>> 0));

const distributionOf = ({ count, ns, slots }: Amounts): Distribution => ({
  count,
  sum: ns / 1e9,
  bounds: BOUNDS,
  counts: slots,
});
