import type { Figure } from "./figures.ts";
import type { Ask } from "./rows.ts";

/** A plan's scan of a whole table. */
export interface SequentialScan {
  /** "schema.table" */
  readonly table: string;
  /** that the planner expects it to return, after the filter */
  readonly rows: number;
  readonly cost: number;
  readonly filter: string;
}

const INSUFFICIENT_PRIVILEGE = "42501";

/** Statements whose plans are asked for: each takes some milliseconds of planning. */
export const MOST_PLANS = 5;

/**
 * The plan of a statement for unknown parameters, without running it. Undefined for what cannot be planned so: commands,
 * texts that were cut, types of parameters that cannot be told; `denied` hears of a table that may not be read. Plans of
 * what changes a table need the right to change it, which no collector is to have: nothing is said of those.
 *
 * EXPLAIN of a prepared statement under plan_cache_mode = force_generic_plan gives the same plan as EXPLAIN
 * (GENERIC_PLAN), and since PostgreSQL 12 instead of 16. All within a transaction that reads only and is taken back.
 */
export async function planOf(
  ask: Ask,
  statement: string,
  denied: (error: unknown) => void,
): Promise<readonly SequentialScan[] | undefined> {
  if (!/^\s*(select|insert|update|delete|with|values)\b/i.test(statement) || statement.includes(";")) return undefined;
  const parameters = Math.max(0, ...[...statement.matchAll(/\$(\d+)/g)].map(([, number]) => Number(number)));
  const nulls = Array.from({ length: parameters }, () => "NULL").join(", ");
  await ask.rows("BEGIN TRANSACTION READ ONLY");
  try {
    await ask.rows("SET LOCAL plan_cache_mode = force_generic_plan");
    await ask.rows(`PREPARE longpole_plan AS ${statement}`);
    const [row] = await ask.rows(
      `EXPLAIN (FORMAT JSON, VERBOSE) EXECUTE longpole_plan${parameters === 0 ? "" : `(${nulls})`}`,
    );
    return sequentialScans(row?.["QUERY PLAN"]);
  } catch (error) {
    // The server says why it cannot be planned, for each statement in another way; without a code the connection is gone.
    const { code } = error as { code?: unknown };
    if (code === undefined) throw error;
    if (code === INSUFFICIENT_PRIVILEGE && !/\b(insert|update|delete|merge)\b/i.test(statement)) denied(error);
    return undefined;
  } finally {
    await ask.rows("ROLLBACK");
    await ask.rows("DEALLOCATE ALL");
  }
}

/** Scans of whole tables in a plan as EXPLAIN (FORMAT JSON, VERBOSE) gives it. */
export function sequentialScans(plan: unknown): SequentialScan[] {
  const found: SequentialScan[] = [];
  const open: unknown[] = [plan];
  for (let node = open.pop(); node !== undefined; node = open.pop()) {
    if (Array.isArray(node)) open.push(...(node as unknown[]));
    if (typeof node !== "object" || node === null) continue;
    const fields = node as Readonly<Record<string, unknown>>;
    if (fields["Plan"] !== undefined) open.push(fields["Plan"]);
    if (fields["Plans"] !== undefined) open.push(fields["Plans"]);
    if (!/^(Parallel )?Seq Scan$/.test(String(fields["Node Type"]))) continue;
    found.push({
      table: `${String(fields["Schema"])}.${String(fields["Relation Name"])}`,
      rows: Number(fields["Plan Rows"]),
      cost: Number(fields["Total Cost"]),
      filter: typeof fields["Filter"] === "string" ? fields["Filter"] : "",
    });
  }
  return found;
}

/** The scans of a statement's plan as figures: the planner's cost, with the table. */
export function planFigures(statement: string, queryId: string, scans: readonly SequentialScan[]): Figure[] {
  return scans.map(({ table, cost, rows, filter }) => ({
    name: "postgresql.plan.sequential_scan.cost",
    unit: "1",
    kind: "gauge",
    value: cost,
    attributes: {
      "db.query.text": statement,
      "postgresql.queryid": queryId,
      "postgresql.plan.table": table,
      "postgresql.plan.rows": String(rows),
      // The names of columns without the values that somebody looked for.
      "postgresql.plan.filter": filter.replaceAll(/'(?:[^']|'')*'/g, "?"),
    },
  }));
}
