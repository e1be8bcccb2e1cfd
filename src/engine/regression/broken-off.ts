import { benjaminiHochberg } from "../../analysis/false-discovery.ts";
import { fisherExact } from "../../analysis/hypothesis-tests.ts";
import { attributeText, findAttribute } from "../../model/attribute-table.ts";
import { SpanRole } from "../../model/span-facts.ts";
import type { LostCalls } from "../../analysis/structure-change.ts";
import { givenUpCalls } from "../given-up-calls.ts";
import { serverOf } from "../legs.ts";
import type { Window } from "../window.ts";
import { percent } from "../wording.ts";
import {
  exampleTracesOf,
  nodesOf,
  rowsByView,
  symptom,
  tracesEvidence,
  type Comparison,
  type RegressionClaim,
} from "./affected.ts";
import { isCall } from "./attribution.ts";
import type { Operation, SliceRows } from "./operations.ts";
import { mapToFloats } from "../../model/map-column.ts";

/** Failures that begin in a service: spans in error of which no child is, and spans that stop short of their usual calls. */
interface Breakage {
  readonly operation: Operation;
  readonly kind: "errors" | "lost-calls";
  readonly rows: readonly number[];
  readonly shareBefore: number;
  readonly shareNow: number;
  readonly missing: readonly string[];
  readonly qValue: number;
}

/** Less of an operation's spans is not worth a word. */
const MIN_SHARE = 0.02;
const Q = 0.01;

/**
 * One claim per service and endpoint where more requests break off than before: errors that originate there
 * rather than come up from below, or operations that return before they have made the calls they used to make.
 * Of nested ones the deepest counts: those above it only pass on what it did.
 */
export function claimBreakage(comparison: Comparison, lost: readonly LostCalls[]): RegressionClaim[] {
  const { operations } = comparison;
  const all: Breakage[] = [
    ...newErrors(comparison),
    ...lost
      .filter((entry) => !goesOn(comparison, entry) && !entry.missing.every((id) => isDelivery(operations.list[id]!)))
      .map((entry): Breakage => ({
        ...entry,
        operation: operations.list[entry.operation]!,
        kind: "lost-calls",
        missing: entry.missing.map((id) => nameOf(operations.list[id]!)),
      })),
  ].filter((entry) => entry.shareNow - entry.shareBefore >= MIN_SHARE);
  const byService = new Map<string, Breakage[]>();
  for (const entry of deepestOnly(comparison, all)) {
    const service = serviceOf(entry.operation);
    byService.set(service, [...(byService.get(service) ?? []), entry]);
  }
  return [...byService].flatMap(([service, entries]) => claimOf(comparison, service, entries));
}

/** A message is handled when its turn comes, maybe after the window: its sender did not break off. */
const isDelivery = ({ role }: Operation): boolean => role === SpanRole.consumer;

/** Share of the earlier spans in which one call has to follow another to say that it comes after it. */
const AFTER = 0.9;

/**
 * Whether the spans that lack a call still make others that used to come after it: then the code was gone through to
 * its end, and does without that call (a query that was moved or replaced). What breaks off makes none of those.
 */
function goesOn({ operations }: Comparison, entry: LostCalls): boolean {
  const made = new Set(callsOf(operations.now, entry.rows).flatMap((calls) => [...calls.keys()]));
  const earlier = callsOf(operations.before, operations.before.rows[entry.operation]!);
  return entry.missing.some((missing) =>
    [...made].some((kept) => {
      const both = earlier.filter((calls) => calls.has(missing) && calls.has(kept));
      const after = both.filter((calls) => calls.get(kept)! > calls.get(missing)!).length;
      return both.length > 0 && after >= AFTER * both.length;
    }),
  );
}

/** Per row: the operations that it calls, with the start of the last call of each. */
function callsOf({ slice, operation }: SliceRows, rows: ArrayLike<number>): Map<number, number>[] {
  const { forest } = slice.window;
  return Array.from(rows, (row) => {
    const calls = new Map<number, number>();
    for (let i = forest.childStart[row]!; i < forest.childStart[row + 1]!; i++) {
      const called = operation[forest.child[i]!]!;
      if (called < 0) continue;
      calls.set(called, Math.max(calls.get(called) ?? Number.NEGATIVE_INFINITY, forest.startNs[forest.child[i]!]!));
    }
    return calls;
  });
}

/** An error of a call into something without spans is the callee's. */
const serviceOf = (operation: Operation): string =>
  isCall(operation.role) && !operation.calleeTraced && operation.callee !== "" ? operation.callee : operation.service;

