import { hostname } from "node:os";
import { ENDPOINTS, type EndpointName } from "../load/load-plan.ts";
import { SERVICES } from "../settings.ts";
import type { Truth } from "./fault.ts";

/** The database, as spans name it: `db.namespace`. */
export const DATABASE = "zones_db";

/** The machine that all of the sample system runs on, as metrics name it: `host.name`. */
export const HOST: string = hostname();

/** Who shares the machine. */
export const SERVICES_OF_HOST: readonly string[] = [...SERVICES, DATABASE];

/** Server operations behind the gateway, as spans name them. */
export const OPERATIONS = {
  lookup: "GET /records/:name",
  list: "GET /zones/:zone/records",
  create: "POST /zones/:zone/records",
  summary: "GET /accounts/:account/zones",
  account: "GET /accounts/:account",
  points: "POST /points",
} as const;

/**
 * Where the own time of those operations is: the instrumentation of the web framework has a span for the handler
 * within the one of the server, named by the route without the method.
 */
export const HANDLERS = {
  zoneRecords: "request handler - /zones/:zone/records",
  account: "request handler - /accounts/:account",
  points: "request handler - /points",
  overview: "request handler - /api/accounts/:account/overview",
} as const;

/** A read of the database, as its spans are named. */
export const SELECT: string = `pg.query:SELECT ${DATABASE}`;

/** Waiting for a connection of the pool, as its spans are named. */
export const POOL_WAIT = "pg-pool.connect";

export const ZONES_POOL: NonNullable<Truth["limiter"]> = { service: "zones", resource: `pool:${DATABASE}` };

/** The root operation that users know as `name`. */
export function userEndpoint(name: EndpointName): Truth["endpoint"] {
  return { service: "gateway", operation: ENDPOINTS[name] };
}
