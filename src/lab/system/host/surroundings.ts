import { basename, join } from "node:path";
import type { HostSettings, ServiceName } from "../../settings.ts";
import { Child } from "../child.ts";
import type { Keeper } from "../keeper-client.ts";
import { CONFIG_VARIABLE, SYSTEM_VARIABLE, type Leftover } from "../messages.ts";
import { makeCpuCgroup, moveIntoCgroup, planCpuCgroup } from "./cgroup.ts";
import { insideNetwork, makeNetwork, networkNames, type LabNetwork } from "./network.ts";

export interface SurroundingsOptions {
  readonly systemId: string;
  readonly folder: string;
  /** for the files of those who share the disk */
  readonly workFolder: string;
  readonly keeper: Keeper;
  readonly onEnd: (child: Child, how: string) => void;
}

interface Quota {
  readonly service: ServiceName;
  readonly path: string;
  readonly leftover: Leftover;
}

interface Network {
  readonly service: ServiceName;
  readonly names: LabNetwork;
  readonly leftover: Leftover;
  readonly relays: Child[];
}

const STOP_PATIENCE_MS = 2000;

/** What the services share the machine with, and what the machine allows them. */
export class Surroundings {
  readonly #options: SurroundingsOptions;
  #settings: HostSettings = { neighbours: { processes: 0, nice: 0 }, diskWriters: 0, quota: null, network: null };
  #neighbours: Child[] = [];
  #quota: Quota | undefined;
  #network: Network | undefined;
  /** no longer wanted, but services may still be in it */
  #retired: { readonly leftover: Leftover; readonly relays: readonly Child[] }[] = [];
  #made = 0;
  readonly #leaving = new Set<Child>();

  constructor(options: SurroundingsOptions) {
    this.#options = options;
  }

  get quota(): Quota | undefined {
    return this.#quota;
  }

  /** Makes what services are to be put into. Rejects with a LabError where the machine does not allow it. */
  async prepare(settings: HostSettings): Promise<void> {
    const before = this.#settings;
    if (differ(before.quota, settings.quota)) await this.#makeQuota(settings.quota);
    if (differ(before.network, settings.network)) await this.#makeNetwork(settings.network);
    const alike = !differ(before.neighbours, settings.neighbours) && before.diskWriters === settings.diskWriters;
    if (!alike) await this.#makeNeighbours(settings);
    this.#settings = settings;
  }

  /** Address that a service is to listen at. */
  addressOf(service: ServiceName): string {
    return this.#network?.service === service ? this.#network.names.hostAddress : "127.0.0.1";
  }

  /** Puts a process that has just started where its service belongs. */
  async place(service: ServiceName, pid: number): Promise<void> {
    if (this.#quota?.service === service) await moveIntoCgroup(this.#quota.path, pid);
  }

  /** URL by which others reach a service that listens at `url`. */
  async wayTo(service: ServiceName, url: string): Promise<string> {
    const network = this.#network;
    if (network?.service !== service) return url;
    const { hostname, port } = new URL(url);
    const config = { listenAt: network.names.innerAddress, target: { host: hostname, port: Number(port) } };
    const relay = await this.#launch("relay", "host/relay", config, insideNetwork(network.names.namespace));
    network.relays.push(relay);
    return relay.listening;
  }

  /** Removes what no service is in any more. */
  async tidy(): Promise<void> {
    const retired = this.#retired;
    this.#retired = [];
    for (const { leftover, relays } of retired) {
      await this.#end(relays);
      await this.#options.keeper.remove(leftover);
    }
  }

  async stop(): Promise<void> {
    const relays = [...(this.#network?.relays ?? []), ...this.#retired.flatMap((retired) => retired.relays)];
    await this.#end([...this.#neighbours, ...relays]);
  }

  async #makeQuota(settings: HostSettings["quota"]): Promise<void> {
    const before = this.#quota;
    let made: Quota | undefined;
    if (settings !== null) {
      const plan = await planCpuCgroup(`longpole-${this.#options.systemId.slice(0, 8)}-${this.#made++}`);
      const leftover: Leftover = { kind: "cgroup", path: plan.path };
      await this.#options.keeper.remember(leftover);
      await makeCpuCgroup(plan, settings.cores);
      made = { service: settings.service, path: plan.path, leftover };
    }
    this.#quota = made;
    if (before !== undefined) this.#retired.push({ leftover: before.leftover, relays: [] });
  }

  async #makeNetwork(settings: HostSettings["network"]): Promise<void> {
    const before = this.#network;
    let made: Network | undefined;
    if (settings !== null) {
      const names = networkNames(this.#options.systemId, this.#made++);
      const leftover: Leftover = { kind: "network", namespace: names.namespace, link: names.link };
      await this.#options.keeper.remember(leftover);
      await makeNetwork(names, settings.delayMs, settings.lossRatio);
      made = { service: settings.service, names, leftover, relays: [] };
    }
    this.#network = made;
    if (before !== undefined) this.#retired.push(before);
  }

  async #makeNeighbours({ neighbours, diskWriters }: HostSettings): Promise<void> {
    const before = this.#neighbours;
    this.#neighbours = [];
    await this.#end(before);
    const { nice, processes } = neighbours;
    for (let i = 0; i < processes; i++) {
      this.#neighbours.push(await this.#launch(`busy-${i}`, "host/busy-neighbour", { nice }, []));
    }
    for (let i = 0; i < diskWriters; i++) {
      const file = join(this.#options.workFolder, `disk-neighbour-${i}`);
      this.#neighbours.push(await this.#launch(`disk-${i}`, "host/disk-neighbour", { file }, []));
    }
  }

  async #launch(name: string, module: string, config: object, prefix: readonly string[]): Promise<Child> {
    const { folder, systemId, onEnd } = this.#options;
    const child = await Child.start({
      name,
      module,
      logFile: join(folder, "logs", `${basename(module)}.log`),
      env: { [SYSTEM_VARIABLE]: systemId, [CONFIG_VARIABLE]: JSON.stringify(config) },
      execArgv: [],
      prefix,
      diesWithParent: true,
    });
    void child.ended.then((how) => {
      if (!this.#leaving.has(child)) onEnd(child, how);
    });
    return child;
  }

  async #end(children: readonly Child[]): Promise<void> {
    for (const child of children) this.#leaving.add(child);
    await Promise.all(children.map((child) => child.stop(STOP_PATIENCE_MS)));
  }
}

function differ(one: unknown, other: unknown): boolean {
  return JSON.stringify(one) !== JSON.stringify(other);
}
