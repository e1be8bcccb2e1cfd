import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { AgentBudget } from "./agent-budget.ts";
import { agentCollectors } from "./agent-collectors.ts";
import { ProbeService } from "./continuous/probe-service.ts";
import { ServingHelper } from "./continuous/serving-helper.ts";
import { CounterCollector } from "./counters/counter-collector.ts";
import { AGENT } from "./counters/metrics.ts";
import { DirectPeek, PeekInTurn } from "./counters/process-peek.ts";
import { becomeUser, type AgentUser } from "./drop-privileges.ts";
import { DiskQueue } from "./export/disk-queue.ts";
import type { ExportSettings } from "./export/export-settings.ts";
import { Exporter, type Signal } from "./export/exporter.ts";
import { labelBytes, type ResourceMetrics } from "./export/metric-points.ts";
import { Poster } from "./export/post.ts";
import type { Capability } from "./host-capabilities.ts";
import { hostAttributes } from "./host-facts.ts";
import { kernelSymbols } from "./kernel-symbols.ts";
import { startPostgresCollector, type PostgresCollector } from "./postgres/postgres-collector.ts";
import type { PostgresTarget } from "./postgres/postgres-target.ts";
import { type LostAgent, QueueOwner } from "./queue-owner.ts";

export interface AgentOptions {
  readonly settings: ExportSettings;
  readonly intervalMs: number;
  readonly profileMs: number;
  /** path of the helper; undefined where there is none */
  readonly helper: string | undefined;
  /** whether its probes are wanted and can be attached */
  readonly hasProbes: boolean;
  readonly hz: number;
  /** whom it becomes once the helper runs */
  readonly user: AgentUser | undefined;
  readonly queueFolder: string;
  readonly queueBytes: number;
  /** of one core, 0 .. 1 */
  readonly cpuBudget: number;
  readonly memoryBudgetBytes: number;
  readonly version: string;
  readonly capabilities: readonly Capability[];
  /** databases to look into */
  readonly postgres: readonly PostgresTarget[];
  readonly log: (text: string) => void;
  /** ends the agent, which then sends what it has */
  readonly signal: AbortSignal;
}

/**
 * Scrapes and sends until it is told to end. Throws the system's error where the queue's folder cannot be had, and a
 * SettingError where another agent has it.
 */
export async function runAgent(options: AgentOptions): Promise<void> {
  setFlagsFromString(LATE_OPTIMISATION);
  const agent = new Agent(options);
  try {
    await agent.run();
  } finally {
    await agent.close();
  }
}

/**
 * V8 optimises a function after 135,000 bytes of it have run, for one that runs all the time. Of what runs for some hundredths of
 * a second in ten that was nearly half of the agent's processor time for the first minutes; code that works for a large host gets
 * there all the same.
 */
const LATE_OPTIMISATION = "--interrupt-budget=2000000";
/** A helper that does not say in so long that it is ready may do so later; counters do not wait for it. */
const READY_MS = 30_000;
/** Servers answer in milliseconds. */
const PATIENCE_MS = 1000;
/** How much longer scrapes are apart when nothing else is left to give up. */
const SLOWEST = 4;

class Agent {
  private readonly options: AgentOptions;
  private readonly queue: DiskQueue;
  private readonly owner: QueueOwner;
  private readonly poster: Poster;
  private readonly exporter: Exporter;
  private readonly collector: CounterCollector;
  private readonly probes: ProbeService | undefined;
  private readonly looker: ServingHelper | undefined;
  private readonly budget: AgentBudget;
  private readonly databases: readonly PostgresCollector[];
  private cpu = process.cpuUsage();
  private cpuAtMs = performance.now();
  /** of the helper that only looks; one with probes tells what it takes itself */
  private lookerNs = 0;
  private use = { cores: Number.NaN, bytes: Number.NaN };
  private slowness = 1;
  private isAtEnd = false;
  private isStopping = false;
  private trouble = "";
  private profiledMs = performance.now();

