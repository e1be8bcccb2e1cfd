import { type ClickHouseClient, ClickHouseError, createClient } from "@clickhouse/client";
import { Readable } from "node:stream";
import { StoreError, type StoreErrorCode } from "./store-error.ts";

/** Where the engine is and as whom; plain data. */
export interface Connection {
  /** of one node, or of several of a cluster: the first that answers is asked */
  readonly urls: readonly string[];
  readonly user: string;
  readonly password: string;
  readonly database: string;
  /** who queries, with fewer rights; the same as who writes if absent */
  readonly reader?: { readonly user: string; readonly password: string };
  /** name of a cluster in the servers' `remote_servers`, over which the tables are spread */
  readonly cluster?: string;
  /** Copies of shards are kept by ReplicatedMergeTree; the servers have a Keeper and the macros {shard} and {replica}. */
  readonly isReplicated?: boolean;
  /** Reads leave out what shards hold that do not answer, instead of failing. Who reads so asks `shards` too. */
  readonly partialReads?: boolean;
}

export type Parameters = Readonly<
  Record<string, string | number | bigint | boolean | readonly (string | number | bigint)[]>
>;
export type Settings = Readonly<Record<string, string | number>>;

export interface QueryOptions {
  readonly parameters?: Parameters;
  readonly settings?: Settings;
  readonly signal?: AbortSignal | undefined;
}

/** No answer for so long is none; queries are limited by the engine before that. */
const REQUEST_MS = 180_000;

/** Statements to and answers from ClickHouse, over HTTP; failures as StoreError. */
export class Link {
  private readonly writers: readonly ClickHouseClient[];
  private readonly readers: readonly ClickHouseClient[];
  /** the node that answered last */
  private at = 0;

  constructor(connection: Connection) {
    const clients = (user: string, password: string, database: string | undefined): ClickHouseClient[] =>
      connection.urls.map((url) =>
        createClient({
          url,
          username: user,
          password,
          ...(database === undefined ? {} : { database }),
          request_timeout: REQUEST_MS,
          compression: { request: false, response: false },
          max_open_connections: 16,
          log: { level: 127 },
        }),
      );
    // Writers name the database in each statement: it may not be there yet.
    this.writers = clients(connection.user, connection.password, undefined);
    const { user, password } = connection.reader ?? connection;
    this.readers = clients(user, password, connection.database);
  }

  /** A statement without an answer. */
  async command(query: string, options: QueryOptions = {}): Promise<void> {
    await this.ask(this.writers, options, (client) => client.command({ query, ...requestOf(options) }));
  }

  /** Inserts blocks in ClickHouse's Native format; `query` ends with FORMAT Native. */
  async insertNative(query: string, blocks: readonly Uint8Array[], options: QueryOptions = {}): Promise<void> {
    await this.ask(this.writers, options, async (client) => {
      const { stream } = await client.exec({
        query,
        values: Readable.from(blocks, { objectMode: false }),
        ...requestOf(options),
      });
      await drained(stream);
    });
  }

  /** Inserts objects, few of them; `table` with its database. */
  async insertRows(
    table: string,
    values: readonly Readonly<Record<string, string | number>>[],
    options: QueryOptions = {},
  ): Promise<void> {
    await this.ask(this.writers, options, (client) =>
      client.insert({ table, values, format: "JSONEachRow", ...requestOf(options) }),
    );
  }

  /** Rows as objects; 64-bit integers come as text. */
  async rows<Row>(query: string, options: QueryOptions & { readonly asWriter?: boolean } = {}): Promise<Row[]> {
    return this.ask(options.asWriter ? this.writers : this.readers, options, async (client) => {
      const result = await client.query({ query, format: "JSONEachRow", ...requestOf(options) });
      return result.json<Row>();
    });
  }

