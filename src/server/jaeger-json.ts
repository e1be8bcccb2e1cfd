import { AttributeType, attributeText, type AttributeTable } from "../model/attribute-table.ts";
import { SpanKind, SpanStatus, spanIdHex, traceIdHex, type SpanTable } from "../model/span-table.ts";

interface Tag {
  readonly key: string;
  readonly type: "string" | "bool" | "int64" | "float64";
  readonly value: string | number | boolean;
}

export interface JaegerTrace {
  readonly traceID: string;
  readonly spans: readonly object[];
  readonly processes: Readonly<Record<string, object>>;
  readonly warnings: null;
}

const KIND_TAG: Readonly<Record<number, string>> = {
  [SpanKind.internal]: "internal",
  [SpanKind.server]: "server",
  [SpanKind.client]: "client",
  [SpanKind.producer]: "producer",
  [SpanKind.consumer]: "consumer",
};

/**
 * The traces of a table as Jaeger's query API has them (microseconds; attributes as tags, the resource as process), in the
 * order of their first rows. Kind, scope and errors become the tags that Jaeger itself makes of them.
 */
export function jaegerTraces(table: SpanTable): JaegerTrace[] {
  const rows = new Map<string, number[]>();
  for (let row = 0; row < table.rowCount; row++) {
    const id = traceIdHex(table, row);
    const held = rows.get(id);
    if (held === undefined) rows.set(id, [row]);
    else held.push(row);
  }
  const events = rowsByOwner(table.events.span, table.rowCount);
  const links = rowsByOwner(table.links.span, table.rowCount);
  return [...rows].map(([traceID, of]) => {
    const processes = new Processes(table);
    const spans = of.map((row) =>
      spanOf(table, row, traceID, processes.idOf(table.resource[row]!), events(row), links(row)),
    );
    return { traceID, spans, processes: processes.byId, warnings: null };
  });
}

/** The processes of a trace, each once: equal resources may occur more than once in a table. */
class Processes {
  readonly byId: Record<string, object> = {};
  private readonly table: SpanTable;
  private readonly ofResource = new Map<number, string>();
  private readonly ofText = new Map<string, string>();

  constructor(table: SpanTable) {
    this.table = table;
  }

  idOf(resource: number): string {
    let id = this.ofResource.get(resource);
    if (id !== undefined) return id;
    const process = processOf(this.table, resource);
    const text = JSON.stringify(process);
    id = this.ofText.get(text) ?? `p${this.ofText.size + 1}`;
    this.ofText.set(text, id);
    this.ofResource.set(resource, id);
    this.byId[id] = process;
    return id;
  }
}

function spanOf(
  table: SpanTable,
  row: number,
  traceID: string,
  processID: string,
  events: readonly number[],
  links: readonly number[],
): object {
  const { strings } = table;
  const parent = hexOrEmpty(table.parentSpanId, row);
  const references = [
    ...(parent === "" ? [] : [{ refType: "CHILD_OF", traceID, spanID: parent }]),
    ...links.map((link) => ({
      refType: "FOLLOWS_FROM",
      traceID: traceIdHex(table.links, link),
      spanID: spanIdHex(table.links, link),
    })),
  ];
  const kind = KIND_TAG[table.kind[row]!];
  const scope = strings.get(table.scope[row]!);
  const isError = table.status[row] === SpanStatus.error;
  return {
    traceID,
    spanID: spanIdHex(table, row),
    operationName: strings.get(table.name[row]!),
    references,
    startTime: microseconds(table, table.startOffsetNs[row]!),
    duration: Math.max(0, Math.round((table.endOffsetNs[row]! - table.startOffsetNs[row]!) / 1e3)),
    tags: [
      ...tagsOf(table, table.attributes, row),
      ...(kind === undefined ? [] : [text("span.kind", kind)]),
      ...(scope === "" ? [] : [text("otel.scope.name", scope)]),
      ...(isError ? [text("otel.status_code", "ERROR"), { key: "error", type: "bool", value: true } as const] : []),
    ],
    logs: events.map((event) => ({
      timestamp: microseconds(table, table.events.timeOffsetNs[event]!),
      fields: [text("event", strings.get(table.events.name[event]!)), ...tagsOf(table, table.events.attributes, event)],
    })),
    processID,
    warnings: null,
  };
}

function processOf(table: SpanTable, resource: number): object {
  const tags = tagsOf(table, table.resources, resource);
  const name = tags.find(({ key }) => key === "service.name")?.value ?? "unknown_service";
  return { serviceName: String(name), tags: tags.filter(({ key }) => key !== "service.name") };
}

function tagsOf(table: SpanTable, lists: AttributeTable, list: number): Tag[] {
  const tags: Tag[] = [];
  for (let row = lists.listStart[list]!; row < lists.listStart[list + 1]!; row++) {
    const key = table.strings.get(lists.key[row]!);
    const value = lists.value[row]!;
    if (lists.type[row] === AttributeType.boolean) tags.push({ key, type: "bool", value: value === 1 });
    else if (lists.type[row] === AttributeType.number)
      tags.push(
        Number.isFinite(value)
          ? { key, type: Number.isInteger(value) ? "int64" : "float64", value }
          : text(key, String(value)),
      );
    else tags.push(text(key, attributeText(lists, table.strings, row)));
  }
  return tags;
}

const text = (key: string, value: string): Tag => ({ key, type: "string", value });

/** Whole microseconds since 1970 fit a double until the year 2255. */
const microseconds = (table: SpanTable, offsetNs: number): number =>
  Number((table.baseUnixNs + BigInt(Math.round(offsetNs))) / 1000n);

function hexOrEmpty(ids: Uint32Array, row: number): string {
  if (ids[2 * row] === 0 && ids[2 * row + 1] === 0) return "";
  return spanIdHex({ spanId: ids }, row);
}

function rowsByOwner(owners: Int32Array, count: number): (owner: number) => readonly number[] {
  const rows: (number[] | undefined)[] = Array.from({ length: count });
  for (let i = 0; i < owners.length; i++) (rows[owners[i]!] ??= []).push(i);
  return (owner) => rows[owner] ?? [];
}
