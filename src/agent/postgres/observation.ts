import { ActivityTally } from "./activity-tally.ts";
import { type Catalog, readCatalog } from "./catalog.ts";
import { type Attributes, type Figure, otlpOfFigures } from "./figures.ts";
import type { CollectorHooks } from "./collector-hooks.ts";
import { pause } from "./pause.ts";
import type { PostgresTarget } from "./postgres-target.ts";
import { readActivity, type Session as DatabaseSession } from "./read-activity.ts";
import { readBlocking } from "./read-blocking.ts";
import { readDatabase, readDatabaseSize } from "./read-database.ts";
import { SERVER_PARTS } from "./read-server.ts";
import { readSettings } from "./read-settings.ts";
import { type KnownTables, readSizes, readTables } from "./read-tables.ts";
import { type Remark, remarksOn } from "./remarks.ts";
import { Session } from "./session.ts";
import { StatementWatch } from "./statement-watch.ts";
import { statementText } from "./statement-texts.ts";
import { isRefusal, troubleOf } from "./trouble.ts";

/** Sizes and settings change slowly, and cost the server more than counters do; tables to which nothing happened, too. */
const SLOW_EVERY_MS = 60_000;
/** From this share of the time on, what the questions take is told; usually they are answered in 1 % of it or less. */
const DEAR = 0.05;

/** What is known of one database, over all its connections. */
export class Observation {
  readonly #target: PostgresTarget;
  readonly #hooks: CollectorHooks;
  readonly #resource: Attributes;
  readonly #statements: StatementWatch;
  readonly #tally = new ActivityTally();
  readonly #tables: KnownTables = new Map();
  /** remarks that were told, so that each is told once */
  readonly #told = new Set<string>();
  #sinceUnixMs = Date.now();
  #busyShare = 0;
  #slowAtMs = Number.NEGATIVE_INFINITY;
  #startedUnixMs = Number.NaN;

