import { AttributeType, AttributeTableBuilder, type AttributeTable } from "../../src/model/attribute-table.ts";
import type { SpanTable } from "../../src/model/span-table.ts";
import { unixNs } from "../../src/model/units.ts";

/**
 * The spans of a recording as another run of the same would have sent them: all ids, and the ids in attributes, are
 * others, and it begins at `startUnixNs`. Attribute strings that occur once or twice in the recording are taken for
 * such ids (urls with an id, statements with a literal) and get a suffix; else a store would compress what it has seen before.
 */
export function replayed(table: SpanTable, copy: number, startUnixNs: bigint): SpanTable {
  const mask = Uint32Array.from(
    { length: 4 },
    (_, i) => Math.imul((copy + 1) * 4 + i, 0x9e3779b1) ^ Math.imul(copy + i, 0x85ebca6b),
  );
  const hidden = (column: Uint32Array, words: number): Uint32Array =>
    // A missing parent stays one.
    column.map((word, i) => (word === 0 && (column[i ^ 1] === 0 || words === 4) ? 0 : mix(word ^ mask[i % words]!)));
  let first = Infinity;
  for (const offset of table.startOffsetNs) first = Math.min(first, offset);
  return {
    ...table,
    baseUnixNs: unixNs(startUnixNs - BigInt(first)),
    traceId: hidden(table.traceId, 4),
    spanId: hidden(table.spanId, 2),
    parentSpanId: hidden(table.parentSpanId, 2),
    links: { ...table.links, traceId: hidden(table.links.traceId, 4), spanId: hidden(table.links.spanId, 2) },
    attributes: withOtherIds(table, table.attributes, copy),
  };
}

/** A bijection of 32 bits (murmur3's finaliser): equal ids stay equal, others stay others. */
function mix(word: number): number {
  let hash = word ^ (word >>> 16);
  hash = Math.imul(hash, 0x85ebca6b);
  hash ^= hash >>> 13;
  hash = Math.imul(hash, 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}

const RARE = 2;

function withOtherIds({ strings }: SpanTable, table: AttributeTable, copy: number): AttributeTable {
  const uses = new Int32Array(strings.size);
  for (let row = 0; row < table.key.length; row++)
    if (table.type[row] === AttributeType.string) uses[table.value[row]!]!++;
  const builder = new AttributeTableBuilder();
  const renamed = new Map<number, number>();
  for (let list = 0; list < table.listCount; list++) {
    for (let row = table.listStart[list]!; row < table.listStart[list + 1]!; row++) {
      let value = table.value[row]!;
      if (table.type[row] === AttributeType.string && uses[value]! <= RARE) {
        if (!renamed.has(value))
          renamed.set(
            value,
            strings.intern(
              `${strings.get(value).slice(0, -4)}${(mix(copy * 7919 + value) >>> 4).toString(36).slice(0, 6)}`,
            ),
          );
        value = renamed.get(value)!;
      }
      builder.add(table.key[row]!, table.type[row]! as AttributeType, value);
    }
    builder.closeList();
  }
  return builder.finish();
}
