import { AttributeTableBuilder, AttributeType, findAttribute, type AttributeTable } from "../model/attribute-table.ts";
import type { SpanTable } from "../model/span-table.ts";
import type { StringPool } from "../model/string-pool.ts";
import { unixNs } from "../model/units.ts";

/**
 * What may happen to a recording without changing what it says, for metamorphic
 * tests: each returns another table over the same string pool.
 */

/** The given rows in the given order, with their attributes, events and links; a row may be given twice. */
export function takeRows(table: SpanTable, rows: Int32Array): SpanTable {
  const events = ownedBy(table.events.span, table.rowCount, rows);
  const links = ownedBy(table.links.span, table.rowCount, rows);
  return {
    ...table,
    rowCount: rows.length,
    startOffsetNs: pick(table.startOffsetNs, rows, 1),
    endOffsetNs: pick(table.endOffsetNs, rows, 1),
    traceId: pick(table.traceId, rows, 4),
    spanId: pick(table.spanId, rows, 2),
    parentSpanId: pick(table.parentSpanId, rows, 2),
    kind: pick(table.kind, rows, 1),
    status: pick(table.status, rows, 1),
    name: pick(table.name, rows, 1),
    resource: pick(table.resource, rows, 1),
    scope: pick(table.scope, rows, 1),
    traceState: pick(table.traceState, rows, 1),
    attributes: pickLists(table.attributes, rows),
    events: {
      rowCount: events.rows.length,
      span: events.owner,
      timeOffsetNs: pick(table.events.timeOffsetNs, events.rows, 1),
      name: pick(table.events.name, events.rows, 1),
      attributes: pickLists(table.events.attributes, events.rows),
    },
    links: {
      rowCount: links.rows.length,
      span: links.owner,
      traceId: pick(table.links.traceId, links.rows, 4),
      spanId: pick(table.links.spanId, links.rows, 2),
    },
  };
}

/** Every span later by `ns` (a whole number; earlier when negative). */
export const shifted = (table: SpanTable, ns: number): SpanTable => ({
  ...table,
  baseUnixNs: unixNs(table.baseUnixNs + BigInt(ns)),
});

/** As if the clock of the hosts with this `host.name` were ahead by `ns`. */
export function withClockAhead(table: SpanTable, host: string, ns: number): SpanTable {
  const key = table.strings.intern("host.name");
  const isHost = Array.from({ length: table.resources.listCount }, (_, resource) => {
    const row = findAttribute(table.resources, resource, key);
    return row >= 0 && table.strings.get(table.resources.value[row]!) === host;
  });
  const ahead = (column: Float64Array): Float64Array =>
    column.map((offset, row) => (isHost[table.resource[row]!] === true ? offset + ns : offset));
  return { ...table, startOffsetNs: ahead(table.startOffsetNs), endOffsetNs: ahead(table.endOffsetNs) };
}

/** Every text of names and string values, not of keys, passed through `rename`. */
export function renamed(table: SpanTable, rename: (text: string) => string): SpanTable {
  const known = new Map<number, number>();
  const { strings } = table;
  const idOf = (id: number): number => {
    let to = known.get(id);
    if (to === undefined) known.set(id, (to = strings.intern(rename(strings.get(id)))));
    return to;
  };
  return {
    ...table,
    name: table.name.map(idOf),
    attributes: renamedValues(table.attributes, idOf),
    resources: renamedValues(table.resources, idOf),
    events: { ...table.events, attributes: renamedValues(table.events.attributes, idOf) },
  };
}

/**
 * Half of the traces, as a consistent head sampler with probability 1/2 keeps them: those whose random value (the last
 * 56 bits of the trace id) reaches the threshold 2^55, which is what their tracestate then says.
 * https://opentelemetry.io/docs/specs/otel/trace/tracestate-probability-sampling/
 */
export function headSampledByHalf(table: SpanTable): SpanTable {
  const rows = Int32Array.from({ length: table.rowCount }, (_, row) => row);
  const kept = takeRows(
    table,
    rows.filter((row) => (table.traceId[4 * row + 2]! & 0x800000) !== 0),
  );
  return { ...kept, traceState: new Int32Array(kept.rowCount).fill(stateId(table.strings)) };
}

const stateId = (strings: StringPool): number => strings.intern("ot=th:8");

/** Rows of an owned table (events, links) in the order of their owners' new rows, and those new rows. */
function ownedBy(span: Int32Array, spanCount: number, rows: Int32Array): { rows: Int32Array; owner: Int32Array } {
  const owned: number[][] = Array.from({ length: spanCount }, () => []);
  span.forEach((owner, row) => owned[owner]!.push(row));
  const kept: number[] = [];
  const owner: number[] = [];
  rows.forEach((row, at) => {
    for (const own of owned[row]!) {
      kept.push(own);
      owner.push(at);
    }
  });
  return { rows: Int32Array.from(kept), owner: Int32Array.from(owner) };
}

function pick<T extends Float64Array | Int32Array | Uint32Array | Uint8Array>(
  column: T,
  rows: Int32Array,
  width: number,
): T {
  // A new column of the same type: slices have the type of what they are cut from.
  const make = column.slice(0, 0).constructor as new (length: number) => T;
  const picked = new make(rows.length * width);
  for (let i = 0; i < rows.length; i++) {
    for (let w = 0; w < width; w++) picked[i * width + w] = column[rows[i]! * width + w]!;
  }
  return picked;
}

function pickLists(lists: AttributeTable, rows: Int32Array): AttributeTable {
  const builder = new AttributeTableBuilder();
  for (const list of rows) {
    for (let row = lists.listStart[list]!; row < lists.listStart[list + 1]!; row++) {
      builder.add(lists.key[row]!, lists.type[row]! as AttributeType, lists.value[row]!);
    }
    builder.closeList();
  }
  return builder.finish();
}

function renamedValues(table: AttributeTable, idOf: (id: number) => number): AttributeTable {
  const value = table.value.map((held, row) => (table.type[row] === AttributeType.string ? idOf(held) : held));
  return { ...table, value };
}