  constructor(target: PostgresTarget, hooks: CollectorHooks) {
    this.#target = target;
    this.#hooks = hooks;
    this.#statements = new StatementWatch(target);
    this.#resource = {
      "service.name": "postgresql",
      "service.instance.id": target.name,
      "db.system.name": "postgresql",
      "server.address": target.host,
      "server.port": String(target.port),
      "db.namespace": target.database,
      "postgresql.database.name": target.database,
    };
  }

  /** Looks and reports until `signal` says to stop; `onUp` hears when the database has answered. Rejects when it is lost. */
  async connected(signal: AbortSignal, onUp: () => void): Promise<void> {
    const lost = new AbortController();
    const session = await Session.open(this.#target, (error) => lost.abort(error));
    try {
      const catalog = await readCatalog(session);
      const remarks = remarksOn(catalog, this.#target);
      this.#sinceUnixMs = Date.now();
      await this.#begin(session, catalog, remarks);
      onUp();
      await this.#watch(session, catalog, remarks, AbortSignal.any([signal, lost.signal]));
      if (signal.aborted && !lost.signal.aborted) await this.#report(session, catalog, remarks);
      if (!signal.aborted) throw lost.signal.reason;
    } finally {
      await session.close().catch(() => {});
    }
  }

  /** Says that there is nothing to be said. */
  async away(why: string): Promise<void> {
    const nowUnixMs = Date.now();
    await this.#send([upFigure(0), missingFigure({ what: why, mend: "" })], nowUnixMs);
    this.#sinceUnixMs = nowUnixMs;
  }

  async #begin(session: Session, catalog: Catalog, remarks: Remark[]): Promise<void> {
    const { name } = this.#target;
    if (!Number.isNaN(this.#startedUnixMs) && catalog.startedUnixMs !== this.#startedUnixMs)
      this.#hooks.tell("info", `PostgreSQL ${name}: was started anew; counters that fell count from zero`);
    this.#startedUnixMs = catalog.startedUnixMs;
    this.#slowAtMs = Number.NEGATIVE_INFINITY;
    await this.#part("statements", remarks, async () => this.#statements.begin(session, catalog));
    for (const remark of remarks) this.#tellOnce(remark);
  }

  async #watch(session: Session, catalog: Catalog, remarks: Remark[], signal: AbortSignal): Promise<void> {
    const { sampleMs, intervalMs } = this.#target;
    let lookedAtMs = performance.now();
    let reportedAtMs = lookedAtMs;
    for (let dueMs = lookedAtMs + sampleMs; !signal.aborted; dueMs += sampleMs) {
      await pause(dueMs - performance.now(), signal);
      if (signal.aborted) return;
      const nowMs = performance.now();
      // A look that comes late stands for no more than two: nobody saw what happened meanwhile.
      await this.#look(session, catalog, Math.min(nowMs - lookedAtMs, 2 * sampleMs) / 1000);
      lookedAtMs = nowMs;
      if (nowMs - reportedAtMs >= intervalMs - sampleMs / 2) {
        await this.#report(session, catalog, remarks);
        reportedAtMs = nowMs;
      }
      // After a stop of the process the looks that were missed are not made up for.
      if (performance.now() > dueMs + sampleMs) dueMs = performance.now();
    }
  }

  async #look(session: Session, catalog: Catalog, seconds: number): Promise<void> {
    const { sessions, leftOut } = await readActivity(session, catalog);
    const blocked = await readBlocking(session, catalog, sessions);
    const textOf = ({ queryId, query }: DatabaseSession): string =>
      this.#statements.textOf(queryId) ?? statementText(query);
    this.#tally.add({ sessions, leftOut }, blocked, seconds, textOf);
  }

  async #report(session: Session, catalog: Catalog, standing: readonly Remark[]): Promise<void> {
    const remarks = [...standing];
    const figures: Figure[] = [upFigure(1)];
    const add = async (what: string, read: () => Promise<readonly Figure[]>): Promise<void> => {
      figures.push(...((await this.#part(what, remarks, read)) ?? []));
    };
    for (const { what, read } of SERVER_PARTS) await add(what, () => read(session, catalog));
    await add("the database", () => readDatabase(session));
    const isSlow = performance.now() - this.#slowAtMs >= SLOW_EVERY_MS;
    await add("tables", () => readTables(session, this.#tables, isSlow));
    await add("statements", () => this.#statements.figures(session, catalog, remarks));
    if (isSlow) {
      this.#slowAtMs = performance.now();
      await add("the size of the database", () => readDatabaseSize(session));
      await add("sizes of tables and indexes", () => readSizes(session));
      await add("settings", () => readSettings(session));
    }
    if (this.#target.plans) await add("plans", () => this.#statements.plans(session, remarks));
    figures.push(...this.#tally.take());
    const nowUnixMs = Date.now();
    figures.push(...this.#costFigures(session, (nowUnixMs - this.#sinceUnixMs) / 1000, remarks));
    for (const remark of remarks) this.#tellOnce(remark);
    figures.push(...remarks.map(missingFigure));
    await this.#send(figures, nowUnixMs);
    this.#sinceUnixMs = nowUnixMs;
  }

  #costFigures(session: Session, seconds: number, remarks: Remark[]): Figure[] {
    const busy = session.takeBusySeconds();
    // Smoothed over some reports: the first of a connection, and each with sizes, asks for more.
    this.#busyShare += 0.2 * (busy / Math.max(seconds, this.#target.intervalMs / 1000) - this.#busyShare);
    if (this.#busyShare > DEAR)
      remarks.push({ what: `looking at it takes more than ${100 * DEAR} % of the time`, mend: "a longer interval" });
    return [{ name: "postgresql.collector.time", unit: "s", kind: "delta", value: busy }];
  }

  /** A part that the server refuses (a right, a lock, its time) is missing, and said to be; the others come. */
  async #part<T>(what: string, remarks: Remark[], read: () => Promise<T>): Promise<T | undefined> {
    try {
      return await read();
    } catch (error) {
      if (!isRefusal(error)) throw error;
      remarks.push({ what: `${what}: ${troubleOf(error, this.#target)}`, mend: "" });
      return undefined;
    }
  }

  #tellOnce({ what, mend }: Remark): void {
    if (this.#told.has(what)) return;
    this.#told.add(what);
    this.#hooks.tell("warn", `PostgreSQL ${this.#target.name}: ${what}${mend === "" ? "" : `. To mend: ${mend}`}`);
  }

  async #send(figures: readonly Figure[], nowUnixMs: number): Promise<void> {
    try {
      await this.#hooks.send(otlpOfFigures(figures, this.#resource, this.#sinceUnixMs, nowUnixMs));
    } catch (error) {
      this.#hooks.tell(
        "warn",
        `PostgreSQL ${this.#target.name}: what was seen is not sent: ${(error as Error).message}`,
      );
    }
  }
}

const upFigure = (value: number): Figure => ({ name: "postgresql.up", unit: "1", kind: "gauge", value });

const missingFigure = ({ what, mend }: Remark): Figure => ({
  name: "postgresql.collector.missing",
  unit: "1",
  kind: "gauge",
  value: 1,
  attributes: { "postgresql.collector.what": what, "postgresql.collector.mend": mend },
});
