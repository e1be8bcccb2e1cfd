import { randomUUID } from "node:crypto";
import { accessSync, constants, existsSync, mkdirSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { LabError } from "../lab-error.ts";
import { SERVICES, type ServiceName, type SystemSettings } from "../settings.ts";
import { Child } from "./child.ts";
import { Fleet, type Member } from "./fleet.ts";
import { checkHealth } from "./health.ts";
import { Surroundings } from "./host/surroundings.ts";
import { instancesOf } from "./instances.ts";
import { Keeper } from "./keeper-client.ts";
import { CONFIG_VARIABLE, SYSTEM_VARIABLE, type CollectorConfig } from "./messages.ts";
import { fileTrouble } from "./no-defect.ts";
import type { Database } from "./postgres/database.ts";
import { foreignDatabase, URL_VARIABLE } from "./postgres/foreign-database.ts";
import { ownDatabase } from "./postgres/own-database.ts";

export interface SystemOptions {
  readonly settings: SystemSettings;
  /** OTLP/HTTP base URL; undefined: services run without the SDK (to measure what observing costs) */
  readonly telemetryUrl: string | undefined;
  /** an existing empty folder of the caller: logs (one file per process, `logs/zones-0.log` ...) and, below, the database */
  readonly folder: string;
  /**
   * absolute folders of the caller, `folder` perhaps among them, that go too where this process is killed before it has
   * stopped the system; after a stop they are the caller's to remove
   */
  readonly removeAtEnd?: readonly string[];
  /** the database is looked into as `longpole agent --postgres` does */
  readonly looksWithin?: boolean;
  /** ends the start; a system that has started is ended by `stop` */
  readonly signal?: AbortSignal;
  /** one line per thing that happens, for people */
  readonly log?: (line: string) => void;
}

export interface RunningSystem {
  readonly gatewayUrl: string;
  readonly settings: SystemSettings;
  /**
   * Restarts just the processes whose settings differ, reseeds or restarts PostgreSQL only when its settings differ;
   * a change of `nameIndex` creates or drops the index and analyses, without a restart. Resolves when all are healthy.
   */
  apply(settings: SystemSettings): Promise<void>;
  /** as the database's owner */
  query(sql: string): Promise<Record<string, unknown>[]>;
  /** {service: [pid of each instance]}, and "postgres": [postmaster] */
  pids(): Readonly<Record<string, readonly number[]>>;
  /** each process up and answering, one line for people: "gateway ok 12 ms | zones ok ... " */
  health(): Promise<{ readonly ok: boolean; readonly line: string }>;
  /** flushes exporters so that everything so far has been sent */
  flush(): Promise<void>;
  /** V8 CPU profiles of these services from now on, a sample each millisecond */
  startProfiles(services: readonly ServiceName[]): Promise<void>;
  /** ends them; writes `<folder>/<service>-<n>.cpuprofile`; returns the paths */
  stopProfiles(folder: string): Promise<string[]>;
  stop(): Promise<void>;
  /** aborted with a LabError as reason when a process ends that should not */
  readonly failure: AbortSignal;
}

/**
 * Starts the sample system and resolves when all of it is healthy. Whatever
 * happens, also where this process is killed, nothing of it is left behind but
 * the logs, and not those where `removeAtEnd` has their folder. Rejects with a LabError, or with the signal's reason.
 */
export async function startSystem(options: SystemOptions): Promise<RunningSystem> {
  options.signal?.throwIfAborted();
  requirePackages();
  prepareFolder(options.folder);
  const system = new System(options);
  try {
    await abortable(system.start(), options.signal);
    return system;
  } catch (error) {
    await system.stop();
    throw error;
  }
}

class System implements RunningSystem {
  settings: SystemSettings;
  readonly #options: SystemOptions;
  readonly #log: (line: string) => void;
  readonly #failure = new AbortController();
  readonly #systemId = randomUUID();
  #keeper: Keeper | undefined;
  #parts: Parts | undefined;
  #collector: { readonly child: Child; readonly key: string } | undefined;
  #profiled: readonly Member[] = [];
  #started: Promise<void> = Promise.resolve();
  /** all that was begun has come to its good end */
  #isSettled = false;
  #stopped: Promise<void> | undefined;

  constructor(options: SystemOptions) {
    this.#options = options;
    this.#log = options.log ?? (() => {});
    this.settings = options.settings;
  }

  get failure(): AbortSignal {
    return this.#failure.signal;
  }

  get gatewayUrl(): string {
    return this.#running().fleet.members("gateway")[0]?.url ?? "";
  }

  start(): Promise<void> {
    this.#started = this.#start().catch((error: unknown) => {
      throw fileTrouble(error);
    });
    return this.#started;
  }

  async apply(settings: SystemSettings): Promise<void> {
    try {
      await this.#become(settings);
    } catch (error) {
      throw fileTrouble(error);
    }
  }

  query(sql: string): Promise<Record<string, unknown>[]> {
    return this.#running().database.query(sql);
  }

  pids(): Readonly<Record<string, readonly number[]>> {
    const { fleet, database } = this.#running();
    const services = SERVICES.map(
      (service) => [service, fleet.members(service).map(({ child }) => child.pid)] as const,
    );
    return { ...Object.fromEntries(services), postgres: database.pids() };
  }

  health(): Promise<{ readonly ok: boolean; readonly line: string }> {
    const { fleet, database } = this.#running();
    return checkHealth(fleet.all(), database);
  }

  async flush(): Promise<void> {
    const children = this.#running()
      .fleet.all()
      .map(({ child }) => child);
    if (this.#collector !== undefined) children.push(this.#collector.child);
    await Promise.all(children.map((child) => child.ask({ kind: "flush" })));
  }

  async startProfiles(services: readonly ServiceName[]): Promise<void> {
    const { fleet } = this.#running();
    this.#profiled = services.flatMap((service) => fleet.members(service));
    await Promise.all(this.#profiled.map(({ child }) => child.ask({ kind: "profile-start" })));
  }

  async stopProfiles(folder: string): Promise<string[]> {
    // A process that was restarted meanwhile took its profile with it.
    const members = this.#profiled.filter(({ child }) => !child.hasEnded);
    this.#profiled = [];
    return Promise.all(
      members.map(async ({ child, instance }) => {
        const file = join(folder, `${instance.name}.cpuprofile`);
        await child.ask({ kind: "profile-stop", file });
        return file;
      }),
    );
  }

  stop(): Promise<void> {
    this.#stopped ??= this.#stop();
    return this.#stopped;
  }

  async #start(): Promise<void> {
    const { folder, telemetryUrl, removeAtEnd = [] } = this.#options;
    const systemId = this.#systemId;
    const onEnd = (child: Child, how: string): void => this.#fail(child.death(how));
    const keeper = await Keeper.start({ systemId, folder, removeAtEnd, log: this.#log });
    this.#keeper = keeper;
    void keeper.child.ended.then((how) => onEnd(keeper.child, how));
    void keeper.child.trouble.then((message) => this.#fail(new LabError("process-died", message)));
    // Journal, status and the like: nobody looks at them afterwards.
    const workFolder = join(folder, "work");
    await keeper.remember({ kind: "folder", path: workFolder });
    mkdirSync(workFolder);
    this.#goOn();
    const database = await this.#chooseDatabase(keeper);
    const surroundings = new Surroundings({ systemId, folder, workFolder, keeper, onEnd });
    const address = database.address;
    const where = { systemId, folder, workFolder, telemetryUrl };
    const fleet = new Fleet({ ...where, database: address, surroundings, onEnd });
    this.#parts = { fleet, database, surroundings };
    this.#goOn();
    await surroundings.prepare(this.settings.host);
    await Promise.all([database.start(this.settings.postgres), fleet.become(instancesOf(this.settings))]);
    await this.#collect();
    await this.#healthy();
    this.#isSettled = true;
    this.#log(`the system runs at ${this.gatewayUrl}`);
  }

  async #become(settings: SystemSettings): Promise<void> {
    const { database, fleet, surroundings } = this.#running();
    this.#isSettled = false;
    await database.apply(this.settings.postgres, settings.postgres);
    await surroundings.prepare(settings.host);
    await fleet.become(instancesOf(settings));
    await this.#collect();
    await surroundings.tidy();
    this.settings = settings;
    await this.#healthy();
    this.#isSettled = true;
  }

  async #stop(): Promise<void> {
    const isSettled = this.#isSettled;
    await this.#collector?.child.stop(COLLECTOR_PATIENCE_MS);
    await Promise.all([this.#parts?.fleet.stop(), this.#parts?.surroundings.stop()]);
    // Statements that still run end with the server.
    await Promise.all([this.#parts?.database.close(), this.#keeper?.stop()]);
    if (isSettled) return;
    // What was on its way may have been made after the keeper looked for it.
    await this.#started.catch(() => {});
    await this.#keeper?.stop();
    await this.#keeper?.sweep();
  }

  #chooseDatabase(keeper: Keeper): Promise<Database> {
    const url = process.env[URL_VARIABLE];
    return url === undefined || url === ""
      ? ownDatabase(keeper, this.#options.folder)
      : foreignDatabase(url, keeper, this.#log);
  }

  /** Starts the collector, or starts it again where what it looks at has changed. */
  async #collect(): Promise<void> {
    const { database, surroundings } = this.#running();
    const { telemetryUrl, folder } = this.#options;
    if (telemetryUrl === undefined) return;
    const { observer } = database;
    const config: CollectorConfig = {
      telemetryUrl,
      observer,
      postmaster: database.pids()[0],
      looksWithin: this.#options.looksWithin === true,
      cgroup: surroundings.quota,
    };
    const key = JSON.stringify(config);
    if (this.#collector?.key === key) return;
    const before = this.#collector?.child;
    this.#collector = undefined;
    await before?.stop(COLLECTOR_PATIENCE_MS);
    this.#goOn();
    const child = await Child.start({
      name: "collector",
      module: "collector",
      logFile: join(folder, "logs", "collector.log"),
      env: { [SYSTEM_VARIABLE]: this.#systemId, [CONFIG_VARIABLE]: key },
      execArgv: [],
      prefix: [],
      diesWithParent: true,
    });
    this.#collector = { child, key };
    void child.ended.then((how) => {
      if (this.#collector?.child === child) this.#fail(child.death(how));
    });
    if (this.#stopped !== undefined) await child.stop(COLLECTOR_PATIENCE_MS);
  }

  /** A stop may have come while something was awaited. */
  #goOn(): void {
    if (this.#stopped !== undefined) throw new LabError("stopped", "the system is stopped");
  }

  #fail(reason: LabError): void {
    if (this.#stopped === undefined && !this.#failure.signal.aborted) this.#failure.abort(reason);
  }

  async #healthy(): Promise<void> {
    const { ok, line } = await this.health();
    if (!ok) throw new LabError("unhealthy", `the system does not answer: ${line}`);
  }

  #running(): Parts {
    if (this.#parts === undefined) throw new LabError("stopped", "the system does not run");
    return this.#parts;
  }
}

interface Parts {
  readonly fleet: Fleet;
  readonly database: Database;
  readonly surroundings: Surroundings;
}

const COLLECTOR_PATIENCE_MS = 2000;

function abortable<T>(work: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return work;
  return new Promise((resolve, reject) => {
    const abort = (): void => reject(signal.reason as Error);
    signal.addEventListener("abort", abort, { once: true });
    work.then(resolve, reject).finally(() => signal.removeEventListener("abort", abort));
  });
}

const PACKAGES = [
  "@opentelemetry/api",
  "@opentelemetry/auto-instrumentations-node",
  "@opentelemetry/host-metrics",
  "@opentelemetry/instrumentation",
  "@opentelemetry/sdk-node",
  "express",
  "hdr-histogram-js",
  "pg",
];

function requirePackages(): void {
  const folders = createRequire(import.meta.url).resolve.paths("pg") ?? [];
  const missing = PACKAGES.filter((name) => !folders.some((folder) => existsSync(join(folder, name))));
  if (missing.length === 0) return;
  throw new LabError(
    "packages-missing",
    `the lab needs packages that are not installed (${missing.join(", ")}); \`npm ci --include=optional\` installs them`,
  );
}

function prepareFolder(folder: string): void {
  try {
    accessSync(folder, constants.W_OK);
    mkdirSync(join(folder, "logs"), { recursive: true });
  } catch (error) {
    throw new LabError("folder", `${folder} cannot be written to: ${(error as Error).message}`, { cause: error });
  }
}
