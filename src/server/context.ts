import type { Store } from "../store/store.ts";
import type { Settings } from "./config/settings.ts";
import type { Analyst } from "./live/analyst.ts";
import type { FindingKeeper } from "./live/finding-keeper.ts";
import type { LastAnswers } from "./live/last-answers.ts";
import type { Log } from "./log.ts";
import type { Senders } from "./senders.ts";

/** What the ingest says of itself; counts since the start. */
export interface IngestView {
  /** by signal */
  signals(): Readonly<Record<string, SignalCounts>>;
  /** Prometheus text */
  metricsText(): string;
  /** Resolves when what was acknowledged before can be queried, or when the store is too far behind to wait for. */
  settle(): Promise<void>;
  readonly grpc?: string;
  readonly http?: string;
}

export interface SignalCounts {
  readonly received: number;
  readonly stored: number;
  readonly waiting: number;
  readonly rejected: Readonly<Record<string, number>>;
  readonly dropped: Readonly<Record<string, number>>;
}

/** What the routes answer from. */
export interface ServerContext {
  readonly store: Store;
  /** the same for look-ups, where those may go without shards that do not answer */
  readonly partialStore?: Store;
  readonly storeKind: "embedded" | "clickhouse";
  /** "ready", or what the engine does instead */
  readonly storeState: () => string;
  readonly ingest: IngestView;
  readonly senders: Senders;
  readonly analyst: Analyst;
  /** what is answered while the store is away */
  readonly lastAnswers: LastAnswers;
  readonly findings: FindingKeeper;
  readonly settings: Settings;
  readonly version: string;
  readonly log: Log;
  readonly startedUnixNs: bigint;
  readonly nowUnixNs: () => bigint;
}
