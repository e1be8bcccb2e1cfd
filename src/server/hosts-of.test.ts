import { expect, test } from "vitest";
import { metricTableOf, type SeriesObject } from "../testing/metric-table.ts";
import { hostsOf } from "./hosts-of.ts";

const BASE = 1_790_000_000n * 1_000_000_000n;
const atSeconds = (seconds: number): bigint => BASE + BigInt(seconds) * 1_000_000_000n;

function host(name: string, times: readonly number[], ...more: readonly Partial<SeriesObject>[]): SeriesObject[] {
  const resource = {
    "host.name": name,
    "host.id": `id-${name}`,
    "service.name": "longpole-agent",
    "service.version": "1.2",
  };
  const series = (metric: string, value: number, rest: Partial<SeriesObject> = {}): SeriesObject => ({
    name: metric,
    kind: "gauge",
    resource,
    points: times.map((at) => [at, value] as const),
    ...rest,
  });
  return [
    series("longpole.agent.cpu.utilization", 0.004),
    series("longpole.agent.interval", 10),
    series("system.cpu.logical.count", 4, { resource: { "host.name": name } }),
    ...more.map((rest) => series("longpole.agent.collector", 1, rest)),
  ];
}

const collector = (name: string, rung: string): Record<string, string> => ({
  "longpole.collector.name": name,
  "longpole.collector.rung": rung,
  "longpole.collector.why": rung === "helper" ? "" : "because",
  "longpole.collector.mend": "",
});

test("each host by what its agent said last; one that says nothing for three intervals is silent", () => {
  const table = metricTableOf(
    ...host(
      "a",
      [0, 10, 20],
      { labels: collector("on-CPU stacks", "helper"), points: [[0, 1]] },
      { labels: collector("on-CPU stacks", "shed"), points: [[20, 0]] },
    ),
    ...host("b", [0, 10, 60]),
    {
      name: "longpole.agent.service.processes",
      kind: "gauge",
      resource: { "host.name": "b", "service.name": "longpole-agent" },
      labels: { "longpole.service.name": "gone", "longpole.service.origin": "script" },
      points: [[10, 3]],
    },
    {
      name: "longpole.agent.service.processes",
      kind: "gauge",
      resource: { "host.name": "b", "service.name": "longpole-agent" },
      labels: { "longpole.service.name": "orders", "longpole.service.origin": "environment" },
      points: [
        [10, 1],
        [60, 2],
      ],
    },
    // A machine that only another collector tells of is no host of an agent.
    { name: "system.memory.limit", kind: "gauge", resource: { "host.name": "c" }, points: [[60, 1]] },
  );
  const { hosts } = hostsOf(table, atSeconds(61));
  expect(hosts.map(({ host: name, state }) => [name, state])).toEqual([
    ["b", "reporting"],
    // 41 s after the last word: three times ten, and ten for the way.
    ["a", "silent"],
  ]);
  expect(hosts[0]).toMatchObject({
    hostId: "id-b",
    agentVersion: "1.2",
    processors: 4,
    firstSeenUnixNs: String(atSeconds(0)),
    lastSeenUnixNs: String(atSeconds(60)),
    services: [{ service: "orders", origin: "environment", processes: 2 }],
    agent: { cpuShare: 0.004, shed: [] },
  });
  // What was given up stands as such, and no longer as what it was before.
  expect(hosts[1]!.collectors).toEqual([{ name: "on-CPU stacks", rung: "shed", why: "because", mend: "" }]);
  expect(hosts[1]!.agent!.shed).toEqual(["on-CPU stacks"]);
  expect(hostsOf(table, atSeconds(59)).hosts[1]!.state).toBe("reporting");
});

test("a machine of which another collector tells as well is as its agent said", () => {
  const other = { name: "system.memory.limit", kind: "gauge" as const, resource: { "host.name": "a" } };
  const table = metricTableOf(
    ...host("a", [10, 20], { labels: collector("on-CPU stacks", "helper"), points: [[20, 1]] }),
    {
      ...other,
      points: [
        [5, 1],
        [90, 1],
      ],
    },
  );
  const [found] = hostsOf(table, atSeconds(91)).hosts;
  expect(found).toMatchObject({
    agentVersion: "1.2",
    processors: 4,
    state: "silent",
    firstSeenUnixNs: String(atSeconds(10)),
    lastSeenUnixNs: String(atSeconds(20)),
    collectors: [{ name: "on-CPU stacks", rung: "helper" }],
  });
});

test("nobody", () => {
  expect(hostsOf(metricTableOf(), BASE)).toEqual({ schema: "longpole.hosts/1", hosts: [] });
});
