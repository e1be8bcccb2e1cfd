import { AttributeType, findAttribute, type AttributeTable } from "../model/attribute-table.ts";
import type { SpanTable } from "../model/span-table.ts";
import type { StringPool } from "../model/string-pool.ts";
import { takeRows } from "../model/take-rows.ts";
import { unixNs } from "../model/units.ts";

/**
 * What may happen to a recording without changing what it says, for metamorphic
 * tests: each returns another table over the same string pool.
 */

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

function renamedValues(table: AttributeTable, idOf: (id: number) => number): AttributeTable {
  const value = table.value.map((held, row) => (table.type[row] === AttributeType.string ? idOf(held) : held));
  return { ...table, value };
}
