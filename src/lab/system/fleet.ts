import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { LabError } from "../lab-error.ts";
import type { ServiceName } from "../settings.ts";
import { Child, moduleFile } from "./child.ts";
import type { Surroundings } from "./host/surroundings.ts";
import type { Instance } from "./instances.ts";
import { CONFIG_VARIABLE, SYSTEM_VARIABLE, type DatabaseAddress, type Peers, type ServiceConfig } from "./messages.ts";

export interface FleetOptions {
  readonly systemId: string;
  readonly folder: string;
  /** for the files that services write beside their logs */
  readonly workFolder: string;
  readonly telemetryUrl: string | undefined;
  readonly database: DatabaseAddress;
  readonly surroundings: Surroundings;
  /** hears of a process that ended without having been asked to */
  readonly onEnd: (child: Child, how: string) => void;
}

export interface Member {
  readonly instance: Instance;
  readonly child: Child;
  /** that it listens at */
  readonly port: number;
  /** that others reach it by */
  readonly url: string;
}

/** A third party: nobody sees into it. */
const WITHOUT_TELEMETRY: ReadonlySet<ServiceName> = new Set(["registrar"]);

const STOP_PATIENCE_MS = 5000;

/** The running processes of the services. */
export class Fleet {
  readonly #options: FleetOptions;
  readonly #members = new Map<string, Member>();
  readonly #starting = new Set<Child>();
  readonly #leaving = new Set<Child>();
  #isStopped = false;

  constructor(options: FleetOptions) {
    this.#options = options;
  }

  /** Starts, restarts and ends processes until they are those of `wanted`, and tells each where the others are. */
  async become(wanted: readonly Instance[]): Promise<void> {
    const changed = wanted.filter((instance) => this.#members.get(instance.name)?.instance.key !== instance.key);
    const names = new Set(wanted.map((instance) => instance.name));
    const surplus = [...this.#members.values()].filter((member) => !names.has(member.instance.name));
    await Promise.all(changed.map((instance) => this.#replace(instance)));
    for (const member of surplus) this.#members.delete(member.instance.name);
    await this.#introduce();
    await Promise.all(surplus.map((member) => this.#end(member.child)));
  }

  members(service: ServiceName): readonly Member[] {
    return this.all().filter((member) => member.instance.service === service);
  }

  all(): readonly Member[] {
    return [...this.#members.values()].sort((a, b) => a.instance.place - b.instance.place);
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    const children = [...this.#starting, ...[...this.#members.values()].map((member) => member.child)];
    this.#members.clear();
    await Promise.all(children.map((child) => this.#end(child)));
  }

  /** Under load nobody should notice: the new process takes over before the old one ends, where its port allows it. */
  async #replace(instance: Instance): Promise<void> {
    const { surroundings } = this.#options;
    const { service, name } = instance;
    const before = this.#members.get(name);
    const keepsPort = service === "gateway" && before !== undefined;
    if (keepsPort) {
      this.#members.delete(name);
      await this.#end(before.child);
    }
    const child = await this.#launch(instance, keepsPort ? before.port : 0);
    const listening = await child.listening;
    // Not before: a start within a small share of a processor would take half a minute.
    await surroundings.place(service, child.pid);
    const url = await surroundings.wayTo(service, listening);
    await child.ask({ kind: "peers", peers: this.#peers() });
    this.#members.set(name, { instance, child, url, port: Number(new URL(listening).port) });
    this.#starting.delete(child);
    if (before !== undefined && !keepsPort) {
      await this.#introduce();
      await this.#end(before.child);
    }
  }

  async #launch(instance: Instance, port: number): Promise<Child> {
    const { folder, workFolder, database, telemetryUrl, systemId, surroundings, onEnd } = this.#options;
    const { service, name, settings } = instance;
    const host = surroundings.addressOf(service);
    const config: ServiceConfig = { service, settings, database, host, port, folder: workFolder };
    const seen = telemetryUrl !== undefined && !WITHOUT_TELEMETRY.has(service);
    const child = await Child.start({
      name,
      module: `services/${service}`,
      logFile: join(folder, "logs", `${name}.log`),
      env: {
        NODE_ENV: "production",
        [SYSTEM_VARIABLE]: systemId,
        [CONFIG_VARIABLE]: JSON.stringify(config),
        ...instance.env,
        ...(seen ? sdkEnvironment(service, name, telemetryUrl) : {}),
      },
      execArgv: [...instance.execArgv, ...(seen ? ["--import", pathToFileURL(moduleFile("telemetry")).href] : [])],
      prefix: [],
      diesWithParent: true,
    });
    this.#starting.add(child);
    void child.ended.then((how) => {
      if (!this.#leaving.has(child)) onEnd(child, how);
    });
    if (this.#isStopped) {
      await this.#end(child);
      throw new LabError("stopped", "the system is stopped");
    }
    return child;
  }

  async #introduce(): Promise<void> {
    const peers = this.#peers();
    await Promise.all(this.all().map(({ child }) => child.ask({ kind: "peers", peers })));
  }

  #peers(): Peers {
    const peers: Partial<Record<ServiceName, string[]>> = {};
    for (const { instance, url } of this.all()) (peers[instance.service] ??= []).push(url);
    return peers;
  }

  async #end(child: Child): Promise<void> {
    this.#leaving.add(child);
    await child.stop(STOP_PATIENCE_MS);
    this.#starting.delete(child);
  }
}

/** What a user who wants to see soon sets; all else is the SDK's default. */
function sdkEnvironment(service: ServiceName, instance: string, url: string): Record<string, string> {
  return {
    OTEL_SERVICE_NAME: service,
    OTEL_RESOURCE_ATTRIBUTES: `service.instance.id=${instance},service.version=1.0.0`,
    OTEL_NODE_RESOURCE_DETECTORS: "env,host,os,process",
    OTEL_EXPORTER_OTLP_ENDPOINT: url,
    OTEL_EXPORTER_OTLP_PROTOCOL: "http/protobuf",
    OTEL_TRACES_EXPORTER: "otlp",
    OTEL_METRICS_EXPORTER: "otlp",
    OTEL_LOGS_EXPORTER: "none",
    OTEL_BSP_SCHEDULE_DELAY: "1000",
    OTEL_BSP_MAX_QUEUE_SIZE: "65536",
    OTEL_METRIC_EXPORT_INTERVAL: "1000",
    OTEL_METRIC_EXPORT_TIMEOUT: "900",
  };
}
