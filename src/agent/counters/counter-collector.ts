import { readFileSync } from "node:fs";
import { MetricBatch, scopeBytes } from "../export/metric-batch.ts";
import { labelBytes, resourceBytes, type AttributeBytes, type ResourceMetrics } from "../export/metric-points.ts";
import { ephemeralPortsHere } from "../identity/ephemeral-ports.ts";
import { ListeningPorts, MOST_PORTS, type PortUser } from "../identity/listening-ports.ts";
import { ProcessIdentities, type ProcessIdentity } from "../identity/process-identity.ts";
import { CgroupFiles } from "./cgroup-files.ts";
import { HostFiles } from "./host-files.ts";
import { bootUnixNs, TICKS_PER_SECOND } from "./host-figures.ts";
import { KeptFile } from "./kept-file.ts";
import { AGENT } from "./metrics.ts";
import { PAGE_BYTES } from "./page-size.ts";
import { addPrivate, addProcess, parseStatus, type StatusFigures } from "./process-figures.ts";
import { descriptorsOf, type PrivateCounts, type ProcessPeek } from "./process-peek.ts";
import { ProcessTable, type SeenProcess } from "./process-table.ts";
import { RunQueueWaits } from "./run-queue-waits.ts";

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
/** Names of services come and go, too: beyond so many all are made anew. */
const MOST_LABELS = 2000;
/** Control groups come and go; their files are opened anew after so many scrapes. */
const REOPEN_EVERY = 60;

/**
 * Status, io and open files of a process whose stat stands still are read so often: it took no hundredth of a second of the
 * processor, had no fault and has the memory and threads that it had. Just below the interval that is usual, at which all is
 * read each time.
 */
const QUIET_MS = 9000;

/** A process that began so lately may still open what it listens on. */
const YOUNG_MS = 30_000;

/** What is known of a process from scrape to scrape. */
interface Held {
  readonly startNs: bigint;
  readonly mostDescriptors: number;
  resource: AttributeBytes;
  identity: ProcessIdentity;
  ticks: number;
  isNoticed: boolean;
  /** when what follows was read, milliseconds; NaN: not yet */
  readMs: number;
  status: StatusFigures;
  descriptors: number;
  /** undefined where its owner's rights hide it */
  counts: PrivateCounts | undefined;
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
  private readonly ports = new ListeningPorts(ephemeralPortsHere());
  private readonly waits = new RunQueueWaits();
  private readonly held = new Map<number, Held>();
  private readonly table: ProcessTable;
  private readonly hostResource: AttributeBytes;
  private readonly ownResource: AttributeBytes;
  private readonly scope: Uint8Array;
  private readonly quietMs: number;
  private readonly bootNs: bigint;
  /** of groups, by whose process they are told */
  private readonly groupResources = new WeakMap<ProcessIdentity, AttributeBytes>();
  private readonly labels = new Map<string, AttributeBytes>();
  private lastMs = Number.NaN;
  private lastBytes = 0;
  private scrapes = 0;

  /** quietMs: how old what is told of a process that does nothing may be; 0 reads all each time. */
  constructor(host: HostFacts, peek: ProcessPeek, quietMs: number = QUIET_MS) {
    this.host = host;
    this.peek = peek;
    this.quietMs = quietMs;
    this.scope = scopeBytes("longpole.agent", host.version);
    this.ownResource = resourceBytes({
      ...host.attributes,
      "service.name": "longpole-agent",
      "service.version": host.version,
      "process.pid": process.pid,
    });
    this.identities = new ProcessIdentities(peek, (pid) => this.ports.of(pid));
    this.hostResource = resourceBytes(host.attributes);
    this.bootNs = bootUnixNs(readFileSync("/proc/stat", "latin1"));
    this.table = new ProcessTable(({ pid }) => {
      this.held.delete(pid);
      this.identities.forget(pid);
      this.ports.forget(pid);
    });
  }

