import type { BlockMeta, DataMeta, DoneMeta, VoidMeta } from "../body.ts";
import { Ledger, type LedgerCounts, type Reasons, sumOf } from "../ledger.ts";
import { KEPT_SIGNALS, type KeptSignal, type Signal } from "../signal.ts";
import { HEADER_BYTES, parseMeta, RecordKind, type WalRecord } from "./record.ts";
import { listSegments, readSegment, type Segment } from "./segment.ts";
import type { Place } from "./wal.ts";

/** A data record that is in the log. */
export interface Held {
  readonly seq: number;
  readonly items: number;
  readonly bytes: number;
  readonly place: Place;
}

export interface Recovered {
  readonly segments: Segment[];
  readonly nextSeq: number;
  readonly ledger: Ledger;
  /** blocks that were closed and that the store may have or not, the oldest first, with what they are made of */
  readonly blocks: { readonly token: string; readonly signal: KeptSignal; readonly records: readonly Held[] }[];
  /** data records that no block holds yet */
  readonly loose: Record<KeptSignal, Held[]>;
  readonly voids: VoidMeta[];
  /** stretches that hold no sound record, and their bytes */
  readonly damage: { places: number; bytes: number };
}

/**
 * Reads the log of an earlier run. Never throws for what the bytes of a segment are: damaged stretches are passed
 * over and counted, and what they held is told in the ledger as dropped (`wal-damaged`), as far as later
 * records and snapshots show how much that was.
 */
export function recoverWal(dir: string, log: (text: string) => void): Recovered {
  const reader = new LogReader();
  const segments = listSegments(dir);
  const damage = { places: 0, bytes: 0 };
  for (const segment of segments) {
    const found = readSegment(segment, 0, (record, offset) => reader.take(record, offset, segment));
    if (found.places > 0)
      log(`ingest: ${segment.path}: ${found.bytes} bytes in ${found.places} places hold no sound record`);
    damage.places += found.places;
    damage.bytes += found.bytes;
  }
  return { segments, damage, ...reader.finish() };
}

class LogReader {
  private readonly ledger = new Ledger();
  private readonly held: Record<KeptSignal, Held[]> = { traces: [], metrics: [], profiles: [] };
  private readonly accepted: Record<KeptSignal, number> = { traces: 0, metrics: 0, profiles: 0 };
  private readonly blocks: BlockMeta[] = [];
  private readonly done = new Set<string>();
  private readonly voids: VoidMeta[] = [];
  private lastSeq = 0;

  take({ kind, seq, meta, body }: WalRecord, offset: number, segment: Segment): void {
    const end = offset + HEADER_BYTES + meta.length + body.length;
    this.lastSeq = Math.max(this.lastSeq, seq);
    switch (kind) {
      case RecordKind.data:
        return this.data(parseMeta<DataMeta>(meta), seq, body.length, { segment, start: offset, end });
      case RecordKind.block:
        this.blocks.push(parseMeta<BlockMeta>(meta));
        return;
      case RecordKind.done: {
        const { token, signal, stored, dropped } = parseMeta<DoneMeta>(meta);
        this.done.add(token);
        this.ledger.settle(signal, stored, dropped);
        return;
      }
      case RecordKind.void: {
        const range = parseMeta<VoidMeta>(meta);
        this.voids.push(range);
        this.lastSeq = Math.max(this.lastSeq, range.to);
        return;
      }
      case RecordKind.ledger:
        this.ledger.restore(parseMeta<LedgerCounts>(meta));
        for (const signal of KEPT_SIGNALS) this.accepted[signal] = this.ledger.accepted(signal);
        return;
      case RecordKind.tally: {
        const { signal, rejected } = parseMeta<{ signal: Signal; rejected: Reasons }>(meta);
        this.ledger.reject(signal, rejected);
        return;
      }
    }
  }

  private data(meta: DataMeta, seq: number, bytes: number, place: Place): void {
    const { signal, n, rejected, total } = meta;
    this.held[signal].push({ seq, items: n, bytes, place });
    // More than was counted so far: what stood in between is damaged.
    this.accepted[signal] = Math.max(this.accepted[signal] + n, total);
    this.ledger.reject(signal, rejected);
  }

  finish(): Omit<Recovered, "segments" | "damage"> {
    const { ledger, voids } = this;
    const isVoid = (seq: number): boolean => voids.some(({ from, to }) => seq >= from && seq <= to);
    const blocks: Recovered["blocks"][number][] = [];
    const loose: Record<KeptSignal, Held[]> = { traces: [], metrics: [], profiles: [] };
    for (const signal of KEPT_SIGNALS) {
      const held = this.held[signal].filter(({ seq }) => !isVoid(seq));
      const metas = this.blocks.filter((block) => block.signal === signal).toSorted((a, b) => a.first - b.first);
      const { inBlock, rest } = split(held, metas);
      loose[signal] = rest;
      for (const [i, { token }] of metas.entries()) {
        if (!this.done.has(token) && inBlock[i]!.length > 0) blocks.push({ token, signal, records: inBlock[i]! });
      }
      const pending = [...blocks.filter((block) => block.signal === signal).flatMap(({ records }) => records), ...rest];
      for (const { place } of pending) place.segment.outstanding++;
      this.reconcile(
        signal,
        pending.reduce((sum, { items }) => sum + items, 0),
      );
    }
    blocks.sort((a, b) => a.records[0]!.seq - b.records[0]!.seq);
    return { ledger, blocks, loose, voids, nextSeq: this.lastSeq + 1 };
  }

  /** `found` items are in the log. What was accepted and is neither there nor settled is lost. */
  private reconcile(signal: KeptSignal, found: number): void {
    const counts = this.ledger.counts.signals[signal];
    const settled = counts.stored + sumOf(counts.dropped);
    // More than was ever accepted: the snapshot that says so is damaged.
    const accepted = Math.max(this.accepted[signal], settled + found);
    counts.received = accepted + sumOf(counts.rejected);
    counts.inWal = accepted - settled;
    const lost = counts.inWal - found;
    if (lost > 0) this.ledger.settle(signal, 0, { "wal-damaged": lost });
  }
}

/** Records by the block that holds them; both ascending. */
function split(held: readonly Held[], blocks: readonly BlockMeta[]): { inBlock: Held[][]; rest: Held[] } {
  const inBlock: Held[][] = blocks.map(() => []);
  const rest: Held[] = [];
  let at = 0;
  for (const record of held) {
    while (at < blocks.length && blocks[at]!.last < record.seq) at++;
    const block = blocks[at];
    if (block !== undefined && record.seq >= block.first) inBlock[at]!.push(record);
    else rest.push(record);
  }
  return { inBlock, rest };
}
