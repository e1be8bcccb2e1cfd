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

/** The spans of a table as a block for the table `spans`; interns in the table's pool. */
export function spanBlock(table: SpanTable): Uint8Array {
  const steps = spanBlockSteps(table);
  for (;;) {
    const step = steps.next();
    if (step.done) return step.value;
  }
}

/**
 * The same in steps of a few milliseconds at most, for a block of 131,072 spans, so that others get their turn in between.
 * Writes to `memory` where that is large enough.
 */
export function* spanBlockSteps(table: SpanTable, memory?: Uint8Array): Generator<void, Uint8Array> {
  const attributes = yield* attributeColumns(table.attributes, table.strings);
  const { service, text } = resourceTexts(table);
  yield;
  const events = eventTexts(table);
  yield;
  const links = linkBytes(table);
  // The pool is complete from here on.
  const writer = new NativeWriter(SPAN_COLUMNS.length, table.rowCount, table.strings, memory);
  writer.ids("trace_id", table.traceId, 4);
  yield;
  writer.ids("span_id", table.spanId, 2);
  writer.ids("parent_id", table.parentSpanId, 2);
  yield;
  writer.times("start", table.baseUnixNs, table.startOffsetNs);
  yield;
  writer.differences("duration", table.endOffsetNs, table.startOffsetNs);
  yield;
  writer.bytesColumn("kind", table.kind);
  writer.bytesColumn("status", table.status);
  writer.dictionary("name", table.name);
  yield;
  writer.dictionary("service", table.resource, service);
  yield;
  writer.dictionary("resource", table.resource, text);
  yield;
  writer.dictionary("scope", table.scope);
  yield;
  writer.stringColumn("trace_state", table.traceState);
  yield;
  writer.dictionary("shape", attributes.shape);
  yield;
  writer.dictionaryArrays("labels", attributes.labels);
  yield;
  writer.stringArrays("texts", attributes.texts);
  yield;
  writer.doubleArrays("numbers", attributes.numbers);
  yield;
  writer.texts("events", events);
  writer.texts("links", links);
  return writer.finish();
}

/** Per resource that has spans the string ids of its service's name and of its text. */
function resourceTexts({ resource, resources, strings }: SpanTable): { service: Int32Array; text: Int32Array } {
  const key = strings.intern("service.name");
  const unknown = strings.intern("unknown_service");
  const service = new Int32Array(resources.listCount);
  const text = new Int32Array(resources.listCount);
  const isUsed = new Uint8Array(resources.listCount);
  for (let row = 0; row < resource.length; row++) isUsed[resource[row]!] = 1;
  for (let list = 0; list < resources.listCount; list++) {
    if (isUsed[list] === 0) continue;
    const row = findAttribute(resources, list, key);
    const name = row >= 0 && resources.type[row] === 0 ? resources.value[row]! : 0;
    service[list] = name === 0 ? unknown : name;
    text[list] = strings.intern(JSON.stringify(attributeItems(resources, list, strings)));
  }
  return { service, text };
}

/** JSON `[[nanoseconds after the span's start, name, attributes], ...]` of the spans that have events, by row. */
function eventTexts(table: SpanTable): Map<number, Uint8Array> {
  const { events, strings } = table;
  const utf8 = new TextEncoder();
  const texts = new Map<number, Uint8Array>();
  for (let at = 0; at < events.rowCount;) {
    const span = events.span[at]!;
    const items: unknown[] = [];
    for (; at < events.rowCount && events.span[at] === span; at++) {
      const after = events.timeOffsetNs[at]! - table.startOffsetNs[span]!;
      items.push([jsonNumber(after), strings.get(events.name[at]!), attributeItems(events.attributes, at, strings)]);
    }
    texts.set(span, utf8.encode(JSON.stringify(items)));
  }
  return texts;
}

/** 24 bytes per link, trace id and span id, of the spans that have links, by row. */
function linkBytes({ links }: SpanTable): Map<number, Uint8Array> {
  const texts = new Map<number, Uint8Array>();
  for (let at = 0; at < links.rowCount;) {
    const span = links.span[at]!;
    const first = at;
    while (at < links.rowCount && links.span[at] === span) at++;
    const bytes = new Uint8Array(24 * (at - first));
    const view = new DataView(bytes.buffer);
    for (let link = first, o = 0; link < at; link++, o += 24) {
      for (let i = 0; i < 4; i++) view.setUint32(o + 4 * i, links.traceId[4 * link + i]!);
      for (let i = 0; i < 2; i++) view.setUint32(o + 16 + 4 * i, links.spanId[2 * link + i]!);
    }
    texts.set(span, bytes);
  }
  return texts;
}
