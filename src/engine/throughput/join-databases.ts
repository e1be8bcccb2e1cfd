import { attributeText, findAttribute } from "../../model/attribute-table.ts";
import type { MeasuredProcess } from "../../model/resource-samples.ts";
import { SpanRole } from "../../model/span-facts.ts";
import { CONVENTIONS, type Convention } from "../../analysis/semantic-conventions.ts";
import type { Window } from "../window.ts";

/** A database or cache as the spans of its callers tell of it. */
export interface CalledDatabase {
  /** as spans name it: `db.namespace`, or the address */
  readonly name: string;
  /** `db.system.name` in one spelling; "" where spans do not say */
  readonly system: string;
  /** "address:port" of each place where it was called; empty where spans do not say */
  readonly addresses: readonly string[];
  /** machines of its callers: an address that means "this machine" means one of these */
  readonly callerHosts: readonly string[];
}

/** Metrics of a process that is taken for a database of the spans, and why. */
export interface JoinedDatabase {
  readonly process: string;
  readonly database: string;
  /** for the report: how it was told */
  readonly how: string;
}

export interface DatabaseJoins {
  readonly joined: readonly JoinedDatabase[];
  /** databases whose process could not be told, with what stands in the way */
  readonly ambiguous: ReadonlyMap<string, string>;
}

/**
 * Joins processes that only metrics know to databases that only spans know. Metrics name a database's process by
 * `service.name` or its program ("postgres"), spans name the database by `db.namespace` or address: what both have is
 * the kind of database, and at times the machine.
 *
 * A process belongs to a database if its name is the database's or its address's, if it alone of its kind listens on
 * the port of the machine to which the calls go, and for no other database, or if it is the only process of that
 * kind of database and the database the only one of its kind, a machine that the address names put before.
 * Whatever may be one of several is not joined: a demand of the wrong database is worse than none.
 */
export function joinDatabases(
  databases: readonly CalledDatabase[],
  processes: readonly MeasuredProcess[],
  servicesInSpans: ReadonlySet<string>,
): DatabaseJoins {
  const joined: JoinedDatabase[] = [];
  const ambiguous = new Map<string, string>();
  const free = processes.filter(
    ({ service }) => !servicesInSpans.has(service) && !databases.some(({ name }) => name === service),
  );
  for (const database of databases) {
    if (database.name === "" || processes.some(({ service }) => service === database.name)) continue;
    const found = processOf(database, databases, free);
    if (found === undefined) continue;
    if ("reason" in found) ambiguous.set(database.name, found.reason);
    else joined.push({ process: found.process.service, database: database.name, how: found.how });
  }
  return { joined, ambiguous };
}

type Found = { readonly process: MeasuredProcess; readonly how: string } | { readonly reason: string };

function processOf(
  database: CalledDatabase,
  databases: readonly CalledDatabase[],
  processes: readonly MeasuredProcess[],
): Found | undefined {
  const byAddress = processes.filter(({ service }) => database.addresses.some((a) => hostPart(a) === service));
  if (byAddress.length === 1 && onlyOneAt(database, databases))
    return { process: byAddress[0]!, how: `calls go to the address ${byAddress[0]!.service}` };
  // What listens may be a forwarder before it, which computes next to nothing of what the database does.
  const byPort = processes.filter(
    (process) => speaks(process, database.system) && portFor(database, process) !== undefined,
  );
  const [listener] = byPort;
  if (byPort.length === 1 && databases.filter((other) => portFor(other, listener!) !== undefined).length === 1) {
    const where = `port ${portFor(database, listener!)} of ${listener!.hosts.join(", ")}`;
    return { process: listener!, how: `it listens on ${where}, where the calls go` };
  }
  if (database.system === "") return undefined;
  const ofSystem = processes.filter((process) => systemOf(process) === database.system);
  if (ofSystem.length === 0) return undefined;
  const rivals = databases.filter((other) => other.system === database.system);
  const here = ofSystem.filter((process) => process.hosts.some((host) => isAt(database, host)));
  const candidates = here.length > 0 ? here : ofSystem;
  if (candidates.length > 1) {
    const names = candidates.map(({ service }) => service).join(", ");
    return { reason: `${names} are all ${database.system}, and any of them may be it` };
  }
  const [process] = candidates as [MeasuredProcess];
  const isHere = process.hosts.some((host) => isAt(database, host));
  const atSame = rivals.filter((other) => !isHere || other.addresses.length === 0 || isAnywhere(other, process));
  if (atSame.length > 1) {
    const names = atSame.map(({ name }) => name).join(", ");
    return { reason: `${names} are all ${database.system}, and may all run in ${process.service}` };
  }
  if (process.hosts.length > 1 && !process.hosts.every((host) => isAt(database, host)))
    return {
      reason: `${process.service} runs on ${process.hosts.length} machines, and which of them it is does not show`,
    };
  const where = here.length > 0 ? ` on ${process.hosts.join(", ")}, where the calls go` : "";
  return { process, how: `the only process of ${database.system}${where}` };
}

const onlyOneAt = (database: CalledDatabase, all: readonly CalledDatabase[]): boolean =>
  all.filter(({ addresses }) => addresses.some((a) => database.addresses.some((b) => hostPart(a) === hostPart(b))))
    .length === 1;

/** Whether the calls go to this machine, as far as the address says. */
const isAt = (database: CalledDatabase, host: string): boolean =>
  database.addresses.some((address) => isOn(database, address, host));

const isOn = ({ callerHosts }: CalledDatabase, address: string, host: string): boolean =>
  host !== "" && (isLocal(hostPart(address)) ? callerHosts.includes(host) : sameHost(hostPart(address), host));

