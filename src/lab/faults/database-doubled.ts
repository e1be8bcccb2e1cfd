import type { Fault, TimedStatement } from "./fault.ts";
import { DATABASE, SELECT, userEndpoint, ZONES_POOL } from "./names.ts";

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
      // the growth is what happened, the index what would have made it harmless
      alsoMechanisms: ["missing-index"],
      statement: "SELECT id, zone_id, name, type, content, ttl, updated_at FROM records WHERE name = $1",
      limiter: ZONES_POOL,
      endpoint: userEndpoint("lookup"),
    },
  ],
  seenFrom: "traces",
  needs: [],
  before: { postgres: { nameIndex: false, records: 200_000 }, zones: { poolMax: 2 } },
  broken: { postgres: { nameIndex: false, records: 200_000 }, zones: { poolMax: 2 } },
  load: { mix: { lookup: 0.65, list: 0.15, create: 0.05, overview: 0.1, points: 0.05 } },
  during: importsOf(6, 35_000),
  fixed: { postgres: { nameIndex: true } },
  whatIf: [`service=zones,operation=${SELECT},time=0.05`],
  needsBaseline: false,
};

/** `count` imports of `rows` records each, one in every second after the first few. */
function importsOf(count: number, rows: number): TimedStatement[] {
  return Array.from({ length: count }, (_, i) => ({
    atSeconds: 3 + i,
    sql: `INSERT INTO records (zone_id, name, type, content)
      SELECT 1 + n % 5000, 'import-${i}-' || n || '.example', 'A', '10.9.' || n / 256 % 256 || '.' || n % 256
      FROM generate_series(1, ${rows}) n`,
  }));
}
