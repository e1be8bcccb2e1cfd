import { attributeText, findAttribute } from "../model/attribute-table.ts";
import { idHex, type SpanTable } from "../model/span-table.ts";
import type { TraceSpans } from "./match-traces.ts";

/** The traces of a table, each as it can be asked (`matchTrace`), by their ids in hex; in the order of their first spans. */
export function tracesOf(spans: SpanTable): Map<string, TraceSpans> {
  const rows = new Map<string, number[]>();
  const { traceId } = spans;
  for (let row = 0; row < spans.rowCount; row++) {
    const key = idHex(traceId, 4 * row, 4);
    const held = rows.get(key);
    if (held === undefined) rows.set(key, [row]);
    else held.push(row);
  }
  return new Map([...rows].map(([id, of]) => [id, traceSpans(spans, of)]));
}

function traceSpans(spans: SpanTable, rows: readonly number[]): TraceSpans {
  const places = new Map(rows.map((row, place) => [idHex(spans.spanId, 2 * row, 2), place]));
  const { strings, attributes, resources } = spans;
  const serviceName = strings.intern("service.name");
  return {
    count: rows.length,
    parent: (place) => places.get(idHex(spans.parentSpanId, 2 * rows[place]!, 2)) ?? -1,
    service: (place) => {
      const list = spans.resource[rows[place]!]!;
      const at = findAttribute(resources, list, serviceName);
      return (at >= 0 && resources.type[at] === 0 ? strings.get(resources.value[at]!) : "") || "unknown_service";
    },
    name: (place) => strings.get(spans.name[rows[place]!]!),
    durationNs: (place) => spans.endOffsetNs[rows[place]!]! - spans.startOffsetNs[rows[place]!]!,
    status: (place) => spans.status[rows[place]!]!,
    kind: (place) => spans.kind[rows[place]!]!,
    attribute: (place, scope, key) => {
      const table = scope === "span" ? attributes : resources;
      const list = scope === "span" ? rows[place]! : spans.resource[rows[place]!]!;
      const at = findAttribute(table, list, strings.intern(key));
      return at < 0 ? undefined : attributeText(table, strings, at);
    },
  };
}
