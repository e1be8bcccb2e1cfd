import { AttributeType, type AttributeTable } from "../model/attribute-table.ts";
import { idHex, spanIdHex, traceIdHex, type SpanTable } from "../model/span-table.ts";

export type AttributeObject = { [key: string]: string | number | boolean | { json: unknown } };

/** A span as an object, for comparing tables with what a test expects. */
export interface SpanObject {
  traceId: string;
  spanId: string;
  /** "" for none */
  parentSpanId: string;
  name: string;
  kind: number;
  status: number;
  startUnixNs: bigint;
  endUnixNs: bigint;
  scope: string;
  traceState: string;
  attributes: AttributeObject;
  resource: AttributeObject;
  events: { unixNs: bigint; name: string; attributes: AttributeObject }[];
  links: { traceId: string; spanId: string }[];
}

/** All spans of a table in its order. Of attributes given twice the last one counts. */
export function spanObjects(table: SpanTable): SpanObject[] {
  const { strings } = table;
  const unixNs = (offset: number): bigint => table.baseUnixNs + BigInt(offset);
  const spans = Array.from({ length: table.rowCount }, (_, row): SpanObject => {
    const parent = idHex(table.parentSpanId, 2 * row, 2);
    return {
      traceId: traceIdHex(table, row),
      spanId: spanIdHex(table, row),
      parentSpanId: parent === "0000000000000000" ? "" : parent,
      name: strings.get(table.name[row]!),
      kind: table.kind[row]!,
      status: table.status[row]!,
      startUnixNs: unixNs(table.startOffsetNs[row]!),
      endUnixNs: unixNs(table.endOffsetNs[row]!),
      scope: strings.get(table.scope[row]!),
      traceState: strings.get(table.traceState[row]!),
      attributes: attributeObject(table, table.attributes, row),
      resource: attributeObject(table, table.resources, table.resource[row]!),
      events: [],
      links: [],
    };
  });
  const { events, links } = table;
  for (let i = 0; i < events.rowCount; i++) {
    spans[events.span[i]!]!.events.push({
      unixNs: unixNs(events.timeOffsetNs[i]!),
      name: strings.get(events.name[i]!),
      attributes: attributeObject(table, events.attributes, i),
    });
  }
  for (let i = 0; i < links.rowCount; i++) {
    spans[links.span[i]!]!.links.push({
      traceId: idHex(links.traceId, 4 * i, 4),
      spanId: idHex(links.spanId, 2 * i, 2),
    });
  }
  return spans;
}

function attributeObject(table: SpanTable, attributes: AttributeTable, list: number): AttributeObject {
  const object: AttributeObject = Object.create(null) as AttributeObject;
  for (let row = attributes.listStart[list]!; row < attributes.listStart[list + 1]!; row++) {
    const value = attributes.value[row]!;
    const key = table.strings.get(attributes.key[row]!);
    switch (attributes.type[row]) {
      case AttributeType.number:
        object[key] = value;
        break;
      case AttributeType.boolean:
        object[key] = value === 1;
        break;
      case AttributeType.json:
        object[key] = { json: JSON.parse(table.strings.get(value)) as unknown };
        break;
      default:
        object[key] = table.strings.get(value);
    }
  }
  return { ...object };
}
