import { readFileSync } from "node:fs";
import {
  labelBytes,
  MetricBatch,
  resourceBytes,
  type AttributeBytes,
  type ResourceMetrics,
} from "../export/metric-batch.ts";
import { ProcessIdentities, type ProcessIdentity } from "../identity/process-identity.ts";
import { CgroupFiles } from "./cgroup-files.ts";
import { HostFiles } from "./host-files.ts";
import { bootUnixNs, TICKS_PER_SECOND } from "./host-figures.ts";
import { KeptFile } from "./kept-file.ts";
import { AGENT } from "./metrics.ts";
import { addPrivate, addProcess } from "./process-figures.ts";
import { descriptorsOf, type ProcessPeek } from "./process-peek.ts";
import { PAGE_BYTES, ProcessTable, type SeenProcess } from "./process-table.ts";

/** The machine as all telemetry of it names it. */
export interface HostFacts {
  readonly attributes: Readonly<Record<string, string>>;
  readonly version: string;
}

/** A process whose metrics are sent. */
export interface MappedProcess {
  readonly process: SeenProcess;
  readonly identity: ProcessIdentity;
}

/** What the last scrape met. */
export interface ScrapeCounts {
  readonly seen: number;
  readonly mapped: number;
  /** mapped ones of which another user's rights hide a part */
  readonly unreadable: number;
  readonly exitedWhileRead: number;
}

/** A program that nobody calls a service is told of once it takes this much: half a per cent of a core, or 200 MB. */
const NOTICED_CORES = 0.005;
const NOTICED_BYTES = 200e6;
/** Control groups come and go; their files are opened anew after so many scrapes. */
const REOPEN_EVERY = 60;

interface Held {
  resource: AttributeBytes;
  identity: ProcessIdentity;
  ticks: number;
  isNoticed: boolean;
  mostDescriptors: number;
}

/** Scrapes the counters of the machine, of its processes and of their control groups. */
export class CounterCollector {
  /** of the last scrape, for profiles */
  mapped: readonly MappedProcess[] = [];
  counts: ScrapeCounts = { seen: 0, mapped: 0, unreadable: 0, exitedWhileRead: 0 };
  private readonly host: HostFacts;
  private readonly peek: ProcessPeek;
  private readonly hostFiles = new HostFiles();
  private readonly cgroups = new CgroupFiles();
  private readonly identities: ProcessIdentities;
  private readonly held = new Map<number, Held>();
  private readonly table: ProcessTable;
  private readonly hostResource: AttributeBytes;
  private readonly bootNs: bigint;
  private lastMs = Number.NaN;
  private scrapes = 0;

  constructor(host: HostFacts, peek: ProcessPeek) {
    this.host = host;
    this.peek = peek;
    this.identities = new ProcessIdentities(peek);
    this.hostResource = resourceBytes(host.attributes);
    this.bootNs = bootUnixNs(readFileSync("/proc/stat", "latin1"));
    this.table = new ProcessTable(({ pid }) => {
      this.held.delete(pid);
      this.identities.forget(pid);
    });
  }

  /** One scrape as an OTLP request. more: what else is to be said of processes and of the agent. */
  async scrape(
    nowMs: number,
    more: {
      readonly ofProcess?: (into: ResourceMetrics, pid: number) => void;
      readonly ofAgent?: (into: ResourceMetrics) => void;
    } = {},
  ): Promise<MetricBatch> {
    const batch = new MetricBatch(BigInt(Math.round(nowMs * 1000)) * 1000n, {
      name: "longpole.agent",
      version: this.host.version,
    });
    batch.resource(this.hostResource, this.bootNs, (into) => this.hostFiles.add(into, nowMs));
    this.table.look();
    const mapped = await this.map(nowMs);
    const counts = await this.peek.counts(mapped.map(({ process }) => process.pid));
    let unreadable = 0;
    for (const { process, identity } of mapped) {
      const held = this.held.get(process.pid)!;
      const mine = counts.get(process.pid);
      if (mine === undefined || !identity.isReadable) unreadable++;
      const status = this.statusOf(process);
      const startNs = this.bootNs + BigInt(Math.round((process.stat.startTicks * 1e9) / TICKS_PER_SECOND));
      const uptimeS = nowMs / 1000 - Number(startNs / 1_000_000n) / 1000;
      batch.resource(held.resource, startNs, (into) => {
        addProcess(into, process.stat, status, uptimeS);
        addPrivate(into, mine, descriptorsOf(process.pid), held.mostDescriptors);
        more.ofProcess?.(into, process.pid);
      });
    }
    this.addGroups(batch, mapped);
    this.mapped = mapped;
    const { exitedWhileRead, processes } = this.table;
    this.counts = { seen: processes.size, mapped: mapped.length, unreadable, exitedWhileRead };
    batch.resource(this.agentResource(), 0n, (into) => {
      this.addOwn(into);
      more.ofAgent?.(into);
    });
    this.lastMs = nowMs;
    if (++this.scrapes % REOPEN_EVERY === 0) this.cgroups.close();
    return batch;
  }

  close(): void {
    this.table.close();
    this.hostFiles.close();
    this.cgroups.close();
  }

