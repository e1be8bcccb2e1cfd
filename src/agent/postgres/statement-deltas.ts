import { STATEMENT_COUNTERS, type StatementRow } from "./read-statements.ts";

/** What a statement added between two looks. */
export type StatementDelta = Pick<StatementRow, "queryId" | "counters">;

export interface StatementDeltas {
  /** most time first */
  readonly top: readonly StatementDelta[];
  /** all others, summed; undefined where there are none */
  readonly rest: StatementDelta | undefined;
  /** statements in `rest` */
  readonly summed: number;
  /**
   * those whose text and identity this role may not see, summed; they are in neither of the above. Undefined where there
   * are none, and where the sum fell: what was added to one that the server forgets in part cannot be told
   */
  readonly hidden: StatementDelta | undefined;
  /** rows that counted from zero again */
  readonly reset: number;
}

const CALLS = STATEMENT_COUNTERS.findIndex(({ metric }) => metric === "calls");
const TIME = STATEMENT_COUNTERS.findIndex(({ metric }) => metric === "time");

/**
 * What each statement added since `before`, its rows of several roles together. A row that was not there before began since
 * then; one that is counted from another time on, or counts fewer calls than before, began again: of both all that they
 * count is new. But where hidden statements became fewer, the rows that appear may be those, of a role that was given the
 * right to see them: what they added is known from the next look on. Statements without new calls are left out.
 */
export function statementDeltas(
  before: readonly StatementRow[],
  now: readonly StatementRow[],
  most: number,
): StatementDeltas {
  const known = new Map(before.map((row) => [keyOf(row), row]));
  const added = new Map<string, Float64Array>();
  const isRevealed = hiddenCalls(now) < hiddenCalls(before);
  let reset = 0;
  for (const row of now) {
    const earlier = known.get(keyOf(row));
    if (earlier === undefined && isRevealed) continue;
    const isReset =
      earlier !== undefined && (earlier.since !== row.since || row.counters[CALLS]! < earlier.counters[CALLS]!);
    if (isReset) reset++;
    if (isReset && row.queryId === "") continue;
    const of = earlier === undefined || isReset ? row.counters : differenceOf(row.counters, earlier.counters);
    if (of[CALLS]! > 0) added.set(row.queryId, sumOf(added.get(row.queryId), of));
  }
  const hidden = added.get("");
  added.delete("");
  const told = [...added]
    .map(([queryId, counters]) => ({ queryId, counters }))
    // By id where the times are equal, so that the same statements are told.
    .toSorted((a, b) => b.counters[TIME]! - a.counters[TIME]! || (a.queryId < b.queryId ? -1 : 1));
  const others = told.slice(most);
  return {
    top: told.slice(0, most),
    rest: others.length === 0 ? undefined : { queryId: "", counters: others.map(countersOf).reduce(sumOf) },
    summed: others.length,
    hidden: hidden === undefined ? undefined : { queryId: "", counters: hidden },
    reset,
  };
}

const keyOf = ({ queryId, entry }: StatementRow): string => `${queryId} ${entry}`;
const hiddenCalls = (rows: readonly StatementRow[]): number =>
  rows.find(({ queryId }) => queryId === "")?.counters[CALLS] ?? 0;
const countersOf = ({ counters }: StatementDelta): Float64Array => counters;

const differenceOf = (now: Float64Array, before: Float64Array): Float64Array =>
  now.map((value, i) => Math.max(0, value - before[i]!));

const sumOf = (a: Float64Array | undefined, b: Float64Array): Float64Array =>
  a === undefined ? b : a.map((value, i) => value + b[i]!);
