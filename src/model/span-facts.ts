/** What a span does, as its kind and attributes tell. */
export const SpanRole = {
  /** own work inside a service (INTERNAL or unknown kind) */
  internal: 0,
  /** entry of a service: SERVER */
  server: 1,
  /** call to another service: CLIENT of HTTP, RPC or unknown */
  client: 2,
  /** call to a database or cache: CLIENT with `db.*` */
  database: 3,
  /** waiting for a connection of a pool (`pg-pool.connect`, ...) */
  pool: 4,
  /** message sent: PRODUCER */
  producer: 5,
  /** message handled: CONSUMER */
  consumer: 6,
} as const;
export type SpanRole = (typeof SpanRole)[keyof typeof SpanRole];

/**
 * Meaning of each row of a SpanTable, read once from its attributes by
 * analysis/span-facts.ts, old and new semantic conventions alike.
 * All columns have one element per span; names are string ids of the table's
 * pool; -1 means "none".
 */
export interface SpanFacts {
  /** `service.name` of the resource; "unknown_service" where it is missing */
  readonly service: Int32Array;
  /** span name, with identifiers in it replaced by a placeholder where the data shows them to vary */
  readonly operation: Int32Array;
  /** SpanRole */
  readonly role: Uint8Array;
  /** CLIENT and PRODUCER only: name of the called service as the caller's attributes give it
   * (`db.namespace`, `server.address`, `messaging.destination.name`, ...) */
  readonly callee: Int32Array;
  /** normalised database statement (literals out) */
  readonly statement: Int32Array;
  /** `service.instance.id`, `k8s.pod.name` or `host.name` + `process.pid` */
  readonly instance: Int32Array;
  /** clock domain: `host.name`, `host.id`, `k8s.node.name`, or failing those the instance */
  readonly host: Int32Array;
  /** 1 where status is error, or an HTTP/RPC status code says so */
  readonly error: Uint8Array;
}
