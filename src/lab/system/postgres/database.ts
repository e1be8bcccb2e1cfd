import { randomBytes } from "node:crypto";
import type { Pool } from "pg";
import type { PostgresSettings } from "../../settings.ts";
import type { DatabaseAddress } from "../messages.ts";
import { serverTrouble } from "../no-defect.ts";
import { AFTER_SEED, CREATE_NAME_INDEX, DROP_NAME_INDEX, reseedStatements } from "./seed.ts";

export interface Database {
  /** of the services; the owner of all */
  readonly address: DatabaseAddress;
  /** of collectors: may read statistics and data, and change nothing */
  readonly observer: DatabaseAddress;
  /** starts the server, where that is ours, and fills it */
  start(settings: PostgresSettings): Promise<void>;
  apply(from: PostgresSettings, to: PostgresSettings): Promise<void>;
  /** as the owner */
  query(sql: string): Promise<Record<string, unknown>[]>;
  /** first process of the server, where that is ours */
  pids(): readonly number[];
  close(): Promise<void>;
}

/** Statements of the lab itself, over a connection or two that open when they are needed. */
export class OwnerConnection {
  readonly #address: DatabaseAddress;
  readonly #logFile: string | undefined;
  #pool: Pool | undefined;

  /** `logFile` is the server's, where it can be read. */
  constructor(address: DatabaseAddress, logFile?: string) {
    this.#address = address;
    this.#logFile = logFile;
  }

  async query(sql: string): Promise<Record<string, unknown>[]> {
    this.#pool ??= await quietPool(this.#address);
    return (await this.#pool.query<Record<string, unknown>>(sql)).rows;
  }

  /** Rejects with a LabError where the server or its disk is the cause. */
  async runAll(statements: readonly string[]): Promise<void> {
    try {
      for (const statement of statements) await this.query(statement);
    } catch (error) {
      throw serverTrouble(error, this.#logFile);
    }
  }

  async close(): Promise<void> {
    const pool = this.#pool;
    this.#pool = undefined;
    await pool?.end();
  }
}

/** What brings the data of a running server from one setting to another. */
export function changeStatements(from: PostgresSettings, to: PostgresSettings): readonly string[] {
  const index = to.nameIndex ? CREATE_NAME_INDEX : DROP_NAME_INDEX;
  // Records go in faster without the index, and the statistics come last.
  if (from.records !== to.records) return [DROP_NAME_INDEX, ...reseedStatements(to.records), index, ...AFTER_SEED];
  return from.nameIndex === to.nameIndex ? [] : [index, "ANALYZE records"];
}

export function observerStatements(observer: DatabaseAddress): readonly string[] {
  return [`CREATE ROLE ${observer.user} LOGIN PASSWORD '${observer.password}' IN ROLE pg_monitor, pg_read_all_data`];
}

/** Hexadecimal, so that it needs no quoting anywhere. */
export function randomSecret(): string {
  return randomBytes(12).toString("hex");
}

async function quietPool(address: DatabaseAddress): Promise<Pool> {
  const { Pool: PoolOf } = (await import("pg")).default;
  const pool = new PoolOf({ ...address, max: 2, application_name: "lab" });
  // A server that restarts cuts the connections that nobody uses; the pool opens others.
  pool.on("error", () => {});
  return pool;
}
