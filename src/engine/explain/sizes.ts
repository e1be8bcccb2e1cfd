import { AttributeType } from "../../model/attribute-table.ts";
import { rankCorrelation } from "../../analysis/rank-correlation.ts";
import { quantileOfSorted, sortSample } from "../../analysis/weighted-quantile.ts";
import { SpanRole } from "../../model/span-facts.ts";
import { exampleTraces, spanRows, type Case } from "../case.ts";
import type { Explanation, HotSpot } from "../hot-spot.ts";
import { count, ms } from "../wording.ts";
import { calleeOf } from "./transit.ts";

/** Names of numeric attributes that say how much there was to do. */
const SIZE_NAME =
  /(?:^|[._-])(?:size|length|len|bytes|rows|returned_rows|count|items|batch|total|points|elements|records)(?:$|[._-])|(?:size|length|rows|bytes|items|count)$/i;
const MAX_ROWS = 20_000;

/** Time that follows a size recorded on the span (bytes, rows, items): the large ones are the slow ones. */
export function explainSize(theCase: Case, spot: HotSpot): Explanation | undefined {
  if (spot.timeKind === "pool-wait") return undefined;
  const { window, view, ownNs } = theCase;
  const all = spanRows(window, spot.node).filter((row) => ownNs[row]! > 0);
  const step = Math.ceil(all.length / MAX_ROWS);
  const rows = step <= 1 ? all : all.filter((_, i) => i % step === 0);
  const best = bestSize(theCase, rows);
  if (best === undefined) return undefined;
  const { key, sizes, having, correlation } = best;
  const own = Float64Array.from(having, (row) => ownNs[row]!);
  const sizeSample = sortSample(sizes, undefined);
  const small = quantileOfSorted(sizeSample, 0.25);
  const large = quantileOfSorted(sizeSample, 0.95);
  const medianWhere = (keep: (size: number) => boolean): number => {
    const kept = own.filter((_, i) => keep(sizes[i]!));
    return kept.length === 0 ? 0 : quantileOfSorted(sortSample(kept, undefined), 0.5);
  };
  const smallNs = medianWhere((size) => size <= small);
  const largeNs = medianWhere((size) => size >= large);
  if (largeNs < 2.5 * Math.max(1, smallNs) || large < 2 * Math.max(1, small)) return undefined;
  const harmful = largeNs - smallNs >= 0.15 * view.p99;
  const name = window.text(key);
  const service = spot.timeKind === "transit" ? calleeOf(theCase, spot) : spot.service;
  const isDatabase = spot.role === SpanRole.database;
  const median = quantileOfSorted(sizeSample, 0.5);
  return {
    mechanism: "payload-size",
    kind: "growth",
    subject: { service, operation: spot.operation, ...(spot.statement === "" ? {} : { statement: spot.statement }) },
    title: `${spot.operation} takes longer the larger its ${name}: ${ms(smallNs)} at ${count(small)}, ${ms(largeNs)} at ${count(large)}`,
    why: `Time follows ${name} (rank correlation ${correlation.toFixed(2)} over ${having.length} spans); the largest twentieth are ${count(Math.round(large / Math.max(1, median)))} times the median size.`,
    confidence: harmful ? Math.min(0.9, 0.45 + 0.5 * correlation) : 0.3,
    harmful,
    nodes: [spot.node],
    undo: [
      {
        kind: "own-time",
        rows: Int32Array.from(having),
        ownNs: Float64Array.from(having, (row, i) =>
          sizes[i]! > median
            ? Math.min(ownNs[row]!, Math.max(smallNs, (ownNs[row]! * median) / sizes[i]!))
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

interface SizeColumn {
  readonly key: number;
  readonly sizes: Float64Array;
  readonly having: number[];
  readonly correlation: number;
}

/** The size attribute, on the span or the other end of its call, that own time follows best. */
function bestSize(theCase: Case, rows: Int32Array): SizeColumn | undefined {
  const { window, ownNs } = theCase;
  const { attributes, strings } = window.spans;
  const { forest } = window;
  const isSize = new Map<number, boolean>();
  const columns = new Map<number, { rows: number[]; sizes: number[] }>();
  const collect = (row: number, from: number): void => {
    for (let at = attributes.listStart[from]!; at < attributes.listStart[from + 1]!; at++) {
      if (attributes.type[at] !== AttributeType.number) continue;
      const key = attributes.key[at]!;
      let known = isSize.get(key);
      if (known === undefined) isSize.set(key, (known = SIZE_NAME.test(strings.get(key))));
      if (!known) continue;
      let held = columns.get(key);
      if (held === undefined) columns.set(key, (held = { rows: [], sizes: [] }));
      if (held.rows.at(-1) === row) continue;
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
  let best: SizeColumn | undefined;
  for (const [key, held] of columns) {
    if (held.rows.length < 50 || held.rows.length < 0.5 * rows.length) continue;
    const sizes = Float64Array.from(held.sizes);
    const correlation = rankCorrelation(
      sizes,
      Float64Array.from(held.rows, (row) => ownNs[row]!),
    );
    if (correlation >= 0.5 && correlation > (best?.correlation ?? 0))
      best = { key, sizes, having: held.rows, correlation };
  }
  return best;
}
