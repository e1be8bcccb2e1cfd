import { AttributeType, type AttributeTable, type AttributeTableBuilder } from "../model/attribute-table.ts";
import type { SpanTable } from "../model/span-table.ts";
import { SpanTableBuilder } from "../model/span-table-builder.ts";
import type { StringPool } from "../model/string-pool.ts";

/** The spans of several tables in one, in this order; events and links are left out. Times keep their place. */
export function joinedTables(...tables: readonly SpanTable[]): SpanTable {
  const builder = new SpanTableBuilder();
  const { strings } = builder;
  for (const table of tables) {
    const text = (id: number): number => strings.intern(table.strings.get(id));
    const resources = Int32Array.from({ length: table.resources.listCount }, (_, list) => {
      copyList(table.resources, table.strings, list, builder.resources, strings);
      return builder.resources.closeList();
    });
    for (let row = 0; row < table.rowCount; row++) {
      builder.begin(resources[table.resource[row]!]!, text(table.scope[row]!));
      const at = builder.open;
      const write = (words: Uint32Array, offset: number): void => {
        const unixNs = table.baseUnixNs + BigInt(Math.round(offset));
        words[2 * at] = Number(unixNs >> 32n);
        words[2 * at + 1] = Number(unixNs & 0xffffffffn);
      };
      write(builder.startWords, table.startOffsetNs[row]!);
      write(builder.endWords, table.endOffsetNs[row]!);
      builder.traceId.set(table.traceId.subarray(4 * row, 4 * row + 4), 4 * at);
      builder.spanId.set(table.spanId.subarray(2 * row, 2 * row + 2), 2 * at);
      builder.parentSpanId.set(table.parentSpanId.subarray(2 * row, 2 * row + 2), 2 * at);
      builder.kind[at] = table.kind[row]!;
      builder.status[at] = table.status[row]!;
      builder.name[at] = text(table.name[row]!);
      builder.traceState[at] = text(table.traceState[row]!);
      copyList(table.attributes, table.strings, row, builder.attributes, strings);
      builder.commit();
    }
  }
  return builder.finish().table;
}

function copyList(
  from: AttributeTable,
  fromStrings: StringPool,
  list: number,
  to: AttributeTableBuilder,
  strings: StringPool,
): void {
  for (let i = from.listStart[list]!; i < from.listStart[list + 1]!; i++) {
    const type = from.type[i]! as AttributeType;
    const isNumber = type === AttributeType.number || type === AttributeType.boolean;
    const value = isNumber ? from.value[i]! : strings.intern(fromStrings.get(from.value[i]!));
    to.add(strings.intern(fromStrings.get(from.key[i]!)), type, value);
  }
}
