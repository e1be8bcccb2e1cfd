import { open } from "node:fs/promises";
import { InputError } from "../model/intake.ts";
import type { Block } from "./block.ts";
import type { BlockRows } from "./block-rows.ts";
import type { DataMeta } from "./body.ts";
import { inflated } from "./inflate.ts";
import { parseMeta, RecordKind, scanSegment } from "./wal/record.ts";
import type { Segment } from "./wal/segment.ts";
import type { Wal } from "./wal/wal.ts";

interface Stored {
  readonly meta: DataMeta;
  readonly receivedMs: number;
  readonly sent: Uint8Array;
}

/**
 * Fills `rows`, which are empty, from the log with those of a block, the same as when it was built from the requests.
 * Records that are damaged are missing: `rowCount` is below the block's `items` by what they held.
 */
export async function rebuildRows(
  block: Block,
  rows: BlockRows,
  wal: Pick<Wal, "isVoid">,
  limit: number,
): Promise<BlockRows> {
  // The block's own list: that of the log changes while this waits for the disk.
  for (const segment of block.records.keys()) {
    for (const { meta, receivedMs, sent } of await recordsOf(block, segment, wal)) {
      const bytes = await inflated(sent, meta.encoding, limit);
      try {
        rows.decode({ ...meta, receivedMs }, bytes);
      } catch (error) {
        // It could be decoded when it came and its sum is right: with another version of the decoder it cannot.
        if (!(error instanceof InputError)) throw error;
      }
    }
  }
  return rows;
}

async function recordsOf(block: Block, segment: Segment, wal: Pick<Wal, "isVoid">): Promise<Stored[]> {
  const from = segment === block.first!.segment ? block.first!.start : 0;
  const to = segment === block.last!.segment ? block.last!.end : segment.size;
  const bytes = Buffer.allocUnsafe(to - from);
  const file = await open(segment.path, "r");
  try {
    await file.read(bytes, 0, bytes.length, from);
  } finally {
    await file.close();
  }
  const found: Stored[] = [];
  scanSegment(bytes, segment.salt, 0, ({ kind, seq, meta: text, body: sent, receivedMs }) => {
    if (kind !== RecordKind.data || seq < block.firstSeq || seq > block.lastSeq || wal.isVoid(seq)) return;
    const meta = parseMeta<DataMeta>(text);
    if (meta.signal === block.signal) found.push({ meta, receivedMs, sent });
  });
  return found;
}
