import { describeSpans } from "../../analysis/span-facts.ts";
import { SpanStatus, idHex, spanIdHex, traceIdHex, type SpanTable } from "../../model/span-table.ts";

const LINES = 150;
const DEPTH = 40;

/**
 * The spans of a trace as an indented list: when each began, how long it took, and of whom; its statement, where it is
 * one. Undefined where the table has no such trace. At most 150 lines; the rest is counted.
 */
export function traceText(spans: SpanTable, traceId: string): string | undefined {
  const rows = Array.from({ length: spans.rowCount }, (_, row) => row).filter(
    (row) => traceIdHex(spans, row) === traceId,
  );
  if (rows.length === 0) return undefined;
  rows.sort((a, b) => spans.startOffsetNs[a]! - spans.startOffsetNs[b]!);
  const facts = describeSpans(spans);
  const known = new Set(rows.map((row) => spanIdHex(spans, row)));
  const children = new Map<string, number[]>();
  for (const row of rows) {
    const parent = idHex(spans.parentSpanId, 2 * row, 2);
    const under = known.has(parent) && parent !== spanIdHex(spans, row) ? parent : "";
    children.set(under, [...(children.get(under) ?? []), row]);
  }
  const start = spans.startOffsetNs[rows[0]!]!;
  const lines: string[] = [];
  const seen = new Set<number>();
  const open = (children.get("") ?? []).map((row) => ({ row, depth: 0 })).reverse();
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    const { row, depth } = next;
    // A span that is its own ancestor is shown once.
    if (seen.has(row)) continue;
    seen.add(row);
    lines.push(lineOf(row, depth));
    for (const child of [...(children.get(spanIdHex(spans, row)) ?? [])].reverse())
      open.push({ row: child, depth: Math.min(DEPTH, depth + 1) });
  }
  function lineOf(row: number, depth: number): string {
    const ms = (ns: number): string => (ns / 1e6).toFixed(2);
    const text = (id: number): string => spans.strings.get(id);
    const statement = facts.statement[row]! > 0 ? `  «${text(facts.statement[row]!).slice(0, 200)}»` : "";
    const error = spans.status[row] === SpanStatus.error ? "  ERROR" : "";
    const took = ms(spans.endOffsetNs[row]! - spans.startOffsetNs[row]!);
    const who = `${text(facts.service[row]!)}: ${text(facts.operation[row]!)}`;
    return `${"  ".repeat(depth)}+${ms(spans.startOffsetNs[row]! - start)} ms  ${took} ms  ${who}${error}${statement}`;
  }
  const shown = lines.slice(0, LINES);
  const left = rows.length - shown.length;
  const title = `trace ${traceId}: ${rows.length} spans; start after the first, duration, service: operation`;
  return [title, ...shown, ...(left > 0 ? [`… ${left} more spans left out`] : [])].join("\n");
}
