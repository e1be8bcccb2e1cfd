import { existsSync, readFileSync } from "node:fs";
import { parseObjective, type Objective } from "../../engine/objective.ts";
import { clickhouseAddresses } from "./clickhouse-addresses.ts";
import { ConfigError } from "./config-error.ts";
import type { Config } from "./config-schema.ts";
import { durationMs, sizeBytes } from "./quantities.ts";
import { readConfigFile } from "./read-config.ts";

/** Where something listens; port 0 is any free one. */
export interface ListenAddress {
  readonly host: string;
  readonly port: number;
}

/** Everything that `up` can be told, checked and with defaults filled in. */
export interface Settings {
  readonly api: ListenAddress;
  readonly grpc: ListenAddress;
  readonly http: ListenAddress;
  readonly dataDir: string;
  /** absent: the embedded engine */
  readonly clickhouse?: ClickHouseSettings;
  readonly retention: RetentionSettings;
  readonly tokens: readonly string[];
  readonly tls?: { readonly cert: string; readonly key: string };
  /** names besides loopback ones and addresses by which the server may be called */
  readonly hosts: readonly string[];
  readonly objectives: readonly Objective[];
  readonly scrape: readonly ScrapeTarget[];
  readonly profiles: readonly ProfileTarget[];
  readonly postgres: readonly PostgresSettings[];
  readonly operations: readonly OperationRule[];
  readonly limits: LimitSettings;
}

export interface ClickHouseSettings {
  readonly urls: readonly string[];
  readonly user?: string;
  readonly password?: string;
  readonly database?: string;
  readonly cluster?: string;
  readonly replicated?: boolean;
  readonly partialReads?: boolean;
}

/** Absent: as the store decides. */
export interface RetentionSettings {
  readonly tracesMs?: number;
  readonly metricsMs?: number;
  readonly sizeBytes?: number;
}

export interface ScrapeTarget {
  readonly url: string;
  /** becomes `service.name` */
  readonly job: string;
  readonly intervalMs: number;
  readonly timeoutMs: number;
}

/** A Go program that is asked for its profiles. */
export interface ProfileTarget {
  readonly url: string;
  /** becomes `service.name` */
  readonly job: string;
  readonly intervalMs: number;
  readonly seconds: number;
  readonly kinds: NonNullable<NonNullable<Config["profiles"]>[number]["kinds"]>;
}

/** A PostgreSQL that is looked at from within; absent: as the collector decides. */
export interface PostgresSettings {
  readonly url: string;
  readonly intervalMs?: number;
  readonly topStatements?: number;
  readonly plans?: boolean;
}

/** Operations of `service` (of all, if absent) whose name matches are called `name` ($1 is the first group). */
export interface OperationRule {
  readonly service?: string;
  readonly match: string;
  readonly name: string;
}

export interface LimitSettings {
  /** spans that one analysis reads at most; beyond, it takes a sample of whole traces */
  readonly analysisSpans: number;
  readonly queryTimeoutMs: number;
  readonly requestBytes?: number;
  readonly memoryBytes?: number;
  readonly walBytes?: number;
}

/** What was typed. */
export interface UpFlags {
  /** true: neither the environment nor a file is asked */
  readonly bare?: boolean;
  readonly config?: string;
  readonly data?: string;
  readonly clickhouse?: readonly string[];
  readonly host?: string;
  readonly port?: number;
  readonly grpcPort?: number;
  readonly httpPort?: number;
  readonly tokenFile?: string;
  readonly objective?: readonly Objective[];
}

type Environment = Readonly<Record<string, string | undefined>>;

/** Read without being asked for, where it exists. */
const DEFAULT_FILE = "longpole.yaml";
/** A quarter of a million spans are analysed in some 4 s on one core (docs/speed.md: 12 to 19 µs each). */
const ANALYSIS_SPANS = 250_000;
const QUERY_TIMEOUT_MS = 30_000;

/** Flags over LONGPOLE_* over the file over defaults. Throws ConfigError for what cannot be used. */
export function settingsOf(flags: UpFlags, environment: Environment): Settings {
  const file = flags.bare === true ? undefined : configFile(flags, environment);
  const config = file === undefined ? {} : readConfigFile(file);
  const env = (name: string): string | undefined => (flags.bare === true ? undefined : environment[name] || undefined);
  const listen = (flagPort: number | undefined, name: string, inFile: string | undefined, port: number) => {
    const told = env(name);
    const base = told === undefined ? (inFile ?? `127.0.0.1:${port}`) : told;
    const address = parseAddress(base, told === undefined ? (file ?? "") : name);
    return { host: flags.host ?? address.host, port: flagPort ?? address.port };
  };
  const clickhouse = clickhouseOf(flags, env, config);
  const tls = tlsOf(env, config);
  const settings: Settings = {
    api: listen(flags.port, "LONGPOLE_LISTEN", config.listen?.api, 7077),
    grpc: listen(flags.grpcPort, "LONGPOLE_LISTEN_GRPC", config.listen?.grpc, 4317),
    http: listen(flags.httpPort, "LONGPOLE_LISTEN_HTTP", config.listen?.http, 4318),
    dataDir: flags.data ?? env("LONGPOLE_DATA") ?? config.data ?? "longpole-data",
    ...(clickhouse === undefined ? {} : { clickhouse }),
    retention: retentionOf(env, config),
    tokens: tokensOf(flags, env, config),
    ...(tls === undefined ? {} : { tls }),
    hosts: list(env("LONGPOLE_HOSTS")) ?? config.hosts ?? [],
    objectives: flags.objective ?? (config.objectives ?? []).map((text) => objectiveOf(text, file ?? "")),
    scrape: (config.scrape ?? []).map(scrapeTarget),
    profiles: (config.profiles ?? []).map(profileTarget),
    postgres: postgresOf(env, config),
    operations: config.operations ?? [],
    limits: limitsOf(env, config),
  };
  refuseOpenDoors(settings);
  return settings;
}

