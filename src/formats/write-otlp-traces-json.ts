import type { SpanTable } from "../model/span-table.ts";
import { hexOf, OtlpJsonValues, UnixNsTexts } from "./write-otlp-values.ts";

/** Spans of a line, so that a reader holds no more than a few hundred kilobytes at a time. */
const SPANS_PER_LINE = 1000;

/**
 * The table as OTLP/JSON, an ExportTraceServiceRequest on each line, in the order of its rows: decoding the lines gives
 * the same table again (but for the numbers of equal resources). Status messages, flags and dropped counts are not in it.
 */
export function* otlpTraceLines(table: SpanTable): Generator<string> {
  for (let from = 0; from < table.rowCount; from += SPANS_PER_LINE) {
    yield new Line(table).write(from, Math.min(table.rowCount, from + SPANS_PER_LINE));
  }
}

class Line {
  private readonly table: SpanTable;
  private readonly values: OtlpJsonValues;
  private readonly times: UnixNsTexts;

  constructor(table: SpanTable) {
    this.table = table;
    let values = valuesOf.get(table);
    if (values === undefined) valuesOf.set(table, (values = new OtlpJsonValues(table.strings)));
    this.values = values;
    this.times = new UnixNsTexts(table.baseUnixNs);
  }

  /** A run of spans of one resource and scope becomes a group of its own, so that their order stays. */
  write(from: number, to: number): string {
    const { resource, scope } = this.table;
    let text = '{"resourceSpans":[';
    let event = firstOf(this.table.events.span, from);
    let link = firstOf(this.table.links.span, from);
    for (let row = from; row < to; row++) {
      const sameResource = row > from && resource[row] === resource[row - 1];
      if (!sameResource)
        text += `${row > from ? "]}]}," : ""}{"resource":${this.resource(resource[row]!)},"scopeSpans":[`;
      const sameScope = sameResource && scope[row] === scope[row - 1];
      if (!sameScope) text += `${sameResource ? "]}," : ""}{"scope":${this.scope(scope[row]!)},"spans":[`;
      else text += ",";
      const events = lastOf(this.table.events.span, event, row);
      const links = lastOf(this.table.links.span, link, row);
      text += this.span(row, event, events, link, links);
      event = events;
      link = links;
    }
    return `${text}]}]}]}\n`;
  }

  private resource(list: number): string {
    return `{"attributes":${this.values.attributes(this.table.resources, list)}}`;
  }

  private scope(name: number): string {
    return name === 0 ? "{}" : `{"name":${this.values.string(name)}}`;
  }

  private span(row: number, event: number, eventEnd: number, link: number, linkEnd: number): string {
    const { table, values, times } = this;
    let text = `{"traceId":"${hexOf(table.traceId, 4 * row, 4)}","spanId":"${hexOf(table.spanId, 2 * row, 2)}"`;
    if (table.parentSpanId[2 * row] !== 0 || table.parentSpanId[2 * row + 1] !== 0)
      text += `,"parentSpanId":"${hexOf(table.parentSpanId, 2 * row, 2)}"`;
    if (table.traceState[row] !== 0) text += `,"traceState":${values.string(table.traceState[row]!)}`;
    text += `,"name":${values.string(table.name[row]!)},"kind":${table.kind[row]}`;
    text += `,"startTimeUnixNano":"${times.at(table.startOffsetNs[row]!)}"`;
    text += `,"endTimeUnixNano":"${times.at(table.endOffsetNs[row]!)}"`;
    text += `,"attributes":${values.attributes(table.attributes, row)}`;
    for (let i = event; i < eventEnd; i++) text += `${i === event ? ',"events":[' : ","}${this.event(i)}`;
    if (event < eventEnd) text += "]";
    for (let i = link; i < linkEnd; i++) text += `${i === link ? ',"links":[' : ","}${this.link(i)}`;
    if (link < linkEnd) text += "]";
    if (table.status[row] !== 0) text += `,"status":{"code":${table.status[row]}}`;
    return `${text}}`;
  }

  private event(row: number): string {
    const { events } = this.table;
    const attributes = this.values.attributes(events.attributes, row);
    const time = this.times.at(events.timeOffsetNs[row]!);
    return `{"timeUnixNano":"${time}","name":${this.values.string(events.name[row]!)},"attributes":${attributes}}`;
  }

  private link(row: number): string {
    const { links } = this.table;
    return `{"traceId":"${hexOf(links.traceId, 4 * row, 4)}","spanId":"${hexOf(links.spanId, 2 * row, 2)}"}`;
  }
}

const valuesOf = new WeakMap<SpanTable, OtlpJsonValues>();

/** First row of an ascending column of owners that belongs to `owner` or one after it. */
function firstOf(owners: Int32Array, owner: number): number {
  let low = 0;
  let high = owners.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (owners[middle]! < owner) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** End of the rows from `at` on that belong to `owner`. */
function lastOf(owners: Int32Array, at: number, owner: number): number {
  let end = at;
  while (end < owners.length && owners[end] === owner) end++;
  return end;
}
