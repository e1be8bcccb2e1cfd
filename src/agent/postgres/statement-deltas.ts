import { STATEMENT_COUNTERS, type StatementRow } from "./read-statements.ts";

/** What a statement added between two looks. */
export type StatementDelta = StatementRow;

export interface StatementDeltas {
  /** most time first */
  readonly top: readonly StatementDelta[];
  /** all others, summed; undefined where there are none */
  readonly rest: StatementDelta | undefined;
  /** statements in `rest` */
  readonly summed: number;
  /** those whose text and identity this role may not see, summed; they are in neither of the above */
  readonly hidden: StatementDelta | undefined;
  /** statements that counted from zero again */
  readonly reset: number;
}

const CALLS = STATEMENT_COUNTERS.findIndex(({ metric }) => metric === "calls");
const TIME = STATEMENT_COUNTERS.findIndex(({ metric }) => metric === "time");

/**
 * What each statement added since `before`. A statement that was not there before began since then, and one that counts
 * fewer calls than before began again: of both all that they count is new. Statements without new calls are left out.
 */
export function statementDeltas(
  before: readonly StatementRow[],
  now: readonly StatementRow[],
  most: number,
): StatementDeltas {
  const known = new Map(before.map(({ queryId, counters }) => [queryId, counters]));
  let reset = 0;
  const deltas = now.flatMap(({ queryId, counters }) => {
    const earlier = known.get(queryId);
    const isReset = earlier !== undefined && counters[CALLS]! < earlier[CALLS]!;
    if (isReset) reset++;
    const added =
      earlier === undefined || isReset ? counters : counters.map((value, i) => Math.max(0, value - earlier[i]!));
    return added[CALLS]! > 0 ? [{ queryId, counters: added }] : [];
  });
  const told = deltas
    .filter(({ queryId }) => queryId !== "")
    // By id where the times are equal, so that the same statements are told.
    .toSorted((a, b) => b.counters[TIME]! - a.counters[TIME]! || (a.queryId < b.queryId ? -1 : 1));
  const others = told.slice(most);
  return {
    top: told.slice(0, most),
    rest: others.length === 0 ? undefined : { queryId: "", counters: sumOf(others) },
    summed: others.length,
    hidden: deltas.find(({ queryId }) => queryId === ""),
    reset,
  };
}

const sumOf = (deltas: readonly StatementDelta[]): Float64Array =>
  Float64Array.from(STATEMENT_COUNTERS, (_, i) => deltas.reduce((sum, { counters }) => sum + counters[i]!, 0));
