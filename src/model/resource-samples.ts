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
}
