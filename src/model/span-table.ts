import type { AttributeTable } from "./attribute-table.ts";
import type { StringPool } from "./string-pool.ts";
import type { UnixNs } from "./units.ts";

/** OTLP's SpanKind numbers. */
export const SpanKind = { unspecified: 0, internal: 1, server: 2, client: 3, producer: 4, consumer: 5 } as const;
export type SpanKind = (typeof SpanKind)[keyof typeof SpanKind];

/** OTLP's status codes. */
export const SpanStatus = { unset: 0, ok: 1, error: 2 } as const;
export type SpanStatus = (typeof SpanStatus)[keyof typeof SpanStatus];

/**
 * Spans as they were received, in the order in which they came, of any number of
 * traces: struct of arrays, `rowCount` rows each. Nothing here is corrected;
 * assembly (analysis/trace-assembly.ts) makes trees of it.
 *
 * Strings are ids of `strings`. Ids of spans and traces are big-endian 32-bit
 * words; a missing parent is 0,0 (OpenTelemetry forbids the all-zero id).
 */
export interface SpanTable {
  readonly rowCount: number;
  /** Time zero of every offset below. */
  readonly baseUnixNs: UnixNs;
  /** start and end, nanoseconds after `baseUnixNs`; the end may lie before the start */
  readonly startOffsetNs: Float64Array;
  readonly endOffsetNs: Float64Array;
  /** 4 words per row */
  readonly traceId: Uint32Array;
  /** 2 words per row */
  readonly spanId: Uint32Array;
  /** 2 words per row, 0,0 for none */
  readonly parentSpanId: Uint32Array;
  /** SpanKind */
  readonly kind: Uint8Array;
  /** SpanStatus */
  readonly status: Uint8Array;
  /** string id of the span's name */
  readonly name: Int32Array;
  /** row of `resources` */
  readonly resource: Int32Array;
  /** string id of the instrumentation scope's name, 0 for none */
  readonly scope: Int32Array;
  /** string id of the W3C tracestate, 0 for none */
  readonly traceState: Int32Array;
  /** list i belongs to span i */
  readonly attributes: AttributeTable;
  /** list r is resource r, e.g. `service.name`; equal resources may occur more than once */
  readonly resources: AttributeTable;
  readonly events: SpanEventTable;
  readonly links: SpanLinkTable;
  readonly strings: StringPool;
}

/** Events of spans, ascending by span. */
export interface SpanEventTable {
  readonly rowCount: number;
  /** row of the span */
  readonly span: Int32Array;
  readonly timeOffsetNs: Float64Array;
  /** string id */
  readonly name: Int32Array;
  /** list i belongs to event i */
  readonly attributes: AttributeTable;
}

/** Links from a span to spans of the same or other traces, ascending by span. */
export interface SpanLinkTable {
  readonly rowCount: number;
  /** row of the span that holds the link */
  readonly span: Int32Array;
  /** 4 words per row */
  readonly traceId: Uint32Array;
  /** 2 words per row */
  readonly spanId: Uint32Array;
}

/** Hex text of `words` words of an id column, starting at word `at`. */
export function idHex(column: Uint32Array, at: number, words: number): string {
  let text = "";
  for (let i = at; i < at + words; i++) text += column[i]!.toString(16).padStart(8, "0");
  return text;
}

export const traceIdHex = (table: { traceId: Uint32Array }, row: number): string => idHex(table.traceId, row * 4, 4);
export const spanIdHex = (table: { spanId: Uint32Array }, row: number): string => idHex(table.spanId, row * 2, 2);

/** Throws when a column's length or a reference is wrong. For tests and after decoding foreign input. */
export function assertSpanTable(table: SpanTable): void {
  const n = table.rowCount;
  const lengths: [string, number, number][] = [
    ["startOffsetNs", table.startOffsetNs.length, n],
    ["endOffsetNs", table.endOffsetNs.length, n],
    ["traceId", table.traceId.length, 4 * n],
    ["spanId", table.spanId.length, 2 * n],
    ["parentSpanId", table.parentSpanId.length, 2 * n],
    ["kind", table.kind.length, n],
    ["status", table.status.length, n],
    ["name", table.name.length, n],
    ["resource", table.resource.length, n],
    ["scope", table.scope.length, n],
    ["traceState", table.traceState.length, n],
    ["attributes", table.attributes.listCount, n],
    ["events.attributes", table.events.attributes.listCount, table.events.rowCount],
  ];
  for (const [name, have, want] of lengths) {
    if (have !== want) throw new Error(`SpanTable.${name}: ${have} elements, ${want} expected`);
  }
  for (let row = 0; row < n; row++) {
    if (table.resource[row]! < 0 || table.resource[row]! >= table.resources.listCount) {
      throw new Error(`SpanTable.resource[${row}] = ${table.resource[row]} of ${table.resources.listCount}`);
    }
    if (!Number.isFinite(table.startOffsetNs[row]!) || !Number.isFinite(table.endOffsetNs[row]!)) {
      throw new Error(`SpanTable: times of row ${row} are not finite`);
    }
  }
}
