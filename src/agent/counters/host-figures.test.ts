import { describe, expect, test } from "vitest";
import { OtlpMetricDecoder } from "../../formats/otlp-metrics-protobuf.ts";
import { attributeText, type AttributeTable } from "../../model/attribute-table.ts";
import { Intake } from "../../model/intake.ts";
import { MetricTableBuilder } from "../../model/metric-table-builder.ts";
import { assertMetricTable, type MetricTable } from "../../model/metric-table.ts";
import { MetricBatch, scopeBytes } from "../export/metric-batch.ts";
import { resourceBytes, type ResourceMetrics } from "../export/metric-points.ts";
import {
  addDisks,
  addFiles,
  addMemory,
  addNetwork,
  addPressure,
  addSockets,
  addSoftnet,
  addStat,
  addTcp,
  addVmstat,
  bootUnixNs,
  numberAfter,
} from "./host-figures.ts";
import { mounts } from "./host-files.ts";
import { CONTAINER, PROCESS, SYSTEM } from "./metrics.ts";
import { parseStat } from "./process-table.ts";

/** What was added, as the decoder of the server reads it: "name{labels}" → value. */
function sent(fill: (into: ResourceMetrics) => void): Record<string, number> {
  const batch = new MetricBatch(2_000_000_000_000_000_005n, scopeBytes("test", "1"));
  batch.resource(resourceBytes({ "host.name": "a" }), 1_999_000_000_000_000_000n, fill);
  const builder = new MetricTableBuilder();
  const bytes = batch.finish();
  new OtlpMetricDecoder(builder, new Intake(), "batch").request(bytes, 0, bytes.length, 0);
  const { table } = builder.finish();
  assertMetricTable(table);
  const values: Record<string, number> = {};
  table.points.series.forEach((series, row) => {
    const labels = textOf(table, table.labels, table.labelSet[series]!);
    values[`${table.strings.get(table.name[series]!)}${labels === "" ? "" : `{${labels}}`}`] = table.points.value[row]!;
  });
  expect(table.points.rowCount).toBe(batch.points);
  return values;
}

function textOf({ strings }: MetricTable, lists: AttributeTable, list: number): string {
  const rows = Array.from(
    { length: lists.listStart[list + 1]! - lists.listStart[list]! },
    (_, i) => lists.listStart[list]! + i,
  );
  return rows.map((row) => attributeText(lists, strings, row)).join(",");
}

test("/proc/stat: hundredths of a second of each processor", () => {
  const text = `cpu  30 3 12 500 7 0 3 1 0 0
cpu0 10 1 4 200 3 0 1 1 0 0
cpu1 20 2 8 300 4 0 2 0 0 0
intr 12 0 0
ctxt 4711
btime 1790000000
processes 99
procs_running 3
procs_blocked 1
`;
  const values = sent((into) => addStat(into, text));
  expect(values["system.cpu.time{0,user}"]).toBe(0.1);
  expect(values["system.cpu.time{1,idle}"]).toBe(3);
  expect(values["system.cpu.time{1,iowait}"]).toBe(0.04);
  expect(values).toMatchObject({
    "system.cpu.logical.count": 2,
    "system.linux.context_switches": 4711,
    "system.process.created": 99,
    "system.linux.threads.running": 3,
    "system.linux.threads.blocked": 1,
  });
  expect(bootUnixNs(text)).toBe(1_790_000_000_000_000_000n);
  expect(bootUnixNs("")).toBe(0n);
});

test("memory: used is what is not available; swap is told where there is some", () => {
  const text =
    "MemTotal:  1000 kB\nMemFree:  100 kB\nMemAvailable:  600 kB\nBuffers:  50 kB\nCached:  300 kB\nSReclaimable:  20 kB\nSwapTotal:  200 kB\nSwapFree:  150 kB\n";
  expect(sent((into) => addMemory(into, text))).toMatchObject({
    "system.memory.limit": 1_024_000,
    "system.memory.usage{used}": 409_600,
    "system.memory.usage{cached}": 327_680,
    "system.memory.utilization{used}": 0.4,
    "system.paging.utilization{used}": 0.25,
  });
  expect(
    Object.keys(sent((into) => addMemory(into, text.replace("SwapTotal:  200", "SwapTotal:  0")))).join(),
  ).not.toContain("paging");
});