const nameOf = (operation: Operation): string =>
  operation.callee === "" ? operation.operation : `${operation.operation} (${operation.callee})`;

function newErrors({ operations }: Comparison): Breakage[] {
  const { list, now, before } = operations;
  const tested = list.filter(({ id }) => now.rows[id]!.length > 0 && before.rows[id]!.length > 0);
  const counts = tested.map(({ id }) => ({ rows: originsOf(now, id), earlier: originsOf(before, id).length }));
  const pValues = mapToFloats(tested, ({ id }, i) => {
    const { rows, earlier } = counts[i]!;
    return fisherExact(
      rows.length,
      now.rows[id]!.length - rows.length,
      earlier,
      before.rows[id]!.length - earlier,
      "greater",
    );
  });
  const qValues = benjaminiHochberg(pValues);
  return tested
    .map((operation, i): Breakage => ({
      operation,
      kind: "errors",
      rows: counts[i]!.rows,
      shareBefore: counts[i]!.earlier / before.rows[operation.id]!.length,
      shareNow: counts[i]!.rows.length / now.rows[operation.id]!.length,
      missing: [],
      qValue: qValues[i]!,
    }))
    .filter((entry) => entry.qValue <= Q);
}

/** Call paths (now) of calls that fail significantly more often than before. */
export function newFailures({ operations }: Comparison): Set<number> {
  const { list, now, before } = operations;
  const tested = list.filter(({ id, role }) => isCall(role) && now.rows[id]!.length > 0 && before.rows[id]!.length > 0);
  const failed = ({ slice, rows }: SliceRows, id: number): number =>
    rows[id]!.reduce((sum, row) => sum + slice.window.facts.error[row]!, 0);
  const qValues = benjaminiHochberg(
    mapToFloats(tested, ({ id }) => {
      const [errorsNow, errorsBefore] = [failed(now, id), failed(before, id)];
      return fisherExact(
        errorsNow,
        now.rows[id]!.length - errorsNow,
        errorsBefore,
        before.rows[id]!.length - errorsBefore,
        "greater",
      );
    }),
  );
  const { nodeOfRow } = now.slice.window.paths;
  return new Set(
    tested.filter((_, i) => qValues[i]! <= Q).flatMap(({ id }) => Array.from(now.rows[id]!, (row) => nodeOfRow[row]!)),
  );
}

/**
 * Rows in error without an error below, and not made good by another call of the same that followed. Not those whose
 * caller stopped waiting: there the callee is late, and nothing breaks off.
 */
function originsOf({ slice, rows, operation }: SliceRows, id: number): number[] {
  const { forest, facts } = slice.window;
  const givenUp = givenUpCalls(slice.window);
  const madeGood = (row: number): boolean => {
    const up = forest.parent[row]!;
    if (up < 0) return false;
    for (let i = forest.childStart[up]!; i < forest.childStart[up + 1]!; i++) {
      const other = forest.child[i]!;
      const follows = operation[other] === id && forest.startNs[other]! > forest.startNs[row]!;
      if (follows && facts.error[other] === 0) return true;
    }
    return false;
  };
  return Array.from(rows[id]!).filter((row) => {
    if (facts.error[row] !== 1 || givenUp[row] === 1 || hasErrorBelow(slice.window, row)) return false;
    return !madeGood(row) && !isAnswer(slice.window, row);
  });
}

/** Whether a child is in error, or a span below it with none but spans of this service between: a handler may pass a failure on without one. */
function hasErrorBelow({ forest, facts }: Window, row: number): boolean {
  const open = [row];
  for (let up = open.pop(); up !== undefined; up = open.pop()) {
    for (let i = forest.childStart[up]!; i < forest.childStart[up + 1]!; i++) {
      const child = forest.child[i]!;
      if (facts.error[child] === 1) return true;
      if (facts.role[child] === SpanRole.internal && facts.service[child] === facts.service[row]) open.push(child);
    }
  }
  return false;
}

/** Status of an HTTP answer, by its present and its former name. */
const STATUS_KEYS = ["http.response.status_code", "http.status_code"];
/** The callee gave up waiting, or has too much to do: failures, whatever their number says. */
const NO_ANSWERS = new Set([408, 429]);

/**
 * Whether a call in error was answered: what is asked for is not there, or not allowed (4xx). The convention marks the
 * caller's span as an error and the callee's not, for the callee has done what it should.
 */
