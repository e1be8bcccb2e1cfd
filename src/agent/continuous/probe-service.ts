import { writeOtlpProfiles } from "../../formats/write-otlp-profiles.ts";
import type { MappedProcess } from "../counters/counter-collector.ts";
import { PROCESS } from "../counters/metrics.ts";
import { labelBytes, type AttributeBytes, type ResourceMetrics } from "../export/metric-points.ts";
import { ProbeWindow } from "./probe-window.ts";
import type { CountGroup } from "./process-counts.ts";
import { ServingHelper } from "./serving-helper.ts";

export interface ProbeServiceOptions {
  readonly helper: string;
  readonly hz: number;
  readonly tickSeconds: number;
  readonly user: { readonly uid: number; readonly gid: number } | undefined;
  readonly hostAttributes: Readonly<Record<string, string>>;
  readonly log: (text: string) => void;
}

/** What is given up to stay within the budget, first to last. */
export const PROBE_SHED_ORDER = [
  "page faults",
  "kernel locks",
  "TCP",
  "block I/O",
  "off-CPU stacks",
  "on-CPU stacks",
  "off-CPU times",
] as const;
export type ShedProbe = (typeof PROBE_SHED_ORDER)[number];

/** What the helper calls them. */
const SHED_WORDS = {
  "page faults": "page-faults",
  "kernel locks": "kernel-locks",
  TCP: "tcp",
  "block I/O": "block-io",
  "off-CPU stacks": "wait-stacks",
  "on-CPU stacks": "on-cpu",
  "off-CPU times": "times",
} as const satisfies Readonly<Record<ShedProbe, string>>;

/** Processes that are watched at most; each thread has a place in the kernel's tables, and there are 16,384. */
const MOST_TARGETS = 1000;

/** The probes of the kernel for the processes of services, all the time. */
export class ProbeService {
  readonly helper: ServingHelper;
  readonly shed: Set<ShedProbe> = new Set<ShedProbe>();
  /** why nothing comes of it any more; "" while it works */
  failed = "";
  /** processes that were not watched for want of room */
  leftOut = 0;
  private readonly window: ProbeWindow;
  private readonly options: ProbeServiceOptions;
  /** of what is given up, what counts */
  private readonly given = new Set<CountGroup>();
  private readonly targets = new Map<number, { readonly startTicks: number; service: string; name: string }>();
  private readonly labels = new Map<string, AttributeBytes>();
  private lastCostNs = 0;
  private profileFromMs: number;

  constructor(options: ProbeServiceOptions, nowMs: number) {
    this.options = options;
    this.profileFromMs = nowMs;
    const asked = new Set<number>();
    this.window = new ProbeWindow((pid) => {
      // Those that ask while the answer is on its way have it, too.
      if (asked.has(pid)) return;
      asked.add(pid);
      void this.helper.maps(pid).then((maps) => {
        asked.delete(pid);
        this.window.see(pid, maps);
      });
    });
    this.helper = new ServingHelper(options.helper, options, (record) => this.window.take(record));
    this.helper.ended.catch((error: unknown) => {
      this.failed = error instanceof Error ? error.message : String(error);
      options.log(
        `the probes are gone: ${this.failed}; times and profiles are not observed until the agent is started anew`,
      );
    });
  }

  /** Watches the processes that are new. */
  update(mapped: readonly MappedProcess[]): void {
    const pids = new Set(mapped.map(({ process }) => process.pid));
    for (const pid of this.targets.keys()) if (!pids.has(pid)) this.targets.delete(pid);
    this.leftOut = 0;
    for (const { process: seen, identity } of mapped) {
      const { startTicks } = seen.stat;
      const known = this.targets.get(seen.pid);
      if (known !== undefined && known.startTicks === startTicks) {
        known.service = identity.name;
        continue;
      }
      if (this.targets.size >= MOST_TARGETS) {
        this.leftOut++;
        continue;
      }
      this.targets.set(seen.pid, { startTicks, service: identity.name, name: identity.program });
      this.helper.target(seen.pid);
    }
    this.window.keep(pids);
  }

