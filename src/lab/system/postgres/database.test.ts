import { expect, test } from "vitest";
import { HEALTHY } from "../../settings.ts";
import { changeStatements } from "./database.ts";
import { needsRestart } from "./own-database.ts";

const before = HEALTHY.postgres;

test("an index comes and goes without anything else", () => {
  expect(changeStatements(before, before)).toEqual([]);
  const [drop, ...analyse] = changeStatements(before, { ...before, nameIndex: false });
  expect(drop).toMatch(/^DROP INDEX/);
  expect(analyse).toEqual(["ANALYZE records"]);
  expect(changeStatements({ ...before, nameIndex: false }, before)[0]).toMatch(/^CREATE INDEX/);
});

test("another number of records replaces them, and leaves the index as wanted", () => {
  const statements = changeStatements(before, { ...before, records: 7, nameIndex: false });
  expect(statements.filter((statement) => statement.startsWith("TRUNCATE"))).toHaveLength(1);
  expect(statements.some((statement) => statement.startsWith("CREATE INDEX"))).toBe(false);
  expect(statements.slice(-2)).toEqual(["VACUUM ANALYZE", "CHECKPOINT"]);
});

test.each([
  [{ nameIndex: false, records: 1 }, false],
  [{ sharedBuffersMb: 8 }, true],
  [{ workMemKb: 64 }, true],
  [{ directIo: true }, true],
  [{ maxConnections: 20 }, true],
])("%j: the server starts again: %s", (patch, expected) => {
  expect(needsRestart(before, { ...before, ...patch })).toBe(expected);
});
