import { fitPowerGrowth, type PowerGrowth } from "../../analysis/power-growth.ts";
import { AttributeType } from "../../model/attribute-table.ts";
import { rankCorrelation } from "../../analysis/rank-correlation.ts";
import { quantileOf, quantileOfAscending } from "../../analysis/weighted-quantile.ts";
import { SpanRole } from "../../model/span-facts.ts";
import { exampleTraces, spanRows, type Case } from "../case.ts";
import type { Explanation, HotSpot } from "../hot-spot.ts";
import { oncePerWindow } from "../once-per-window.ts";
import { sampledRows } from "../sampled-rows.ts";
import { count, ms } from "../wording.ts";
import { calleeOf } from "./transit.ts";
import { mapToFloats } from "../../model/map-column.ts";

/**
 * Names of numeric attributes that say how much there was to do: those of the semantic conventions (http.response.body.size,
 * db.response.returned_rows, db.operation.batch.size, messaging.batch.message_count, messaging.message.body.size,
 * rpc.message.uncompressed_size, gen_ai.usage.input_tokens), and words that count things.
 */
const SIZE_NAME =
  /(?:^|[._-])(?:size|length|len|bytes|kb|mb|rows|returned_rows|count|items|batch|total|points|elements|records|keys|tenants|users|entries|tokens|lines|pages|members)(?:$|[._-])|(?:size|length|rows|bytes|items|count|tokens)$/i;
const MAX_ROWS = 5_000;

/** Keys of numeric attributes that are named so. */
const sizeKeys = oncePerWindow((window): ReadonlySet<number> => {
  const { attributes } = window.spans;
  const keys = new Set<number>();
  const seen = new Set<number>();
  for (let at = 0; at < attributes.key.length; at++) {
    const key = attributes.key[at]!;
    if (attributes.type[at] !== AttributeType.number || seen.has(key)) continue;
    seen.add(key);
    if (SIZE_NAME.test(window.text(key))) keys.add(key);
  }
  return keys;
});

/** Time that follows a size recorded on the span (bytes, rows, items): the large ones are the slow ones. */
export function explainSize(theCase: Case, spot: HotSpot): Explanation | undefined {
  if (spot.timeKind === "pool-wait") return undefined;
  const { window, view, ownNs } = theCase;
  const all = spanRows(window, spot.node).filter((row) => ownNs[row]! > 0);
  const best = bestSize(theCase, sampledRows(window, all, MAX_ROWS));
  if (best === undefined) return undefined;
  const { key, name, sizes, having, correlation } = best;
  const own = mapToFloats(having, (row) => ownNs[row]!);
  const ascending = sizes.slice().sort();
  const small = quantileOfAscending(ascending, 0.25);
  const large = quantileOfAscending(ascending, 0.95);
  const medianWhere = (keep: (size: number) => boolean): number => {
    const kept = own.filter((_, i) => keep(sizes[i]!));
    return kept.length === 0 ? 0 : quantileOf(kept, 0.5);
  };
  const smallNs = medianWhere((size) => size <= small);
  const largeNs = medianWhere((size) => size >= large);
  if (largeNs < 2.5 * Math.max(1, smallNs) || large < 2 * Math.max(1, small)) return undefined;
  const law = fitPowerGrowth(sizes, own, 1);
  const growth =
    law.kind === "fit" && law.exponent.low > 0
      ? { what: name, now: large, timeAt: (size: number) => law.timeAt(size), perSecond: 0 }
      : undefined;
  const harmful = largeNs - smallNs >= 0.15 * view.p99;
  const service = spot.timeKind === "transit" ? calleeOf(theCase, spot) : spot.service;
  const isDatabase = spot.role === SpanRole.database;
  const median = quantileOfAscending(ascending, 0.5);
  // The cause is taken away from all of them, not only from those that were looked at.
  const every = sizeColumns(theCase, all).get(key)!;
  return {
    mechanism: "payload-size",
    kind: "growth",
    subject: { service, operation: spot.operation, ...(spot.statement === "" ? {} : { statement: spot.statement }) },
    title: `${spot.operation} takes longer the larger its ${name}: ${ms(smallNs)} at ${count(small)}, ${ms(largeNs)} at ${count(large)}`,
    why: `Time follows ${name} (rank correlation ${correlation.toFixed(2)} over ${having.length} spans); the largest twentieth are ${count(Math.round(large / Math.max(1, median)))} times the median size.${law.kind === "fit" ? ` ${lawText(law, name, large)}` : ""}`,
    confidence: harmful ? Math.min(0.9, 0.45 + 0.5 * correlation) : 0.3,
    harmful,
    ...(growth === undefined ? {} : { growth }),
    nodes: [spot.node],
    undo: [
      {
        kind: "own-time",
        rows: Int32Array.from(every.rows),
        ownNs: mapToFloats(every.rows, (row, i) =>
          every.sizes[i]! > median
            ? Math.min(ownNs[row]!, Math.max(smallNs, (ownNs[row]! * median) / every.sizes[i]!))
            : ownNs[row]!,
        ),
      },
    ],
    chain: [
      { claim: `${view.name}: p99 ${ms(view.p99)}`, evidence: [] },
      { claim: `${spot.service} ${spot.operation}: ${ms(spot.slowNs)} of it`, evidence: [0] },
      { claim: `which grows with ${name}`, evidence: [1] },
    ],
    evidence: [
      {
        kind: "trace",
        text: `slow requests with large ones: ${exampleTraces(theCase, [spot.node]).join(", ")}`,
        query: `"${spot.operation}" of ${spot.service} by ${name}`,
      },
      {
        kind: "statistic",
        text: `median ${ms(smallNs)} up to ${count(small)}, ${ms(largeNs)} from ${count(large)}; rank correlation ${correlation.toFixed(2)}`,
        query: `own time against ${name}`,
      },
      ...(law.kind === "fit"
        ? [{ kind: "statistic" as const, text: exponentText(law, name), query: `own time as a power of ${name}` }]
        : []),
    ],
    counter: ["size and time may both follow a third thing, such as one tenant"],
    refutedBy: `requests with small ${name} that are as slow`,
    remedy: {
      text: isDatabase
        ? "Read fewer rows and columns: page, limit, aggregate in the database."
        : "Send less: page, select fields, compress, stream; or cap the size.",
    },
  };
}