  addProcess(into: ResourceMetrics, pid: number): void {
    this.window.counts.addProcess(into, pid, this.given);
    if (this.shed.has("off-CPU times")) return;
    for (const { kind, isMain, isIdle, ns } of this.window.times.of(pid)) {
      const key = `${kind} ${isMain} ${isIdle}`;
      let labels = this.labels.get(key);
      if (labels === undefined) {
        const thread = isMain ? "main" : "other";
        labels = labelBytes({
          "longpole.time.kind": kind,
          "longpole.thread": thread,
          ...(isIdle ? { "longpole.idle": true } : {}),
        });
        this.labels.set(key, labels);
      }
      into.add(PROCESS.time, ns / 1e9, labels);
    }
  }

  addHost(into: ResourceMetrics): void {
    if (!this.given.has("block I/O")) this.window.counts.addHost(into);
  }

  /** Processor time of the helper and of its programs in the kernel since the last call, nanoseconds. */
  costNs(): number {
    const { totals } = this.window;
    if (totals === undefined) return 0;
    const now = totals.ownNs + totals.programsNs;
    const cost = now - this.lastCostNs;
    this.lastCostNs = now;
    return Math.max(0, cost);
  }

  get residentBytes(): number {
    return (this.window.totals?.residentKb ?? 0) * 1024;
  }

  /** Whether the kernel counts what the programs take (bpf_stats needs CAP_SYS_ADMIN). */
  get isCostWhole(): boolean {
    return this.window.probes.some(({ name, rung }) => name === "own-cost" && rung !== "none");
  }

  /** Why a probe counts nothing; undefined of one that is attached. */
  notAttached(name: string): string | undefined {
    const probe = this.window.probes.find((one) => one.name === name);
    return probe === undefined || probe.rung !== "none" ? undefined : probe.reason;
  }

  /** How often something was not counted because the tables of the kernel were full. */
  get lostCounts(): number {
    return this.window.totals?.lostCounts ?? 0;
  }

  /** Gives up the next one; undefined where nothing is left. */
  shedNext(): ShedProbe | undefined {
    const next = PROBE_SHED_ORDER.find((one) => !this.shed.has(one));
    if (next === undefined || this.failed !== "") return undefined;
    this.shed.add(next);
    if (isCounted(next)) this.given.add(next);
    this.helper.shed(SHED_WORDS[next]);
    return next;
  }

  forgetSymbols(): void {
    this.window.forgetSymbols();
  }

  /** OTLP requests of what was seen since the last call; none where they are not wanted. */
  profiles(nowMs: number, isWanted: boolean): Uint8Array[] {
    const at = {
      startUnixNs: BigInt(Math.round(this.profileFromMs)) * 1_000_000n,
      durationNs: (nowMs - this.profileFromMs) * 1e6,
    };
    this.profileFromMs = nowMs;
    if (!isWanted) {
      this.window.beginProfile();
      return [];
    }
    const found = this.window.profiles(
      at,
      (pid) => this.targets.get(pid)?.name ?? "",
      (pid) => this.targets.get(pid)?.service ?? "",
    );
    if (found === undefined) return [];
    const sender = { resource: this.options.hostAttributes, scope: "longpole.agent" };
    return [found.onCpu, found.offCpu]
      .filter(({ samples }) => samples.rowCount > 0)
      .map((table) => writeOtlpProfiles(table, sender));
  }

  /** Resolves when the helper has ended and its probes are off. */
  async stop(): Promise<void> {
    this.helper.stop();
    await this.helper.ended.catch(() => {});
  }
}

const isCounted = (shed: ShedProbe): shed is CountGroup =>
  shed === "page faults" || shed === "kernel locks" || shed === "TCP" || shed === "block I/O";
