import { LabError } from "../lab-error.ts";
import { lastLines } from "./child.ts";

/** The disk is full or closed to us, or the folder is not there. */
const FILE_CODES: ReadonlySet<string> = new Set(["ENOSPC", "EDQUOT", "EROFS", "ENOENT", "ENOTDIR", "EACCES", "EPERM"]);

const CONNECTION_CODES: ReadonlySet<string> = new Set(["ECONNREFUSED", "ECONNRESET", "EPIPE", "ETIMEDOUT"]);

/**
 * Classes of SQLSTATE that a correct statement can fail with: connection, resources (53100 is a full disk), the
 * operator or a crash, the operating system (https://www.postgresql.org/docs/current/errcodes-appendix.html).
 */
const SERVER_STATES = /^(08|53|57|58)[0-9A-Z]{3}$/;

/** An error of the lab's own work with files as a LabError where the machine is the cause; any other as it is. */
export function fileTrouble(error: unknown): unknown {
  if (error instanceof LabError || !(error instanceof Error)) return error;
  const { code = "", syscall = "" } = error as NodeJS.ErrnoException;
  if (!FILE_CODES.has(code) || /^(spawn|connect|listen|kill)/.test(syscall)) return error;
  return new LabError("folder", `the lab cannot write its files: ${error.message}`, { cause: error });
}

/**
 * An error of a statement as a LabError where the server or its disk is the cause; any other as it is. `logFile` is the
 * server's, whose end tells why a connection was cut.
 */
export function serverTrouble(error: unknown, logFile?: string): unknown {
  if (error instanceof LabError || !(error instanceof Error)) return error;
  const { code = "" } = error as { code?: string };
  const isCut = CONNECTION_CODES.has(code) || error.message.startsWith("Connection terminated");
  if (!isCut && !SERVER_STATES.test(code)) return error;
  const last = isCut && logFile !== undefined ? lastLines(logFile, 5) : "";
  const end = last === "" ? "" : `; its log ends with: ${last}`;
  return new LabError("postgres-failed", `PostgreSQL cannot go on: ${error.message}${end}`, { cause: error });
}