test("/proc/vmstat: a word that begins another is not it", () => {
  const values = sent((into) => addVmstat(into, "pgfault 100\npgmajfault 7\npswpin 1\npswpout 2\noom_kill 3\n"));
  expect(values).toEqual({
    "system.paging.faults{major}": 7,
    "system.paging.faults{minor}": 93,
    "system.paging.operations{in}": 1,
    "system.paging.operations{out}": 2,
    "system.linux.memory.oom_kills": 3,
  });
});

test("disks: sectors of 512 bytes; partitions and devices that were never used are left out", () => {
  const text = `   8       0 sda 10 0 16 5 20 0 32 6 0 9 11
   8       1 sda1 10 0 16 5 20 0 32 6 0 9 11
 253       0 vda 0 0 0 0 0 0 0 0 0 0 0
 259       0 nvme0n1 1 0 2 3 4 0 5 6 0 7 9 0 0 0 0
 259       1 nvme0n1p1 1 0 2 3 4 0 5 6 0 7 9 0 0 0 0
   7       0 loop0 5 0 2 3 4 0 5 6 0 7 9
`;
  const values = sent((into) => addDisks(into, text));
  expect(values).toMatchObject({
    "system.disk.io{sda,read}": 8192,
    "system.disk.io{sda,write}": 16_384,
    "system.disk.operations{sda,write}": 20,
    "system.disk.operation_time{sda,write}": 0.006,
    "system.disk.io_time{sda}": 0.009,
    "system.disk.io_time{nvme0n1}": 0.007,
  });
  expect(Object.keys(values).join()).not.toMatch(/sda1|vda|p1|loop/);
});

test("the network, without the loopback", () => {
  const text = `Inter-|   Receive                                                |  Transmit
 face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed
    lo:     999       1    0    0    0     0          0         0      999       1    0    0    0     0       0          0
  eth0:1000 10 1 2 0 0 0 0 2000 20 3 4 0 0 0 0
`;
  expect(sent((into) => addNetwork(into, text))).toEqual({
    "system.network.io{eth0,receive}": 1000,
    "system.network.io{eth0,transmit}": 2000,
    "system.network.errors{eth0,receive}": 1,
    "system.network.errors{eth0,transmit}": 3,
    "system.network.packet.dropped{eth0,receive}": 2,
    "system.network.packet.dropped{eth0,transmit}": 4,
  });
});

test("TCP by names, in whatever order a kernel has them; sockets, the network's softirq, files, pressure", () => {
  const netstat = "TcpExt: SyncookiesSent ListenOverflows ListenDrops\nTcpExt: 1 20 21\nIpExt: InNoRoutes\nIpExt: 0\n";
  const snmp = "Ip: Forwarding\nIp: 1\nTcp: RtoAlgorithm OutSegs RetransSegs\nTcp: 1 500 5\n";
  expect(sent((into) => addTcp(into, netstat, snmp))).toEqual({
    "system.linux.tcp.listen_overflows": 20,
    "system.linux.tcp.listen_drops": 21,
    "system.linux.tcp.segments.sent": 500,
    "system.linux.tcp.retransmits": 5,
  });
  expect(sent((into) => addTcp(into, "", ""))).toEqual({});
  const sockstat = "sockets: used 300\nTCP: inuse 12 orphan 1 tw 345 alloc 20 mem 3\nUDP: inuse 2 mem 1\n";
  expect(sent((into) => addSockets(into, sockstat))).toEqual({
    "system.network.connection.count{in_use}": 12,
    "system.network.connection.count{time_wait}": 345,
    "system.network.connection.count{orphan}": 1,
  });
  expect(sent((into) => addSoftnet(into, "0000abcd 00000002 0000000a 0\n00000001 00000001 00000001 0\n"))).toEqual({
    "system.linux.softnet.dropped": 3,
    "system.linux.softnet.squeezed": 11,
  });
  expect(sent((into) => addFiles(into, "1234\t0\t9223372036854775807\n"))).toEqual({ "system.linux.files.open": 1234 });
  const pressure =
    "some avg10=0.00 avg60=0.00 avg300=0.00 total=1500000\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=250000\n";
  expect(sent((into) => addPressure(into, SYSTEM.pressure, "io", pressure))).toEqual({
    "system.linux.pressure.stall_time{io,some}": 1.5,
    "system.linux.pressure.stall_time{io,full}": 0.25,
  });
});