/** "As bytes^1.0 (0.9–1.1): with twice as much of it …" */
function lawText(law: PowerGrowth, name: string, large: number): string {
  const { low, high } = law.exponent;
  const shape =
    low > 1 ? "more than in proportion" : high < 1 ? "less than in proportion" : "in proportion, as far as can be told";
  return `It grows ${shape} (${exponentText(law, name)}): at twice the ${name} of the largest twentieth it would take ${ms(law.timeAt(2 * large))} instead of ${ms(law.timeAt(large))}.`;
}

const exponentText = ({ exponent: { value, low, high } }: PowerGrowth, name: string): string =>
  `as ${name}^${value.toFixed(2)}, 90 % interval ${low.toFixed(2)}–${high.toFixed(2)}`;

interface SizeColumn {
  readonly key: number;
  readonly name: string;
  readonly sizes: Float64Array;
  readonly having: number[];
  readonly correlation: number;
}

/** The size attribute, on the span or the other end of its call, that own time follows best. */
function bestSize(theCase: Case, rows: Int32Array): SizeColumn | undefined {
  let best: SizeColumn | undefined;
  for (const [key, held] of sizeColumns(theCase, rows)) {
    if (held.rows.length < 50 || held.rows.length < 0.5 * rows.length) continue;
    const sizes = Float64Array.from(held.sizes);
    const correlation = rankCorrelation(
      sizes,
      mapToFloats(held.rows, (row) => theCase.ownNs[row]!),
    );
    const here: SizeColumn = { key, name: theCase.window.text(key), sizes, having: held.rows, correlation };
    if (correlation >= 0.5 && (best === undefined || isBetter(here, best))) best = here;
  }
  return best;
}

/** Two names for one size follow the time alike: the order in which they were met shall not decide. */
const isBetter = (a: SizeColumn, b: SizeColumn): boolean =>
  a.correlation !== b.correlation ? a.correlation > b.correlation : a.name < b.name;

/** Per size attribute the rows that have it, and its values; a value that is no finite number is none. */
function sizeColumns({ window }: Case, rows: Int32Array): Map<number, { rows: number[]; sizes: number[] }> {
  if (sizeKeys(window).size === 0) return new Map();
  const { attributes } = window.spans;
  const { forest } = window;
  const isSize = sizeKeys(window);
  const columns = new Map<number, { rows: number[]; sizes: number[] }>();
  const collect = (row: number, from: number): void => {
    for (let at = attributes.listStart[from]!; at < attributes.listStart[from + 1]!; at++) {
      if (attributes.type[at] !== AttributeType.number) continue;
      const key = attributes.key[at]!;
      if (!isSize.has(key)) continue;
      let held = columns.get(key);
      if (held === undefined) columns.set(key, (held = { rows: [], sizes: [] }));
      if (held.rows.at(-1) === row || !Number.isFinite(attributes.value[at])) continue;
      held.rows.push(row);
      held.sizes.push(attributes.value[at]!);
    }
  };
  for (const row of rows) {
    collect(row, row);
    const first = forest.childStart[row]!;
    if (first < forest.childStart[row + 1]!) collect(row, forest.child[first]!);
    if (forest.parent[row]! >= 0) collect(row, forest.parent[row]!);
  }
  return columns;
}
