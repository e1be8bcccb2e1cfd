import type { StoreStatus } from "../store/store.ts";
import type { Status } from "./api/status.ts";
import type { ServerContext } from "./context.ts";

/** Milliseconds over which a rate is taken. */
const RATE_OVER_MS = 10_000;
/** The store is asked for its sizes no more often than that: it looks through its parts for them. */
const STORE_EVERY_MS = 2_000;

interface Sample {
  readonly atMs: number;
  readonly received: Readonly<Record<string, number>>;
}

/** The status of a server, with rates from what it was before. */
export class StatusBoard {
  private readonly context: ServerContext;
  private readonly apiAddress: () => string;
  private samples: Sample[] = [];
  private store: { readonly atMs: number; readonly status: StoreStatus } | undefined;

  /** apiAddress: HOST:PORT as it listens */
  constructor(context: ServerContext, apiAddress: () => string) {
    this.context = context;
    this.apiAddress = apiAddress;
  }

  async status(): Promise<Status> {
    const { context } = this;
    const state = context.storeState();
    const store = await this.storeStatus(state);
    const now = context.analyst.progress;
    const time = (ns: bigint | undefined): string | undefined => (ns === undefined ? undefined : String(ns));
    const oldest = time(store?.oldestSpanUnixNs);
    const newest = time(store?.newestSpanUnixNs);
    return {
      schema: "longpole.status/1",
      version: context.version,
      startedUnixNs: String(context.startedUnixNs),
      nowUnixNs: String(context.nowUnixNs()),
      ready: state === "ready",
      listening: {
        api: this.apiAddress(),
        ...(context.ingest.grpc === undefined ? {} : { otlpGrpc: context.ingest.grpc }),
        ...(context.ingest.http === undefined ? {} : { otlpHttp: context.ingest.http }),
      },
      ingest: this.ingest(),
      store: {
        kind: context.storeKind,
        state,
        ...(store === undefined
          ? {}
          : {
              engineVersion: store.engineVersion,
              diskFreeBytes: store.diskFreeBytes,
              memoryBytes: store.memoryBytes,
            }),
        tables: [...(store?.tables ?? [])],
        ...(oldest === undefined ? {} : { oldestSpanUnixNs: oldest }),
        ...(newest === undefined ? {} : { newestSpanUnixNs: newest }),
      },
      analysis: { waiting: context.analyst.waiting, ...(now === undefined ? {} : { now: { ...now } }) },
      memoryBytes: process.memoryUsage.rss(),
    };
  }

  private ingest(): Status["ingest"] {
    const signals = this.context.ingest.signals();
    const atMs = performance.now();
    const received = Object.fromEntries(Object.entries(signals).map(([name, counts]) => [name, counts.received]));
    this.samples = [...this.samples.filter((sample) => atMs - sample.atMs <= RATE_OVER_MS), { atMs, received }];
    const first = this.samples[0]!;
    const seconds = (atMs - first.atMs) / 1000;
    return Object.fromEntries(
      Object.entries(signals).map(([name, counts]) => {
        const rate = seconds < 0.5 ? 0 : (counts.received - (first.received[name] ?? 0)) / seconds;
        const { received: all, stored, waiting, rejected, dropped } = counts;
        const ledger = { received: all, stored, waiting, rejected: { ...rejected }, dropped: { ...dropped } };
        return [name, { ...ledger, perSecond: Math.round(rate * 10) / 10 }];
      }),
    );
  }

  /** A store that does not answer is a state of the server, not an error of the question. */
  private async storeStatus(state: string): Promise<StoreStatus | undefined> {
    const atMs = performance.now();
    if (this.store !== undefined && atMs - this.store.atMs < STORE_EVERY_MS) return this.store.status;
    if (state !== "ready") return undefined;
    try {
      const status = await this.context.store.status();
      this.store = { atMs, status };
      return status;
    } catch (error) {
      this.context.log("warn", "the store does not tell its status", { error });
      return undefined;
    }
  }
}
