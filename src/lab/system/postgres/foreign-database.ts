import { randomBytes } from "node:crypto";
import { LabError } from "../../lab-error.ts";
import type { Keeper } from "../keeper-client.ts";
import type { DatabaseAddress } from "../messages.ts";
import { changeStatements, observerStatements, OwnerConnection, randomSecret, type Database } from "./database.ts";
import { needsRestart } from "./own-database.ts";
import { AFTER_SEED, seedStatements } from "./seed.ts";

export const URL_VARIABLE = "LONGPOLE_LAB_POSTGRES_URL";

/**
 * A database on the user's own server, made for this system and dropped after it.
 * The server's own settings stay as they are; `log` hears of what is missing.
 */
export async function foreignDatabase(url: string, keeper: Keeper, log: (line: string) => void): Promise<Database> {
  const maintenanceAddress = addressOf(url);
  const maintenance = new OwnerConnection(maintenanceAddress);
  const name = `longpole_lab_${randomBytes(4).toString("hex")}`;
  const address = { ...maintenanceAddress, database: name };
  let observer = { ...address, user: `${name}_observer`, password: randomSecret() };
  const owner = new OwnerConnection(address);
  return {
    address,
    get observer() {
      return observer;
    },
    query: (sql) => owner.query(sql),
    pids: () => [],
    close: () => owner.close(),
    async start(settings) {
      await greet(maintenance, maintenanceAddress);
      await keeper.remember({ kind: "database", url, name, role: observer.user });
      await maintenance.runAll([`CREATE DATABASE ${name}`]);
      await maintenance.close();
      if (!(await succeeds(owner, observerStatements(observer)))) {
        log(`${address.user} may not make a role that only reads: collectors use ${address.user} itself`);
        observer = address;
      }
      if (!(await succeeds(owner, ["CREATE EXTENSION pg_stat_statements"]))) {
        log("the server has no pg_stat_statements: its figures per statement are missing");
      }
      await owner.runAll([...seedStatements(settings.records, settings.nameIndex), ...AFTER_SEED.slice(0, 1)]);
    },
    async apply(from, to) {
      if (needsRestart(from, to)) log(`the server of ${URL_VARIABLE} keeps its own memory and connection settings`);
      await owner.runAll(changeStatements(from, to).filter((statement) => statement !== "CHECKPOINT"));
    },
  };
}

function addressOf(url: string): DatabaseAddress {
  const parsed = URL.canParse(url) ? new URL(url) : undefined;
  if (parsed === undefined || !/^postgres(ql)?:$/.test(parsed.protocol) || parsed.hostname === "") {
    throw new LabError("postgres-url", `${URL_VARIABLE} is no URL like postgresql://user:password@host:5432/database`);
  }
  return {
    host: parsed.hostname,
    port: Number(parsed.port || 5432),
    user: decodeURIComponent(parsed.username || "postgres"),
    password: decodeURIComponent(parsed.password),
    database: parsed.pathname.slice(1) || "postgres",
  };
}

async function greet(maintenance: OwnerConnection, { host, port }: DatabaseAddress): Promise<void> {
  try {
    await maintenance.query("SELECT 1");
  } catch (error) {
    const message = `the server of ${URL_VARIABLE}, ${host}:${port}, cannot be used: ${(error as Error).message}`;
    throw new LabError("postgres-failed", message, { cause: error });
  }
}

/** Whether all were allowed. */
async function succeeds(owner: OwnerConnection, statements: readonly string[]): Promise<boolean> {
  try {
    await owner.runAll(statements);
    return true;
  } catch {
    return false;
  }
}
