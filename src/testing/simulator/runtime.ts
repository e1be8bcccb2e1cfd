import { sample } from "./distribution.ts";
import type { EventQueue } from "./event-queue.ts";
import { NO_PAUSES, Pauses } from "./pauses.ts";
import { Draws, mixKey, nameKey } from "./random.ts";
import type { Origin, SpanWriter } from "./span-writer.ts";
import { FifoStation, Semaphore, SharedStation, type Station } from "./stations.ts";
import type { ServiceSpec, SystemSpec } from "./system.ts";
import { queueOf, serviceOf } from "./system-walk.ts";

/** CPU that an event loop needs to take up the answer of a call. */
const RESUME_MS = 0.02;

/** One process of a service: its CPU, its worker threads, its pools and locks. */
export class Instance {
  readonly spec: ServiceSpec;
  /** `service.instance.id` and `host.name` */
  readonly id: string;
  readonly host: string;
  readonly origin: Origin;
  readonly cpu: Station;
  readonly workers: Semaphore;
  readonly pools: Map<string, Semaphore> = new Map();
  private readonly locks = new Map<string, Semaphore>();
  private readonly events: EventQueue;
  private readonly pauses: Pauses;
  private readonly speed: number;

  constructor(spec: ServiceSpec, number: number, place: Place, events: EventQueue, pauses: Pauses) {
    this.spec = spec;
    this.id = place.id;
    this.host = place.host;
    this.origin = place.origin;
    this.events = events;
    this.pauses = pauses;
    this.speed = spec.speeds[number] ?? 1;
    this.cpu =
      spec.cpu === "event-loop" ? new FifoStation(events, 1, pauses) : new SharedStation(events, spec.cores, pauses);
    this.workers = new Semaphore(events, spec.workers);
    for (const name in spec.pools) this.pools.set(name, new Semaphore(events, spec.pools[name]!.size));
  }

  compute(ms: number, done: () => void): void {
    this.cpu.request(ms / this.speed, done);
  }

  /** Goes on after something outside has answered: an event loop has to get its turn, a paused process to wake up. */
  resume(goOn: () => void): void {
    if (this.spec.cpu === "event-loop") return this.cpu.request(RESUME_MS / this.speed, goOn);
    const awake = this.pauses.after(this.events.now, 0);
    if (awake > this.events.now) this.events.at(awake, goOn);
    else goOn();
  }

  lock(name: string): Semaphore {
    let lock = this.locks.get(name);
    if (lock === undefined) this.locks.set(name, (lock = new Semaphore(this.events, 1)));
    return lock;
  }

  get lockNames(): Iterable<[string, Semaphore]> {
    return this.locks;
  }
}

/** Where an instance runs, and how it is called. */
interface Place {
  readonly id: string;
  readonly host: string;
  readonly origin: Origin;
}

export interface DatabaseRuntime {
  readonly station: FifoStation;
  readonly rowLocks: Map<string, Semaphore>;
}

/** All stations of a system, built from its spec. */
export class Runtime {
  readonly instances: Map<string, Instance[]> = new Map();
  readonly databases: Map<string, DatabaseRuntime> = new Map();
  /** permits to handle messages, over all instances of the consumer */
  readonly consumers: Map<string, Semaphore> = new Map();

  constructor(system: SystemSpec, writer: SpanWriter, events: EventQueue, seed: number, windowMs: number) {
    let host = 0;
    for (const spec of system.services) {
      const list: Instance[] = [];
      for (let i = 0; i < spec.instances; i++) {
        const draws = new Draws(mixKey(nameKey(spec.name), i), nameKey("host"));
        const place = placeOf(system, spec, i, host++, writer, draws);
        list.push(new Instance(spec, i, place, events, pausesOf(spec, i, seed, windowMs)));
      }
      this.instances.set(spec.name, list);
    }
    for (const { name, cores } of system.databases) {
      this.databases.set(name, { station: new FifoStation(events, cores), rowLocks: new Map() });
    }
    for (const { name } of system.queues) {
      const { consumer, consumersPerInstance } = queueOf(system, name);
      this.consumers.set(name, new Semaphore(events, consumersPerInstance * serviceOf(system, consumer).instances));
    }
  }
}

function placeOf(
  system: SystemSpec,
  spec: ServiceSpec,
  number: number,
  host: number,
  writer: SpanWriter,
  draws: Draws,
): Place {
  const suffix = draws.next32().toString(36).padStart(7, "0").slice(0, 5);
  const id = `${spec.name}-${suffix}-${number}`;
  const hostName = `node-${host + 11}`;
  const origin = writer.origin(
    {
      "service.name": spec.name,
      "service.version": "1.4.0",
      "service.instance.id": id,
      "host.name": hostName,
      "telemetry.sdk.language": spec.language,
      "telemetry.sdk.name": "opentelemetry",
    },
    {
      nodejs: "@opentelemetry/instrumentation-http",
      java: "io.opentelemetry.tomcat-10.0",
      go: "go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp",
      python: "opentelemetry.instrumentation.fastapi",
    }[spec.language],
    system.telemetry.clockSkewMs * draws.normal(),
  );
  return { id, host: hostName, origin };
}

/** The standstills of one instance, drawn for the whole window beforehand. */
function pausesOf(spec: ServiceSpec, number: number, seed: number, windowMs: number): Pauses {
  const windows: { start: number; end: number }[] = [];
  for (const pause of spec.pauses) {
    if (pause.instance !== -1 && pause.instance !== number) continue;
    const draws = new Draws(mixKey(seed, nameKey(spec.name)), number);
    for (let at = sample(pause.every, draws); at < windowMs; at += sample(pause.every, draws)) {
      const end = at + sample(pause.length, draws);
      windows.push({ start: at, end });
      at = end;
    }
  }
  return windows.length === 0 ? NO_PAUSES : new Pauses(windows);
}
