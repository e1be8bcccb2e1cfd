import type { AttributeTable } from "./attribute-table.ts";
import type { SpanTable } from "./span-table.ts";

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

/** Rows of an owned table (events, links), ascending by owner, in the order of their owners' new rows, and those new rows. */
function ownedBy(span: Int32Array, spanCount: number, rows: Int32Array): { rows: Int32Array; owner: Int32Array } {
  if (span.length === 0) return { rows: new Int32Array(0), owner: new Int32Array(0) };
  const start = new Int32Array(spanCount + 1);
  for (const owner of span) start[owner + 1]!++;
  for (let i = 0; i < spanCount; i++) start[i + 1]! += start[i]!;
  let count = 0;
  for (const row of rows) count += start[row + 1]! - start[row]!;
  const kept = new Int32Array(count);
  const owner = new Int32Array(count);
  for (let at = 0, to = 0; at < rows.length; at++) {
    for (let own = start[rows[at]!]!; own < start[rows[at]! + 1]!; own++, to++) {
      kept[to] = own;
      owner[to] = at;
    }
  }
  return { rows: kept, owner };
}

function pick<T extends Float64Array | Int32Array | Uint32Array | Uint8Array>(
  column: T,
  rows: Int32Array,
  width: number,
): T {
  // A new column of the same type: slices have the type of what they are cut from.
  const make = column.slice(0, 0).constructor as new (length: number) => T;
  const picked = new make(rows.length * width);
  if (width === 1) {
    for (let i = 0; i < rows.length; i++) picked[i] = column[rows[i]!]!;
    return picked;
  }
  for (let i = 0; i < rows.length; i++) {
    for (let w = 0; w < width; w++) picked[i * width + w] = column[rows[i]! * width + w]!;
  }
  return picked;
}

function pickLists(lists: AttributeTable, rows: Int32Array): AttributeTable {
  const listStart = new Int32Array(rows.length + 1);
  for (let i = 0; i < rows.length; i++)
    listStart[i + 1] = listStart[i]! + lists.listStart[rows[i]! + 1]! - lists.listStart[rows[i]!]!;
  const count = listStart[rows.length]!;
  const [key, type, value] = [new Int32Array(count), new Uint8Array(count), new Float64Array(count)];
  for (let i = 0, to = 0; i < rows.length; i++) {
    for (let from = lists.listStart[rows[i]!]!; from < lists.listStart[rows[i]! + 1]!; from++, to++) {
      key[to] = lists.key[from]!;
      type[to] = lists.type[from]!;
      value[to] = lists.value[from]!;
    }
  }
  return { listCount: rows.length, listStart, key, type, value };
}
