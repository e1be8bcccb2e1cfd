import type { Fault } from "./fault.ts";
import { DATABASE, ZONES_POOL, userEndpoint, SELECT } from "./names.ts";

/** A fourth of the rows that were there, at once. */
const BULK_IMPORT =
  "INSERT INTO records (zone_id, name, type, content) SELECT 1, 'x', 'A', 'y' FROM generate_series(1, 25000)";

/**
 * The table has no index on `name` from the beginning. While it was small nobody noticed: the scan took
 * a few milliseconds. Bulk imports are written by people who never see the statements of the service.
 */
export const databaseDoubled: Fault = {
  name: "database-doubled",
  kind: "story",
  summary: "a bulk import doubles the table in a day, and look-ups get slower and slower",
  truths: [
    {
      service: DATABASE,
      mechanism: "data-growth",
      alsoMechanisms: ["missing-index"],
      statement: "SELECT ... FROM records WHERE name = $1",
      limiter: ZONES_POOL,
      endpoint: userEndpoint("lookup"),
    },
  ],
  seenFrom: "traces",
  needs: [],
  broken: { postgres: { nameIndex: false } },
  load: {},
  during: [
    { atSeconds: 5, sql: BULK_IMPORT },
    { atSeconds: 9, sql: BULK_IMPORT },
    { atSeconds: 13, sql: BULK_IMPORT },
    { atSeconds: 17, sql: BULK_IMPORT },
  ],
  fixStatements: ["CREATE INDEX CONCURRENTLY records_name ON records (name)"],
  whatIf: [`service=zones,operation=${SELECT},time=0.05`],
  needsBaseline: false,
};