  /** One scrape as an OTLP request. more: what else is to be said of processes and of the agent. */
  async scrape(
    nowMs: number,
    more: {
      readonly ofProcess?: (into: ResourceMetrics, pid: number) => void;
      readonly ofAgent?: (into: ResourceMetrics) => void;
      /** whether somebody else counts what threads wait for */
      readonly hasTimes?: boolean;
    } = {},
  ): Promise<MetricBatch> {
    const timeNs = BigInt(Math.round(nowMs * 1000)) * 1000n;
    const batch = new MetricBatch(timeNs, this.scope, Math.ceil(this.lastBytes * 1.25));
    batch.resource(this.hostResource, this.bootNs, (into) => this.hostFiles.add(into, nowMs));
    this.table.look();
    const mapped = await this.map(nowMs);
    await this.read(mapped, nowMs);
    const hasWaits = more.hasTimes !== true;
    if (hasWaits && this.waits.isDue(nowMs))
      this.waits.look(
        mapped.map(({ process }) => process),
        nowMs,
      );
    let unreadable = 0;
    for (const { process, identity } of mapped) {
      const held = this.held.get(process.pid)!;
      if (held.counts === undefined || !identity.isReadable) unreadable++;
      const uptimeS = nowMs / 1000 - Number(held.startNs / 1_000_000n) / 1000;
      batch.resource(held.resource, held.startNs, (into) => {
        addProcess(into, process.stat, held.status, uptimeS);
        addPrivate(into, held.counts, held.descriptors, held.mostDescriptors);
        if (hasWaits) this.waits.add(into, process.pid);
        more.ofProcess?.(into, process.pid);
      });
    }
    this.addGroups(batch, mapped);
    this.mapped = mapped;
    const { exitedWhileRead, processes } = this.table;
    this.counts = { seen: processes.size, mapped: mapped.length, unreadable, exitedWhileRead };
    batch.resource(this.ownResource, 0n, (into) => {
      this.addOwn(into);
      more.ofAgent?.(into);
    });
    this.lastMs = nowMs;
    this.lastBytes = batch.finish().length;
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
    const living: SeenProcess[] = [];
    const identities: (ProcessIdentity | undefined)[] = [];
    const asked: Promise<void>[] = [];
    for (const process of this.table.processes.values()) {
      const { isKernel, state } = process.stat;
      if (isKernel || state === "Z" || state === "X") continue;
      const at = living.push(process) - 1;
      const known = this.identities.settled(process);
      identities[at] = known;
      // At once: each may have to ask the helper.
      if (known === undefined) asked.push(this.identities.find(process).then((found) => void (identities[at] = found)));
    }
    await Promise.all(asked);
    const found = living.flatMap((process, i) => {
      const identity = identities[i];
      if (identity !== undefined) this.notice(process, identity, seconds);
      return identity === undefined ? [] : [{ process, identity }];
    });
    for (const { process, identity } of await this.withPorts(found, nowMs)) {
      const held = this.held.get(process.pid)!;
      if (held.identity !== identity) {
        held.identity = identity;
        held.resource = this.resourceOf(process.pid, identity);
      }
      if (isSent(held, identity)) mapped.push({ process, identity });
    }
    return mapped;
  }

  /** What it took since the look before. */
  private notice(process: SeenProcess, identity: ProcessIdentity, seconds: number): void {
    const { stat, pid } = process;
    const ticks = stat.userTicks + stat.systemTicks;
    let held = this.held.get(pid);
    if (held === undefined) this.held.set(pid, (held = this.firstOf(process, identity)));
    const used = (ticks - held.ticks) / TICKS_PER_SECOND / seconds;
    held.ticks = ticks;
    held.isNoticed ||= used >= NOTICED_CORES || stat.residentPages * PAGE_BYTES >= NOTICED_BYTES;
  }

  /** What is known of ports changes what a process is called, and is told with it from the first time on that it is sent. */
  private async withPorts(found: readonly MappedProcess[], nowMs: number): Promise<readonly MappedProcess[]> {
    const sent = new Set<number>();
    const users = found.map(({ process, identity }): PortUser => {
      const { containerId, podUid } = identity.container;
      const held = this.held.get(process.pid)!;
      if (isSent(held, identity)) sent.add(process.pid);
      const isYoung = nowMs - Number(held.startNs / 1_000_000n) < YOUNG_MS;
      return { process, container: podUid || containerId, service: identity.name, isYoung };
    });
    const changed = new Set(
      this.ports.isDue(nowMs)
        ? this.ports.look(users, nowMs)
        : this.ports.lookAtNew(users, ({ process }) => sent.has(process.pid)),
    );
    if (changed.size === 0) return found;
    return Promise.all(
      found.map(async (one) => {
        if (!changed.has(one.process.pid)) return one;
        // One that has ended since is told as it was.
        return { process: one.process, identity: (await this.identities.find(one.process)) ?? one.identity };
      }),
    );
  }

