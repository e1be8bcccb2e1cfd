import { attributeText, AttributeType, findAttribute, type AttributeTable } from "../model/attribute-table.ts";
import { SpanRole, type SpanFacts } from "../model/span-facts.ts";
import { SpanKind, SpanStatus, type SpanTable } from "../model/span-table.ts";
import { groupOperationNames } from "./operation-names.ts";
import { CONVENTIONS, RESOURCE_CONVENTIONS, type Convention, type ResourceConvention } from "./semantic-conventions.ts";
import { normaliseStatement } from "./statement.ts";

/**
 * What each span does and to whom, read from its kind, name and attributes in one
 * pass over the columns; see SpanFacts. Grouped names, normalised statements
 * and callees are added to the table's string pool.
 */
export function describeSpans(table: SpanTable): SpanFacts {
  const n = table.rowCount;
  const facts = {
    service: new Int32Array(n),
    operation: new Int32Array(n),
    role: new Uint8Array(n),
    callee: new Int32Array(n).fill(-1),
    statement: new Int32Array(n).fill(-1),
    instance: new Int32Array(n),
    host: new Int32Array(n),
    error: new Uint8Array(n),
  };
  const resources = describeResources(table);
  const reader = new SpanReader(table);
  for (let row = 0; row < n; row++) {
    const resource = table.resource[row]!;
    facts.service[row] = resources.service[resource]!;
    facts.instance[row] = resources.instance[resource]!;
    facts.host[row] = resources.host[resource]!;
    reader.read(row);
    const role = (facts.role[row] = reader.role());
    facts.error[row] = reader.isError(role) ? 1 : 0;
    facts.operation[row] = reader.name();
    if (role === SpanRole.internal || role === SpanRole.server || role === SpanRole.consumer) continue;
    facts.callee[row] = reader.callee(role);
    if (role === SpanRole.database) facts.statement[row] = reader.statement();
  }
  groupNames(table, facts.operation);
  return facts;
}

interface ResourceColumns {
  readonly service: Int32Array;
  readonly instance: Int32Array;
  readonly host: Int32Array;
}

function describeResources(table: SpanTable): ResourceColumns {
  const { resources, strings } = table;
  const count = resources.listCount;
  const columns = { service: new Int32Array(count), instance: new Int32Array(count), host: new Int32Array(count) };
  const keys = Object.fromEntries(
    Object.entries(RESOURCE_CONVENTIONS).map(([name, list]) => [name, list.map((key) => strings.intern(key))]),
  ) as Record<ResourceConvention, number[]>;
  const textOf = (list: number, convention: ResourceConvention): string => {
    for (const key of keys[convention]) {
      const row = findAttribute(resources, list, key);
      if (row >= 0) return attributeText(resources, strings, row);
    }
    return "";
  };
  for (let list = 0; list < count; list++) {
    const service = textOf(list, "serviceName") || "unknown_service";
    const host = textOf(list, "host");
    const pid = textOf(list, "pid");
    const instance = textOf(list, "instance") || (host === "" ? service : pid === "" ? host : `${host}:${pid}`);
    columns.service[list] = strings.intern(service);
    columns.instance[list] = strings.intern(instance);
    columns.host[list] = strings.intern(host || instance);
  }
  return columns;
}

const CONVENTION_NAMES = Object.keys(CONVENTIONS) as Convention[];
/** Place of each convention: looked up several times a span. */
const PLACE = Object.fromEntries(CONVENTION_NAMES.map((name, place) => [name, place])) as Record<Convention, number>;

/** Where the name of a callee is looked for, the best first. */
const CALLEE_OF_PRODUCER: readonly Convention[] = [
  "messagingDestination",
  "peerService",
  "serverAddress",
  "messagingSystem",
];
const CALLEE_OF_CLIENT: readonly Convention[] = [
  "peerService",
  "serverAddress",
  "rpcService",
  "urlFull",
  "messagingDestination",
];
const CALLEE_OF_DATABASE: readonly Convention[] = ["dbNamespace", "peerService", "serverAddress", "dbSystem"];

