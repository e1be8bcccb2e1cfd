import type { UnixNs } from "./units.ts";

/** What can be used up. "cpu" of a service is its processes' CPU against their quota or cores; of a database, its host's. */
export type ResourceKind =
  | "cpu"
  | "event-loop"
  | "threads"
  | "disk"
  | "network"
  | "quota"
  | `pool:${string}`
  | `lock:${string}`;

/**
 * How busy one resource of one instance was during one stretch of time: what the capacity analysis needs of
 * metrics, whatever they were read from. A metric that is a counter (CPU seconds) has been differenced, and one that is
 * a gauge (connections in use) averaged over the window, before it stands here.
 */
export interface ResourceSample {
  /** `service.name`, or of a database or cache its name as spans give it (`db.namespace`, `server.address`) */
  readonly service: string;
  /** as `SpanFacts.instance` names it; "" where the metric does not tell instances apart */
  readonly instance: string;
  /** `host.name`; "" where unknown */
  readonly host: string;
  readonly resource: ResourceKind;
  /** start of the stretch, nanoseconds after `ResourceSamples.baseUnixNs`, and its length */
  readonly windowStartNs: number;
  readonly windowNs: number;
  /** mean share of the capacity that was in use, 0 .. 1; above 1 where a quota was exceeded for a while */
  readonly utilisation: number;
  /** cores, connections, threads; NaN where only the share is known */
  readonly capacity: number;
  /** mean number of requests that waited for it (pending acquisitions, run queue); absent where not measured */
  readonly waiting?: number;
  /** uses that were completed per second, where the metric counts them */
  readonly throughput?: number;
}

export interface ResourceSamples {
  readonly baseUnixNs: UnixNs;
  /** in any order; windows of a series may have gaps, but do not overlap */
  readonly samples: readonly ResourceSample[];
  /** machines of which the processors' use is known, and whose processes use them */
  readonly hosts?: readonly HostUse[];
  readonly quotas?: readonly QuotaUse[];
  /** services of which metrics know a process */
  readonly processes?: readonly MeasuredProcess[];
}

/** Who used the processors of one machine. Columns of one length: windows of `windowNs`, one after the other. */
export interface HostUse {
  readonly host: string;
  readonly cores: number;
  /** start of each window, nanoseconds after `ResourceSamples.baseUnixNs` */
  readonly startNs: Float64Array;
  readonly windowNs: number;
  /** cores in use by anybody; NaN where not known */
  readonly busy: Float64Array;
  /** cores in use by the processes of each service that are measured there */
  readonly byService: ReadonlyMap<string, Float64Array>;
  /** how much longer event loops were active than they computed, since they waited for a processor; NaN if unknown */
  readonly activePerUsed: number;
  /** cores for which event loops of each service there are active, where that is counted; NaN where not known */
  readonly activeLoops?: ReadonlyMap<string, Float64Array>;
  /** seconds for which an event loop of each service there is active or idle in a second of the clock */
  readonly loopSeconds?: ReadonlyMap<string, number>;
  /** processors whose times were counted one by one; absent where only their sum is known */
  readonly processors?: number;
}

/** A quota of processor time that stops the processes of a service for the rest of each period. */
export interface QuotaUse {
  readonly service: string;
  readonly host: string;
  readonly instances: number;
  /** periods per second and instance, and those of them in which it was stopped */
  readonly periodsPerSecond: number;
  readonly stoppedShare: number;
  /** cores per instance that the quota allows; NaN where no metric says */
  readonly cores: number;
  readonly startNs: Float64Array;
  readonly windowNs: number;
  /** cores in use by all instances; NaN where not known */
  readonly used: Float64Array;
}

/** A service that metrics know by its processes. */
export interface MeasuredProcess {
  readonly service: string;
  /** names of their machines, where told */
  readonly hosts: readonly string[];
  /** `process.executable.name`, without its folder */
  readonly programs: readonly string[];
  /** TCP ports on which its processes listen, where told */
  readonly ports: readonly number[];
}