  constructor(options: AgentOptions) {
    const { settings, helper, hz, user, log } = options;
    this.options = options;
    const attributes = hostAttributes();
    const tickSeconds = options.intervalMs / 1000;
    if (helper !== undefined) {
      try {
        if (options.hasProbes) {
          // While this process may still see their addresses.
          kernelSymbols();
          const probing = { helper, hz, tickSeconds, user, hostAttributes: attributes, log };
          this.probes = new ProbeService(probing, Date.now());
        }
        // Without probes it still tells whose processes of other users are.
        else this.looker = new ServingHelper(helper, { hz, tickSeconds, user, isLooking: true }, () => {});
      } catch (error) {
        // No process or descriptor is left for it.
        log(`the helper cannot be started: ${messageOf(error)}; the agent counts without it`);
      }
    }
    this.watchHelper();
    try {
      // From here on it has no more rights than anybody.
      if (user !== undefined) becomeUser(user);
      this.queue = new DiskQueue(options.queueFolder, options.queueBytes);
      this.owner = new QueueOwner(options.queueFolder, Date.now());
    } catch (error) {
      this.isStopping = true;
      this.probes?.helper.stop();
      this.looker?.stop();
      throw error;
    }
    if (this.owner.lost !== undefined) log(lossOf(this.owner.lost));
    this.poster = new Poster(settings);
    this.exporter = new Exporter({
      settings,
      queue: this.queue,
      post: (endpoint, body, isCompressed, type) => this.poster.post(endpoint, body, isCompressed, type),
      log,
      nowMs: () => performance.now(),
      random: Math.random,
    });
    const own = new DirectPeek();
    const other = this.probes?.helper ?? this.looker;
    const peek = other === undefined ? own : new PeekInTurn(own, other);
    this.collector = new CounterCollector({ attributes, version: options.version }, peek);
    this.budget = new AgentBudget(options.cpuBudget, options.memoryBudgetBytes);
    this.databases = options.postgres.map((target) =>
      startPostgresCollector(target, {
        send: (body) => this.exporter.send("metrics", body),
        tell: (_, text) => log(text),
      }),
    );
  }

  async run(): Promise<void> {
    const { signal, log, intervalMs } = this.options;
    await this.helperReady();
    for (let at = performance.now(); !signal.aborted; at = next(at, intervalMs * this.slowness)) {
      await until(at, signal);
      await this.tryBeat();
    }
    this.isStopping = true;
    await Promise.all(this.databases.map((database) => database.stop()));
    // The helper says its totals in the end, which the last request tells.
    await this.probes?.stop();
    await this.sendProfiles();
    await this.exporter.finish();
    if (this.queue.size > 0) log(`${this.queue.size} requests wait on the disk for the next start`);
  }

  async close(): Promise<void> {
    this.isStopping = true;
    // Where a beat failed they are still looking, and would keep the process.
    await Promise.all(this.databases.map((database) => database.stop()));
    await this.probes?.stop();
    this.looker?.stop();
    this.collector.close();
    this.poster.close();
    this.owner.ends();
  }

  /** Until then nobody answers what this process may not see itself. */
  private async helperReady(): Promise<void> {
    const helper = this.probes?.helper ?? this.looker;
    if (helper === undefined) return;
    let timer: NodeJS.Timeout | undefined;
    const isLate = new Promise<boolean>((resolve) => (timer = setTimeout(() => resolve(true), READY_MS)));
    if (await Promise.race([helper.ready.then(() => false), isLate]))
      this.options.log(`the helper is not ready after ${READY_MS / 1000} s; the agent counts without waiting for it`);
    clearTimeout(timer);
  }

  /** One that ends by itself, without an error too, is missed: the service of the probes tells of errors alone. */
  private watchHelper(): void {
    const { probes, looker } = this;
    const { log } = this.options;
    const gone = "of other users' processes less is known until the agent is started anew";
    probes?.helper.ended.then(
      () => {
        if (this.isStopping) return;
        probes.failed = "it ended by itself";
        log(
          `the probes are gone: ${probes.failed}; times and profiles are not observed until the agent is started anew`,
        );
      },
      () => {},
    );
    looker?.ended.then(
      () => this.isStopping || log(`the helper is gone: it ended by itself; ${gone}`),
      (error: unknown) => this.isStopping || log(`the helper is gone: ${messageOf(error)}; ${gone}`),
    );
  }

  /** An agent that one odd process or file could end would be missing when it is needed: it says what failed, and goes on. */
  private async tryBeat(): Promise<void> {
    this.owner.lives(Date.now());
    try {
      await this.beat();
      if (this.trouble !== "") this.options.log("scrapes work again");
      this.trouble = "";
    } catch (error) {
      const text = messageOf(error);
      if (text !== this.trouble) this.options.log(`a scrape failed, and is left out: ${text}`);
      this.trouble = text;
    }
  }

  private async beat(): Promise<void> {
    const { probes } = this;
    this.measure();
    this.keepWithin();
    const batch = await this.collector.scrape(Date.now(), {
      ofProcess: (into, pid) => probes?.addProcess(into, pid),
      ofAgent: (into) => this.addAgent(into),
      hasTimes: probes !== undefined && probes.failed === "" && !probes.shed.has("off-CPU times"),
    });
    probes?.update(this.collector.mapped);
    await this.send("metrics", batch.finish());
    if (performance.now() - this.profiledMs >= this.options.profileMs - this.options.intervalMs / 2)
      await this.sendProfiles();
  }

