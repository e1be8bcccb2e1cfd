/**
 * Everything about the sample system that a fault may change, as plain data.
 * Each process gets its part as JSON; a healthy system is `HEALTHY`, and a fault
 * is a patch of it. The code that a setting switches to is real code of the kind
 * that people write: nothing here sleeps unless the fault itself is a sleep.
 */
export interface SystemSettings {
  readonly gateway: GatewaySettings;
  readonly zones: ZonesSettings;
  readonly accounts: AccountsSettings;
  readonly registrar: RegistrarSettings;
  readonly ingest: IngestSettings;
  readonly aggregator: AggregatorSettings;
  readonly postgres: PostgresSettings;
  readonly host: HostSettings;
}

export interface GatewaySettings {
  /** whether connections to the other services are kept for the next call */
  readonly keepAlive: boolean;
  /** most connections towards one instance; calls beyond wait */
  readonly maxSockets: number;
  /** how the overview asks accounts, zones and delegation, none of which needs another's answer */
  readonly overview: "parallel" | "sequential";
  /** how often one overview or listing asks for the same account */
  readonly accountLookups: number;
  /** writes its request log to one JSON document, synchronously, every so often; 0 entries: never */
  readonly statusDump: { readonly everyMs: number; readonly entries: number };
  /** collects, sorts and prints the recent requests for every answer of 404 */
  readonly diagnosticsOnError: boolean;
}

export interface ZonesSettings {
  readonly replicas: number;
  /** "pairwise" compares every record of a zone with every other when listing; "set" looks names up */
  readonly conflicts: "set" | "pairwise";
  /** the replica (from 0) that alone runs with `conflicts: "pairwise"`; -1 for none */
  readonly pairwiseReplica: number;
  /** connections of the pool towards PostgreSQL, per replica */
  readonly poolMax: number;
  /** "per-request" opens a connection of its own for each request and closes it after */
  readonly connections: "pooled" | "per-request";
  /** "request" keeps a connection checked out while the registrar is asked, "statement" only for statements */
  readonly holdConnection: "statement" | "request";
  /** how a listing gets the last editor of each record */
  readonly editors: "joined" | "query-per-record";
  /** how the records of a zone are counted by type: kept up to date, or counted over all history each time */
  readonly summary: "kept" | "recomputed";
  /** whether a create raises the zone's serial in a row of its own first, and holds that row till its commit */
  readonly serial: "last-statement" | "first-statement";
  /** whether all creates raise the serial of one shared zone */
  readonly sharedSerial: boolean;
  /** milliseconds that a create waits to be joined with others before it is written; 0 for none */
  readonly writeDelayMs: number;
  /** what a listing carries: a page, or each record with all its earlier versions */
  readonly payload: "page" | "history";
  /** rounds of PBKDF2 (in the thread pool) that check the caller's token on each request; 0 for none */
  readonly tokenRounds: number;
  /** size of libuv's thread pool */
  readonly threads: number;
  /** connections that the kernel may queue before they are accepted */
  readonly listenBacklog: number;
  /** whether each request appends debug lines to a file with a synchronous write and sync for each */
  readonly debugLog: "off" | "sync";
}

export interface AccountsSettings {
  /** accounts kept in memory, and for how long; 0 entries: no cache */
  readonly cache: { readonly entries: number; readonly ttlMs: number };
  /** one lock for all refreshes of the cache, or one per key */
  readonly refreshLock: "per-key" | "global";
  /** rounds of a synchronous hash that each answer is signed with */
  readonly signatureRounds: number;
  /** kilobytes per request that are put into a map and never removed; 0 for none */
  readonly retainKb: number;
  /** objects that each request makes and that live for some seconds, while a large index of objects is alive; 0 for none */
  readonly garbageObjects: number;
  /** V8's old generation, MB; 0 for the default */
  readonly heapMb: number;
  /** calls to the registrar: how long to wait, how often to try again at once */
  readonly registrar: { readonly timeoutMs: number; readonly retries: number };
}

/** By which the third party is reached, and by which spans therefore know it. */
export const REGISTRAR_HOST = "registrar.example";