/** The span that is being read: attribute row by convention, -1 where it has none. */
class SpanReader {
  private readonly table: SpanTable;
  private readonly attributes: AttributeTable;
  private row = 0;
  /** per string id: convention number + 1 of the key, 0 for keys nobody asks for */
  private readonly conventionOfKey: Uint8Array;
  /** per string id: place of the key in its convention's list; the smaller wins */
  private readonly preference: Uint8Array;
  private readonly found: Int32Array = new Int32Array(CONVENTION_NAMES.length);
  private readonly foundPreference: Uint8Array = new Uint8Array(CONVENTION_NAMES.length);
  private readonly poolNames = new Map<number, boolean>();
  private readonly statements = new Map<number, number>();
  /** by name and route */
  private readonly routedNames = new Map<number, number>();
  /** by convention and, where it counts, port: callees by the string id that names them */
  private readonly calleeNames = new Map<number, Map<number, number>>();

  constructor(table: SpanTable) {
    this.table = table;
    this.attributes = table.attributes;
    const ids: [id: number, convention: number, preference: number][] = [];
    CONVENTION_NAMES.forEach((name, convention) => {
      CONVENTIONS[name].forEach((key, place) => ids.push([table.strings.intern(key), convention, place]));
    });
    this.conventionOfKey = new Uint8Array(table.strings.size);
    this.preference = new Uint8Array(table.strings.size);
    for (const [id, convention, place] of ids) {
      this.conventionOfKey[id] = convention + 1;
      this.preference[id] = place;
    }
  }

  read(row: number): void {
    this.row = row;
    const { listStart, key } = this.attributes;
    this.found.fill(-1);
    for (let at = listStart[row]!; at < listStart[row + 1]!; at++) {
      const convention = this.conventionOfKey[key[at]!]! - 1;
      if (convention < 0) continue;
      const place = this.preference[key[at]!]!;
      if (this.found[convention]! >= 0 && this.foundPreference[convention]! < place) continue;
      this.found[convention] = at;
      this.foundPreference[convention] = place;
    }
  }

  role(): SpanRole {
    switch (this.table.kind[this.row]) {
      case SpanKind.server:
        return SpanRole.server;
      case SpanKind.consumer:
        return SpanRole.consumer;
      case SpanKind.producer:
        return SpanRole.producer;
      case SpanKind.client:
        if (this.isPoolWait()) return SpanRole.pool;
        return this.has("dbSystem") ? SpanRole.database : SpanRole.client;
      default:
        if (this.isPoolWait()) return SpanRole.pool;
        // Some instrumentations (ORMs) leave database spans INTERNAL; a statement tells.
        return this.has("dbSystem") && this.has("dbStatement") ? SpanRole.database : SpanRole.internal;
    }
  }

  /** Error status, or a status code that says so: HTTP 5xx (4xx too for the caller), gRPC other than OK. */
  isError(role: SpanRole): boolean {
    if (this.table.status[this.row] === SpanStatus.error) return true;
    const http = this.number("httpStatus");
    if (http >= (role === SpanRole.server ? 500 : 400)) return true;
    const rpc = this.number("rpcStatus");
    return rpc > 0;
  }

  /** Span name; a bare method is completed by its route, which is what users group by. */
  name(): number {
    const name = this.table.name[this.row]!;
    const route = this.found[PLACE.httpRoute]!;
    if (route < 0 || this.table.kind[this.row] !== SpanKind.server) return name;
    // Two string ids: exact below 2^53 for any two of 2^26, and looked at again where that does not do.
    const value = this.attributes.value[route]!;
    const key = this.attributes.type[route] === AttributeType.string && value < 2 ** 26 ? name * 2 ** 26 + value : -1;
    let id = key < 0 ? undefined : this.routedNames.get(key);
    if (id === undefined) {
      const text = this.table.strings.get(name);
      const path = attributeText(this.attributes, this.table.strings, route);
      id =
        /^(?:HTTP )?[A-Z]+$/.test(text) && path.startsWith("/") ? this.table.strings.intern(`${text} ${path}`) : name;
      if (key >= 0) this.routedNames.set(key, id);
    }
    return id;
  }

  callee(role: SpanRole): number {
    const order =
      role === SpanRole.producer
        ? CALLEE_OF_PRODUCER
        : role === SpanRole.client
          ? CALLEE_OF_CLIENT
          : CALLEE_OF_DATABASE;
    for (const convention of order) {
      const at = this.found[PLACE[convention]]!;
      if (at < 0) continue;
      const id = this.calleeBy(convention, at);
      if (id >= 0) return id;
    }
    return -1;
  }

