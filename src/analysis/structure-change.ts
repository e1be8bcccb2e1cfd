import type { TraceForest } from "../model/trace-forest.ts";
import { benjaminiHochberg } from "./false-discovery.ts";
import { fisherExact, mannWhitney } from "./hypothesis-tests.ts";
import { mapToFloats } from "../model/map-column.ts";

/** What the spans of one operation call, in one window. */
export interface CallingHabit {
  /** rows of the operation's spans */
  readonly parents: number[];
  /** by set of called operations ("3,7,9", ascending): rows that call just these, once or more */
  readonly patterns: Map<string, number[]>;
  /** per called operation: how often each row that calls it does so */
  readonly calls: Map<number, { readonly rows: number[]; readonly times: number[] }>;
}

/**
 * What each operation calls. `operation`: per span row a number, the same numbers in both windows that will be
 * compared, -1 for rows that don't count. Returns one habit per operation. O(n) but for sorting each row's calls.
 */
export function callingHabits(forest: TraceForest, operation: Int32Array): Map<number, CallingHabit> {
  const habits = new Map<number, CallingHabit>();
  for (const row of forest.rows) {
    const op = operation[row]!;
    if (op < 0) continue;
    let habit = habits.get(op);
    if (habit === undefined) habits.set(op, (habit = { parents: [], patterns: new Map(), calls: new Map() }));
    habit.parents.push(row);
    const times = new Map<number, number>();
    for (let i = forest.childStart[row]!; i < forest.childStart[row + 1]!; i++) {
      const called = operation[forest.child[i]!]!;
      if (called >= 0) times.set(called, (times.get(called) ?? 0) + 1);
    }
    const pattern = patternOf(times);
    const alike = habit.patterns.get(pattern);
    if (alike === undefined) habit.patterns.set(pattern, [row]);
    else alike.push(row);
    for (const [called, count] of times) {
      let held = habit.calls.get(called);
      if (held === undefined) habit.calls.set(called, (held = { rows: [], times: [] }));
      held.rows.push(row);
      held.times.push(count);
    }
  }
  return habits;
}

const patternOf = (times: ReadonlyMap<number, number>): string => [...times.keys()].sort((a, b) => a - b).join(",");
export const membersOf = (pattern: string): number[] => (pattern === "" ? [] : pattern.split(",").map(Number));

/** An operation of which more spans than before stop short of calls that they used to make. */
export interface LostCalls {
  readonly operation: number;
  /** share of its spans now and before that call only a part */
  readonly shareNow: number;
  readonly shareBefore: number;
  /** rows (now) that stop short */
  readonly rows: number[];
  /** operations that are called no more, by such rows */
  readonly missing: number[];
  readonly qValue: number;
}

/** A call that is made by more of its parents, or more often by each, than before. */
export interface AddedCalls {
  readonly operation: number;
  readonly called: number;
  /** share of the parents that make the call at all */
  readonly shareBefore: number;
  readonly shareNow: number;
  /** mean number of calls of a parent that makes it */
  readonly timesBefore: number;
  readonly timesNow: number;
  readonly qValue: number;
}

export interface StructureChange {
  readonly lost: LostCalls[];
  readonly added: AddedCalls[];
  /** operations compared */
  readonly compared: number;
}

/** Fewest spans of an operation on each side. */
const MIN_PARENTS = 8;
/**
 * A set of calls that this share of the spans made is an ordinary way through the code: it shows what the operation
 * does when it does all, and more spans with a smaller ordinary set are another mix of requests, not a loss.
 */
const COMMON = 0.1;
/** What was rare before has to have become this many times as frequent. */
const RARE_FACTOR = 2;
const Q = 0.01;

/**
 * What operations call now against before, given that they were called themselves:
 * - lost: spans whose calls are a true subset of a common earlier pattern, while such spans were rare before;
 * - added: a call made by more of the parents (Fisher) or more often by each of them (Mann–Whitney).
 * q-values are Benjamini and Hochberg's over all tests of either kind; those up to 0.01 are returned.
 */
export function compareHabits(
  before: ReadonlyMap<number, CallingHabit>,
  now: ReadonlyMap<number, CallingHabit>,
): StructureChange {
  const lost: (Omit<LostCalls, "qValue"> & { p: number })[] = [];
  const added: (Omit<AddedCalls, "qValue"> & { p: number })[] = [];
  let compared = 0;
  for (const [operation, current] of now) {
    const earlier = before.get(operation);
    if (earlier === undefined || earlier.parents.length < MIN_PARENTS || current.parents.length < MIN_PARENTS) continue;
    compared++;
    const stopped = stoppedShort(earlier, current);
    if (stopped !== undefined) lost.push({ operation, ...stopped });
    for (const [called, calls] of current.calls)
      added.push({ operation, called, ...moreCalls(earlier, current, called, calls) });
  }
  return { lost: significant(lost), added: significant(added), compared };
}

function significant<T extends { p: number }>(tests: readonly T[]): (T & { qValue: number })[] {
  const qValues = benjaminiHochberg(mapToFloats(tests, (test) => test.p));
  return tests.map((test, i) => ({ ...test, qValue: qValues[i]! })).filter((test) => test.qValue <= Q);
}

function stoppedShort(
  earlier: CallingHabit,
  current: CallingHabit,
): (Omit<LostCalls, "operation" | "qValue"> & { p: number }) | undefined {
  const n1 = earlier.parents.length;
  const n2 = current.parents.length;
  const common = [...earlier.patterns]
    .filter(([, rows]) => rows.length >= COMMON * n1)
    .sort((a, b) => b[1].length - a[1].length)
    .map(([pattern]) => new Set(membersOf(pattern)));
  const rows: number[] = [];
  const missing = new Set<number>();
  let rare = 0;
  for (const [pattern, held] of current.patterns) {
    const had = earlier.patterns.get(pattern)?.length ?? 0;
    if (had >= COMMON * n1) continue;
    const members = membersOf(pattern);
    const whole = common.find((set) => members.length < set.size && members.every((member) => set.has(member)));
    if (whole === undefined) continue;
    rare += had;
    for (const row of held) rows.push(row);
    for (const member of whole) if (!members.includes(member)) missing.add(member);
  }
  if (rows.length === 0 || rows.length / n2 < (RARE_FACTOR * rare) / n1) return undefined;
  const p = fisherExact(rows.length, n2 - rows.length, rare, n1 - rare, "greater");
  return { shareNow: rows.length / n2, shareBefore: rare / n1, rows, missing: [...missing], p };
}

function moreCalls(
  earlier: CallingHabit,
  current: CallingHabit,
  called: number,
  calls: { rows: number[]; times: number[] },
): Omit<AddedCalls, "operation" | "called" | "qValue"> & { p: number } {
  const had = earlier.calls.get(called);
  const n1 = earlier.parents.length;
  const n2 = current.parents.length;
  const k1 = had?.rows.length ?? 0;
  const k2 = calls.rows.length;
  const more = fisherExact(k2, n2 - k2, k1, n1 - k1, "greater");
  const oftener = had === undefined ? 1 : timesGrew(had.times, calls.times);
  return {
    shareBefore: k1 / n1,
    shareNow: k2 / n2,
    timesBefore: had === undefined ? 0 : mean(had.times),
    timesNow: mean(calls.times),
    p: Math.min(1, 2 * Math.min(more, oftener)),
  };
}

function timesGrew(before: readonly number[], now: readonly number[]): number {
  const ranks = mannWhitney(Float64Array.from(before), Float64Array.from(now));
  return ranks.secondGreater > 0.5 ? ranks.pValue : 1;
}

const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;
