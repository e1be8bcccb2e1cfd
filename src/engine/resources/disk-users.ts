import { counterRate } from "../../analysis/counter-rates.ts";
import { indexSeries, pointsOf } from "../../analysis/metric-series.ts";
import { attributeText } from "../../model/attribute-table.ts";
import { MetricKind, type MetricTable, type Temporality } from "../../model/metric-table.ts";
import { NS_PER_S } from "../../model/units.ts";

/** What agents count of requests to disks, by process and of the machine as a whole. */
const OF_PROCESSES = /^longpole\.process\.block_io\.(io|duration)$/;
const OF_MACHINES = /^longpole\.host\.block_io\.(io|duration)$/;

/** Who asks a disk for how much, in the window. */
export interface DiskUse {
  readonly host: string;
  readonly device: string;
  /** all requests of the machine for this disk */
  readonly requests: number;
  readonly bytes: number;
  /** most time first; requests of no service are those of the kernel itself (what was written before, its journal) and of others */
  readonly users: readonly DiskUser[];
}

export interface DiskUser {
  /** "" for what is of no service */
  readonly service: string;
  readonly requests: number;
  readonly bytes: number;
  /** of the time that all requests for this disk took, 0 .. 1 */
  readonly share: number;
}

/** By host and disk; empty where no agent counts requests, or none were made. */
export function diskUses(table: MetricTable): DiskUse[] {
  const disks = new Map<string, { host: string; device: string; all: Amounts; services: Map<string, Amounts> }>();
  const index = indexSeries(table);
  for (let series = 0; series < table.seriesCount; series++) {
    const name = table.strings.get(table.name[series]!);
    const isMachine = OF_MACHINES.test(name);
    if (!isMachine && !OF_PROCESSES.test(name)) continue;
    const of = (key: string): string =>
      textOf(table, table.labels, table.labelSet[series]!, key) ||
      textOf(table, table.resources, table.resource[series]!, key);
    const [host, device, service] = [of("host.name"), of("system.device"), of("service.name")];
    const key = `${host} ${device}`;
    let disk = disks.get(key);
    if (disk === undefined) disks.set(key, (disk = { host, device, all: nothing(), services: new Map() }));
    let into = disk.all;
    if (!isMachine) {
      into = disk.services.get(service) ?? nothing();
      disk.services.set(service, into);
    }
    add(into, table, series, pointsOf(index, series));
  }
  return [...disks.values()].flatMap(({ host, device, all, services }) => {
    if (!(all.requests > 0 && all.seconds > 0)) return [];
    const rest = { ...all };
    for (const one of services.values()) {
      rest.requests -= one.requests;
      rest.bytes -= one.bytes;
      rest.seconds -= one.seconds;
    }
    const users = [...services, ["", rest] as const]
      .filter(([, { requests }]) => requests >= 1)
      .map(([service, { requests, bytes, seconds }]): DiskUser => ({
        service,
        requests,
        bytes: Math.max(0, bytes),
        share: Math.min(1, Math.max(0, seconds / all.seconds)),
      }))
      .toSorted((a, b) => b.share - a.share);
    return [{ host, device, requests: all.requests, bytes: all.bytes, users }];
  });
}

interface Amounts {
  requests: number;
  bytes: number;
  seconds: number;
}

const nothing = (): Amounts => ({ requests: 0, bytes: 0, seconds: 0 });

function add(into: Amounts, table: MetricTable, series: number, rows: Int32Array): void {
  const { distribution, distributions, value } = table.points;
  const grown = (valueOf: (row: number) => number): number => {
    const { rate } = counterRate(table, rows, table.temporality[series] as Temporality, valueOf);
    let sum = 0;
    for (let i = 0; i < rate.value.length; i++) sum += (rate.value[i]! * (rate.toNs[i]! - rate.fromNs[i]!)) / NS_PER_S;
    return sum;
  };
  const isDuration = table.kind[series] === MetricKind.histogram;
  const amount = grown((row) => value[row]!);
  if (!isDuration) into.bytes += amount;
  else {
    into.seconds += amount;
    into.requests += grown((row) => distributions.count[distribution[row]!] ?? Number.NaN);
  }
}

function textOf(table: MetricTable, lists: MetricTable["labels"], list: number, key: string): string {
  for (let row = lists.listStart[list]!; row < lists.listStart[list + 1]!; row++)
    if (table.strings.get(lists.key[row]!) === key) return attributeText(lists, table.strings, row);
  return "";
}