  private async sendProfiles(): Promise<void> {
    this.profiledMs = performance.now();
    const isWanted = this.exporter.wants("profiles");
    for (const request of this.probes?.profiles(Date.now(), isWanted) ?? []) await this.send("profiles", request);
  }

  /** A server that takes a request and is silent keeps nobody from counting: the answer is awaited for a moment only. */
  private async send(signal: Signal, body: Uint8Array): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    const patience = new Promise<void>((resolve) => (timer = setTimeout(resolve, PATIENCE_MS)));
    await Promise.race([this.exporter.send(signal, body), patience]);
    clearTimeout(timer);
  }

  /** What this process and the helper take since the last beat. */
  private measure(): void {
    const [now, at] = [process.cpuUsage(), performance.now()];
    const ownNs = (now.user + now.system - this.cpu.user - this.cpu.system) * 1000;
    const { cpuNs, residentBytes } = this.looker?.use() ?? { cpuNs: 0, residentBytes: 0 };
    const helperNs = this.probes?.costNs() ?? Math.max(0, cpuNs - this.lookerNs);
    const cores = (ownNs + helperNs) / ((at - this.cpuAtMs) * 1e6);
    this.cpu = now;
    this.cpuAtMs = at;
    this.lookerNs = cpuNs;
    this.use = { cores, bytes: process.memoryUsage.rss() + (this.probes?.residentBytes ?? residentBytes) };
  }

  private keepWithin(): void {
    const over = this.budget.judge(this.use.cores, this.use.bytes);
    if (over === undefined) return;
    const { log, cpuBudget, memoryBudgetBytes } = this.options;
    const said =
      over === "processor"
        ? `more than ${(cpuBudget * 100).toPrecision(2)} % of a core`
        : `more than ${Math.round(memoryBudgetBytes / 1e6)} MB`;
    // What was read of programs' files is the most of it, and much of that is garbage that nobody asked for yet.
    if (over === "memory") {
      this.probes?.forgetSymbols();
      collectGarbage();
      if (process.memoryUsage.rss() + (this.probes?.residentBytes ?? 0) <= memoryBudgetBytes) return;
    }
    const given = this.probes?.shedNext();
    if (given !== undefined) log(`the agent takes ${said}: it gives up ${given}`);
    else if (over === "processor" && this.slowness < SLOWEST) {
      this.slowness *= 2;
      log(
        `the agent takes ${said}: it scrapes every ${(this.options.intervalMs * this.slowness) / 1000} s from now on`,
      );
    } else if (!this.isAtEnd) {
      this.isAtEnd = true;
      log(`the agent takes ${said}, and nothing is left to give up`);
    }
  }

  private addAgent(into: ResourceMetrics): void {
    const { options, exporter, queue } = this;
    into.add(AGENT.cpuShare, this.use.cores);
    into.add(AGENT.interval, (options.intervalMs * this.slowness) / 1000);
    into.add(AGENT.cpuBudget, options.cpuBudget);
    into.add(AGENT.memory, this.use.bytes);
    into.add(AGENT.memoryBudget, options.memoryBudgetBytes);
    into.add(AGENT.queueSize, queue.bytes);
    into.add(AGENT.dropped, exporter.dropped);
    this.probes?.addHost(into);
    for (const { name, rung, why, mend } of agentCollectors(options.capabilities, this.probes, this.slowness))
      into.add(
        AGENT.collector,
        rung === "none" || rung === "shed" ? 0 : 1,
        labelBytes({
          "longpole.collector.name": name,
          "longpole.collector.rung": rung,
          "longpole.collector.why": why,
          "longpole.collector.mend": mend,
        }),
      );
  }
}

/** V8 collects when it wants memory, not when others do; it lets a program ask for it only where it is told so. */
function collectGarbage(): void {
  setFlagsFromString("--expose-gc");
  (runInNewContext("gc") as () => void)();
}

/** The next beat after now: one that was missed is left out. */
function next(at: number, intervalMs: number): number {
  const missed = Math.max(0, Math.floor((performance.now() - at) / intervalMs));
  return at + (missed + 1) * intervalMs;
}

/** Resolves at a time of performance.now(), or when the signal says so. */
function until(at: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      clearTimeout(timer);
      signal.removeEventListener("abort", done);
      resolve();
    };
    const timer = setTimeout(done, Math.max(0, at - performance.now()));
    signal.addEventListener("abort", done, { once: true });
  });
}

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

function lossOf({ pid, lastUnixMs, isOfEarlierBoot }: LostAgent): string {
  const who = pid === 0 ? "the agent before" : `the agent before, process ${pid},`;
  const when = `after ${new Date(lastUnixMs).toISOString()}`;
  return isOfEarlierBoot
    ? `${who} ended with the machine ${when}`
    : `${who} ended ${when} without a word: it was killed (SIGKILL), by the kernel perhaps for want of memory`;
}
