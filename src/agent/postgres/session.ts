import type pg from "pg";
import type { Ask, Row } from "./rows.ts";
import type { PostgresTarget } from "./postgres-target.ts";

/** A statement of ours that takes longer is a burden: the server ends it. */
const STATEMENT_TIMEOUT_MS = 5000;
/** Nobody is to wait behind us, and we behind nobody: a lock that is not to be had at once is asked for another time. */
const LOCK_TIMEOUT_MS = 200;
const CONNECT_TIMEOUT_MS = 10_000;
/** Where the server does not end it, the network is gone. */
const ANSWER_TIMEOUT_MS = 15_000;

/** The one connection to a database: it reads only, gives up soon, and counts the time that it takes. */
export class Session implements Ask {
  readonly #client: pg.Client;
  readonly #onLost: (error: Error) => void;
  #busyMs = 0;

  private constructor(client: pg.Client, onLost: (error: Error) => void) {
    this.#client = client;
    this.#onLost = onLost;
  }

  /** Rejects as the driver does. `onLost` hears when the connection breaks while nobody asks. */
  static async open(target: PostgresTarget, onLost: (error: Error) => void): Promise<Session> {
    const { default: pg } = await import("pg");
    const password = await passwordOf(target);
    const client = new pg.Client({
      connectionString: completeUrl(target, password),
      application_name: "longpole",
      connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
      query_timeout: ANSWER_TIMEOUT_MS,
      keepAlive: true,
    });
    // Without one the driver would look for the password file itself, and warn that it will stop doing so.
    if (password === "") client.password = "";
    const session = new Session(client, onLost);
    client.on("error", (error) => session.#onLost(error));
    try {
      await client.connect();
      await client.query(`SET default_transaction_read_only = on; SET statement_timeout = ${STATEMENT_TIMEOUT_MS};
        SET lock_timeout = ${LOCK_TIMEOUT_MS}; SET max_parallel_workers_per_gather = 0`);
    } catch (error) {
      await client.end().catch(() => {});
      throw error;
    }
    return session;
  }

  async rows(sql: string, values: readonly unknown[] = []): Promise<readonly Row[]> {
    const startMs = performance.now();
    try {
      return (await this.#client.query<Row>(sql, [...values])).rows;
    } finally {
      this.#busyMs += performance.now() - startMs;
    }
  }

  /** Seconds that its questions took since the last call, the way there and back included. */
  takeBusySeconds(): number {
    const seconds = this.#busyMs / 1000;
    this.#busyMs = 0;
    return seconds;
  }

  async close(): Promise<void> {
    await this.#client.end();
  }
}

/** In libpq's order: what stands in the URL, PGPASSWORD, the password file; "" where there is none. */
async function passwordOf({ url, host, port, database, user }: PostgresTarget): Promise<string> {
  const given = decodeURIComponent(new URL(url).password) || process.env["PGPASSWORD"];
  if (given !== undefined && given !== "") return given;
  const { default: pgpass } = await import("pgpass");
  return new Promise((resolve) => pgpass({ host, port, database, user }, (found) => resolve(found ?? "")));
}

/** With all that the environment and the password file add, as parameters: a URL without a host takes nothing else. */
function completeUrl({ url: text, host, port, database, user }: PostgresTarget, password: string): string {
  const url = new URL(text);
  url.pathname = `/${encodeURIComponent(database)}`;
  for (const [name, value] of Object.entries({ host, port: String(port), user, password }))
    if (value !== "") url.searchParams.set(name, value);
  return url.href;
}
