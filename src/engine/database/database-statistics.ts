import { normaliseStatement } from "../../analysis/statement.ts";
import type { MetricTable } from "../../model/metric-table.ts";
import { databaseServer } from "../resources/entities.ts";
import { type MetricEntry, postgresEntries } from "./metric-entries.ts";
import { ReplicaLags, type ReplicaStatistics } from "./replica-lags.ts";
import { type WaitKind, waitKind } from "./wait-kind.ts";

/** What databases count of themselves within a window. */
export interface DatabaseStatistics {
  readonly statements: readonly StatementStatistics[];
  readonly lockWaits: readonly LockWait[];
  readonly tables: readonly TableStatistics[];
  readonly databases: readonly DatabaseTotals[];
  readonly replicas: readonly ReplicaStatistics[];
  /** what was not seen, and the command that mends it; "" where there is none */
  readonly missing: readonly { readonly what: string; readonly mend: string }[];
}

export interface DatabaseTotals {
  /** that it is on, by whatever its metrics name it: two may have databases of one name; "" where they do not say */
  readonly server: string;
  readonly database: string;
  /** seconds that all statements took together, and those of them whose text is not known: summed with others, or hidden */
  readonly statementSeconds: number;
  readonly namelessSeconds: number;
  readonly firstBytes: number;
  readonly lastBytes: number;
  /** of the window that the database was looked at for */
  readonly seconds: number;
  /** its settings by name: bytes, seconds, plain numbers; 1 for what is on */
  readonly settings: ReadonlyMap<string, number>;
}

/** Counters of one statement; NaN where the database does not tell them. */
export interface StatementStatistics {
  readonly server: string;
  readonly database: string;
  /** normal form, as spans have it */
  readonly statement: string;
  readonly queryId: string;
  readonly calls: number;
  readonly seconds: number;
  readonly rows: number;
  /** pages that were asked for, and those of them that were not in the database's own cache */
  readonly blocks: number;
  readonly blocksRead: number;
  /** waiting for them, with track_io_timing */
  readonly readSeconds: number;
  readonly tempBlocks: number;
  /** one snapshot says what was counted since the counters were reset, not within the window */
  readonly isSinceReset: boolean;
  /** what sessions that ran it were seen at, most time first; empty where nobody looked */
  readonly waits: readonly WaitTime[];
  /** scans of whole tables in its plan, where plans were asked for */
  readonly scans: readonly { readonly table: string; readonly cost: number; readonly filter: string }[];
}

export interface WaitTime {
  readonly kind: WaitKind;
  /** "Lock: transactionid", "IO: DataFileRead", "on the processor" */
  readonly event: string;
  readonly seconds: number;
  readonly samples: number;
}

/** Sessions that waited for one holder's lock. */
export interface LockWait {
  readonly server: string;
  readonly database: string;
  readonly statement: string;
  readonly application: string;
  /** "schema.table", "" where it is not told */
  readonly relation: string;
  readonly mode: string;
  /** undefined where the holder was not seen */
  readonly holder: { readonly statement: string; readonly state: string; readonly application: string } | undefined;
  /** seconds of all waiting sessions together, and the longest wait seen */
  readonly seconds: number;
  readonly longestSeconds: number;
}

export interface TableStatistics {
  readonly server: string;
  readonly database: string;
  /** "schema.table" */
  readonly table: string;
  readonly firstRows: number;
  readonly lastRows: number;
  readonly firstBytes: number;
  readonly lastBytes: number;
  /** scans of the whole table, the rows they read, and scans by any index, within the window */
  readonly sequentialScans: number;
  readonly sequentialRows: number;
  readonly indexScans: number;
  /** pages of it and its indexes that were asked for within the window, and those of them that were not in the cache */
  readonly blocks: number;
  readonly blocksRead: number;
  /** of its indexes on the disk, at the end of the window; 0 where none is told */
  readonly indexBytes: number;
  /** sizes on the disk within the window, and the seconds between two of them */
  readonly sizes: Float64Array;
  readonly sizeStepSeconds: number;
}

/** Reads what PostgreSQL tells of itself; undefined where the metrics hold nothing of it. */
export function readDatabaseStatistics(metrics: MetricTable): DatabaseStatistics | undefined {
  const into = new Collected();
  for (const entry of postgresEntries(metrics)) into.add(entry);
  return into.finish();
}

/** A database on one server. */
interface Where {
  readonly server: string;
  readonly database: string;
}

interface OpenStatement extends Where {
  statement: string;
  queryId: string;
  counters: Map<string, number>;
  isSinceReset: boolean;
  waits: Map<string, { kind: WaitKind; event: string; seconds: number; samples: number }>;
  scans: { table: string; cost: number; filter: string }[];
}

interface OpenTable extends Where {
  table: string;
  figures: Map<string, number>;
  sizes: Float64Array;
  sizeStepSeconds: number;
}

const whereKey = ({ server, database }: Where): string => JSON.stringify([server, database]);

