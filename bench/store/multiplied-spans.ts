import type { Link } from "../../src/store/connection.ts";
import { SPAN_COLUMNS } from "../../src/store/native/span-block.ts";

/** So much time is one copy: as long as the spans that are copied. */
export interface Source {
  readonly fromUnixNs: bigint;
  readonly toUnixNs: bigint;
}

/**
 * Multiplies the spans of `source` within the engine: copy `i` of `copies` lies i lengths of the source before it, and all ids
 * are others. It goes the way of any insert, so that rollups and search copies are made of it; only the way from the
 * sender to the engine is left out. Names, attributes and durations are those of the source: what repeats does so
 * more than a system's own spans would.
 */
export async function multiplySpans(link: Link, source: Source, copies: number): Promise<void> {
  const length = source.toUnixNs - source.fromUnixNs;
  for (let copy = 1; copy <= copies; copy++) {
    const mask = (bits: number): string =>
      `reinterpretAsUInt${bits}(toFixedString(substring(MD5('${copy} of ${bits}'), 1, ${bits / 8}), ${bits / 8}))`;
    const other = (column: string, bits: number): string =>
      `if(${column} = toFixedString('', ${bits / 8}), ${column}, reinterpretAsFixedString(bitXor(reinterpretAsUInt${bits}(${column}), ${mask(bits)})))`;
    const values: Readonly<Record<string, string>> = {
      trace_id: other("trace_id", 128),
      span_id: other("span_id", 64),
      parent_id: other("parent_id", 64),
      start: `start - toIntervalNanosecond(${length * BigInt(copy)})`,
    };
    await link.command(
      `INSERT INTO longpole.spans (${SPAN_COLUMNS.join(", ")}) SELECT ${SPAN_COLUMNS.map((column) => values[column] ?? column).join(", ")} ` +
        `FROM longpole.spans WHERE start >= fromUnixTimestamp64Nano(${source.fromUnixNs}) AND start < fromUnixTimestamp64Nano(${source.toUnixNs})`,
      {
        settings: {
          max_insert_threads: 1,
          max_block_size: 131072,
          min_insert_block_size_rows: 131072,
          max_partitions_per_insert_block: 0,
        },
      },
    );
  }
}
