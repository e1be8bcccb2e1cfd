import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { Sink } from "../ingest/sink.ts";
import { startIngest, type Ingest, type IngestOptions } from "../ingest/start-ingest.ts";
import { connect } from "../store/connect.ts";
import { openEmbedded } from "../store/embedded/open-embedded.ts";
import { DEFAULT_RETENTION, type Retention } from "../store/schema/migrate.ts";
import { StoreError } from "../store/store-error.ts";
import type { Store } from "../store/store.ts";
import type { ClickHouseSettings, Settings } from "./config/settings.ts";
import type { IngestView, ServerContext, SignalCounts } from "./context.ts";
import { tokenCheck } from "./http/guards.ts";
import { Analyst } from "./live/analyst.ts";
import { FindingKeeper } from "./live/finding-keeper.ts";
import { LastAnswers } from "./live/last-answers.ts";
import { recordHistory } from "./live/record-history.ts";
import type { Log } from "./log.ts";
import { Senders } from "./senders.ts";
import { startServer, type RunningServer } from "./start-server.ts";

/** A running Longpole: receivers, store, and the API. */
export interface Longpole {
  readonly apiUrl: string;
  readonly otlpGrpc: string | undefined;
  readonly otlpHttp: string | undefined;
  /** whether the store answers */
  storeState(): string;
  /** Takes OTLP metrics (protobuf) of this process' own collectors; gives what was not taken and why, "" where all was. */
  takeMetrics(request: Uint8Array): Promise<string>;
  signals(): Readonly<Record<string, SignalCounts>>;
  /** Refuses what comes, stores what it can, ends the engine. */
  stop(): Promise<void>;
}

interface OpenStore {
  readonly store: Store;
  readonly partialStore?: Store;
  readonly kind: "embedded" | "clickhouse";
  state(): string;
  close(): Promise<void>;
}

/**
 * Starts everything in the order in which each needs the one before, and takes it all back where one fails.
 * Throws what the failing one throws: StoreError, or the system's error of an address that cannot be had.
 */
export async function startLongpole(settings: Settings, version: string, log: Log): Promise<Longpole> {
  mkdirSync(settings.dataDir, { recursive: true, mode: 0o700 });
  const undo: (() => Promise<void>)[] = [];
  try {
    const opened = await openStore(settings, log);
    undo.push(() => opened.close());
    const senders = new Senders(() => Date.now());
    const ingest = await startIngest(ingestOptions(settings, senders.observed(opened.store), log));
    undo.push(() => ingest.stop());
    const view = ingestView(ingest, settings);
    const analyst = new Analyst(
      { budget: settings.limits.analysisSpans, operations: settings.operations },
      () => opened.store.connection,
    );
    undo.push(() => analyst.close());
    const context: ServerContext = {
      store: opened.store,
      ...(opened.partialStore === undefined ? {} : { partialStore: opened.partialStore }),
      storeKind: opened.kind,
      storeState: () => opened.state(),
      ingest: view,
      senders,
      analyst,
      lastAnswers: new LastAnswers(),
      findings: new FindingKeeper(opened.store, log),
      settings,
      version,
      log,
      startedUnixNs: nowUnixNs(),
      nowUnixNs,
    };
    undo.push(recordHistory(opened.store, () => view.signals(), nowUnixNs, log));
    undo.push(keepWithin(opened.store, settings.retention.sizeBytes, log));
    const server: RunningServer = await startServer(context);
    undo.push(() => server.close());
    log("info", "up", { api: server.url, grpc: view.grpc, http: view.http, store: opened.kind });
    return {
      apiUrl: server.url,
      otlpGrpc: view.grpc,
      otlpHttp: view.http,
      storeState: () => opened.state(),
      takeMetrics: (request) => ingest.takeMetrics(request),
      signals: () => view.signals(),
      stop: () => takeBack(undo, log),
    };
  } catch (error) {
    await takeBack(undo, log);
    throw error;
  }
}

/** Sizes grow by minutes, not seconds; a look at them costs the store little, deleting more. */
const SIZE_EVERY_MS = 5 * 60_000;

/** Deletes the oldest data beyond a size, now and then. Returns how to stop that. */
function keepWithin(store: Store, maxBytes: number | undefined, log: Log): () => Promise<void> {
  if (maxBytes === undefined) return async () => {};
  let running: Promise<void> = Promise.resolve();
  const check = async (): Promise<void> => {
    try {
      for (const dropped of await store.enforceSizeCap(maxBytes))
        log("info", "deleted beyond the size cap", { ...dropped });
    } catch (error) {
      log("warn", "the size cap could not be kept", { error });
    }
  };
  const timer = setInterval(() => void (running = running.then(check)), SIZE_EVERY_MS);
  running = check();
  return async () => {
    clearInterval(timer);
    await running;
  };
}

const nowUnixNs = (): bigint => BigInt(Date.now()) * 1_000_000n;

/** Last first: nothing loses what it still needs. One that fails to end does not keep the others. */
async function takeBack(undo: (() => Promise<void>)[], log: Log): Promise<void> {
  for (let step = undo.pop(); step !== undefined; step = undo.pop()) {
    await step().catch((error: unknown) => log("error", "did not end well", { error }));
  }
}

