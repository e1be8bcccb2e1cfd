import pg from "pg";
import type { ZonesSettings } from "../../settings.ts";
import type { DatabaseAddress } from "../messages.ts";
import type { DebugLog } from "./debug-log.ts";

export type Row = Record<string, unknown>;

/** What a request talks to PostgreSQL through. */
export interface Session {
  query(sql: string, values: readonly unknown[]): Promise<Row[]>;
  /** commits what `work` did, or undoes it where `work` rejects */
  transaction<T>(work: (session: Session) => Promise<T>): Promise<T>;
}

/** How requests get their connections, by the settings. */
export class Connections {
  readonly #pool: pg.Pool;
  readonly #settings: ZonesSettings;
  readonly #address: pg.ClientConfig;
  readonly #debug: DebugLog;

  constructor(settings: ZonesSettings, database: DatabaseAddress, debug: DebugLog) {
    this.#settings = settings;
    this.#address = { ...database, application_name: "zones" };
    this.#debug = debug;
    this.#pool = new pg.Pool({ ...this.#address, max: settings.poolMax });
    // A server that restarts cuts connections that nobody uses at the time; the pool opens others.
    this.#pool.on("error", (error) => console.error(error.message));
  }

  /** One request. */
  async during<T>(work: (session: Session) => Promise<T>): Promise<T> {
    if (this.#settings.connections === "per-request") {
      const client = new pg.Client(this.#address);
      client.on("error", (error) => console.error(error.message));
      await client.connect();
      try {
        return await work(this.#sessionOf(client));
      } finally {
        await client.end();
      }
    }
    if (this.#settings.holdConnection === "request") return this.#withClient(work);
    return work({
      query: (sql, values) => this.#query(this.#pool, sql, values),
      transaction: (part) => this.#withClient((session) => session.transaction(part)),
    });
  }

  close(): Promise<void> {
    return this.#pool.end();
  }

  async #withClient<T>(work: (session: Session) => Promise<T>): Promise<T> {
    const client = await this.#pool.connect();
    try {
      return await work(this.#sessionOf(client));
    } finally {
      client.release();
    }
  }

  #sessionOf(client: pg.ClientBase): Session {
    const session: Session = {
      query: (sql, values) => this.#query(client, sql, values),
      transaction: async (work) => {
        await client.query("BEGIN");
        try {
          const result = await work(session);
          await client.query("COMMIT");
          return result;
        } catch (error) {
          await client.query("ROLLBACK");
          throw error;
        }
      },
    };
    return session;
  }

  async #query(through: pg.Pool | pg.ClientBase, sql: string, values: readonly unknown[]): Promise<Row[]> {
    const { rows } = await through.query<Row>(sql, [...values]);
    this.#debug.line(`${rows.length} rows: ${sql}`);
    return rows;
  }
}
