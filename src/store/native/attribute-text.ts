import { type AttributeSink, type AttributeTable, AttributeType } from "../../model/attribute-table.ts";
import type { StringPool } from "../../model/string-pool.ts";

/**
 * A list of attributes as JSON text `[key, type, value, key, type, value, ...]`, exact and in order: for what is
 * told apart as a whole (resources, label sets) or seldom read (events). Numbers that JSON does not have are text.
 */
export function attributeItems(table: AttributeTable, list: number, strings: StringPool): (string | number)[] {
  const items: (string | number)[] = [];
  for (let row = table.listStart[list]!; row < table.listStart[list + 1]!; row++) {
    const type = table.type[row]!;
    const value = table.value[row]!;
    const isText = type === AttributeType.string || type === AttributeType.json;
    items.push(strings.get(table.key[row]!), type, isText ? strings.get(value) : jsonNumber(value));
  }
  return items;
}

/** Adds what `attributeItems` gave to `sink`. */
export function addAttributeItems(items: readonly (string | number)[], sink: AttributeSink, strings: StringPool): void {
  for (let i = 0; i + 2 < items.length; i += 3) {
    const type = Number(items[i + 1]) as AttributeType;
    const value = items[i + 2]!;
    const isText = type === AttributeType.string || type === AttributeType.json;
    sink.add(strings.intern(String(items[i])), type, isText ? strings.intern(String(value)) : numberOf(value));
  }
}

/** A number for JSON, by which `numberOf` finds it again. */
export function jsonNumber(value: number): number | string {
  if (Object.is(value, -0)) return "-0";
  return Number.isFinite(value) ? value : String(value);
}

export function numberOf(value: number | string): number {
  return Number(value);
}
