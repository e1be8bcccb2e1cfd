import { labelText, SPAN_LABEL, type StackTable, TRACE_LABEL } from "../model/stack-table.ts";
import { spanIdHex, traceIdHex } from "../model/span-table.ts";
import { oncePerWindow } from "./once-per-window.ts";
import type { Window } from "./window.ts";

/** As OTLP's links are read and as pprof's labels of several profilers name them. */
const SPAN_LABELS = [SPAN_LABEL, "span.id", "spanId"];
const TRACE_LABELS = [TRACE_LABEL, "trace.id", "traceId"];

/** Whether a set of labels names a span, of this window or not. */
export const namesSpan = (stacks: StackTable, labelSet: number): boolean =>
  labelSet !== 0 && SPAN_LABELS.some((key) => labelText(stacks, labelSet, key) !== "");

/** Row of the span that a set of labels names; -1 where it names none, or none of this window. */
export function namedSpan(window: Window, stacks: StackTable, labelSet: number): number {
  if (labelSet === 0) return -1;
  const text = (keys: readonly string[]): string =>
    keys.map((key) => labelText(stacks, labelSet, key)).find((value) => value !== "") ?? "";
  const span = text(SPAN_LABELS).toLowerCase();
  if (span === "") return -1;
  const rows = rowsById(window).get(span) ?? [];
  const trace = text(TRACE_LABELS).toLowerCase();
  return rows.find((row) => trace === "" || traceIdHex(window.spans, row) === trace) ?? -1;
}

const rowsById = oncePerWindow(({ spans, forest }): ReadonlyMap<string, readonly number[]> => {
  const found = new Map<string, number[]>();
  for (const row of forest.rows) {
    const id = spanIdHex(spans, row);
    const held = found.get(id);
    if (held === undefined) found.set(id, [row]);
    else held.push(row);
  }
  return found;
});