function isAnswer(window: Window, row: number): boolean {
  const { facts, spans } = window;
  if (facts.role[row] !== SpanRole.client) return false;
  const server = serverOf(window, row);
  if (server < 0 || facts.error[server] === 1) return false;
  const { attributes, strings } = spans;
  const at = STATUS_KEYS.map((key) => findAttribute(attributes, row, strings.intern(key))).find((found) => found >= 0);
  const status = at === undefined ? Number.NaN : Number(attributeText(attributes, strings, at));
  return status >= 400 && status < 500 && !NO_ANSWERS.has(status);
}

/** Takes rows out that have another broken row below them. */
function deepestOnly({ operations }: Comparison, entries: readonly Breakage[]): Breakage[] {
  const { forest } = operations.now.slice.window;
  const broken = new Set(entries.flatMap((entry) => entry.rows));
  const above = new Set<number>();
  for (const row of broken) {
    for (let up = forest.parent[row]!; up >= 0 && !above.has(up); up = forest.parent[up]!) above.add(up);
  }
  return entries
    .map((entry) => ({ ...entry, rows: entry.rows.filter((row) => !above.has(row)) }))
    .filter(
      (entry) =>
        entry.rows.length >
        0.5 * entries.find((other) => other.operation === entry.operation && other.kind === entry.kind)!.rows.length,
    );
}

function claimOf(comparison: Comparison, service: string, entries: readonly Breakage[]): RegressionClaim[] {
  const sorted = [...entries].sort(
    (a, b) => b.rows.length * (b.shareNow - b.shareBefore) - a.rows.length * (a.shareNow - a.shareBefore),
  );
  const main = sorted[0]!;
  const { forest } = comparison.operations.now.slice.window;
  const isError = main.kind === "errors";
  const name = main.operation.operation;
  const excess = 1 - main.shareBefore / main.shareNow;
  const now = percent(main.shareNow);
  const before = percent(main.shareBefore);
  const missing = main.missing.slice(0, 3).join(", ");
  return [...rowsByView(comparison, new Set(entries.flatMap((entry) => entry.rows)))].map(
    ([index, rows]): RegressionClaim => {
      const view = comparison.views[index]!;
      const hit = new Set(rows.map((row) => forest.trace[row]!)).size / view.endpoint.traces.length;
      const examples = exampleTracesOf(comparison, () => 1, rows);
      return {
        view,
        explanation: {
          mechanism: "error-handling",
          kind: "regression",
          subject: { service, operation: name },
          title: isError
            ? `${service} fails ${now} of its ${name} calls, ${before} before`
            : `${service} breaks off ${now} of its ${name} before ${missing}, ${before} before`,
          why: isError
            ? `The errors begin here: no call below is in error. ${percent(hit)} of the requests of ${view.name} are hit.`
            : `These spans make only a part of the calls that the others make, and did not do so at the time of the baseline: an exception or an early return. ${percent(hit)} of the requests of ${view.name} are hit.`,
          confidence: isError ? 0.85 : 0.7,
          harmful: true,
          loss: hit * excess,
          nodes: nodesOf(comparison, rows),
          undo: [],
          chain: [
            symptom(view),
            {
              claim: `${percent(hit * excess)} of its requests fail or get a part of the answer only, more than before`,
              evidence: [0],
            },
            { claim: `${name} of ${service}: ${before} -> ${now}`, evidence: [1] },
          ],
          evidence: [
            tracesEvidence(
              "requests that break off",
              examples,
              isError
                ? `spans "${name}" of ${service} in error without a child in error`
                : `spans "${name}" of ${service} without ${missing}`,
            ),
            ...sorted.slice(0, 3).map((entry) => ({
              kind: "statistic" as const,
              text: `${entry.operation.operation}: ${entry.kind === "errors" ? "own errors" : `without ${entry.missing.slice(0, 3).join(", ")}`} in ${percent(entry.shareBefore)} -> ${percent(entry.shareNow)} of its spans, q = ${entry.qValue.toExponential(1)}`,
              query: `${entry.kind === "errors" ? "errors" : "sets of called operations"} of "${entry.operation.operation}" of ${entry.operation.service}, both windows (Fisher)`,
            })),
          ],
          counter: isError
            ? []
            : [
                "a change on purpose (a call that is no longer needed) looks the same; so does another kind of request under the same name",
              ],
          refutedBy: isError
            ? `the same inputs fail at the time of the baseline too`
            : `these requests are of a kind that did not occur before`,
          remedy: {
            text: `Look at the logs and the last changes of ${service} for ${name}: exceptions, new conditions, defaults.`,
          },
        },
      };
    },
  );
}
