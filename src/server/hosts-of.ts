import { attributeText, type AttributeTable } from "../model/attribute-table.ts";
import type { MetricTable } from "../model/metric-table.ts";
import type { Hosts } from "./api/hosts.ts";

/** What `hostsOf` reads: what agents send of themselves, and the size of their machines. */
export const HOST_METRICS: readonly string[] = [
  "longpole.agent.collector",
  "longpole.agent.cpu.utilization",
  "longpole.agent.cpu.budget",
  "longpole.agent.memory.usage",
  "longpole.agent.memory.budget",
  "longpole.agent.queue.size",
  "longpole.agent.dropped",
  "longpole.agent.interval",
  "longpole.agent.processes",
  "longpole.agent.service.processes",
  "system.cpu.logical.count",
  "system.memory.limit",
];

type Host = Hosts["hosts"][number];

/** The newest point of a series. */
interface Newest {
  readonly name: string;
  readonly resource: ReadonlyMap<string, string>;
  readonly labels: ReadonlyMap<string, string>;
  firstNs: number;
  atNs: number;
  value: number;
}

/** Intervals without a word after which a host counts as silent, and the time that a request may take. */
const SILENT_INTERVALS = 3;
const GRACE_NS = 10e9;
const DEFAULT_INTERVAL_S = 10;

/** Hosts whose agents sent in the window of the table, the one that was heard of last first. */
export function hostsOf(table: MetricTable, nowUnixNs: bigint): Hosts {
  const byHost = new Map<string, Newest[]>();
  for (const series of newestOf(table)) {
    const host = series.resource.get("host.name") ?? "";
    if (host === "") continue;
    const held = byHost.get(host);
    if (held === undefined) byHost.set(host, [series]);
    else held.push(series);
  }
  const nowNs = Number(nowUnixNs - table.baseUnixNs);
  const hosts = [...byHost]
    .filter(([, series]) => series.some(isAgents))
    .map(([host, series]) => ({ last: lastOf(series), host: hostOf(host, series, table.baseUnixNs, nowNs) }));
  return {
    schema: "longpole.hosts/1",
    hosts: hosts.toSorted((a, b) => b.last - a.last || (a.host.host < b.host.host ? -1 : 1)).map(({ host }) => host),
  };
}

const isAgents = ({ name }: Newest): boolean => name.startsWith("longpole.agent.");

/** When the agent was heard of last: another collector may tell of the same machine, at other times. */
const lastOf = (series: readonly Newest[]): number =>
  series.filter(isAgents).reduce((last, { atNs }) => Math.max(last, atNs), -Infinity);

function hostOf(host: string, series: readonly Newest[], baseUnixNs: bigint, nowNs: number): Host {
  const last = lastOf(series);
  const first = series.filter(isAgents).reduce((least, { firstNs }) => Math.min(least, firstNs), Infinity);
  // What was said at the last beat: a service that has ended is none of the host's any more.
  const now = series.filter(({ atNs }) => atNs === last);
  const value = (name: string): number | undefined => now.find((one) => one.name === name)?.value;
  const states = (state: string): number | undefined =>
    now.find(
      ({ name, labels }) => name === "longpole.agent.processes" && labels.get("longpole.process.state") === state,
    )?.value;
  const resource = now.find(isAgents)?.resource ?? new Map<string, string>();
  const collectors = now
    .filter(({ name }) => name === "longpole.agent.collector")
    .map(({ labels }) => ({
      name: labels.get("longpole.collector.name") ?? "",
      rung: labels.get("longpole.collector.rung") ?? "none",
      why: labels.get("longpole.collector.why") ?? "",
      mend: labels.get("longpole.collector.mend") ?? "",
    }))
    .toSorted((a, b) => (a.name < b.name ? -1 : 1));
  const services = now
    .filter(({ name }) => name === "longpole.agent.service.processes")
    .map(({ labels, value: processes }) => ({
      service: labels.get("longpole.service.name") ?? "",
      origin: labels.get("longpole.service.origin") ?? "",
      processes,
    }))
    .toSorted((a, b) => (a.service + a.origin < b.service + b.origin ? -1 : 1));
  const intervalNs = (value("longpole.agent.interval") ?? DEFAULT_INTERVAL_S) * 1e9;
  const [seen, mapped, unreadable] = [states("seen"), states("mapped"), states("unreadable")];
  return {
    host,
    ...text("hostId", resource.get("host.id")),
    ...text("os", resource.get("os.description")),
    ...text("agentVersion", resource.get("service.version")),
    ...number("processors", value("system.cpu.logical.count")),
    ...number("memoryBytes", value("system.memory.limit")),
    firstSeenUnixNs: String(baseUnixNs + BigInt(Math.round(first))),
    lastSeenUnixNs: String(baseUnixNs + BigInt(Math.round(last))),
    state: nowNs - last > SILENT_INTERVALS * intervalNs + GRACE_NS ? "silent" : "reporting",
    collectors,
    services,
    ...(seen === undefined || mapped === undefined || unreadable === undefined
      ? {}
      : { processes: { seen, mapped, unreadable } }),
    agent: {
      ...number("cpuShare", value("longpole.agent.cpu.utilization")),
      ...number("memoryBytes", value("longpole.agent.memory.usage")),
      ...number("budgetCpuShare", value("longpole.agent.cpu.budget")),
      ...number("budgetMemoryBytes", value("longpole.agent.memory.budget")),
      ...number("queueBytes", value("longpole.agent.queue.size")),
      ...number("dropped", value("longpole.agent.dropped")),
      shed: collectors.filter(({ rung }) => rung === "shed").map(({ name }) => name),
    },
  };
}

const text = <K extends string>(key: K, value: string | undefined): { [key in K]?: string } =>
  value === undefined || value === "" ? {} : ({ [key]: value } as { [key in K]?: string });

const number = <K extends string>(key: K, value: number | undefined): { [key in K]?: number } =>
  value === undefined || !Number.isFinite(value) ? {} : ({ [key]: value } as { [key in K]?: number });

function newestOf(table: MetricTable): Newest[] {
  const { points, strings } = table;
  const found = new Map<number, Newest>();
  const resources = new Map<number, ReadonlyMap<string, string>>();
  points.series.forEach((series, row) => {
    const [atNs, value] = [points.timeOffsetNs[row]!, points.value[row]!];
    const held = found.get(series);
    if (held === undefined) {
      const list = table.resource[series]!;
      let resource = resources.get(list);
      if (resource === undefined) resources.set(list, (resource = textsOf(table, table.resources, list)));
      const labels = textsOf(table, table.labels, table.labelSet[series]!);
      found.set(series, { name: strings.get(table.name[series]!), resource, labels, firstNs: atNs, atNs, value });
      return;
    }
    held.firstNs = Math.min(held.firstNs, atNs);
    if (atNs >= held.atNs) [held.atNs, held.value] = [atNs, value];
  });
  return [...found.values()];
}

function textsOf({ strings }: MetricTable, lists: AttributeTable, list: number): ReadonlyMap<string, string> {
  const texts = new Map<string, string>();
  for (let row = lists.listStart[list]!; row < lists.listStart[list + 1]!; row++)
    texts.set(strings.get(lists.key[row]!), attributeText(lists, strings, row));
  return texts;
}
