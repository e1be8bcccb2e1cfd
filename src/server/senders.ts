import type { Sink } from "../ingest/sink.ts";
import { attributeText, findAttribute, type AttributeTable } from "../model/attribute-table.ts";
import type { MetricTable } from "../model/metric-table.ts";
import type { SpanTable } from "../model/span-table.ts";
import type { StackTable } from "../model/stack-table.ts";
import type { StringPool } from "../model/string-pool.ts";

export type SentSignal = "traces" | "metrics" | "profiles";

/** Who sends, and how fresh it is. */
export interface Sender {
  /** `service.name`; "" where the data name none */
  readonly service: string;
  readonly host?: string;
  /** `telemetry.sdk.name` and `.language` */
  readonly sdk?: string;
  readonly signals: Partial<Record<SentSignal, SenderSignal>>;
}

export interface SenderSignal {
  /** since data of it came last */
  readonly ageMs: number;
  /** how far the newest time in its data lay behind the clock when it came; below 0 where the sender's clock is ahead */
  readonly lagMs: number;
}

/** Kept at most; a sender is a service on a host. Beyond, those that were not heard of for longest are forgotten. */
const MOST_KEPT = 2_000;
/** Told at most, newest first. */
const MOST_TOLD = 200;

interface Held {
  readonly service: string;
  readonly host: string;
  readonly sdk: string;
  readonly signals: Map<SentSignal, { atMs: number; newestMs: number }>;
  lastMs: number;
}

/**
 * Notes who sends what, from the blocks on their way to the store: one look at each resource of a block and one pass
 * over its times, so that the status needs no query. Counts from the start of the server. `nowMs` is the clock, since 1970.
 */
export class Senders {
  private readonly nowMs: () => number;
  private readonly held = new Map<string, Held>();
  private readonly newestMs = new Map<SentSignal, number>();

  constructor(nowMs: () => number) {
    this.nowMs = nowMs;
  }

  /** The sink, with what goes into it noted; a block that is tried again is noted again, at its time of then. */
  observed(sink: Sink): Sink {
    return {
      insertSpans: (table, token) => {
        this.spans(table);
        return sink.insertSpans(table, token);
      },
      insertMetrics: (table, token) => {
        this.metrics(table);
        return sink.insertMetrics(table, token);
      },
      insertStacks: (table, token) => {
        this.stacks(table);
        return sink.insertStacks(table, token);
      },
    };
  }

  /** Newest first, `leftOut` more. */
  list(): { readonly senders: Sender[]; readonly leftOut: number } {
    const now = this.nowMs();
    const all = [...this.held.values()].sort((a, b) => b.lastMs - a.lastMs || compare(a.service, b.service));
    const senders = all.slice(0, MOST_TOLD).map(({ service, host, sdk, signals }): Sender => {
      const told = [...signals].map(([signal, { atMs, newestMs }]) => [
        signal,
        { ageMs: Math.round(now - atMs), lagMs: Math.round(atMs - newestMs) },
      ]);
      return {
        service,
        ...(host === "" ? {} : { host }),
        ...(sdk === "" ? {} : { sdk }),
        signals: Object.fromEntries(told) as Sender["signals"],
      };
    });
    return { senders, leftOut: all.length - senders.length };
  }

  /** Milliseconds from the newest time in what came to now; undefined before anything came. */
  lagMs(signal: string): number | undefined {
    const newest = this.newestMs.get(signal as SentSignal);
    return newest === undefined ? undefined : Math.round(this.nowMs() - newest);
  }

  private spans({ resources, resource, endOffsetNs, baseUnixNs, rowCount, strings }: SpanTable): void {
    const newest = new Float64Array(resources.listCount).fill(-Infinity);
    for (let row = 0; row < rowCount; row++) {
      const list = resource[row]!;
      if (endOffsetNs[row]! > newest[list]!) newest[list] = endOffsetNs[row]!;
    }
    this.resources("traces", resources, strings, newest, baseUnixNs);
  }

  private metrics({ resources, resource, points, baseUnixNs, strings }: MetricTable): void {
    const newest = new Float64Array(resources.listCount).fill(-Infinity);
    for (let row = 0; row < points.rowCount; row++) {
      const list = resource[points.series[row]!]!;
      if (points.timeOffsetNs[row]! > newest[list]!) newest[list] = points.timeOffsetNs[row]!;
    }
    this.resources("metrics", resources, strings, newest, baseUnixNs);
  }

  /** Profiles are noted when they come: their times, where they have any, are those of samples long before their end. */
  private stacks({ processes, strings }: StackTable): void {
    const now = this.nowMs();
    for (const service of new Set(processes.service)) this.note("profiles", strings.get(service), "", "", now);
  }

  private resources(
    signal: SentSignal,
    resources: AttributeTable,
    strings: StringPool,
    newestNs: Float64Array,
    baseUnixNs: bigint,
  ): void {
    const keys = KEYS.map((key) => strings.intern(key));
    const baseMs = Number(baseUnixNs / 1_000_000n);
    for (let list = 0; list < resources.listCount; list++) {
      // A resource without rows sent nothing.
      if (newestNs[list] === -Infinity) continue;
      const [service, host, instance, sdk, language] = keys.map((key) => {
        const row = findAttribute(resources, list, key);
        return row < 0 ? "" : attributeText(resources, strings, row);
      }) as [string, string, string, string, string];
      const kit = [sdk, language].filter((text) => text !== "").join(" ");
      this.note(signal, service, host === "" ? instance : host, kit, baseMs + newestNs[list]! / 1e6);
    }
  }

  private note(signal: SentSignal, service: string, host: string, sdk: string, newestMs: number): void {
    const now = this.nowMs();
    const key = JSON.stringify([service, host]);
    const before = this.held.get(key);
    const sender = before ?? { service, host, sdk, signals: new Map(), lastMs: now };
    const known = sender.signals.get(signal);
    sender.signals.set(signal, {
      atMs: now,
      newestMs: known?.atMs === now ? Math.max(known.newestMs, newestMs) : newestMs,
    });
    sender.lastMs = now;
    // Heard of last stands last.
    this.held.delete(key);
    this.held.set(key, sender);
    for (const oldest of this.held.keys()) {
      if (this.held.size <= MOST_KEPT) break;
      this.held.delete(oldest);
    }
    this.newestMs.set(signal, Math.max(this.newestMs.get(signal) ?? -Infinity, newestMs));
  }
}

const KEYS = ["service.name", "host.name", "service.instance.id", "telemetry.sdk.name", "telemetry.sdk.language"];

const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);
