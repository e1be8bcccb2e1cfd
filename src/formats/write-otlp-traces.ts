import type { SpanTable } from "../model/span-table.ts";
import { Message } from "./protobuf-writer.ts";
import { KeyValueWriter } from "./write-otlp-attributes.ts";

/** Spans of one message: some megabytes. */
const SPANS_PER_MESSAGE = 8192;

/**
 * The spans as OTLP protobuf, in messages that are one when they are put one behind the other. Decoded they are the
 * same spans in the same order, with equal resources once; otlp-protobuf.ts has the layout of the messages.
 */
export function* writeOtlpTraces(table: SpanTable): Generator<Uint8Array> {
  const writer = new TraceWriter(table);
  for (let from = 0; from < table.rowCount; from += SPANS_PER_MESSAGE) {
    yield writer.request(from, Math.min(table.rowCount, from + SPANS_PER_MESSAGE));
  }
}

class TraceWriter {
  private readonly table: SpanTable;
  private readonly keyValues: KeyValueWriter;
  private readonly resources: (Uint8Array | undefined)[] = [];
  private event = 0;
  private link = 0;

  constructor(table: SpanTable) {
    this.table = table;
    this.keyValues = new KeyValueWriter(table.strings);
  }

  /** Rows `[from, to)`, which follow those of the last call. A resource or scope is said anew wherever it changes. */
  request(from: number, to: number): Uint8Array {
    const { resource, scope } = this.table;
    const request = new Message();
    for (let row = from; row < to;) {
      const [first, list] = [row, resource[row]!];
      const resourceSpans = new Message().bytes(1, this.resource(list));
      while (row < to && resource[row] === list) {
        const scoped = scope[row]!;
        const scopeSpans = new Message();
        if (scoped !== 0) scopeSpans.message(1, new Message().bytes(1, this.keyValues.text(scoped)));
        while (row < to && resource[row] === list && scope[row] === scoped) scopeSpans.message(2, this.span(row++));
        resourceSpans.message(2, scopeSpans);
      }
      if (row > first) request.message(1, resourceSpans);
    }
    return request.finish();
  }

  private resource(list: number): Uint8Array {
    let held = this.resources[list];
    if (held === undefined) {
      const message = new Message();
      this.keyValues.addList(message, 1, this.table.resources, list);
      held = this.resources[list] = message.finish();
    }
    return held;
  }

  private span(row: number): Message {
    const { table, keyValues } = this;
    const span = new Message();
    span.bytes(1, idBytes(table.traceId, 4 * row, 4)).bytes(2, idBytes(table.spanId, 2 * row, 2));
    if (table.traceState[row] !== 0) span.bytes(3, keyValues.text(table.traceState[row]!));
    if (table.parentSpanId[2 * row] !== 0 || table.parentSpanId[2 * row + 1] !== 0) {
      span.bytes(4, idBytes(table.parentSpanId, 2 * row, 2));
    }
    if (table.name[row] !== 0) span.bytes(5, keyValues.text(table.name[row]!));
    span.number(6, table.kind[row]!);
    this.time(span, 7, table.startOffsetNs[row]!);
    this.time(span, 8, table.endOffsetNs[row]!);
    keyValues.addList(span, 9, table.attributes, row);
    this.eventsAndLinks(span, row);
    if (table.status[row] !== 0) span.message(15, new Message().number(3, table.status[row]!));
    return span;
  }

  private eventsAndLinks(span: Message, row: number): void {
    const { events, links } = this.table;
    for (; this.event < events.rowCount && events.span[this.event]! <= row; this.event++) {
      const event = new Message();
      this.time(event, 1, events.timeOffsetNs[this.event]!);
      if (events.name[this.event] !== 0) event.bytes(2, this.keyValues.text(events.name[this.event]!));
      this.keyValues.addList(event, 3, events.attributes, this.event);
      span.message(11, event);
    }
    for (; this.link < links.rowCount && links.span[this.link]! <= row; this.link++) {
      const [traceId, spanId] = [idBytes(links.traceId, 4 * this.link, 4), idBytes(links.spanId, 2 * this.link, 2)];
      span.message(13, new Message().bytes(1, traceId).bytes(2, spanId));
    }
  }

  private time(message: Message, field: number, offsetNs: number): void {
    const ns = this.table.baseUnixNs + BigInt(offsetNs);
    message.fixed64(field, Number(BigInt.asUintN(64, ns) >> 32n), Number(ns & 0xffff_ffffn));
  }
}

/** Big-endian words as bytes. */
export function idBytes(column: Uint32Array, at: number, words: number): Uint8Array {
  const bytes = new Uint8Array(4 * words);
  const view = new DataView(bytes.buffer);
  for (let i = 0; i < words; i++) view.setUint32(4 * i, column[at + i]!);
  return bytes;
}
