import type { Distribution } from "./distribution.ts";

/**
 * A simulated system as plain data: faults clone it and change what they break.
 * All times are milliseconds, all rates are per second.
 */
export interface SystemSpec {
  name: string;
  /** arrivals of all endpoints together */
  ratePerSecond: number;
  arrivals: "poisson" | "bursty";
  /** shares sum to 1; the first endpoint is the one that faults are injected into */
  endpoints: EndpointSpec[];
  services: ServiceSpec[];
  databases: DatabaseSpec[];
  queues: QueueSpec[];
  /** drawn once per request, set on SERVER spans */
  requestAttributes: RequestAttribute[];
  /** one way, between any two processes */
  network: Distribution;
  /** extra delay each way, by "caller>callee" */
  edgeDelay: Record<string, Distribution>;
  telemetry: TelemetrySpec;
}

export interface EndpointSpec {
  service: string;
  operation: string;
  share: number;
}

export interface ServiceSpec {
  name: string;
  language: "nodejs" | "java" | "go" | "python";
  instances: number;
  /** per instance; an event loop has one */
  cores: number;
  /** threads share the cores, or one event loop takes turns */
  cpu: "threads" | "event-loop";
  /** requests handled at once per instance, the others wait outside of any span of theirs; 0 = no limit */
  workers: number;
  /** CPU speed by instance; missing ones are 1 */
  speeds: number[];
  /** an instance (all of them: -1) stands still for `length`, every `every` */
  pauses: { instance: number; every: Distribution; length: Distribution }[];
  pools: Record<string, PoolSpec>;
  operations: Record<string, OperationSpec>;
}

export interface PoolSpec {
  /** connections per instance */
  size: number;
  /** whether the instrumentation has a span for the acquisition */
  spans: boolean;
}

/** The key of an operation is its span name: "GET /orders/{id}", "shop.Pricing/Quote" or, of a consumer, "process NAME". */
export interface OperationSpec {
  steps: Step[];
  /** response body: bytes, and what each KB costs in CPU of the server and on the wire */
  body?: { bytes: Distribution; cpuMsPerKb: number; wireMsPerKb: number };
}

export interface DatabaseSpec {
  /** `db.namespace`; of a cache, which has none, its `server.address` */
  name: string;
  system: "postgresql" | "mysql" | "redis";
  cores: number;
}

export interface QueueSpec {
  name: string;
  system: "kafka" | "rabbitmq";
  consumer: string;
  /** messages handled at once per instance of the consumer */
  consumersPerInstance: number;
}

export interface RequestAttribute {
  key: string;
  values: { value: string; weight: number }[];
  /** on every SERVER span, or on the root only */
  everywhere: boolean;
}

export interface TelemetrySpec {
  conventions: "new" | "old";
  /** HTTP client spans are named "GET" or "GET /orders/{id}" */
  clientNames: "method" | "route";
  /** statements carry their literals, or parameters */
  literals: boolean;
  /** standard deviation of the hosts' clocks, ms */
  clockSkewMs: number;
  /** share of traces kept, with `ot=th:` in their tracestate; 1 = all, unmarked */
  headSampling: number;
  /** a CONSUMER span is a child of its PRODUCER, or a root of its own that links to it */
  consumerIs: "child" | "linked";
}

/** `id` seeds the draws of a step: it stays with it when a fault moves or wraps it. 0 = not yet numbered. */
export type Step = { id: number } & StepBody;

export type StepBody =
  /** CPU of the own process */
  | { kind: "compute"; time: Distribution }
  /** time passes without any work: a timer, a hung peer */
  | { kind: "wait"; time: Distribution }
  | { kind: "par"; join: "all" | "first"; branches: Step[][] }
  /** `times` is rounded; one after another, or `width` at once */
  | { kind: "loop"; times: Distribution; width: number; steps: Step[] }
  | { kind: "maybe"; probability: number; steps: Step[] }
  /** each in an order that is drawn anew per request with probability `mixed`, else as written */
  | { kind: "any-order"; mixed: number; branches: Step[][] }
  /** by the value of a request attribute */
  | { kind: "when"; key: string; value: string; steps: Step[] }
  | { kind: "span"; name: string; steps: Step[] }
  /** lock of this name within the instance */
  | { kind: "lock"; name: string; steps: Step[] }
  /** a connection of the pool is held for all of the steps, whose statements then take none of their own */
  | { kind: "connection"; pool: string; steps: Step[] }
  | { kind: "call"; service: string; operation: string; timeoutMs: number; retries: number; backoff: Distribution }
  | {
      kind: "db";
      database: string;
      statement: string;
      time: Distribution;
      /** factor on `time` that is reached at the window's end, linearly from 1 */
      growsTo: number;
      rows?: { count: Distribution; msPerRow: number };
      /** a row lock of the database, held during the statement and until the commit */
      rowLock?: { name: string; commit: Distribution };
    }
  /** look-up in a cache; on a miss the steps follow */
  | { kind: "cached"; cache: string; key: string; hitRatio: number; time: Distribution; steps: Step[] }
  /** an HTTP service without instrumentation */
  | {
      kind: "external";
      address: string;
      method: string;
      path: string;
      time: Distribution;
      timeoutMs: number;
      failure: number;
    }
  | { kind: "publish"; queue: string; time: Distribution }
  | { kind: "fail"; probability: number; status: number }
  /** when `steps` fail, `otherwise` runs and its outcome counts */
  | { kind: "rescue"; steps: Step[]; otherwise: Step[] };
