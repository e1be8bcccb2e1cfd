import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { LabError } from "../lab-error.ts";
import { fileTrouble, serverTrouble } from "./no-defect.ts";

const errorWith = (message: string, fields: object): Error => Object.assign(new Error(message), fields);

test("a folder that is not there is told of with its path", () => {
  const missing = join(tmpdir(), "longpole-is-not-there", "inside");
  const error = fileTrouble(thrownBy(() => mkdirSync(missing)));
  expect(error).toBeInstanceOf(LabError);
  expect(error).toMatchObject({ code: "folder", message: expect.stringContaining(missing) });
});

test.each([
  ["a full disk", errorWith("ENOSPC: no space left on device, write", { code: "ENOSPC", syscall: "write" }), true],
  ["no right", errorWith("EACCES: permission denied, mkdtemp '/x'", { code: "EACCES", syscall: "mkdtemp" }), true],
  ["a program that is missing", errorWith("spawn initdb ENOENT", { code: "ENOENT", syscall: "spawn initdb" }), false],
  ["a defect", new TypeError("x is not a function"), false],
])("files: %s", (_, error, isTrouble) => {
  const told = fileTrouble(error);
  if (isTrouble) expect(told).toMatchObject({ name: "LabError", code: "folder", cause: error });
  else expect(told).toBe(error);
});

test.each([
  ["a full disk", errorWith("could not extend file: No space left on device", { code: "53100" }), true],
  ["a server that shuts down", errorWith("terminating connection", { code: "57P01" }), true],
  ["a connection that is cut", new Error("Connection terminated unexpectedly"), true],
  ["a statement that is wrong", errorWith("syntax error", { code: "42601" }), false],
  ["a reason of a signal", new LabError("stopped", "the system is stopped"), false],
])("server: %s", (_, error, isTrouble) => {
  const told = serverTrouble(error);
  if (isTrouble) expect(told).toMatchObject({ name: "LabError", code: "postgres-failed", cause: error });
  else expect(told).toBe(error);
});

test("where the connection is cut, the server's log tells why", () => {
  const folder = mkdtempSync(join(tmpdir(), "longpole-log-"));
  try {
    const log = join(folder, "postgres.log");
    writeFileSync(log, 'PANIC:  could not write to file "pg_wal/xlogtemp.7": No space left on device\n');
    const error = serverTrouble(new Error("Connection terminated unexpectedly"), log);
    expect(error).toMatchObject({ message: expect.stringContaining("No space left on device") });
  } finally {
    rmSync(folder, { recursive: true });
  }
});

function thrownBy(work: () => unknown): unknown {
  try {
    work();
  } catch (error) {
    return error;
  }
  return undefined;
}