class Collected {
  readonly #statements = new Map<string, OpenStatement>();
  readonly #locks = new Map<string, { -readonly [K in keyof LockWait]: LockWait[K] }>();
  readonly #tables = new Map<string, OpenTable>();
  readonly #totals = new Map<
    string,
    Where & {
      seconds: number;
      nameless: number;
      first: number;
      last: number;
      fromNs: number;
      toNs: number;
      settings: Map<string, number>;
    }
  >();
  readonly #missing = new Map<string, string>();
  readonly #replicas = new ReplicaLags();
  #any = false;

  add(entry: MetricEntry): void {
    const { name, labels } = entry;
    const database = labels.get("postgresql_database_name") ?? labels.get("db_namespace") ?? "";
    const where: Where = { server: databaseServer(labels), database };
    if (name.startsWith("statement_")) this.#addStatement(entry, where, name.slice("statement_".length));
    else if (name === "wait_time" || name === "wait_samples") this.#addWait(entry, where);
    else if (name.startsWith("lock_wait_")) this.#addLock(entry, where);
    else if (name === "plan_sequential_scan_cost") this.#addPlan(entry, where);
    else if (name === "collector_missing")
      this.#missing.set(labels.get("postgresql_collector_what") ?? "", labels.get("postgresql_collector_mend") ?? "");
    // Of a choice among words the number says nothing.
    else if (name.startsWith("setting_") && !labels.has("postgresql_setting_value"))
      this.#totalsOf(where, entry).settings.set(name.slice("setting_".length), entry.last);
    else if (name === "db_size") {
      const totals = this.#totalsOf(where, entry);
      totals.first = entry.first;
      totals.last = entry.last;
    } else if (name === "wal_delay" || name === "wal_lag") this.#replicas.add(entry, database);
    else if (labels.has("postgresql_table_name")) this.#addTable(entry, where, labels.get("postgresql_table_name")!);
    else return;
    this.#any = true;
  }

  finish(): DatabaseStatistics | undefined {
    if (!this.#any) return undefined;
    const statements = [...this.#statements.values()];
    // Where others have two snapshots, a statement that is in one of them was new then: all that it counts is of the window.
    const compared = new Set(statements.filter((one) => !one.isSinceReset).map(whereKey));
    for (const one of statements) one.isSinceReset &&= !compared.has(whereKey(one));
    return {
      statements: statements.map(finishStatement).toSorted((a, b) => b.seconds - a.seconds),
      lockWaits: [...this.#locks.values()].toSorted((a, b) => b.seconds - a.seconds),
      tables: [...this.#tables.values()].map(finishTable),
      databases: [...this.#totals.values()].map(({ seconds, nameless, first, last, fromNs, toNs, ...rest }) => ({
        ...rest,
        statementSeconds: seconds,
        namelessSeconds: nameless,
        firstBytes: first,
        lastBytes: last,
        seconds: (toNs - fromNs) / 1e9,
      })),
      replicas: this.#replicas.all(),
      missing: [...this.#missing].map(([what, mend]) => ({ what, mend })),
    };
  }

  #addStatement(entry: MetricEntry, where: Where, counter: string): void {
    const totals = this.#totalsOf(where, entry);
    const isSinceReset = Number.isNaN(entry.added);
    const value = isSinceReset ? entry.sinceReset : entry.added;
    if (Number.isNaN(value)) return;
    const held = this.#statementOf(entry, where);
    if (counter === "time") {
      totals.seconds += value;
      if (held === undefined) totals.nameless += value;
    }
    if (held === undefined) return;
    held.counters.set(counter, (held.counters.get(counter) ?? 0) + value);
    held.isSinceReset ||= isSinceReset;
  }

  #addWait(entry: MetricEntry, where: Where): void {
    const held = this.#statementOf(entry, where);
    if (held === undefined || Number.isNaN(entry.added)) return;
    const { labels } = entry;
    const state = labels.get("postgresql_state") ?? "active";
    const [type, event] = [labels.get("postgresql_wait_event_type") ?? "", labels.get("postgresql_wait_event") ?? ""];
    const kind = waitKind(type, event, state);
    const told = kind === "idle" ? state : type === "" ? "on the processor" : `${type}: ${event}`;
    const wait = held.waits.get(told) ?? { kind, event: told, seconds: 0, samples: 0 };
    if (entry.name === "wait_time") wait.seconds += entry.added;
    else wait.samples += entry.added;
    held.waits.set(told, wait);
  }

  #addLock(entry: MetricEntry, where: Where): void {
    const { labels } = entry;
    const text = (key: string): string => labels.get(`postgresql_${key}`) ?? "";
    const statement = labels.get("db_query_text");
    if (statement === undefined) return;
    const holder = labels.has("postgresql_blocking_state")
      ? {
          statement: normaliseStatement(text("blocking_query_text")),
          state: text("blocking_state"),
          application: text("blocking_application_name"),
        }
      : undefined;
    const about = {
      ...where,
      statement: normaliseStatement(statement),
      application: text("application_name"),
      relation: text("lock_relation"),
      mode: text("lock_mode"),
      holder,
    };
    const key = JSON.stringify(about);
    const held = this.#locks.get(key) ?? { ...about, seconds: 0, longestSeconds: 0 };
    if (entry.name === "lock_wait_time" && !Number.isNaN(entry.added)) held.seconds += entry.added;
    if (entry.name === "lock_wait_longest") held.longestSeconds = Math.max(held.longestSeconds, entry.largest);
    this.#locks.set(key, held);
  }

