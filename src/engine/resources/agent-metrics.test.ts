import { describe, expect, test } from "vitest";
import { metricTableOf, type SeriesObject } from "../../testing/metric-table.ts";
import { furtherUse } from "./further-use.ts";
import { readMeasures } from "./read-measures.ts";
import { resourceReadings } from "./readings.ts";
import { byService, meanOf, valuesOf } from "./service-measures.ts";
import { resourceSamples } from "./use-table.ts";

/*
 * Metrics as the agent on a host sends them (src/agent/counters/metrics.ts): what they are to the diagnosis.
 */

const WINDOWS = 12;
const host = { "host.name": "vm", "host.id": "1" };
const orders = { ...host, "service.name": "orders", "process.pid": "12", "process.executable.name": "node" };
const scope = "longpole.agent";

const level = (
  name: string,
  unit: string,
  value: number,
  resource: Record<string, string>,
  labels = {},
): SeriesObject => ({
  name,
  unit,
  kind: "gauge",
  scope,
  resource,
  labels,
  points: Array.from({ length: WINDOWS }, (_, i) => [10 * i, value] as const),
});
const amount = (...of: Parameters<typeof level>): SeriesObject => ({
  ...level(...of),
  kind: "sum",
  temporality: "cumulative",
  monotonic: false,
});
const counter = (
  name: string,
  unit: string,
  perSecond: number,
  resource: Record<string, string>,
  labels = {},
): SeriesObject => ({
  ...level(name, unit, 0, resource, labels),
  kind: "sum",
  temporality: "cumulative",
  monotonic: true,
  points: Array.from({ length: WINDOWS }, (_, i) => [10 * i, 500 + 10 * i * perSecond] as const),
});

/** Two processors of which three quarters of one are busy, and a process that uses 0.6 of one. */
const MACHINE: readonly SeriesObject[] = [0, 1].flatMap((processor) => [
  counter("system.cpu.time", "s", 0.375, host, { "cpu.logical_number": processor, "cpu.mode": "user" }),
  counter("system.cpu.time", "s", 0.6, host, { "cpu.logical_number": processor, "cpu.mode": "idle" }),
  counter("system.cpu.time", "s", 0.025, host, { "cpu.logical_number": processor, "cpu.mode": "iowait" }),
]);
const PROCESS: readonly SeriesObject[] = [
  counter("process.cpu.time", "s", 0.4, orders, { "cpu.mode": "user" }),
  counter("process.cpu.time", "s", 0.2, orders, { "cpu.mode": "system" }),
];

const servicesOf = (...series: readonly SeriesObject[]) => byService(readMeasures(metricTableOf(...series)));

describe("what the agent sends", () => {
  test("processors of the machine, and the part of a service: what ceilings are made of", () => {
    const { hosts = [] } = resourceSamples(readMeasures(metricTableOf(...MACHINE, ...PROCESS)));
    expect(hosts.map(({ host: name, cores }) => [name, cores])).toEqual([["vm", 2]]);
    expect(meanOf(hosts[0]!.busy)).toBeCloseTo(0.75, 6);
    expect(meanOf(hosts[0]!.byService.get("orders"))).toBeCloseTo(0.6, 6);
  });

  test("what threads wait for a processor, the first one apart", () => {
    const waits = servicesOf(
      counter("process.linux.cpu.wait_time", "s", 0.2, orders, { "longpole.thread": "main" }),
      counter("process.linux.cpu.wait_time", "s", 0.7, orders, { "longpole.thread": "other" }),
    );
    const of = (name: string) => waits.services.get("orders")!.find(({ measure }) => measure === name)!.values;
    expect(meanOf(of("runnable-main"))).toBeCloseTo(0.2, 6);
    expect(meanOf(of("runnable-others"))).toBeCloseTo(0.7, 6);
  });

  test("a quota that stops it, and its limit", () => {
    const group = { ...host, "service.name": "orders", "longpole.cgroup.path": "/orders" };
    const readings = resourceReadings(
      servicesOf(
        ...PROCESS,
        amount("container.cpu.limit", "{cpu}", 0.8, group),
        counter("container.cpu.throttling_data.periods", "{period}", 10, group),
        counter("container.cpu.throttling_data.throttled_periods", "{period}", 3, group),
        counter("container.cpu.throttling_data.throttled_time", "s", 0.1, group),
      ),
    );
    const of = (resource: string) => readings.find((one) => one.service === "orders" && one.resource === resource);
    expect(meanOf(of("quota")!.utilisation)).toBeCloseTo(0.3, 6);
    // 0.6 cores of 0.8.
    expect(meanOf(of("cpu")!.utilisation)).toBeCloseTo(0.75, 6);
  });

  test("descriptors, the listen queue, memory, swap, ports and disks in the USE table", () => {
    const uses = furtherUse(
      servicesOf(
        ...MACHINE,
        amount("process.unix.file_descriptor.count", "{file_descriptor}", 900, orders),
        amount("process.unix.file_descriptor.limit", "{file_descriptor}", 1000, orders),
        level("system.cpu.load_average.1m", "{thread}", 3, host),
        level("system.memory.utilization", "1", 0.7, host, { "system.memory.state": "used" }),
        level("system.paging.utilization", "1", 0.2, host, { "system.paging.state": "used" }),
        counter("system.linux.tcp.listen_overflows", "{connection}", 2, host),
        amount("system.network.connection.count", "{connection}", 14_116, host, {
          "network.connection.state": "time_wait",
        }),
        level("system.filesystem.utilization", "1", 0.5, host, {
          "system.filesystem.mountpoint": "/data",
          "system.filesystem.state": "used",
        }),
      ),
    );
    const use = Object.fromEntries(
      uses.map(({ service, resource, utilisation }) => [
        `${service} ${resource}`,
        Math.round(1e6 * meanOf(utilisation)) / 1e6,
      ]),
    );
    expect(use).toMatchObject({
      "orders fds": 0.9,
      "vm run-queue": 1.5,
      "vm memory": 0.7,
      "vm swap": 0.2,
      "vm accept-queue": 1,
      "vm ports": 0.5,
      "vm disk-space:/data": 0.5,
    });
  });

  test("what the agent says of itself is nothing of the machine's", () => {
    const own = { ...host, "service.name": "longpole-agent" };
    const { services, hosts } = servicesOf(
      level("longpole.agent.cpu.utilization", "1", 0.9, own),
      level("longpole.agent.memory.usage", "By", 1e8, own),
      level("longpole.agent.queue.size", "By", 1e8, own),
      amount("system.cpu.logical.count", "{cpu}", 2, host),
      counter("longpole.process.time", "s", 0.6, orders, { "longpole.time.kind": "cpu", "longpole.thread": "main" }),
    );
    expect([...services.keys(), ...hosts.keys()]).toEqual([]);
  });
});

test("what a service tells of itself is not counted twice, whatever the instances are called", () => {
  const sdk = { "service.name": "orders", "service.instance.id": "627cc493", "host.name": "a container" };
  const { services } = servicesOf(
    ...PROCESS,
    { ...counter("process.cpu.time", "s", 0.55, sdk, { "process.cpu.state": "user" }), scope: "host-metrics" },
    amount("process.unix.file_descriptor.count", "{file_descriptor}", 20, orders),
  );
  expect(meanOf(valuesOf(services.get("orders"), "cpu-used"))).toBeCloseTo(0.55, 6);
  // What only the agent tells stays.
  expect(meanOf(valuesOf(services.get("orders"), "fds-used"))).toBe(20);
});