  /** The answer in the Native format, whole. */
  async native(query: string, options: QueryOptions = {}): Promise<Uint8Array> {
    return this.ask(this.readers, options, async (client) => {
      const { stream } = await client.exec({ query: `${query} FORMAT Native`, ...requestOf(options) });
      return drained(stream);
    });
  }

  async close(): Promise<void> {
    await Promise.all([...this.writers, ...this.readers].map((client) => client.close()));
  }

  /** Asks the node that answered last, and the others where it does not answer at all. */
  private async ask<T>(
    clients: readonly ClickHouseClient[],
    { signal }: QueryOptions,
    what: (client: ClickHouseClient) => Promise<T>,
  ): Promise<T> {
    let last: StoreError | undefined;
    for (let tries = 0; tries < clients.length; tries++) {
      // A request is only looked after from when it is under way.
      signal?.throwIfAborted();
      try {
        return await what(clients[this.at % clients.length]!);
      } catch (error) {
        if (signal?.aborted) throw signal.reason;
        last = storeErrorOf(error);
        if (last.code !== "unreachable") throw last;
        this.at++;
      }
    }
    throw last ?? new StoreError("unreachable", "no address of an engine");
  }
}

function requestOf({ parameters, settings, signal }: QueryOptions): {
  query_params: Record<string, unknown>;
  clickhouse_settings: Record<string, string | number>;
  abort_signal?: AbortSignal;
} {
  return {
    query_params: { ...parameters },
    clickhouse_settings: { ...settings },
    ...(signal === undefined ? {} : { abort_signal: signal }),
  };
}

async function drained(stream: Readable): Promise<Uint8Array> {
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(chunk as Buffer);
  return chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks);
}

/** ClickHouse's numbers of errors that a caller can act on; src/Common/ErrorCodes.cpp. */
const CODES: Readonly<Record<number, StoreErrorCode>> = {
  159: "timeout", // TIMEOUT_EXCEEDED
  160: "timeout", // TOO_SLOW
  209: "timeout", // SOCKET_TIMEOUT
  210: "unreachable", // NETWORK_ERROR
  279: "unreachable", // ALL_CONNECTION_TRIES_FAILED
  241: "too-large", // MEMORY_LIMIT_EXCEEDED
  158: "too-large", // TOO_MANY_ROWS
  307: "too-large", // TOO_MANY_BYTES
  396: "too-large", // TOO_MANY_ROWS_OR_BYTES
  243: "disk-full", // NOT_ENOUGH_SPACE
  192: "denied", // UNKNOWN_USER
  193: "denied", // WRONG_PASSWORD
  497: "denied", // ACCESS_DENIED
  516: "denied", // AUTHENTICATION_FAILED
  164: "denied", // READONLY
  427: "bad-pattern", // CANNOT_COMPILE_REGEXP
};

export function storeErrorOf(error: unknown): StoreError {
  if (error instanceof StoreError) return error;
  if (error instanceof ClickHouseError) return engineError(Number(error.code), error.message, error);
  const { code, message } = error as NodeJS.ErrnoException;
  if (/timeout/i.test(message)) return new StoreError("timeout", message, { cause: error });
  if (code !== undefined || /socket hang up|aborted|ECONN/i.test(message)) {
    return new StoreError("unreachable", `the engine does not answer: ${message || code}`, { cause: error });
  }
  const inside = /Code: (\d+)\. (?:DB::Exception: )?([\s\S]*)/.exec(message);
  if (inside !== null) return engineError(Number(inside[1]), inside[2]!, error);
  return new StoreError("refused", message, { cause: error });
}

function engineError(engineCode: number, message: string, cause: unknown): StoreError {
  // A failed write has one number for all reasons; the system's is in its words.
  const isFull = /No space left on device|errno: 28\b/.test(message);
  const code = isFull ? "disk-full" : (CODES[engineCode] ?? "refused");
  return new StoreError(code, `${message.split("\n")[0]} (ClickHouse error ${engineCode})`, { engineCode, cause });
}