/** The port on which a process listens for these calls, on the machine to which they go; undefined where it does not show. */
function portFor(database: CalledDatabase, { hosts, ports }: MeasuredProcess): number | undefined {
  const at = database.addresses.find(
    (address) => ports.includes(portPart(address)) && hosts.some((host) => isOn(database, address, host)),
  );
  return at === undefined ? undefined : portPart(at);
}

const isAnywhere = (database: CalledDatabase, { hosts }: MeasuredProcess): boolean =>
  hosts.some((host) => isAt(database, host));

const portPart = (address: string): number => Number(/:(\d+)$/.exec(address)?.[1] ?? Number.NaN);
const hostPart = (address: string): string => address.replace(/:\d+$/, "");
const isLocal = (address: string): boolean => /^(localhost|127\.|::1|\[::1\]|\/)/.test(address);
/** "db-1" and "db-1.example.org" are one machine. */
const sameHost = (a: string, b: string): boolean => a === b || a.startsWith(`${b}.`) || b.startsWith(`${a}.`);

/** Programs and service names by what `db.system.name` calls them (semantic conventions, database systems). */
const SYSTEMS: readonly (readonly [system: string, names: RegExp])[] = [
  ["postgresql", /^(postgres(ql)?|postmaster|pg)$/],
  ["mysql", /^mysqld?$/],
  ["mariadb", /^mariadbd?$/],
  ["mongodb", /^mongo(d|db)?$/],
  ["redis", /^redis(-server)?$/],
  ["valkey", /^valkey(-server)?$/],
  ["memcached", /^memcached?$/],
  ["microsoft.sql_server", /^(mssql|sqlservr|microsoft\.sql_server|sqlserver)$/],
  ["oracle.db", /^(oracle|oracle\.db|oracledb)$/],
  ["elasticsearch", /^elasticsearch$/],
  ["opensearch", /^opensearch$/],
  ["cassandra", /^cassandra$/],
  ["clickhouse", /^clickhouse(-server)?$/],
  ["cockroachdb", /^cockroach(db)?$/],
];

/** One spelling of a kind of database; the text itself where it is none of the table. */
export function databaseSystem(text: string): string {
  const name = text.toLowerCase();
  return SYSTEMS.find(([, names]) => names.test(name))?.[0] ?? name;
}

const systemOf = ({ service, programs }: MeasuredProcess): string => {
  const named = SYSTEMS.find(([, names]) => [service, ...programs].some((text) => names.test(text.toLowerCase())));
  return named?.[0] ?? "";
};

/** Kinds whose clients are often another's: the port tells who it is, and the client only how it talks. */
const PROTOCOLS: readonly (readonly string[])[] = [
  ["mysql", "mariadb"],
  ["redis", "valkey"],
  ["postgresql", "cockroachdb"],
  ["elasticsearch", "opensearch"],
];

/** Whether it may be of the kind that the spans say, or of one that is called the same way; true where they do not say. */
function speaks({ service, programs }: MeasuredProcess, system: string): boolean {
  if (system === "") return true;
  const same = PROTOCOLS.find((systems) => systems.includes(system)) ?? [system];
  return [service, ...programs].some((text) => same.includes(databaseSystem(text)));
}

/** The databases that spans call, with the first of each attribute that tells where and what they are. */
export function calledDatabases(window: Window): CalledDatabase[] {
  const { forest, spans, text } = window;
  const { facts } = forest;
  const { attributes, strings } = spans;
  const idsOf = (convention: Convention): number[] => CONVENTIONS[convention].map((name) => strings.intern(name));
  const ids = { system: idsOf("dbSystem"), address: idsOf("serverAddress"), port: idsOf("serverPort") };
  const place = (row: number, keys: readonly number[]): number => {
    for (const key of keys) {
      const at = findAttribute(attributes, row, key);
      if (at >= 0) return at;
    }
    return -1;
  };
  const read = (at: number): string => (at < 0 ? "" : attributeText(attributes, strings, at));
  const value = (at: number): number => (at < 0 ? -1 : attributes.value[at]!);
  interface Found {
    readonly systems: Set<string>;
    readonly addresses: Set<string>;
    readonly hosts: Set<string>;
    /** values of the span read last, which the next mostly shares */
    last: readonly [system: number, address: number, port: number, host: number];
  }
  const found = new Map<number, Found>();
  for (const row of forest.rows) {
    if (facts.role[row] !== SpanRole.database || facts.callee[row]! < 0) continue;
    let of = found.get(facts.callee[row]!);
    if (of === undefined)
      found.set(
        facts.callee[row]!,
        (of = { systems: new Set(), addresses: new Set(), hosts: new Set(), last: [-1, -1, -1, -1] }),
      );
    const at = [place(row, ids.system), place(row, ids.address), place(row, ids.port)] as const;
    const now = [value(at[0]), value(at[1]), value(at[2]), facts.host[row]!] as const;
    if (now.every((one, i) => one === of.last[i])) continue;
    of.last = now;
    const system = read(at[0]);
    if (system !== "") of.systems.add(databaseSystem(system));
    const [address, port] = [read(at[1]), read(at[2])];
    if (address !== "") of.addresses.add(port === "" ? address : `${address}:${port}`);
    of.hosts.add(text(facts.host[row]!));
  }
  return [...found].map(([callee, { systems, addresses, hosts }]) => ({
    name: text(callee),
    system: systems.size === 1 ? [...systems][0]! : "",
    addresses: [...addresses],
    callerHosts: [...hosts],
  }));
}