  #addPlan(entry: MetricEntry, where: Where): void {
    const { labels, last } = entry;
    const held = this.#statementOf(entry, where);
    const [table, filter] = [labels.get("postgresql_plan_table"), labels.get("postgresql_plan_filter")];
    if (table !== undefined) held?.scans.push({ table, cost: last, filter: filter ?? "" });
  }

  #addTable(entry: MetricEntry, where: Where, table: string): void {
    const key = JSON.stringify([whereKey(where), table]);
    const held = this.#tables.get(key) ?? {
      ...where,
      table,
      figures: new Map<string, number>(),
      sizes: new Float64Array(),
      sizeStepSeconds: Number.NaN,
    };
    this.#tables.set(key, held);
    const { name, labels, added, first, last, values } = entry;
    const { figures } = held;
    const add = (figure: string, value: number): void => {
      if (!Number.isNaN(value)) figures.set(figure, (figures.get(figure) ?? 0) + value);
    };
    if (/^(sequential_scans|table_index_scans)$/.test(name)) this.#replicas.addScans(entry, added);
    if (labels.has("postgresql_index_name")) {
      if (name === "index_size") add("indexBytes", last);
    } else if (name === "rows" && labels.get("state") === "live") {
      figures.set("firstRows", first);
      figures.set("lastRows", last);
    } else if (name === "blocks_read") {
      add("blocks", added);
      if (labels.get("source")?.endsWith("_read") === true) add("blocksRead", added);
    } else if (name === "table_size") {
      figures.set("firstBytes", first);
      figures.set("lastBytes", last);
      held.sizes = values;
      held.sizeStepSeconds = (entry.toNs - entry.fromNs) / 1e9 / (values.length - 1);
    } else figures.set(name, added);
  }

  #totalsOf(where: Where, { fromNs, toNs }: MetricEntry) {
    const key = whereKey(where);
    const held = this.#totals.get(key) ?? {
      ...where,
      seconds: 0,
      nameless: 0,
      first: Number.NaN,
      last: Number.NaN,
      fromNs,
      toNs,
      settings: new Map<string, number>(),
    };
    held.fromNs = Math.min(held.fromNs, fromNs);
    held.toNs = Math.max(held.toNs, toNs);
    this.#totals.set(key, held);
    return held;
  }

  /** Undefined for what has no text: sums of many, and statements that the collector's role may not see. */
  #statementOf({ labels }: MetricEntry, where: Where): OpenStatement | undefined {
    const text = labels.get("db_query_text") ?? "";
    if (text === "") return undefined;
    const statement = normaliseStatement(text);
    const key = JSON.stringify([whereKey(where), statement]);
    let held = this.#statements.get(key);
    if (held === undefined) {
      const queryId = labels.get("postgresql_queryid") ?? "";
      held = { ...where, statement, queryId, counters: new Map(), isSinceReset: false, waits: new Map(), scans: [] };
      this.#statements.set(key, held);
    }
    return held;
  }
}

function finishStatement({ counters, waits, ...rest }: OpenStatement): StatementStatistics {
  const of = (name: string): number => counters.get(name) ?? Number.NaN;
  return {
    ...rest,
    calls: of("calls"),
    seconds: of("time"),
    rows: of("rows"),
    blocks: of("blocks_hit") + of("blocks_read"),
    blocksRead: of("blocks_read"),
    readSeconds: of("read_time"),
    tempBlocks: of("temp_blocks_written"),
    waits: [...waits.values()].toSorted((a, b) => b.seconds - a.seconds),
  };
}

function finishTable({ server, database, table, figures, sizes, sizeStepSeconds }: OpenTable): TableStatistics {
  const of = (name: string): number => figures.get(name) ?? Number.NaN;
  return {
    server,
    database,
    table,
    firstRows: of("firstRows"),
    lastRows: of("lastRows"),
    firstBytes: of("firstBytes"),
    lastBytes: of("lastBytes"),
    sequentialScans: of("sequential_scans"),
    sequentialRows: of("table_sequential_rows"),
    indexScans: of("table_index_scans"),
    blocks: of("blocks"),
    blocksRead: of("blocksRead"),
    indexBytes: figures.get("indexBytes") ?? 0,
    sizes,
    sizeStepSeconds,
  };
}