describe("the pieces", () => {
  test("numbers behind words", () => {
    expect(numberAfter("VmRSS:\t  42 kB\nVmSwap:\t0 kB", "VmRSS:")).toBe(42);
    expect(numberAfter("nonvoluntary_ctxt_switches:\t3\nvoluntary_ctxt_switches:\t5", "voluntary_ctxt_switches:")).toBe(
      5,
    );
    expect(numberAfter("pgfaults 3", "pgfault")).toBeNaN();
    expect(numberAfter("", "x")).toBeNaN();
  });

  test("a process may be called anything", () => {
    const tail = "S 1 1 1 0 -1 4194560 11 0 22 0 33 44 0 0 20 0 7 0 555 6000 70 18446744073709551615";
    expect(parseStat(Buffer.from(`12 (a) b (c)) ${tail}`))).toMatchObject({
      name: "a) b (c)",
      parent: 1,
      isKernel: false,
      minorFaults: 11,
      majorFaults: 22,
      userTicks: 33,
      systemTicks: 44,
      threads: 7,
      startTicks: 555,
      virtualBytes: 6000,
      residentPages: 70,
    });
    expect(parseStat(Buffer.from(`2 (kthreadd) ${tail.replace("4194560", "2129984")}`))?.isKernel).toBe(true);
    for (const none of ["", "12 (sh) S 1", "12 (sh", `12 (sh) ${tail.replace("4194560", "-")}`, "12 sh S 1 1 1"])
      expect(parseStat(Buffer.from(none))).toBeUndefined();
    // What stands behind it in the same room is another file's.
    expect(parseStat(Buffer.from(`12 (sh) ${tail} (old) 3`), `12 (sh) ${tail}`.length)?.name).toBe("sh");
    expect(parseStat(Buffer.from(`12 (sh) S 1 1 1 0 -1 4194560 11${tail}`), 30)).toBeUndefined();
  });

  test("local disks once each, by their first place", () => {
    const text = `overlay / overlay rw 0 0
/dev/vda1 /srv/my\\040data ext4 rw 0 0
/dev/vda1 /var/bind ext4 rw 0 0
server:/x /mnt nfs4 rw 0 0
tmpfs /tmp tmpfs rw 0 0
overlay /var/lib/docker/overlay2/a/merged overlay rw 0 0
`;
    expect(mounts(text).map(({ point }) => point)).toEqual(["/", "/srv/my data"]);
  });

  test("no name stands for two metrics", () => {
    const names = [...Object.values(SYSTEM), ...Object.values(PROCESS), ...Object.values(CONTAINER)].map(
      ({ name }) => name,
    );
    expect(new Set(names).size).toBe(names.length);
  });
});

test("what is not known is left out, and a resource of which nothing is known", () => {
  expect(sent((into) => into.add(PROCESS.memoryUsage, Number.NaN))).toEqual({});
  expect(sent((into) => into.add(PROCESS.cpuTime, -1))).toEqual({});
});
