import { randomUUID } from "node:crypto";
import { accessSync, constants, mkdirSync } from "node:fs";
import { get } from "node:http";
import { createRequire } from "node:module";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { LabError } from "../lab-error.ts";
import { SERVICES, type ServiceName, type SystemSettings } from "../settings.ts";
import { Child } from "./child.ts";
import { Fleet } from "./fleet.ts";
import { instancesOf } from "./instances.ts";
import { SYSTEM_VARIABLE } from "./messages.ts";
import { ownDatabase, type Database } from "./postgres/database.ts";

export interface SystemOptions {
  readonly settings: SystemSettings;
  /** OTLP/HTTP base URL; undefined: services run without the SDK (to measure what observing costs) */
  readonly telemetryUrl: string | undefined;
  /** an existing empty folder of the caller: logs (one file per process, `logs/zones-0.log` ...) and, below, the database */
  readonly folder: string;
  /** ends the start; a system that has started is ended by `stop` */
  readonly signal?: AbortSignal;
  /** one line per thing that happens, for people */
  readonly log?: (line: string) => void;
  /** argv prefix to start a service with, e.g. ["ip","netns","exec",...]; [] for none */
  readonly prefixOf?: (service: ServiceName) => readonly string[];
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
 * the logs. Rejects with a LabError, or with the signal's reason.
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

const KEEPER_PATIENCE_MS = 15_000;

class System implements RunningSystem {
  settings: SystemSettings;
  gatewayUrl = "";
  readonly #options: SystemOptions;
  readonly #failure = new AbortController();
  readonly #systemId = randomUUID();
  #keeper: Child | undefined;
  #database: Database | undefined;
  #fleet: Fleet | undefined;
  #profiled: readonly ServiceName[] = [];
  #stopped: Promise<void> | undefined;

  constructor(options: SystemOptions) {
    this.#options = options;
    this.settings = options.settings;
  }

  get failure(): AbortSignal {
    return this.#failure.signal;
  }

  async start(): Promise<void> {
    const { folder, telemetryUrl, prefixOf = () => [], log } = this.#options;
    const keeper = await this.#startKeeper();
    const database = await ownDatabase(keeper, folder);
    this.#database = database;
    const fleet = new Fleet({
      systemId: this.#systemId,
      folder,
      telemetryUrl,
      database: database.address,
      prefixOf,
      onEnd: (child, how) => this.#fail(child, how),
    });
    this.#fleet = fleet;
    this.#goOn();
    await Promise.all([database.start(this.settings.postgres), fleet.become(instancesOf(this.settings))]);
    this.gatewayUrl = fleet.members("gateway")[0]?.url ?? "";
    await this.#healthy();
    log?.(`the system runs at ${this.gatewayUrl}`);
  }

  async apply(settings: SystemSettings): Promise<void> {
    await this.#parts().database.apply(this.settings.postgres, settings.postgres);
    await this.#parts().fleet.become(instancesOf(settings));
    this.settings = settings;
    await this.#healthy();
  }

  query(sql: string): Promise<Record<string, unknown>[]> {
    return this.#parts().database.query(sql);
  }

  pids(): Readonly<Record<string, readonly number[]>> {
    const { fleet, database } = this.#parts();
    const services = SERVICES.map(
      (service) => [service, fleet.members(service).map(({ child }) => child.pid)] as const,
    );
    return { ...Object.fromEntries(services), postgres: database.pids() };
  }

  async health(): Promise<{ readonly ok: boolean; readonly line: string }> {
    const { fleet, database } = this.#parts();
    const checks = await Promise.all([
      ...fleet.all().map(({ instance, url }) => check(instance.name, () => ask(`${url}/health`))),
      check("postgres", async () => void (await database.query("SELECT 1"))),
    ]);
    return { ok: checks.every(({ ok }) => ok), line: checks.map(({ line }) => line).join(" | ") };
  }

  async flush(): Promise<void> {
    await Promise.all(
      this.#parts()
        .fleet.all()
        .map(({ child }) => child.ask({ kind: "flush" })),
    );
  }

  async startProfiles(services: readonly ServiceName[]): Promise<void> {
    const { fleet } = this.#parts();
    this.#profiled = services;
    const members = services.flatMap((service) => fleet.members(service));
    await Promise.all(members.map(({ child }) => child.ask({ kind: "profile-start" })));
  }

  async stopProfiles(folder: string): Promise<string[]> {
    const { fleet } = this.#parts();
    const members = this.#profiled.flatMap((service) => fleet.members(service));
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

  async #stop(): Promise<void> {
    await this.#fleet?.stop();
    await this.#database?.close();
    await this.#keeper?.stop(KEEPER_PATIENCE_MS);
  }

  async #startKeeper(): Promise<Child> {
    const keeper = await Child.start({
      name: "keeper",
      module: "keeper",
      logFile: join(this.#options.folder, "logs", "keeper.log"),
      env: { [SYSTEM_VARIABLE]: this.#systemId },
      execArgv: [],
      prefix: [],
      diesWithParent: false,
    });
    this.#keeper = keeper;
    void keeper.ended.then((how) => this.#fail(keeper, how));
    void keeper.trouble.then((message) => this.#abort(new LabError("process-died", message)));
    return keeper;
  }

  /** A stop may have come while something was awaited. */
  #goOn(): void {
    if (this.#stopped !== undefined) throw new LabError("stopped", "the system is stopped");
  }

  #fail(child: Child, how: string): void {
    if (this.#stopped === undefined) this.#abort(child.death(how));
  }

  #abort(reason: LabError): void {
    if (!this.#failure.signal.aborted) this.#failure.abort(reason);
  }

  async #healthy(): Promise<void> {
    const { ok, line } = await this.health();
    if (!ok) throw new LabError("unhealthy", `the system does not answer: ${line}`);
  }

  #parts(): { fleet: Fleet; database: Database } {
    if (this.#fleet === undefined || this.#database === undefined)
      throw new LabError("stopped", "the system does not run");
    return { fleet: this.#fleet, database: this.#database };
  }
}

const HEALTH_PATIENCE_MS = 5000;

async function check(name: string, answer: () => Promise<void>): Promise<{ ok: boolean; line: string }> {
  const began = performance.now();
  try {
    await answer();
    return { ok: true, line: `${name} ok ${Math.round(performance.now() - began)} ms` };
  } catch (error) {
    return { ok: false, line: `${name} FAILED ${(error as Error).message}` };
  }
}

function ask(url: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const request = get(url, { signal: AbortSignal.timeout(HEALTH_PATIENCE_MS) }, (response) => {
      response.resume();
      response.once("end", () => {
        if (response.statusCode === 200) resolve();
        else reject(new Error(`status ${response.statusCode}`));
      });
    });
    request.once("error", reject);
  });
}

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
