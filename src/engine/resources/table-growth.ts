import { fitPowerGrowth, type PowerGrowth } from "../../analysis/power-growth.ts";
import { statementShape } from "../../analysis/statement.ts";
import { NS_PER_S } from "../../model/units.ts";
import type { Evidence } from "../../model/report.ts";
import type { Claim } from "../findings.ts";
import { otherStatements } from "../database-statements.ts";
import { indexColumns, speedUp, statementCause } from "../explain/slow-statement.ts";
import type { Explanation, Undo } from "../hot-spot.ts";
import type { Window } from "../window.ts";
import { count, ms, shorten, times } from "../wording.ts";
import type { Measures } from "./read-measures.ts";

/** A statement whose table grew within the window, and how its time followed. */
export interface TableGrowth {
  readonly table: string;
  readonly fit: PowerGrowth;
}

/** Time that grows less than with the cube root of the rows is that of an index: a tree is a level deeper at most. */
const FOLLOWS = 1 / 3;

/**
 * What the number of rows says of claims about statements: does the statement's time follow it, and what does the next
 * doubling bring? A claim that the time merely rises through the window is folded into one that names the reason.
 */
export function withTableGrowth(
  claims: readonly Claim[],
  window: Window,
  measures: Measures,
  seed: number,
): readonly Claim[] {
  const rows = rowsOfTables(measures);
  if (rows.size === 0) return claims;
  const known = new Map<string, TableGrowth | undefined>();
  const growthOf = (statement: string): TableGrowth | undefined => {
    if (!known.has(statement)) known.set(statement, tableGrowth(statement, window, measures, rows, seed));
    return known.get(statement);
  };
  const reasons = new Set(
    claims.filter(({ explanation }) => REASONS.has(explanation.mechanism)).map(({ explanation }) => keyOf(explanation)),
  );
  return claims.flatMap((claim) => {
    const { statement } = claim.explanation.subject;
    const growth = statement === undefined ? undefined : growthOf(statement);
    if (growth === undefined || growth.fit.exponent.low < FOLLOWS) return [claim];
    if (claim.explanation.mechanism === "data-growth" && reasons.has(keyOf(claim.explanation))) return [];
    return [{ ...claim, explanation: grown(window, claim.explanation, growth) }];
  });
}

/** What says why a statement reads more than it returns; that it reads more and more is then a part of the story. */
const REASONS: ReadonlySet<Explanation["mechanism"]> = new Set(["missing-index", "slow-query"] as const);

const keyOf = ({ subject }: Explanation): string => `${subject.service}\u0000${subject.statement ?? ""}`;

/** Rows by table name over the windows of the measures; of tables of one name the larger counts. */
function rowsOfTables({ series }: Measures): Map<string, Float64Array> {
  const tables = new Map<string, Float64Array>();
  for (const { measure, resource, values } of series) {
    if (measure !== "db-rows" || resource === "") continue;
    const table = bareName(resource);
    const held = tables.get(table);
    tables.set(table, held === undefined ? values : held.map((value, i) => larger(value, values[i]!)));
  }
  return tables;
}

const larger = (a: number, b: number): number => (Number.isNaN(a) ? b : Number.isNaN(b) ? a : Math.max(a, b));

/** "public.records" is "records" in most statements. */
const bareName = (table: string): string => table.slice(table.lastIndexOf(".") + 1).toLowerCase();

function tableGrowth(
  statement: string,
  window: Window,
  { baseUnixNs, grid }: Measures,
  tables: ReadonlyMap<string, Float64Array>,
  seed: number,
): TableGrowth | undefined {
  const table = bareName(statementShape(statement).table);
  const rows = tables.get(table);
  if (rows === undefined) return undefined;
  const shiftNs = Number(window.spans.baseUnixNs - baseUnixNs) - grid.startNs;
  const sizes: number[] = [];
  const durations: number[] = [];
  for (const row of rowsOfStatement(window, statement)) {
    const at = Math.floor((window.forest.startNs[row]! + shiftNs) / grid.stepNs);
    const size = rows[at];
    if (size === undefined || Number.isNaN(size)) continue;
    sizes.push(size);
    durations.push(window.forest.endNs[row]! - window.forest.startNs[row]!);
  }
  const fit = fitPowerGrowth(Float64Array.from(sizes), Float64Array.from(durations), seed);
  return fit.kind === "fit" ? { table, fit } : undefined;
}