const configFile = (flags: UpFlags, environment: Environment): string | undefined =>
  flags.config ?? environment["LONGPOLE_CONFIG"] ?? (existsSync(DEFAULT_FILE) ? DEFAULT_FILE : undefined);

const SCRAPE_EVERY_MS = 15_000;
const SCRAPE_TIMEOUT_MS = 10_000;

function scrapeTarget({ url, job, every, timeout }: NonNullable<Config["scrape"]>[number]): ScrapeTarget {
  const intervalMs = durationMs(every ?? "") ?? SCRAPE_EVERY_MS;
  return { url, job, intervalMs, timeoutMs: Math.min(intervalMs, durationMs(timeout ?? "") ?? SCRAPE_TIMEOUT_MS) };
}

/** 5 of 60 seconds: at the 100 samples a second of Go 500 samples a minute, for less than 0.1 % of a core on average. */
const PROFILE_EVERY_MS = 60_000;
const PROFILE_SECONDS = 5;

function profileTarget({ url, job, every, seconds, kinds }: NonNullable<Config["profiles"]>[number]): ProfileTarget {
  const intervalMs = durationMs(every ?? "") ?? PROFILE_EVERY_MS;
  const most = Math.max(1, Math.floor(intervalMs / 1000));
  return {
    url,
    job,
    intervalMs,
    seconds: Math.min(most, seconds ?? PROFILE_SECONDS),
    kinds: kinds ?? ["profile", "heap", "block", "mutex"],
  };
}

/** LONGPOLE_POSTGRES names one database, for URLs that hold a password. */
function postgresOf(env: (name: string) => string | undefined, { postgres = [] }: Config): PostgresSettings[] {
  const url = env("LONGPOLE_POSTGRES");
  if (url !== undefined) return [{ url }];
  return postgres.map(({ url: own, every, statements, plans }) => ({
    url: own,
    ...withoutAbsent({ intervalMs: durationMs(every ?? ""), topStatements: statements, plans }),
  }));
}

/** "127.0.0.1:7077", "[::1]:7077", "localhost:0". */
export function parseAddress(text: string, source: string): ListenAddress {
  const match = /^(?:\[([0-9a-fA-F:.]+)\]|([^:]+)):(\d{1,5})$/.exec(text);
  const port = Number(match?.[3]);
  if (match === null || port > 65_535) {
    throw new ConfigError(`${source}: expected HOST:PORT, as 127.0.0.1:7077 or [::1]:7077, found "${text}"`);
  }
  return { host: match[1] ?? match[2]!, port };
}

/** Whether only processes of this machine can reach it. */
export function isLoopback(host: string): boolean {
  return host === "localhost" || host === "::1" || /^127\.\d{1,3}\.\d{1,3}\.\d{1,3}$/.test(host);
}

/** Whoever can reach it reads what passes through the system: beyond this machine only with a token. */
function refuseOpenDoors(settings: Settings): void {
  if (settings.tokens.length > 0) return;
  for (const [what, { host }] of [
    ["the API", settings.api],
    ["OTLP over gRPC", settings.grpc],
    ["OTLP over HTTP", settings.http],
  ] as const) {
    if (isLoopback(host)) continue;
    throw new ConfigError(
      `${what} would listen on ${host}, which other machines reach, and no token is set: set LONGPOLE_TOKENS, --token-file or auth.tokens in ${DEFAULT_FILE}, or listen on 127.0.0.1`,
    );
  }
}

function clickhouseOf(
  flags: UpFlags,
  env: (name: string) => string | undefined,
  config: Config,
): ClickHouseSettings | undefined {
  const given = flags.clickhouse ?? list(env("LONGPOLE_CLICKHOUSE")) ?? config.clickhouse?.urls;
  if (given === undefined) return undefined;
  const { urls, ...inAddress } = clickhouseAddresses(given);
  const inFile = config.clickhouse;
  const user = inAddress.user ?? env("LONGPOLE_CLICKHOUSE_USER") ?? inFile?.user;
  const password =
    inAddress.password ??
    env("LONGPOLE_CLICKHOUSE_PASSWORD") ??
    inFile?.password ??
    (inFile?.passwordFile === undefined ? undefined : secretIn(inFile.passwordFile));
  const database = env("LONGPOLE_CLICKHOUSE_DATABASE") ?? inFile?.database;
  const cluster = env("LONGPOLE_CLICKHOUSE_CLUSTER") ?? inFile?.cluster;
  return {
    urls,
    ...(user === undefined ? {} : { user }),
    ...(password === undefined ? {} : { password }),
    ...(database === undefined ? {} : { database }),
    ...(cluster === undefined ? {} : { cluster }),
    ...(inFile?.replicated === undefined ? {} : { replicated: inFile.replicated }),
    ...(inFile?.partialReads === undefined ? {} : { partialReads: inFile.partialReads }),
  };
}

