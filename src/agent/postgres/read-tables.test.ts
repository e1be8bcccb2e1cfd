import { expect, test } from "vitest";
import { type KnownTables, readTables } from "./read-tables.ts";
import type { Row } from "./rows.ts";

const row = (name: string, scans: number, vacuumAge: number): Row => ({
  name,
  live: 10,
  seq_scan: scans,
  vacuum_age: vacuumAge,
  tables: 3,
});

/** Tables of which something was told. */
async function told(known: KnownTables, rows: readonly Row[], isWhole = false): Promise<string[]> {
  const figures = await readTables({ rows: async () => rows }, known, isWhole);
  return [...new Set(figures.flatMap(({ resource }) => resource?.["postgresql.table.name"] ?? []))];
}

test("tables that are as they were are told where all are; those that are gone are forgotten", async () => {
  const known: KnownTables = new Map();
  expect(await told(known, [row("public.a", 1, 5), row("pg_temp_3.b", 1, 5)])).toEqual(["public.a", "pg_temp_3.b"]);
  // Time passes since the last vacuum; that is no change.
  expect(await told(known, [row("public.a", 1, 15), row("pg_temp_3.b", 2, 15)])).toEqual(["pg_temp_3.b"]);
  expect(await told(known, [row("public.a", 1, 25)])).toEqual([]);
  expect([...known.keys()]).toEqual(["public.a"]);
  expect(await told(known, [row("public.a", 1, 35)], true)).toEqual(["public.a"]);
});

test("how many tables were left out is told", async () => {
  const figures = await readTables({ rows: async () => [row("public.a", 1, 5)] }, new Map(), true);
  expect(figures.find(({ name }) => name === "postgresql.table.left_out")?.value).toBe(2);
});
