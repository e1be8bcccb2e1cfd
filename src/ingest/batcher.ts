import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import type { Body, BlockMeta, DataMeta, Decoded, DoneMeta } from "./body.ts";
import { Block } from "./block.ts";
import type { Inserted } from "./block-rows.ts";
import { collectGarbage, IdleMemory } from "./idle-memory.ts";
import type { Ledger, Reasons } from "./ledger.ts";
import type { IngestLimits } from "./limits.ts";
import { rebuildRows } from "./rebuild-block.ts";
import { RowPool } from "./row-pool.ts";
import { KEPT_SIGNALS, type KeptSignal, type Signal } from "./signal.ts";
import { isPermanent, type Sink } from "./sink.ts";
import { RecordKind } from "./wal/record.ts";
import type { Wal } from "./wal/wal.ts";

/** A block on its way to the store, under the token by which the store knows it. */
interface Shipment {
  readonly block: Block;
  readonly token: string;
}

const NOTHING = new Uint8Array(0);
const FIRST_RETRY_MS = 100;
const LAST_RETRY_MS = 5000;

/**
 * From requests to blocks to the store.
 *
 * A request is decoded into the open block of its signal and its bytes are appended to the log in the same turn of
 * the event loop, so that rows and records have the same order. A block that is closed gets a token, and a record
 * that says so, before it is inserted: after a crash the same records make the same block with the same
 * token. Blocks that the store does not take are tried again; beyond a few they are only in the log.
 */
export class Batcher {
  private readonly open = new Map<KeptSignal, Block>();
  /** closed, with records that are not synced yet */
  private readonly closing = new Set<Block>();
  private readonly ready: Shipment[] = [];
  private inFlight = 0;
  /** blocks that have been closed and that the store has not got */
  private readonly unsettled = new Set<Block>();
  private flushes: { readonly awaited: Set<Block>; readonly resolve: () => void }[] = [];
  private readonly stopping = new AbortController();
  private readonly pool = new RowPool();
  private readonly idleMemory: IdleMemory;
  private readonly totals: Record<KeptSignal, number> = { traces: 0, metrics: 0, profiles: 0 };
  private readonly ageTimer: NodeJS.Timeout;
  private readonly wal: Wal;
  private readonly ledger: Ledger;
  private readonly sink: Sink;
  private readonly limits: IngestLimits;
  private readonly log: (text: string) => void;

  constructor(parts: {
    wal: Wal;
    ledger: Ledger;
    sink: Sink;
    limits: IngestLimits;
    giveBack: () => void;
    log: (text: string) => void;
  }) {
    this.wal = parts.wal;
    this.ledger = parts.ledger;
    this.sink = parts.sink;
    this.limits = parts.limits;
    this.log = parts.log;
    this.idleMemory = new IdleMemory(this.limits.blockRows, () => this.giveBack(parts.giveBack));
    this.countFromLedger();
    this.ageTimer = setInterval(() => this.closeOld(), Math.max(10, this.limits.blockAgeMs / 4)).unref();
  }

  /**
   * Takes a request. `bytes` is its content after decompression.
   * `written` resolves when it may be acknowledged, and rejects with WalUnavailable. Throws InputError for bad bytes.
   */
  take(body: Body, bytes: Uint8Array): { readonly decoded: Decoded; readonly written: Promise<void> } {
    const { signal, format, encoding, receivedMs, oldestMs, service, instance } = body;
    const block = this.openBlock(signal);
    const decoded = block.decode(body, bytes);
    const { accepted, rejected } = decoded;
    if (accepted === 0) {
      if (Object.keys(rejected).length > 0) this.tally(signal, rejected, receivedMs);
      return { decoded, written: Promise.resolve() };
    }
    this.idleMemory.taken(accepted);
    const total = (this.totals[signal] += accepted);
    const meta: DataMeta = { signal, format, encoding, n: accepted, rejected, total, oldestMs, service, instance };
    const written = new Promise<void>((resolve, reject) => {
      const appended = this.wal.append(RecordKind.data, receivedMs, meta, body.sent, (place) => {
        this.ledger.take(signal, accepted, rejected);
        block.syncedAt(place);
        if (this.closing.has(block)) this.finishIfComplete(block);
      });
      block.wait(appended.seq, accepted, bytes.length);
      appended.written.then(() => resolve(), reject);
    });
    if (block.rows!.rowCount >= this.limits.blockRows || block.bytes >= this.limits.blockBytes) this.close(block);
    return { decoded, written };
  }

  /** A block that an earlier run left: its rows are in the log. */
  adopt(block: Block, token: string | undefined): void {
    this.unsettled.add(block);
    if (token === undefined) void this.announce(block);
    else this.enqueue({ block, token });
  }

  /** To be called when records behind the last synced one are void. */
  dropWaiting(): void {
    for (const block of [...this.open.values(), ...this.closing]) block.dropWaiting();
    this.countFromLedger();
    for (const block of this.closing) this.finishIfComplete(block);
  }

  /** Resolves when the store has all that was acknowledged before, whatever comes meanwhile. */
  async flush(): Promise<void> {
    for (const block of this.open.values()) this.close(block);
    const awaited = new Set(this.unsettled);
    if (awaited.size === 0 || this.stopping.signal.aborted) return;
    await new Promise<void>((resolve) => this.flushes.push({ awaited, resolve }));
  }

  /** Gives up what the store has not got: it stays in the log. */
  abandon(): void {
    clearInterval(this.ageTimer);
    this.stopping.abort();
    for (const { resolve } of this.flushes.splice(0)) resolve();
  }