function tlsOf(env: (name: string) => string | undefined, config: Config): Settings["tls"] {
  const cert = env("LONGPOLE_TLS_CERT") ?? config.tls?.cert;
  const key = env("LONGPOLE_TLS_KEY") ?? config.tls?.key;
  if (cert === undefined && key === undefined) return undefined;
  if (cert === undefined || key === undefined) {
    throw new ConfigError("TLS needs both LONGPOLE_TLS_CERT and LONGPOLE_TLS_KEY, or tls.cert and tls.key");
  }
  return { cert: secretIn(cert), key: secretIn(key) };
}

function retentionOf(env: (name: string) => string | undefined, config: Config): RetentionSettings {
  const duration = (name: string, inFile: string | undefined): number | undefined => {
    const text = env(name) ?? inFile;
    if (text === undefined) return undefined;
    return durationMs(text) ?? wrong(name, "a duration as 90s, 15m, 12h or 7d", text);
  };
  const size = env("LONGPOLE_SIZE") ?? config.retention?.size;
  const bytes = size === undefined ? undefined : (sizeBytes(size) ?? wrong("LONGPOLE_SIZE", "a size as 20GB", size));
  return withoutAbsent({
    tracesMs: duration("LONGPOLE_RETENTION_TRACES", config.retention?.traces),
    metricsMs: duration("LONGPOLE_RETENTION_METRICS", config.retention?.metrics),
    sizeBytes: bytes,
  });
}

function limitsOf(env: (name: string) => string | undefined, { limits }: Config): LimitSettings {
  const spans = env("LONGPOLE_ANALYSIS_SPANS");
  const analysisSpans = spans === undefined ? (limits?.analysisSpans ?? ANALYSIS_SPANS) : Number(spans);
  if (!Number.isInteger(analysisSpans) || analysisSpans < 1) {
    return wrong("LONGPOLE_ANALYSIS_SPANS", "a whole number above zero", spans ?? "");
  }
  const bytes = (text: string | undefined): number | undefined => (text === undefined ? undefined : sizeBytes(text));
  return {
    analysisSpans,
    queryTimeoutMs: durationMs(limits?.queryTimeout ?? "") ?? QUERY_TIMEOUT_MS,
    ...withoutAbsent({
      requestBytes: bytes(limits?.requestBytes),
      memoryBytes: bytes(limits?.memory),
      walBytes: bytes(limits?.wal),
    }),
  };
}

function tokensOf(flags: UpFlags, env: (name: string) => string | undefined, config: Config): readonly string[] {
  const file = flags.tokenFile ?? env("LONGPOLE_TOKEN_FILE");
  const given =
    file !== undefined
      ? tokensIn(file)
      : (list(env("LONGPOLE_TOKENS")) ?? [
          ...(config.auth?.tokens ?? []),
          ...(config.auth?.tokenFile === undefined ? [] : tokensIn(config.auth.tokenFile)),
        ]);
  for (const token of given) {
    if (token.length < 16) throw new ConfigError("a token has to be of 16 characters or more: openssl rand -hex 24");
  }
  return given;
}

/** One token a line; empty lines and those that begin with # are passed over. */
function tokensIn(file: string): string[] {
  const tokens = secretIn(file)
    .split("\n")
    .map((line) => line.trim())
    .filter((line) => line !== "" && !line.startsWith("#"));
  // An empty file would open what it was meant to close.
  if (tokens.length === 0) throw new ConfigError(`${file}: holds no token`);
  return tokens;
}

function secretIn(file: string): string {
  try {
    return readFileSync(file, "utf8").trim();
  } catch (error) {
    throw new ConfigError(`${file}: cannot be read: ${(error as Error).message}`);
  }
}

function objectiveOf(text: string, file: string): Objective {
  const parsed = parseObjective(text);
  if (parsed.kind === "objective") return parsed;
  const found = parsed.part === "" ? "" : `, found "${parsed.part}"`;
  throw new ConfigError(`${file}: objectives: "${text}": expected ${parsed.expected}${found}`);
}

function list(text: string | undefined): string[] | undefined {
  const items = text
    ?.split(",")
    .map((item) => item.trim())
    .filter((item) => item !== "");
  return items === undefined || items.length === 0 ? undefined : items;
}

function wrong(name: string, expected: string, found: string): never {
  throw new ConfigError(`${name}: expected ${expected}, found "${found}"`);
}

type Present<T> = { [K in keyof T]?: Exclude<T[K], undefined> };

function withoutAbsent<T extends object>(values: T): Present<T> {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as Present<T>;
}
