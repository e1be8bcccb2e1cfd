import { labelBytes, type Metric, type ResourceMetrics } from "../export/metric-points.ts";
import { SYSTEM } from "./metrics.ts";

/** The kernel counts in hundredths of a second towards programs, on all architectures that Node runs on (`USER_HZ`). */
export const TICKS_PER_SECOND = 100;
/** Of /proc/diskstats, whatever the disk's own sectors are. */
const SECTOR_BYTES = 512;

/** Order of proc(5); a guest's time is in the user's already. */
const CPU_MODES = ["user", "nice", "system", "idle", "iowait", "interrupt", "softirq", "steal"] as const;

/** Labels come again and again: each is made once. */
const made = new Map<string, Uint8Array>();
function labels(key: string, make: () => Readonly<Record<string, string | number>>): Uint8Array {
  let held = made.get(key);
  if (held === undefined) made.set(key, (held = labelBytes(make())));
  return held;
}

const one = (name: string, value: string): Uint8Array => labels(`${name}=${value}`, () => ({ [name]: value }));

/** /proc/stat: the time of each processor by mode, threads that run or wait for a disk, switches and forks. */
export function addStat(into: ResourceMetrics, text: string): void {
  let processors = 0;
  for (const [, core, counts] of text.matchAll(/^cpu(\d+) +(.*)$/gm)) {
    processors++;
    const ticks = counts!.split(" ");
    CPU_MODES.forEach((mode, i) =>
      into.add(
        SYSTEM.cpuTime,
        Number(ticks[i] ?? Number.NaN) / TICKS_PER_SECOND,
        labels(`cpu${core}${mode}`, () => ({ "cpu.logical_number": Number(core), "cpu.mode": mode })),
      ),
    );
  }
  into.add(SYSTEM.cpuCount, processors);
  into.add(SYSTEM.switches, numberAfter(text, "ctxt"));
  into.add(SYSTEM.forks, numberAfter(text, "processes"));
  into.add(SYSTEM.running, numberAfter(text, "procs_running"));
  into.add(SYSTEM.blocked, numberAfter(text, "procs_blocked"));
}

/** When the machine started, nanoseconds since 1970; 0 where /proc/stat does not say. */
export const bootUnixNs = (stat: string): bigint => BigInt(numberAfter(stat, "btime") || 0) * 1_000_000_000n;

/** /proc/loadavg. */
export function addLoad(into: ResourceMetrics, text: string): void {
  into.add(SYSTEM.load1m, Number.parseFloat(text));
}

/** /proc/meminfo: as free(1) tells it, used is what nobody could have without somebody's loss. */
export function addMemory(into: ResourceMetrics, text: string): void {
  const bytes = (name: string): number => numberAfter(text, `${name}:`) * 1024;
  const [total, free, buffers] = [bytes("MemTotal"), bytes("MemFree"), bytes("Buffers")];
  const cached = bytes("Cached") + bytes("SReclaimable");
  const available = bytes("MemAvailable");
  const used = Number.isFinite(available) ? total - available : total - free - buffers - cached;
  into.add(SYSTEM.memoryLimit, total);
  into.add(SYSTEM.memoryAvailable, available);
  for (const [state, value] of [
    ["used", used],
    ["free", free],
    ["buffers", buffers],
    ["cached", cached],
  ] as const)
    into.add(SYSTEM.memoryUsage, value, one("system.memory.state", state));
  into.add(SYSTEM.memoryUtilization, used / total, one("system.memory.state", "used"));
  const [swap, swapFree] = [bytes("SwapTotal"), bytes("SwapFree")];
  if (!(swap > 0)) return;
  into.add(SYSTEM.pagingUsage, swap - swapFree, one("system.paging.state", "used"));
  into.add(SYSTEM.pagingUsage, swapFree, one("system.paging.state", "free"));
  into.add(SYSTEM.pagingUtilization, (swap - swapFree) / swap, one("system.paging.state", "used"));
}

/** /proc/vmstat: faults, swapping, processes that were ended for want of memory. */
export function addVmstat(into: ResourceMetrics, text: string): void {
  const major = numberAfter(text, "pgmajfault");
  into.add(SYSTEM.pagingFaults, major, one("system.paging.type", "major"));
  into.add(SYSTEM.pagingFaults, numberAfter(text, "pgfault") - major, one("system.paging.type", "minor"));
  into.add(SYSTEM.pagingOperations, numberAfter(text, "pswpin"), one("system.paging.direction", "in"));
  into.add(SYSTEM.pagingOperations, numberAfter(text, "pswpout"), one("system.paging.direction", "out"));
  into.add(SYSTEM.oomKills, numberAfter(text, "oom_kill"));
}

/** /proc/diskstats; partitions, mapped and stacked devices, and devices that were never used are left out: their disks count the same. */
export function addDisks(into: ResourceMetrics, text: string): void {
  for (const line of text.split("\n")) {
    const [, , device = "", ...counts] = line.trim().split(/\s+/);
    const [reads, , sectorsRead, readMs, writes, , sectorsWritten, writeMs, , busyMs] = counts.map(Number);
    if (writeMs === undefined || reads! + writes! === 0) continue;
    if (/^(?:loop|ram|zram|dm-|md|sr|fd)\d|^(?:sd|vd|hd|xvd)[a-z]+\d+$|^(?:nvme|mmcblk).*p\d+$/.test(device)) continue;
    const of = (direction: string): Uint8Array =>
      labels(`disk ${device} ${direction}`, () => ({ "system.device": device, "disk.io.direction": direction }));
    into.add(SYSTEM.diskIo, sectorsRead! * SECTOR_BYTES, of("read"));
    into.add(SYSTEM.diskIo, sectorsWritten! * SECTOR_BYTES, of("write"));
    into.add(SYSTEM.diskOperations, reads, of("read"));
    into.add(SYSTEM.diskOperations, writes, of("write"));
    into.add(SYSTEM.diskOperationTime, readMs! / 1000, of("read"));
    into.add(SYSTEM.diskOperationTime, writeMs / 1000, of("write"));
    into.add(SYSTEM.diskIoTime, busyMs! / 1000, one("system.device", device));
  }
}

