import { join } from "node:path";
import { connect, prepareTables } from "../store/connect.ts";
import { beginEmbedded } from "../store/embedded/open-embedded.ts";
import { DEFAULT_RETENTION, type Retention } from "../store/schema/migrate.ts";
import { StoreError } from "../store/store-error.ts";
import type { Store } from "../store/store.ts";
import type { ClickHouseSettings, Settings } from "./config/settings.ts";
import type { Log } from "./log.ts";

/** A store from before it can be asked. */
export interface OpeningStore {
  readonly store: Store;
  /** the same for look-ups, where those may go without shards that do not answer */
  readonly partialStore?: Store;
  readonly kind: "embedded" | "clickhouse";
  /** Resolves when it can be asked; rejects with the StoreError that keeps it from that. */
  readonly opened: Promise<void>;
  /** "ready", or what it does instead */
  state(): string;
  close(): Promise<void>;
}

/** Throws StoreError where it is known at once that there will be no store: "not-installed", "locked". */
export async function openStore(settings: Settings, log: Log): Promise<OpeningStore> {
  const { clickhouse } = settings;
  const opening = clickhouse === undefined ? await embedded(settings, log) : await elsewhere(settings, clickhouse);
  let isOpen = false;
  const opened = opening.opened.then(() => void (isOpen = true));
  // Told to who awaits it.
  opened.catch(() => undefined);
  return { ...opening, opened, state: () => (isOpen ? opening.state() : "starting") };
}

async function embedded(settings: Settings, log: Log): Promise<OpeningStore> {
  const { memoryBytes } = settings.limits;
  const { store, engine, opened, close } = await beginEmbedded({
    dataDir: join(settings.dataDir, "store"),
    retention: retentionOf(settings),
    ...(memoryBytes === undefined ? {} : { memoryLimitBytes: memoryBytes }),
    log: (text) => log("info", "store", { text }),
  });
  return {
    store,
    kind: "embedded",
    opened,
    state: () => (engine.state === "up" ? "ready" : engine.state),
    close,
  };
}

async function elsewhere(settings: Settings, clickhouse: ClickHouseSettings): Promise<OpeningStore> {
  const connection = connectionOf(clickhouse);
  const store = await connect(connection, { isMigrated: true });
  const partialStore =
    clickhouse.partialReads === true
      ? await connect({ ...connection, partialReads: true }, { isMigrated: true })
      : undefined;
  const opened = prepareTables(connection, retentionOf(settings));
  const watch = watchStore(store, opened);
  const close = async (): Promise<void> => {
    watch.stop();
    await Promise.all([store.close(), partialStore?.close()]);
  };
  return {
    store,
    ...(partialStore === undefined ? {} : { partialStore }),
    kind: "clickhouse",
    opened,
    state: watch.state,
    close,
  };
}

const PING_EVERY_MS = 2_000;

/** Whether a ClickHouse that somebody else runs answers, asked every two seconds from when it was opened. */
function watchStore(store: Store, opened: Promise<void>): { state: () => string; stop: () => void } {
  let timer: NodeJS.Timeout | undefined;
  let isStopped = false;
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
  const start = (): void => {
    if (!isStopped) timer = setInterval(() => void ping(), PING_EVERY_MS);
  };
  // That it could not be opened is told to who awaits that.
  opened.then(start, () => undefined);
  const stop = (): void => {
    isStopped = true;
    clearInterval(timer);
  };
  return { state: () => state, stop };
}

const MS_PER_DAY = 86_400_000;

/** In days, as tables are deleted by. */
export function retentionOf({ retention: { tracesMs, metricsMs } }: Settings): Retention {
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
