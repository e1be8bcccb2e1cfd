import { CounterCollector } from "./counters/counter-collector.ts";
import { AGENT } from "./counters/metrics.ts";
import { DirectPeek } from "./counters/process-peek.ts";
import { DiskQueue } from "./export/disk-queue.ts";
import type { ExportSettings } from "./export/export-settings.ts";
import { Exporter } from "./export/exporter.ts";
import { labelBytes, type ResourceMetrics } from "./export/metric-batch.ts";
import { Poster } from "./export/post.ts";
import type { Capability } from "./host-capabilities.ts";
import { hostAttributes } from "./host-facts.ts";

export interface AgentOptions {
  readonly settings: ExportSettings;
  readonly intervalMs: number;
  readonly queueFolder: string;
  readonly queueBytes: number;
  /** of one core, 0 .. 1 */
  readonly cpuBudget: number;
  readonly memoryBudgetBytes: number;
  readonly version: string;
  readonly capabilities: readonly Capability[];
  readonly log: (text: string) => void;
  /** ends the agent, which then sends what it has */
  readonly signal: AbortSignal;
}

/** Scrapes and sends until it is told to end. Throws the system's error where the queue's folder cannot be had. */
export async function runAgent(options: AgentOptions): Promise<void> {
  const { settings, intervalMs, signal, log } = options;
  const queue = new DiskQueue(options.queueFolder, options.queueBytes);
  const poster = new Poster(settings);
  const exporter = new Exporter({
    settings,
    queue,
    post: (endpoint, body, isCompressed, type) => poster.post(endpoint, body, isCompressed, type),
    log,
    nowMs: () => performance.now(),
    random: Math.random,
  });
  const collector = new CounterCollector({ attributes: hostAttributes(), version: options.version }, new DirectPeek());
  const own = new OwnUse();
  try {
    for (let at = performance.now(); !signal.aborted; at = next(at, intervalMs)) {
      await until(at, signal);
      const batch = await collector.scrape(Date.now(), {
        ofAgent: (into) => addAgent(into, options, exporter, queue, own),
      });
      await exporter.send("metrics", batch.finish());
    }
    await exporter.finish();
    if (queue.size > 0) log(`${queue.size} requests wait on the disk for the next start`);
  } finally {
    collector.close();
    poster.close();
  }
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

/** What this process takes, from one question to the next. */
class OwnUse {
  private cpu = process.cpuUsage();
  private at = performance.now();

  /** Cores. */
  cores(): number {
    const [now, at] = [process.cpuUsage(), performance.now()];
    const used = (now.user + now.system - this.cpu.user - this.cpu.system) / 1e6;
    const seconds = (at - this.at) / 1000;
    this.cpu = now;
    this.at = at;
    return seconds > 0 ? used / seconds : Number.NaN;
  }
}

function addAgent(
  into: ResourceMetrics,
  options: AgentOptions,
  exporter: Exporter,
  queue: DiskQueue,
  own: OwnUse,
): void {
  into.add(AGENT.cpuShare, own.cores());
  into.add(AGENT.interval, options.intervalMs / 1000);
  into.add(AGENT.cpuBudget, options.cpuBudget);
  into.add(AGENT.memory, process.memoryUsage.rss());
  into.add(AGENT.memoryBudget, options.memoryBudgetBytes);
  into.add(AGENT.queueSize, queue.bytes);
  into.add(AGENT.dropped, exporter.dropped);
  for (const { name, rung, why, mend } of options.capabilities)
    into.add(
      AGENT.collector,
      rung === "none" ? 0 : 1,
      labelBytes({
        "longpole.collector.name": name,
        "longpole.collector.rung": rung,
        "longpole.collector.why": why,
        "longpole.collector.mend": mend,
      }),
    );
}
