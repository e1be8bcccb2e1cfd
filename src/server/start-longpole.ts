import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { Sink } from "../ingest/sink.ts";
import { startIngest, type Ingest, type IngestOptions } from "../ingest/start-ingest.ts";
import { trimHeap } from "../store/embedded/trim-heap.ts";
import type { Store } from "../store/store.ts";
import type { Settings } from "./config/settings.ts";
import type { IngestView, ServerContext, SignalCounts } from "./context.ts";
import { tokenCheck } from "./http/guards.ts";
import { Analyst } from "./live/analyst.ts";
import { AnswerFiles } from "./live/answer-files.ts";
import { FindingKeeper } from "./live/finding-keeper.ts";
import { LastAnswers } from "./live/last-answers.ts";
import { recordHistory } from "./live/record-history.ts";
import type { Log } from "./log.ts";
import { openStore, type OpeningStore, retentionOf } from "./open-store.ts";
import { Senders } from "./senders.ts";
import { startPhase } from "./start-phases.ts";
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

/**
 * Starts everything in the order in which each needs the one before, and takes it all back where one fails. The store may
 * take its time, so what is received waits in the log on disk, and the API gives kept answers; all is there when this resolves.
 * Throws what the failing one throws: StoreError, or the system's error of an address that cannot be had.
 */
export async function startLongpole(settings: Settings, version: string, log: Log): Promise<Longpole> {
  mkdirSync(settings.dataDir, { recursive: true, mode: 0o700 });
  const undo: (() => Promise<void>)[] = [];
  try {
    const opening = await openStore(settings, log);
    undo.push(() => opening.close());
    const senders = new Senders(() => Date.now());
    const ingest = await startPhase(log, "the log on disk was read", () =>
      startIngest(ingestOptions(settings, senders.observed(whenOpen(opening)), log)),
    );
    undo.push(() => ingest.stop());
    const view = ingestView(ingest, settings);
    const analyst = new Analyst(
      { budget: settings.limits.analysisSpans, operations: settings.operations },
      () => opening.store.connection,
    );
    undo.push(() => analyst.close());
    const answers = new AnswerFiles(join(settings.dataDir, "answers"), answersOf(settings, version), log);
    undo.push(() => answers.settled());
    const context: ServerContext = {
      store: opening.store,
      ...(opening.partialStore === undefined ? {} : { partialStore: opening.partialStore }),
      storeKind: opening.kind,
      storeState: () => opening.state(),
      ingest: view,
      senders,
      analyst,
      lastAnswers: new LastAnswers(answers),
      findings: new FindingKeeper(opening.store, log),
      settings,
      version,
      log,
      startedUnixNs: nowUnixNs(),
      nowUnixNs,
    };
    const server: RunningServer = await startServer(context);
    undo.push(() => server.close());
    const places = { api: server.url, grpc: view.grpc, http: view.http };
    await untilOpen(opening, log, places);
    undo.push(recordHistory(opening.store, () => view.signals(), nowUnixNs, log));
    undo.push(keepWithin(opening.store, settings.retention.sizeBytes, log));
    log("info", "up", { ...places, store: opening.kind });
    return {
      apiUrl: server.url,
      otlpGrpc: view.grpc,
      otlpHttp: view.http,
      storeState: () => opening.state(),
      takeMetrics: (request) => ingest.takeMetrics(request),
      signals: () => view.signals(),
      stop: () => takeBack(undo, log),
    };
  } catch (error) {
    await takeBack(undo, log);
    throw error;
  }
}

/** What answers are of: those of another version, store or reading of names would be other answers. */
function answersOf({ clickhouse, operations, limits }: Settings, version: string): string {
  const { urls, database, cluster } = clickhouse ?? {};
  const store = clickhouse === undefined ? "embedded" : { urls, database, cluster };
  return JSON.stringify({ version, store, operations, spans: limits.analysisSpans });
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

/** Blocks wait until the store is open: what is received is in the log on disk meanwhile. */
function whenOpen({ store, opened }: OpeningStore): Sink {
  return {
    insertSpans: (table, token) => opened.then(() => store.insertSpans(table, token)),
    insertMetrics: (table, token) => opened.then(() => store.insertMetrics(table, token)),
    insertStacks: (table, token) => opened.then(() => store.insertStacks(table, token)),
  };
}

/** After so long who looks at the log is told why not all is there yet. */
const STILL_OPENING_MS = 1_000;

/** Resolves when the store is open. */
async function untilOpen(
  { opened }: OpeningStore,
  log: Log,
  places: { readonly api: string; readonly grpc: string | undefined; readonly http: string | undefined },
): Promise<void> {
  const text = `OTLP is received and ${places.api} answers; the store is still being opened`;
  const told = setTimeout(() => log("info", "start", { text, ...places }), STILL_OPENING_MS);
  try {
    await startPhase(log, "the store was opened", () => opened);
  } catch (error) {
    // At once: to take back what was started may take some seconds.
    log("error", "the store cannot be opened", { error });
    throw error;
  } finally {
    clearTimeout(told);
  }
}

const MS_PER_DAY = 86_400_000;

function ingestOptions(settings: Settings, sink: Sink, log: Log): IngestOptions {
  const { requestBytes, walBytes } = settings.limits;
  return {
    listen: { http: settings.http, grpc: settings.grpc },
    walDir: join(settings.dataDir, "wal"),
    sink,
    ...(settings.clickhouse === undefined ? { giveBack: () => void trimHeap() } : {}),
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