  /** Those that a service is known of, and those that take something. */
  private async map(nowMs: number): Promise<MappedProcess[]> {
    const mapped: MappedProcess[] = [];
    const seconds = (nowMs - this.lastMs) / 1000;
    const living = [...this.table.processes.values()].filter(
      ({ stat }) => !stat.isKernel && stat.state !== "Z" && stat.state !== "X",
    );
    // At once: each may have to ask the helper.
    const identities = await Promise.all(living.map((process) => this.identities.of(process)));
    for (const [i, process] of living.entries()) {
      const { stat, pid } = process;
      const identity = identities[i];
      if (identity === undefined) continue;
      const ticks = stat.userTicks + stat.systemTicks;
      let held = this.held.get(pid);
      if (held?.identity !== identity) {
        const resource = this.resourceOf(pid, identity);
        const mostDescriptors = held?.mostDescriptors ?? descriptorLimit(pid);
        held = {
          resource,
          identity,
          ticks: held?.ticks ?? ticks,
          isNoticed: held?.isNoticed ?? false,
          mostDescriptors,
        };
        this.held.set(pid, held);
      }
      const used = (ticks - held.ticks) / TICKS_PER_SECOND / seconds;
      held.ticks = ticks;
      held.isNoticed ||= used >= NOTICED_CORES || stat.residentPages * PAGE_BYTES >= NOTICED_BYTES;
      if (held.isNoticed || identity.origin !== "program" || identity.container.containerId !== "")
        mapped.push({ process, identity });
    }
    return mapped;
  }

  private statusOf(process: SeenProcess): string {
    process.status ??= new KeptFile(`/proc/${process.pid}/status`, true);
    try {
      return process.status.read();
    } catch {
      // It has ended since the look at the table: what that saw is sent, and the next look drops it.
      return "";
    }
  }

  private resourceOf(pid: number, identity: ProcessIdentity): AttributeBytes {
    return resourceBytes({
      ...this.host.attributes,
      ...Object.fromEntries(identity.attributes),
      "service.name": identity.name,
      "longpole.service.origin": identity.origin,
      "process.pid": pid,
      "process.executable.name": identity.program,
      ...containerAttributes(identity),
    });
  }

  /** A container, or a group whose limits hold for its processes, under the service that most of them are of. */
  private addGroups(batch: MetricBatch, mapped: readonly MappedProcess[]): void {
    const groups = new Map<string, MappedProcess[]>();
    for (const one of mapped) {
      const { container, cgroups } = one.identity;
      const key = container.containerId || (cgroups.get("cpu") ?? cgroups.get("") ?? "/");
      if (key === "/") continue;
      const held = groups.get(key);
      if (held === undefined) groups.set(key, [one]);
      else held.push(one);
    }
    for (const members of groups.values()) {
      const { identity } = members.reduce((a, b) => (ticksOf(b) > ticksOf(a) ? b : a));
      const { containerId, podUid } = identity.container;
      const path = identity.cgroups.get("") ?? identity.cgroups.get("cpu") ?? "";
      const resource = resourceBytes({
        ...this.host.attributes,
        ...Object.fromEntries(identity.attributes),
        "service.name": identity.name,
        "longpole.service.origin": identity.origin,
        ...(containerId === "" ? { "longpole.cgroup.path": path } : containerAttributes(identity)),
      });
      batch.resource(resource, 0n, (into) =>
        this.cgroups.add(into, identity.cgroups, containerId !== "" || podUid !== ""),
      );
    }
  }

  private agentResource(): AttributeBytes {
    return resourceBytes({
      ...this.host.attributes,
      "service.name": "longpole-agent",
      "service.version": this.host.version,
      "process.pid": process.pid,
    });
  }

  private addOwn(into: ResourceMetrics): void {
    const { seen, mapped, unreadable, exitedWhileRead } = this.counts;
    for (const [state, value] of Object.entries({ seen, mapped, unreadable, "exited while read": exitedWhileRead }))
      into.add(AGENT.processes, value, labelBytes({ "longpole.process.state": state }));
    const services = new Map<string, number>();
    for (const { identity } of this.mapped) {
      const key = JSON.stringify([identity.name, identity.origin]);
      services.set(key, (services.get(key) ?? 0) + 1);
    }
    for (const [key, count] of services) {
      const [name, origin] = JSON.parse(key) as [string, string];
      into.add(AGENT.service, count, labelBytes({ "longpole.service.name": name, "longpole.service.origin": origin }));
    }
  }
}

const ticksOf = ({ process: { stat } }: MappedProcess): number => stat.userTicks + stat.systemTicks;

function containerAttributes({ container, podName }: ProcessIdentity): Record<string, string> {
  return {
    "container.id": container.containerId,
    "container.runtime": container.runtime,
    "k8s.pod.uid": container.podUid,
    "k8s.pod.name": podName,
  };
}

/** Of /proc/PID/limits; NaN where there is none. */
function descriptorLimit(pid: number): number {
  try {
    const [, limit] = /^Max open files +(\d+)/m.exec(readFileSync(`/proc/${pid}/limits`, "latin1")) ?? [];
    return Number(limit ?? Number.NaN);
  } catch {
    return Number.NaN;
  }
}