  private firstOf({ pid, stat }: SeenProcess, identity: ProcessIdentity): Held {
    return {
      startNs: this.bootNs + BigInt(Math.round((stat.startTicks * 1e9) / TICKS_PER_SECOND)),
      mostDescriptors: descriptorLimit(pid),
      resource: this.resourceOf(pid, identity),
      identity,
      ticks: stat.userTicks + stat.systemTicks,
      isNoticed: false,
      readMs: Number.NaN,
      status: parseStatus(""),
      descriptors: Number.NaN,
      counts: undefined,
    };
  }

  /** Reads again what may have changed: of those that did something, and now and then of all. */
  private async read(mapped: readonly MappedProcess[], nowMs: number): Promise<void> {
    const due = mapped.filter(({ process }) => {
      const { readMs } = this.held.get(process.pid)!;
      // A clock that was set back says nothing.
      return process.isChanged || !(nowMs - readMs < this.quietMs && nowMs >= readMs - this.quietMs);
    });
    const counts = await this.peek.counts(due.map(({ process }) => process.pid));
    for (const { process } of due) {
      const { pid } = process;
      const held = this.held.get(pid)!;
      // Those that begin together are not read together for ever.
      held.readMs = Number.isNaN(held.readMs) ? nowMs - (pid % 8) * (this.quietMs / 8) : nowMs;
      held.counts = counts.get(pid);
      held.descriptors = descriptorsOf(pid);
      const text = statusOf(process);
      if (text !== "") held.status = parseStatus(text);
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
      "longpole.process.ports": identity.ports.join(","),
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
      let resource = this.groupResources.get(identity);
      if (resource === undefined) this.groupResources.set(identity, (resource = this.groupResource(identity)));
      batch.resource(resource, 0n, (into) =>
        this.cgroups.add(into, identity.cgroups, containerId !== "" || podUid !== ""),
      );
    }
  }

  private groupResource(identity: ProcessIdentity): AttributeBytes {
    const path = identity.cgroups.get("") ?? identity.cgroups.get("cpu") ?? "";
    return resourceBytes({
      ...this.host.attributes,
      ...Object.fromEntries(identity.attributes),
      "service.name": identity.name,
      "longpole.service.origin": identity.origin,
      ...(identity.container.containerId === "" ? { "longpole.cgroup.path": path } : containerAttributes(identity)),
    });
  }

  private addOwn(into: ResourceMetrics): void {
    const { seen, mapped, unreadable, exitedWhileRead } = this.counts;
    for (const [state, value] of Object.entries({ seen, mapped, unreadable, "exited while read": exitedWhileRead }))
      into.add(AGENT.processes, value, this.labelsOf({ "longpole.process.state": state }));
    const { ephemeral, cut } = this.ports.leftOut();
    for (const [reason, value] of Object.entries({ ephemeral, [`more than ${MOST_PORTS}`]: cut }))
      into.add(AGENT.portsLeftOut, value, this.labelsOf({ "longpole.port.reason": reason }));
    const services = new Map<string, { readonly identity: ProcessIdentity; count: number }>();
    for (const { identity } of this.mapped) {
      const key = `${identity.origin}\0${identity.name}`;
      const held = services.get(key);
      if (held === undefined) services.set(key, { identity, count: 1 });
      else held.count++;
    }
    for (const { identity, count } of services.values()) {
      const { name, origin } = identity;
      into.add(
        AGENT.service,
        count,
        this.labelsOf({ "longpole.service.name": name, "longpole.service.origin": origin }),
      );
    }
  }

  /** Labels that come again are the same object, by which a batch knows them. */
  private labelsOf(attributes: Readonly<Record<string, string>>): AttributeBytes {
    const key = JSON.stringify(attributes);
    let held = this.labels.get(key);
    if (held !== undefined) return held;
    if (this.labels.size >= MOST_LABELS) this.labels.clear();
    this.labels.set(key, (held = labelBytes(attributes)));
    return held;
  }
}

/** Whether a service is known of it, or it takes something. */
const isSent = ({ isNoticed }: Held, { origin, container }: ProcessIdentity): boolean =>
  isNoticed || origin !== "program" || container.containerId !== "";

/** "" where it has ended since the look at the table: what that saw is sent, and the next look drops it. */
function statusOf(process: SeenProcess): string {
  process.status ??= new KeptFile(`/proc/${process.pid}/status`, true);
  try {
    return process.status.read();
  } catch {
    return "";
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
