import type { PageDocument } from "../../model/page.ts";
import type { ResourceRow } from "../../model/report.ts";

/** GET /api/v1/hosts, `longpole.hosts/1`, so far as it is shown. */
export interface HostList {
  readonly schema: string;
  readonly hosts: readonly HostEntry[];
}

export interface HostEntry {
  readonly host: string;
  readonly os?: string;
  readonly agentVersion?: string;
  readonly processors?: number;
  readonly memoryBytes?: number;
  readonly lastSeenUnixNs?: string;
  readonly state?: "reporting" | "silent";
  readonly collectors: readonly Collector[];
  readonly services: readonly { readonly service: string; readonly origin?: string; readonly processes?: number }[];
  readonly agent?: {
    readonly cpuShare: number;
    readonly memoryBytes: number;
    readonly budgetCpuShare: number;
    readonly budgetMemoryBytes: number;
    readonly queueBytes: number;
    readonly dropped: number;
    readonly shed: readonly string[];
  };
}

export interface Collector {
  readonly name: string;
  /** how it collects: helper, bpftrace, perf, procfs; "none" and "shed" collect nothing */
  readonly rung: string;
  readonly why: string;
  /** the command that brings what is missing, "" where nothing is */
  readonly mend: string;
}

/** The hosts that a page's data name, as far as they tell: what came from each, and what would bring the rest. */
export function hostsOfPage(page: PageDocument): HostEntry[] {
  const found = new Map<string, Seen>();
  const seen = (host: string | undefined): Seen | undefined => {
    if (host === undefined || host === "") return undefined;
    let held = found.get(host);
    if (held === undefined) {
      held = { services: new Map(), hasTraces: false, hasMachine: false, hasProcesses: false };
      found.set(host, held);
    }
    return held;
  };
  for (const { host, service, instance, measure } of page.series) {
    const held = seen(host);
    if (held === undefined) continue;
    if (measure.startsWith("host-") || service === "") held.hasMachine = true;
    if (service === "") continue;
    held.hasProcesses = true;
    addProcess(held, service, instance);
  }
  for (const { host, service, instance } of page.report.throughput.resources ?? []) {
    const held = seen(host);
    if (held !== undefined && instance !== undefined) addProcess(held, service, instance);
  }
  for (const trace of page.traces) {
    for (const pairs of trace.resources ?? []) {
      const value = (key: string): string | undefined => {
        for (let i = 0; i < pairs.length; i += 2)
          if (trace.strings[pairs[i]!] === key) return trace.strings[pairs[i + 1]!];
        return undefined;
      };
      const held = seen(value("host.name"));
      if (held === undefined) continue;
      held.hasTraces = true;
      addProcess(held, value("service.name") ?? "unknown_service", value("service.instance.id") ?? "");
    }
  }
  const profiled = new Set(page.flames.flatMap(({ kind, service }) => (kind === "profile" ? [service] : [])));
  return [...found]
    .map(([host, held]) => ({
      host,
      services: [...held.services]
        .map(([service, instances]) => ({ service, processes: instances.size }))
        .toSorted((a, b) => (a.service < b.service ? -1 : 1)),
      collectors: collectorsOf(
        held,
        [...held.services.keys()].filter((service) => profiled.has(service)),
      ),
    }))
    .toSorted((a, b) => (a.host < b.host ? -1 : 1));
}

interface Seen {
  /** service → its instances */
  readonly services: Map<string, Set<string>>;
  hasTraces: boolean;
  hasMachine: boolean;
  hasProcesses: boolean;
}

function addProcess(held: Seen, service: string, instance: string): void {
  const instances = held.services.get(service);
  if (instances === undefined) held.services.set(service, new Set([instance]));
  else instances.add(instance);
}

const AGENT = "longpole agent";

function collectorsOf(held: Seen, profiled: readonly string[]): Collector[] {
  const one = (name: string, has: boolean, why: string, mend: string): Collector => ({
    name,
    rung: has ? "received" : "none",
    why: has ? why : "nothing of it in these data",
    mend: has ? "" : mend,
  });
  return [
    one("traces", held.hasTraces, "", "OTEL_EXPORTER_OTLP_ENDPOINT=http://HOST:4318"),
    one("metrics of the machine", held.hasMachine, "", AGENT),
    one("metrics of its processes", held.hasProcesses, "", AGENT),
    one("profiles", profiled.length > 0, profiled.join(", "), `${AGENT}   # or, once: longpole record -p PID`),
  ];
}

/** Resources of a host, and of services that run nowhere else. */
export function resourcesOf(page: PageDocument, host: string, hosts: readonly HostEntry[]): ResourceRow[] {
  const isOnlyHere = (service: string): boolean => {
    const places = hosts.filter((entry) => entry.services.some((one) => one.service === service));
    return places.length === 1 && places[0]!.host === host;
  };
  return (page.report.throughput.resources ?? []).filter(
    (row) => row.host === host || (row.host === undefined && isOnlyHere(row.service)),
  );
}