async function openStore(settings: Settings, log: Log): Promise<OpenStore> {
  const { clickhouse } = settings;
  if (clickhouse !== undefined) {
    const store = await connect(connectionOf(clickhouse), { retention: retentionOf(settings) });
    const partialStore =
      clickhouse.partialReads === true
        ? await connect({ ...store.connection, partialReads: true }, { isMigrated: true })
        : undefined;
    const watch = watchStore(store);
    const close = async (): Promise<void> => {
      watch.stop();
      await Promise.all([store.close(), partialStore?.close()]);
    };
    return {
      store,
      ...(partialStore === undefined ? {} : { partialStore }),
      kind: "clickhouse",
      state: watch.state,
      close,
    };
  }
  const { memoryBytes } = settings.limits;
  const { store, engine, close } = await openEmbedded({
    dataDir: join(settings.dataDir, "store"),
    retention: retentionOf(settings),
    ...(memoryBytes === undefined ? {} : { memoryLimitBytes: memoryBytes }),
    log: (text) => log("info", "store", { text }),
  });
  return {
    store,
    kind: "embedded",
    state: () => (engine.state === "up" ? "ready" : engine.state),
    close,
  };
}

const PING_EVERY_MS = 2_000;

/** Whether a ClickHouse that somebody else runs answers, asked every two seconds. */
function watchStore(store: Store): { state: () => string; stop: () => void } {
  let state = "ready";
  let isAsking = false;
  const ping = async (): Promise<void> => {
    if (isAsking) return;
    isAsking = true;
    try {
      await store.spansIn({ fromUnixNs: 0n, toUnixNs: 1n });
      state = "ready";
    } catch (error) {
      state = error instanceof StoreError ? error.code : "not answering";
    }
    isAsking = false;
  };
  const timer = setInterval(() => void ping(), PING_EVERY_MS);
  return { state: () => state, stop: () => clearInterval(timer) };
}

const MS_PER_DAY = 86_400_000;

/** In days, as tables are deleted by. */
function retentionOf({ retention: { tracesMs, metricsMs } }: Settings): Retention {
  return {
    spanDays: tracesMs === undefined ? DEFAULT_RETENTION.spanDays : tracesMs / MS_PER_DAY,
    metricDays: metricsMs === undefined ? DEFAULT_RETENTION.metricDays : metricsMs / MS_PER_DAY,
  };
}

function connectionOf({
  urls,
  user,
  password,
  database,
  cluster,
  replicated,
}: ClickHouseSettings): Store["connection"] {
  return {
    urls,
    user: user ?? "default",
    password: password ?? "",
    database: database ?? "longpole",
    ...(cluster === undefined ? {} : { cluster }),
    ...(replicated === undefined ? {} : { isReplicated: replicated }),
  };
}

function ingestOptions(settings: Settings, sink: Sink, log: Log): IngestOptions {
  const { requestBytes, walBytes } = settings.limits;
  return {
    listen: { http: settings.http, grpc: settings.grpc },
    walDir: join(settings.dataDir, "wal"),
    sink,
    scrape: settings.scrape,
    profiles: settings.profiles,
    limits: {
      ...(requestBytes === undefined ? {} : { bodyBytes: requestBytes, decompressedBytes: requestBytes }),
      ...(walBytes === undefined ? {} : { walBytes }),
      // What the store would drop on arrival is refused, by name, instead of lost.
      spanAgeMs: retentionOf(settings).spanDays * MS_PER_DAY,
      pointAgeMs: retentionOf(settings).metricDays * MS_PER_DAY,
    },
    ...(settings.tokens.length === 0 ? {} : { authorize: tokenCheck(settings.tokens) }),
    ...(settings.tls === undefined ? {} : { tls: settings.tls }),
    log: (text) => log("info", "ingest", { text }),
  };
}

/** A block is a second old at most when it goes to the store; a store that is slower than this is behind, and answers with what it has. */
const SETTLE_MS = 2000;

function ingestView(ingest: Ingest, { grpc, http }: Settings): IngestView {
  const place = (host: string, port: number | undefined): string | undefined =>
    port === undefined ? undefined : `${host.includes(":") ? `[${host}]` : host}:${port}`;
  const ports: { readonly http?: number; readonly grpc?: number } = ingest.ports;
  const [atGrpc, atHttp] = [place(grpc.host, ports.grpc), place(http.host, ports.http)];
  return {
    signals: () =>
      Object.fromEntries(
        Object.entries(ingest.ledger().signals).map(([name, { received, stored, inWal, rejected, dropped }]) => [
          name,
          { received, stored, waiting: inWal, rejected, dropped },
        ]),
      ),
    metricsText: () => ingest.metricsText(),
    settle: () => Promise.race([ingest.flush(), sleep(SETTLE_MS, undefined, { ref: false })]),
    ...(atGrpc === undefined ? {} : { grpc: atGrpc }),
    ...(atHttp === undefined ? {} : { http: atHttp }),
  };
}