/** A third party: it sends no telemetry. */
export interface RegistrarSettings {
  readonly delayMs: number;
  /** share of calls answered with 503 */
  readonly errorRatio: number;
  /** share of calls never answered */
  readonly hangRatio: number;
}

export interface IngestSettings {
  /** "scan" walks the bytes once; "regex" splits and matches with fresh objects per point */
  readonly parser: "scan" | "regex";
  /** one write system call for a batch, or one for each point */
  readonly writes: "batch" | "point";
  /** when the journal is synced to disk */
  readonly sync: "interval" | "batch" | "point";
  /** V8's young generation (semi space), MB; 0 for the default */
  readonly youngMb: number;
}

export interface AggregatorSettings {
  /** rows written in one statement, or a statement and commit for each point */
  readonly commit: "batch" | "point";
  /** messages that are worked on at the same time */
  readonly workers: number;
}

export interface PostgresSettings {
  /** rows of `records` before the load begins */
  readonly records: number;
  /** whether `records (name)` has an index */
  readonly nameIndex: boolean;
  readonly sharedBuffersMb: number;
  readonly workMemKb: number;
  /** reads and writes past the operating system's page cache, so that a miss is a real read of the disk */
  readonly directIo: boolean;
  readonly maxConnections: number;
}

export interface HostSettings {
  /** processes of somebody else that use a whole core each, and at which niceness */
  readonly neighbours: { readonly processes: number; readonly nice: number };
  /** processes of somebody else that write and sync to the same disk */
  readonly diskWriters: number;
  /** cores that a service may use, by a cgroup of its own; needs the right to make one */
  readonly quota: { readonly service: ServiceName; readonly cores: number } | null;
  /** delay and loss on the way to a service, by netem in a network namespace of its own */
  readonly network: { readonly service: ServiceName; readonly delayMs: number; readonly lossRatio: number } | null;
}

export const SERVICES = ["gateway", "zones", "accounts", "registrar", "ingest", "aggregator"] as const;
export type ServiceName = (typeof SERVICES)[number];

/** A part of the settings, to be laid over others. */
export type SettingsPatch = { readonly [K in keyof SystemSettings]?: Partial<SystemSettings[K]> };

export const HEALTHY: SystemSettings = {
  gateway: {
    keepAlive: true,
    maxSockets: 64,
    overview: "parallel",
    accountLookups: 1,
    statusDump: { everyMs: 1000, entries: 0 },
    diagnosticsOnError: false,
  },
  zones: {
    replicas: 1,
    conflicts: "set",
    pairwiseReplica: -1,
    poolMax: 10,
    connections: "pooled",
    holdConnection: "statement",
    editors: "joined",
    summary: "kept",
    serial: "last-statement",
    sharedSerial: false,
    writeDelayMs: 0,
    payload: "page",
    tokenRounds: 0,
    threads: 4,
    listenBacklog: 511,
    debugLog: "off",
  },
  accounts: {
    cache: { entries: 5000, ttlMs: 600_000 },
    refreshLock: "per-key",
    signatureRounds: 1,
    retainKb: 0,
    garbageObjects: 0,
    heapMb: 0,
    registrar: { timeoutMs: 2000, retries: 2 },
  },
  registrar: { delayMs: 2, errorRatio: 0, hangRatio: 0 },
  ingest: { parser: "scan", writes: "batch", sync: "interval", youngMb: 0 },
  aggregator: { commit: "batch", workers: 2 },
  postgres: {
    records: 100_000,
    nameIndex: true,
    sharedBuffersMb: 256,
    workMemKb: 4096,
    directIo: false,
    maxConnections: 100,
  },
  host: { neighbours: { processes: 0, nice: 0 }, diskWriters: 0, quota: null, network: null },
};

/** `base` with the values of `patch` in their places; groups are merged, not replaced. */
export function withSettings(base: SystemSettings, patch: SettingsPatch): SystemSettings {
  const merged: Record<string, object> = { ...base };
  for (const [part, values] of Object.entries(patch)) merged[part] = { ...merged[part], ...values };
  return merged as unknown as SystemSettings;
}
