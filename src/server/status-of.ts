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

interface HeldStatus {
  readonly atMs: number;
  readonly atUnixNs: bigint;
  readonly status: StoreStatus;
}

/** The status of a server, with rates from what it was before. */
export class StatusBoard {
  private readonly context: ServerContext;
  private readonly apiAddress: () => string;
  private samples: Sample[] = [];
  private store: HeldStatus | undefined;
  private awaySinceUnixNs: bigint | undefined;

  /** apiAddress: HOST:PORT as it listens */
  constructor(context: ServerContext, apiAddress: () => string) {
    this.context = context;
    this.apiAddress = apiAddress;
  }

  async status(): Promise<Status> {
    const { context } = this;
    const state = context.storeState();
    const now = context.analyst.progress;
    const { senders, leftOut } = context.senders.list();
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
      senders,
      sendersLeftOut: leftOut,
      store: this.storeFigures(state, await this.storeStatus(state)),
      analysis: { waiting: context.analyst.waiting, ...(now === undefined ? {} : { now: { ...now } }) },
      memoryBytes: process.memoryUsage.rss(),
    };
  }

  private storeFigures(state: string, held: HeldStatus | undefined): Status["store"] {
    const { storeKind, nowUnixNs } = this.context;
    this.awaySinceUnixNs = state === "ready" ? undefined : (this.awaySinceUnixNs ?? nowUnixNs());
    const away = this.awaySinceUnixNs === undefined ? {} : { awaySinceUnixNs: String(this.awaySinceUnixNs) };
    if (held === undefined) return { kind: storeKind, state, ...away, tables: [] };
    const { engineVersion, diskFreeBytes, memoryBytes, tables, oldestSpanUnixNs, newestSpanUnixNs } = held.status;
    return {
      kind: storeKind,
      state,
      ...away,
      asOfUnixNs: String(held.atUnixNs),
      engineVersion,
      diskFreeBytes,
      memoryBytes,
      tables: [...tables],
      ...(oldestSpanUnixNs === undefined ? {} : { oldestSpanUnixNs: String(oldestSpanUnixNs) }),
      ...(newestSpanUnixNs === undefined ? {} : { newestSpanUnixNs: String(newestSpanUnixNs) }),
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
        const lagMs = this.context.senders.lagMs(name);
        const lag = lagMs === undefined ? {} : { lagMs };
        return [name, { ...ledger, perSecond: Math.round(rate * 10) / 10, ...lag }];
      }),
    );
  }

  /** A store that does not answer is a state of the server, not an error of the question; what it said last stays, dated. */
  private async storeStatus(state: string): Promise<HeldStatus | undefined> {
    const atMs = performance.now();
    if (state !== "ready" || (this.store !== undefined && atMs - this.store.atMs < STORE_EVERY_MS)) return this.store;
    try {
      const status = await this.context.store.status();
      this.store = { atMs, atUnixNs: this.context.nowUnixNs(), status };
    } catch (error) {
      this.context.log("warn", "the store does not tell its status", { error });
    }
    return this.store;
  }
}