function rowsOfStatement({ paths, text, forest }: Window, statement: string): number[] {
  const nodes = new Set<number>();
  paths.statement.forEach((id, node) => {
    if (id >= 0 && text(id) === statement) nodes.add(node);
  });
  const rows: number[] = [];
  for (const row of forest.rows) if (nodes.has(paths.nodeOfRow[row]!)) rows.push(row);
  return rows;
}

/** Evidence of this kind leaves little doubt: of what else than its rows would a statement take the more time the more there are? */
const CONFIDENCE = 0.9;

/** A time that became half as long again within one window, and that nothing will stop, is harm whatever was usual. */
const HARMFUL_GROWTH = 1.5;

/** The claim with how the time follows the rows, and with the remedy that such a statement has. */
function grown(window: Window, explanation: Explanation, { table, fit }: TableGrowth): Explanation {
  const { exponent, smallest, largest, observations } = fit;
  const { statement = "", operation = "" } = explanation.subject;
  const [first, last, doubled] = [fit.timeAt(smallest), fit.timeAt(largest), fit.timeAt(2 * largest)];
  const interval = `${exponent.low.toFixed(2)}–${exponent.high.toFixed(2)}`;
  const reads = exponent.low <= 1 && exponent.high >= 1 ? "as a scan of the whole table does" : "with the table";
  const next = `with twice the rows it will take ${ms(doubled)} instead of ${ms(last)}`;
  const cause = statementCause(statement, operation, explanation.subject.service, last);
  const columns = indexColumns(statementShape(statement)).join(", ");
  const evidence: Evidence = {
    kind: "series",
    text: `${table} grew from ${count(smallest)} to ${count(largest)} rows (${times(largest / smallest)}), and the median time of ${count(observations)} calls with it, from ${ms(first)} to ${ms(last)}: as rows^${exponent.value.toFixed(2)}, 90 % interval ${interval}`,
    query: `rows of ${table} (postgresql.rows) against the duration of the statement, by size`,
  };
  return {
    ...explanation,
    ...cause,
    subject: { ...explanation.subject, ...cause.subject },
    title:
      cause.mechanism === "missing-index"
        ? `${table} ${growthWords(largest / smallest)}, and looking up its rows takes the longer for it: an index on (${columns}) seems to be missing`
        : `${table} ${growthWords(largest / smallest)}, and ${shorten(statement, 60)} takes the longer for it`,
    why: `${explanation.why} Its time grows ${reads}, as rows^${exponent.value.toFixed(1)} (${interval}): ${next}.`,
    confidence: Math.max(explanation.confidence, CONFIDENCE),
    growth: {
      what: `rows of ${table}`,
      now: largest,
      timeAt: (size) => fit.timeAt(size),
      perSecond: (largest - smallest) / secondsOf(window),
    },
    harmful: explanation.harmful || last >= HARMFUL_GROWTH * first,
    undo: explanation.nodes.flatMap((node) => (isCall(window, node) ? [byIndex(window, explanation, node, last)] : [])),
    chain: [...explanation.chain, { claim: `it grows ${reads}: ${next}`, evidence: [explanation.evidence.length] }],
    evidence: [...explanation.evidence, evidence],
    refutedBy: "EXPLAIN shows that it reads few rows by an index: then something else grew at the same time",
  };
}

/** As people say it where it is about that; 15 % is what nobody minds in words. */
function growthWords(factor: number): string {
  const near = (whole: number): boolean => Math.abs(factor / whole - 1) <= 0.15;
  return near(2) ? "doubled" : near(3) ? "tripled" : `grew ${times(factor)}`;
}

/** From the first to the last request. */
function secondsOf({ forest }: Window): number {
  const starts = Array.from(forest.root, (row) => forest.startNs[row]!);
  return Math.max(1, (starts.reduce((a, b) => Math.max(a, b)) - starts.reduce((a, b) => Math.min(a, b))) / NS_PER_S);
}

const isCall = ({ paths }: Window, node: number): boolean => paths.statement[node]! >= 0;

/** What the statement would take if it read no more than the others of its database do. */
function byIndex(window: Window, { subject }: Explanation, node: number, lastNs: number): Undo {
  const service = window.text(window.paths.service[node]!);
  const factor = speedUp(lastNs, otherStatements(window, node).medianNs);
  const change = { kind: "time", service, operation: subject.operation ?? "", factor } as const;
  return { kind: "change", change, nodes: [node] };
}