/** /proc/net/dev; the loopback is no network. */
export function addNetwork(into: ResourceMetrics, text: string): void {
  for (const [, card, counts] of text.matchAll(/^\s*([^\s:]+):\s*(\d.*)$/gm)) {
    if (card === "lo") continue;
    const [received, , receiveErrors, receiveDrops, , , , , sent, , sendErrors, sendDrops] = counts!
      .split(/\s+/)
      .map(Number);
    const of = (direction: string): Uint8Array =>
      labels(`net ${card} ${direction}`, () => ({
        "network.interface.name": card!,
        "network.io.direction": direction,
      }));
    into.add(SYSTEM.networkIo, received, of("receive"));
    into.add(SYSTEM.networkIo, sent, of("transmit"));
    into.add(SYSTEM.networkErrors, receiveErrors, of("receive"));
    into.add(SYSTEM.networkErrors, sendErrors, of("transmit"));
    into.add(SYSTEM.networkDropped, receiveDrops, of("receive"));
    into.add(SYSTEM.networkDropped, sendDrops, of("transmit"));
  }
}

/** /proc/net/netstat and /proc/net/snmp: a line of names and a line of numbers for each protocol. */
export function addTcp(into: ResourceMetrics, netstat: string, snmp: string): void {
  const extended = pairedLines(netstat, "TcpExt:");
  const plain = pairedLines(snmp, "Tcp:");
  into.add(SYSTEM.listenOverflows, extended.get("ListenOverflows"));
  into.add(SYSTEM.listenDrops, extended.get("ListenDrops"));
  into.add(SYSTEM.tcpSent, plain.get("OutSegs"));
  into.add(SYSTEM.tcpRetransmits, plain.get("RetransSegs"));
}

function pairedLines(text: string, protocol: string): ReadonlyMap<string, number> {
  const [names = "", numbers = ""] = text.split("\n").filter((line) => line.startsWith(`${protocol} `));
  const values = numbers.split(" ");
  return new Map(names.split(" ").map((name, i) => [name, Number(values[i] ?? Number.NaN)]));
}

/** /proc/net/sockstat. */
export function addSockets(into: ResourceMetrics, text: string): void {
  const tcp = /^TCP: (.*)$/m.exec(text)?.[1]?.split(" ") ?? [];
  const of = (name: string): number => Number(tcp[tcp.indexOf(name) + 1] ?? Number.NaN);
  const state = (name: string): Uint8Array => one("network.connection.state", name);
  if (tcp.length === 0) return;
  into.add(SYSTEM.connections, of("inuse"), state("in_use"));
  into.add(SYSTEM.connections, of("tw"), state("time_wait"));
  into.add(SYSTEM.connections, of("orphan"), state("orphan"));
}

/** /proc/net/softnet_stat: a line for each processor, hexadecimal. */
export function addSoftnet(into: ResourceMetrics, text: string): void {
  let [dropped, squeezed] = [0, 0];
  for (const line of text.trim().split("\n")) {
    const [, drops = "", squeezes = ""] = line.split(/\s+/);
    dropped += Number.parseInt(drops, 16);
    squeezed += Number.parseInt(squeezes, 16);
  }
  into.add(SYSTEM.softnetDropped, dropped);
  into.add(SYSTEM.softnetSqueezed, squeezed);
}

/** /proc/sys/fs/file-nr: in use, free (always 0 since 2.6), most. */
export function addFiles(into: ResourceMetrics, text: string): void {
  const [open, free, most] = text.trim().split(/\s+/).map(Number);
  into.add(SYSTEM.filesOpen, open! - (free ?? 0));
  // 2^63 - 1 says that there is no limit.
  if (most !== undefined && most < 2 ** 53) into.add(SYSTEM.filesMax, most);
}

export type Pressured = "cpu" | "memory" | "io";

/** /proc/pressure/* and the files of cgroups that are alike: how long some and all threads stood still. */
export function addPressure(into: ResourceMetrics, metric: Metric, resource: Pressured, text: string): void {
  for (const [, share, micros] of text.matchAll(/^(some|full) .*total=(\d+)$/gm))
    into.add(
      metric,
      Number(micros) / 1e6,
      labels(`pressure ${resource} ${share}`, () => ({
        "linux.pressure.resource": resource,
        "linux.pressure.share": share!,
      })),
    );
}

/** The number behind a word at the beginning of a line, blanks or a tab between them; NaN where the word is not there. */
export function numberAfter(text: string, word: string): number {
  for (let at = text.indexOf(word); at >= 0; at = text.indexOf(word, at + 1)) {
    const after = at + word.length;
    const next = text.charCodeAt(after);
    if ((next === BLANK || next === TAB) && (at === 0 || text.charCodeAt(at - 1) === NEWLINE))
      return Number.parseInt(text.slice(after, after + 32), 10);
  }
  return Number.NaN;
}

const [TAB, NEWLINE, BLANK] = [9, 10, 32];
