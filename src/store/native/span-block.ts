import type { SpanTable } from "../../model/span-table.ts";
import { findAttribute } from "../../model/attribute-table.ts";
import { attributeItems, jsonNumber } from "./attribute-text.ts";
import { NativeWriter } from "./native-writer.ts";
import { attributeColumns } from "./span-attributes.ts";

/** Columns of a block of spans, in the order in which they are sent. */
export const SPAN_COLUMNS: readonly string[] = [
  "trace_id",
  "span_id",
  "parent_id",
  "start",
  "duration",
  "kind",
  "status",
  "name",
  "service",
  "resource",
  "scope",
  "trace_state",
  "shape",
  "labels",
  "texts",
  "numbers",
  "events",
  "links",
];

/** Rows `[from, to)` of a table as a block for the table `spans`; interns in the table's pool. */
export function spanBlock(table: SpanTable, from = 0, to: number = table.rowCount): Uint8Array {
  const attributes = attributeColumns(table.attributes, from, to, table.strings);
  const { service, text } = resourceTexts(table);
  const resources = table.resource.subarray(from, to);
  const events = eventTexts(table, from, to);
  const links = linkBytes(table, from, to);
  // The pool is complete from here on.
  const writer = new NativeWriter(SPAN_COLUMNS.length, to - from, table.strings);
  writer.ids("trace_id", table.traceId.subarray(4 * from, 4 * to), 4);
  writer.ids("span_id", table.spanId.subarray(2 * from, 2 * to), 2);
  writer.ids("parent_id", table.parentSpanId.subarray(2 * from, 2 * to), 2);
  const start = table.startOffsetNs.subarray(from, to);
  const end = table.endOffsetNs;
  writer.times("start", table.baseUnixNs, start);
  writer.integers(
    "duration",
    start.map((offset, i) => end[from + i]! - offset),
  );
  writer.bytesColumn("kind", table.kind.subarray(from, to));
  writer.bytesColumn("status", table.status.subarray(from, to));
  writer.dictionary("name", table.name.subarray(from, to));
  writer.dictionary(
    "service",
    resources.map((row) => service[row]!),
  );
  writer.dictionary(
    "resource",
    resources.map((row) => text[row]!),
  );
  writer.dictionary("scope", table.scope.subarray(from, to));
  writer.stringColumn("trace_state", table.traceState.subarray(from, to));
  writer.dictionary("shape", attributes.shape);
  writer.dictionaryArrays("labels", attributes.labels);
  writer.stringArrays("texts", attributes.texts);
  writer.doubleArrays("numbers", attributes.numbers);
  writer.texts("events", events);
  writer.texts("links", links);
  return writer.finish();
}

/** Per resource the string ids of its service's name and of its text. */
function resourceTexts({ resources, strings }: SpanTable): { service: Int32Array; text: Int32Array } {
  const key = strings.intern("service.name");
  const unknown = strings.intern("unknown_service");
  const service = new Int32Array(resources.listCount);
  const text = new Int32Array(resources.listCount);
  for (let list = 0; list < resources.listCount; list++) {
    const row = findAttribute(resources, list, key);
    const name = row >= 0 && resources.type[row] === 0 ? resources.value[row]! : 0;
    service[list] = name === 0 ? unknown : name;
    text[list] = strings.intern(JSON.stringify(attributeItems(resources, list, strings)));
  }
  return { service, text };
}

/** JSON `[[nanoseconds after the span's start, name, attributes], ...]` of the spans that have events, by row - from. */
function eventTexts(table: SpanTable, from: number, to: number): Map<number, Uint8Array> {
  const { events, strings } = table;
  const utf8 = new TextEncoder();
  const texts = new Map<number, Uint8Array>();
  let at = firstOwned(events.span, from);
  while (at < events.rowCount && events.span[at]! < to) {
    const span = events.span[at]!;
    const items: unknown[] = [];
    for (; at < events.rowCount && events.span[at] === span; at++) {
      const after = events.timeOffsetNs[at]! - table.startOffsetNs[span]!;
      items.push([jsonNumber(after), strings.get(events.name[at]!), attributeItems(events.attributes, at, strings)]);
    }
    texts.set(span - from, utf8.encode(JSON.stringify(items)));
  }
  return texts;
}

/** 24 bytes per link, trace id and span id, of the spans that have links, by row - from. */
function linkBytes({ links }: SpanTable, from: number, to: number): Map<number, Uint8Array> {
  const texts = new Map<number, Uint8Array>();
  let at = firstOwned(links.span, from);
  while (at < links.rowCount && links.span[at]! < to) {
    const span = links.span[at]!;
    const first = at;
    while (at < links.rowCount && links.span[at] === span) at++;
    const bytes = new Uint8Array(24 * (at - first));
    const view = new DataView(bytes.buffer);
    for (let link = first, o = 0; link < at; link++, o += 24) {
      for (let i = 0; i < 4; i++) view.setUint32(o + 4 * i, links.traceId[4 * link + i]!);
      for (let i = 0; i < 2; i++) view.setUint32(o + 16 + 4 * i, links.spanId[2 * link + i]!);
    }
    texts.set(span - from, bytes);
  }
  return texts;
}

/** First element >= `from` of an ascending column. */
function firstOwned(column: Int32Array, from: number): number {
  let [low, high] = [0, column.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (column[middle]! < from) low = middle + 1;
    else high = middle;
  }
  return low;
}