  private calleeBy(convention: Convention, at: number): number {
    const port = convention === "serverAddress" ? this.found[PLACE.serverPort]! : -1;
    if (this.attributes.type[at] !== AttributeType.string) return this.calleeName(convention, at, port);
    const value = this.attributes.value[at]!;
    // Ports are small numbers, or string ids; those of other types are told apart by their sign.
    const portKey =
      port < 0
        ? 0
        : this.attributes.type[port] === AttributeType.number
          ? 1 + this.attributes.value[port]!
          : -1 - this.attributes.value[port]!;
    const key = portKey * 64 + PLACE[convention];
    let names = this.calleeNames.get(key);
    if (names === undefined) this.calleeNames.set(key, (names = new Map()));
    let id = names.get(value);
    if (id === undefined) names.set(value, (id = this.calleeName(convention, at, port)));
    return id;
  }

  statement(): number {
    const at = this.found[PLACE.dbStatement]!;
    if (at < 0 || this.attributes.type[at] !== AttributeType.string) return -1;
    const raw = this.attributes.value[at]!;
    let id = this.statements.get(raw);
    if (id === undefined) {
      const system = this.found[PLACE.dbSystem]!;
      const dialect = system < 0 ? "" : attributeText(this.attributes, this.table.strings, system);
      id = this.table.strings.intern(normaliseStatement(this.table.strings.get(raw), dialect));
      this.statements.set(raw, id);
    }
    return id;
  }

  private has(convention: Convention): boolean {
    return this.found[PLACE[convention]]! >= 0;
  }

  private number(convention: Convention): number {
    const at = this.found[PLACE[convention]]!;
    if (at < 0) return Number.NaN;
    if (this.attributes.type[at] === AttributeType.number) return this.attributes.value[at]!;
    return Number(attributeText(this.attributes, this.table.strings, at));
  }

  private isPoolWait(): boolean {
    const name = this.table.name[this.row]!;
    let known = this.poolNames.get(name);
    if (known === undefined) {
      known = isPoolAcquisition(this.table.strings.get(name));
      this.poolNames.set(name, known);
    }
    return known;
  }

  /** -1 when the value names nobody (an index of a Redis database, a relative URL). */
  private calleeName(convention: Convention, at: number, port: number): number {
    const { strings } = this.table;
    const text = attributeText(this.attributes, strings, at);
    if (text === "") return -1;
    switch (convention) {
      case "dbNamespace":
        return /^\d+$/.test(text) ? -1 : strings.intern(text);
      case "urlFull": {
        const host = /^[a-z]+:\/\/(?:[^/@]*@)?([^/?#]+)/i.exec(text)?.[1];
        return host === undefined ? -1 : strings.intern(host);
      }
      case "serverAddress": {
        // Behind one address live many services (localhost, a gateway): the port tells them apart.
        const isLocal = /^(?:localhost|127\.|::1|\[::1\]|0\.0\.0\.0)/.test(text);
        const withPort = isLocal && port >= 0 && !/:\d+$/.test(text);
        return strings.intern(withPort ? `${text}:${attributeText(this.attributes, strings, port)}` : text);
      }
      default:
        return strings.intern(text);
    }
  }
}

/**
 * Whether a span name says "waiting for a connection of a pool": node-postgres
 * `pg-pool.connect`, JDBC `HikariDataSource.getConnection`, `pool.acquire`, ...
 */
export function isPoolAcquisition(name: string): boolean {
  return (
    /(?:^|[^a-z])(?:\w*pool)(?:[^a-z]|$).*(?:connect|acquire|get.?connection|checkout|borrow|wait)/i.test(name) ||
    /datasource\.getconnection|(?:acquire|checkout|borrow|wait for).{0,3}connection|connection\.acquire|pool.?wait/i.test(
      name,
    )
  );
}

function groupNames(table: SpanTable, operation: Int32Array): void {
  const { strings } = table;
  const seen = new Uint8Array(strings.size);
  const names: string[] = [];
  for (const id of operation) {
    if (seen[id] === 1) continue;
    seen[id] = 1;
    names.push(strings.get(id));
  }
  const renamed = new Int32Array(strings.size).fill(-1);
  let changed = false;
  for (const [name, grouped] of groupOperationNames(names)) {
    if (grouped === name) continue;
    renamed[strings.intern(name)] = strings.intern(grouped);
    changed = true;
  }
  if (!changed) return;
  for (let row = 0; row < operation.length; row++) {
    const to = renamed[operation[row]!]!;
    if (to >= 0) operation[row] = to;
  }
}