  /** Blocks that are closed and not yet stored. */
  get backlog(): number {
    return this.unsettled.size;
  }

  private countFromLedger(): void {
    for (const signal of KEPT_SIGNALS) this.totals[signal] = this.ledger.accepted(signal);
  }

  private openBlock(signal: KeptSignal): Block {
    let block = this.open.get(signal);
    if (block === undefined) {
      block = new Block(signal, this.pool.take(signal));
      this.open.set(signal, block);
    }
    return block;
  }

  /** Counts a request of which nothing was taken, also for the next run; its answer does not wait for the disk. */
  tally(signal: Signal, rejected: Reasons, receivedMs: number): void {
    const count = (): void => this.ledger.reject(signal, rejected);
    const meta = { signal, rejected };
    // Where the log cannot be written they are counted all the same, and written with the next snapshot.
    this.wal.append(RecordKind.tally, receivedMs, meta, NOTHING, count).written.catch(count);
  }

  private closeOld(): void {
    const nowMs = performance.now();
    const before = nowMs - this.limits.blockAgeMs;
    for (const block of this.open.values()) if (block.openedMs <= before) this.close(block);
    if (this.pool.dropUnused()) this.idleMemory.dropped(nowMs);
    this.idleMemory.look(nowMs);
  }

  private giveBack(toSystem: () => void): void {
    collectGarbage();
    // V8 frees memory of arrays in a thread of its own, which takes some milliseconds.
    setTimeout(() => {
      try {
        toSystem();
      } catch (error) {
        this.log(`ingest: memory is not given back: ${String(error)}`);
      }
    }, 1000).unref();
  }

  /** The block is only in the log from here on. */
  private release(block: Block): void {
    const rows = block.release();
    if (rows !== undefined) this.pool.giveBack(block.signal, rows);
  }

  private close(block: Block): void {
    this.open.delete(block.signal);
    this.closing.add(block);
    this.unsettled.add(block);
    this.finishIfComplete(block);
  }

  private finishIfComplete(block: Block): void {
    if (!block.isComplete) return;
    this.closing.delete(block);
    if (block.firstSeq < 0) this.settled(block);
    else void this.announce(block);
  }

  /** Writes down what the block is made of, for as long as it takes; only then it may be inserted. */
  private async announce(block: Block): Promise<void> {
    const token = randomUUID();
    const meta: BlockMeta = { token, signal: block.signal, first: block.firstSeq, last: block.lastSeq };
    const written = await this.persist(
      () => this.wal.append(RecordKind.block, Date.now(), meta, NOTHING, () => {}).written,
    );
    if (written) this.enqueue({ block, token });
  }

  private enqueue(shipment: Shipment): void {
    this.ready.push(shipment);
    if (this.ready.length + this.inFlight > this.limits.blocksInMemory) this.release(shipment.block);
    this.pump();
  }

  private pump(): void {
    while (this.inFlight < this.limits.insertsInFlight && this.ready.length > 0 && !this.stopping.signal.aborted) {
      const shipment = this.ready.shift()!;
      this.inFlight++;
      void this.ship(shipment).finally(() => {
        this.inFlight--;
        this.pump();
      });
    }
  }

  private async ship({ block, token }: Shipment): Promise<void> {
    let inserted: Inserted = { stored: 0, dropped: {} };
    const isIn = await this.persist(async () => {
      inserted = await this.insert(block, token);
    });
    if (!isIn) return;
    const { signal } = block;
    const meta: DoneMeta = { token, signal, ...inserted };
    const settle = (): void => this.ledger.settle(signal, inserted.stored, inserted.dropped);
    const written = await this.persist(
      () => this.wal.append(RecordKind.done, Date.now(), meta, NOTHING, settle).written,
    );
    if (!written) return;
    for (const [segment, records] of block.records) segment.outstanding -= records;
    await this.wal.trim();
    this.settled(block);
  }

  private async insert(block: Block, token: string): Promise<Inserted> {
    block.rows ??= await rebuildRows(block, this.pool.take(block.signal), this.wal, this.limits.decompressedBytes);
    const lost = block.items - block.rows.rowCount;
    const damaged: Reasons = lost > 0 ? { "wal-damaged": lost } : {};
    try {
      const { stored, dropped } = await block.rows.insertInto(this.sink, token);
      return { stored, dropped: { ...dropped, ...damaged } };
    } catch (error) {
      if (!isPermanent(error)) throw error;
      this.log(`ingest: the store will not take a block of ${block.rows.rowCount} ${block.signal}: ${String(error)}`);
      return { stored: 0, dropped: { "refused-by-store": block.rows.rowCount, ...damaged } };
    }
  }

  /** Tries until it succeeds; false when this was given up because of `abandon`. */
  private async persist(attempt: () => Promise<unknown>): Promise<boolean> {
    for (let waitMs = FIRST_RETRY_MS; ; waitMs = Math.min(2 * waitMs, LAST_RETRY_MS)) {
      try {
        await attempt();
        return !this.stopping.signal.aborted;
      } catch (error) {
        if (this.stopping.signal.aborted) return false;
        this.log(`ingest: trying again in ${waitMs} ms: ${String(error)}`);
      }
      try {
        await sleep(waitMs, undefined, { signal: this.stopping.signal });
      } catch {
        return false;
      }
    }
  }

  private settled(block: Block): void {
    this.release(block);
    this.unsettled.delete(block);
    for (const { awaited } of this.flushes) awaited.delete(block);
    this.flushes = this.flushes.filter(({ awaited, resolve }) => {
      if (awaited.size === 0) resolve();
      return awaited.size > 0;
    });
  }
}
