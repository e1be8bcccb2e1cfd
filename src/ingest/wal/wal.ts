import { dirname } from "node:path";
import type { VoidMeta } from "../body.ts";
import type { PhaseTimes } from "../phases.ts";
import type { WalFiles } from "./wal-files.ts";
import { encodeHeader, HEADER_BYTES, RecordKind, type WalRecord } from "./record.ts";
import { newSegment, type Segment } from "./segment.ts";
import { type OpenSegment, SpareSegment } from "./spare-segment.ts";

export type RefusalReason = "disk-full" | "disk-failing" | "wal-full" | "stopping";

/** The log cannot take a record now. Nothing of it was acknowledged, and it may be sent again. */
export class WalUnavailable extends Error {
  override readonly name: string = "WalUnavailable";
  readonly reason: RefusalReason;

  constructor(reason: RefusalReason, detail: string) {
    super(detail);
    this.reason = reason;
  }
}

/** Where a record stands: bytes `[start, end)` of a segment. */
export interface Place {
  readonly segment: Segment;
  readonly start: number;
  readonly end: number;
}

export interface WalOptions {
  readonly dir: string;
  readonly files: WalFiles;
  /** a segment is ended at this size, or at twice as much where the next is not ready */
  readonly segmentBytes: number;
  /** data is refused when all segments together are larger */
  readonly walBytes: number;
  /** data is refused when the disk has less room; control records may use it */
  readonly minFreeBytes: number;
  /** after a failure, data is refused for so long without trying the disk; free space is looked at as often */
  readonly pauseMs: number;
  /** what was found in `dir`; none of it is written to again */
  readonly segments: readonly Segment[];
  readonly nextSeq: number;
  /** numbers that were void already */
  readonly voids: readonly VoidMeta[];
  /** meta of the ledger record with which each segment begins: all counts of the records before */
  readonly snapshot: () => unknown;
  /** Called before the records behind the last synced one are refused, all of which are void. */
  readonly onVoid: () => void;
  /** told how long records wait, and how long writing and syncing take */
  readonly phases: PhaseTimes;
  readonly log: (text: string) => void;
}

interface Pending {
  readonly record: WalRecord;
  readonly sinceMs: number;
  readonly apply: (place: Place) => void;
  readonly resolve: (place: Place) => void;
  readonly reject: (error: WalUnavailable) => void;
}

/** Bytes that are written and synced at once; more wait for the next round. */
const GROUP_BYTES = 16 * 2 ** 20;

/**
 * With so many bytes in a segment the next is made ahead, or with a sixteenth of what a segment may have: who receives
 * next to nothing writes no zeros.
 */
const AHEAD_FROM_BYTES = 2 ** 20;

/**
 * An append-only log with group commit: all that waits is written with one call and
 * synced with one fdatasync, and only then told to be written. While that is under way the
 * next group gathers, so that the groups grow with the load and the syncs per second do not.
 *
 * After a failed write or sync nobody knows what is on the disk: everything behind the last
 * sync is void and refused, the segment is cut there and never written again, and the
 * next one says which numbers are void, in case the cut does not last.
 */
export class Wal {
  /** the oldest first; the last may be the one being written */
  readonly segments: Segment[];
  private syncedSeq: number;
  private nextSeq: number;
  private active: OpenSegment | undefined;
  /** made ahead, or tried to, since the present segment was begun */
  private spare: SpareSegment | undefined;
  /** number of the newest segment */
  private lastId: number;
  /** files that are being closed */
  private closing: Promise<void> = Promise.resolve();
  private pending: Pending[] = [];
  private pendingBytes = 0;
  private readonly voids: VoidMeta[];
  /** how many of `voids` are written down */
  private voidsTold: number;
  private running: Promise<void> | undefined;
  private trimming = false;
  private pausedUntilMs = 0;
  private failure: WalUnavailable | undefined;
  private freeBytes = Number.POSITIVE_INFINITY;
  private readonly freeSpaceTimer: NodeJS.Timeout;
  private readonly options: WalOptions;

  constructor(options: WalOptions) {
    this.options = options;
    this.segments = [...options.segments];
    this.lastId = this.segments.at(-1)?.id ?? 0;
    this.nextSeq = options.nextSeq;
    this.syncedSeq = options.nextSeq - 1;
    this.voids = [...options.voids];
    this.voidsTold = this.voids.length;
    this.freeSpaceTimer = setInterval(() => void this.lookAtFreeSpace(), options.pauseMs).unref();
  }

  /** Why data of this size would be refused now; undefined when it would not. */
  refusal(bytes: number): WalUnavailable | undefined {
    const { walBytes, minFreeBytes } = this.options;
    if (this.failure !== undefined && performance.now() < this.pausedUntilMs) return this.failure;
    if (this.bytes + this.pendingBytes + bytes > walBytes)
      return new WalUnavailable("wal-full", `the log has reached its budget of ${walBytes} bytes`);
    if (this.freeBytes - bytes < minFreeBytes)
      return new WalUnavailable("disk-full", `${this.freeBytes} bytes are free where ${minFreeBytes} shall stay free`);
    return undefined;
  }

  /** Whether the record of this number, where it is found in a segment, was never acknowledged. */
  isVoid(seq: number): boolean {
    return this.voids.some(({ from, to }) => seq >= from && seq <= to);
  }

  /** Size of all segments, without what is reserved. */
  get bytes(): number {
    return this.segments.reduce((sum, segment) => sum + segment.size, 0);
  }

  /** Zeros that were written ahead, and no record has taken their place. */
  get reservedBytes(): number {
    const { active, spare } = this;
    const own = active === undefined ? 0 : Math.max(0, active.reserved - active.segment.size);
    return own + (spare?.bytes ?? 0);
  }

  /**
   * Adds a record. `written` resolves when it is on the disk, after `apply` was called, in the
   * order of the records; it rejects with WalUnavailable when the record is void.
   */
  append(
    kind: RecordKind,
    receivedMs: number,
    meta: unknown,
    body: Uint8Array,
    apply: (place: Place) => void,
  ): { readonly seq: number; readonly written: Promise<Place> } {
    const seq = this.nextSeq++;
    const record: WalRecord = { kind, seq, receivedMs, meta: Buffer.from(JSON.stringify(meta)), body };
    const written = new Promise<Place>((resolve, reject) => {
      this.pending.push({ record, sinceMs: performance.now(), apply, resolve, reject });
    });
    this.pendingBytes += sizeOf(record);
    this.running ??= this.run();
    return { seq, written };
  }

  /** Removes the oldest segments of which the store has all; not the last one, which holds the counts. */
  async trim(): Promise<void> {
    if (this.trimming || this.active === undefined) return;
    this.trimming = true;
    const { files, dir, log } = this.options;
    try {
      let removed = false;
      while (this.segments.length > 0 && this.segments[0]!.outstanding === 0) {
        const oldest = this.segments[0]!;
        // Between two segments the last one is the only one that holds the counts.
        if (this.active === undefined || oldest === this.active.segment) break;
        await files.remove(oldest.path);
        this.segments.shift();
        removed = true;
      }
      if (removed) await files.syncFolder(dir);
    } catch (error) {
      // It stays until the next time: what is done is passed over when the log is read again.
      log(`ingest: cannot remove a segment of the log: ${String(error)}`);
    } finally {
      this.trimming = false;
    }
  }

  /** Resolves when all that was appended is on the disk or refused. */
  async idle(): Promise<void> {
    while (this.running !== undefined) await this.running;
  }

  /** Waits for what was appended, then closes the file. Nothing may be appended afterwards. */
  async close(): Promise<void> {
    clearInterval(this.freeSpaceTimer);
    await this.idle();
    this.retire();
    await this.spare?.drop();
    await this.closing;
  }

  private async run(): Promise<void> {
    // What comes in this turn of the event loop belongs to the first group.
    await new Promise(setImmediate);
    while (this.pending.length > 0) {
      const group = this.nextGroup();
      try {
        const places = await this.write(group);
        this.failure = undefined;
        for (const [i, item] of group.entries()) {
          item.apply(places[i]!);
          item.resolve(places[i]!);
        }
        this.makeAhead();
      } catch (error) {
        await this.fail(group, error);
      }
    }
    this.running = undefined;
  }

  private nextGroup(): Pending[] {
    let bytes = 0;
    let count = 0;
    while (count < this.pending.length && (count === 0 || bytes < GROUP_BYTES)) {
      bytes += sizeOf(this.pending[count++]!.record);
    }
    this.pendingBytes -= bytes;
    return this.pending.splice(0, count);
  }

  /** Writes and syncs a group; all of it goes into one segment. */
  private async write(group: readonly Pending[]): Promise<Place[]> {
    const { files, phases } = this.options;
    const size = group.reduce((sum, { record }) => sum + sizeOf(record), 0);
    if (this.isAtEnd(size)) this.retire();
    this.active ??= await this.begin();
    const { segment, fd } = this.active;
    for (const { record, sinceMs } of group) if (record.kind === RecordKind.data) phases.since("wait", sinceMs);
    const buffers = group.flatMap(({ record }) => [encodeHeader(record, segment.salt), record.meta, record.body]);
    const startMs = performance.now();
    await files.write(fd, buffers, segment.size);
    const writtenMs = phases.since("write", startMs);
    await files.sync(fd);
    phases.since("sync", writtenMs);
    const places: Place[] = [];
    for (const { record } of group) {
      const start = segment.size;
      segment.size += sizeOf(record);
      if (record.kind === RecordKind.data) segment.outstanding++;
      places.push({ segment, start, end: segment.size });
    }
    this.syncedSeq = group.at(-1)!.record.seq;
    return places;
  }

  /** Whether the next group begins a segment: one that grows is left as soon as there is one that was made ahead. */
  private isAtEnd(size: number): boolean {
    const { active, spare } = this;
    if (active === undefined) return false;
    if (active.reserved === 0 && spare?.isReady === true) return true;
    const { segmentBytes } = this.options;
    // A disk that is slow to take the zeros has them not in vain: this one may grow meanwhile.
    return active.segment.size + size > (spare?.isFilling() === true ? 2 * segmentBytes : segmentBytes);
  }

  /** Closes the present segment, without the zeros that are left. Nothing waits for it: its records are on the disk. */
  private retire(): void {
    const { active } = this;
    this.active = undefined;
    if (active !== undefined) this.closing = this.closing.then(() => this.shut(active));
  }

  private async shut({ segment, fd, reserved }: OpenSegment): Promise<void> {
    const { files, log } = this.options;
    try {
      if (reserved > segment.size) await files.truncate(fd, segment.size);
    } catch (error) {
      log(`ingest: zeros are left in ${segment.path}: ${String(error)}`);
    }
    await files.close(fd).catch((error: unknown) => log(`ingest: ${String(error)}`));
  }

  /** Has the next segment made while this one is written, where there is room for it; tried once a segment. */
  private makeAhead(): void {
    const { dir, files, segmentBytes, minFreeBytes, log } = this.options;
    if (this.active === undefined || this.spare !== undefined) return;
    if (this.active.segment.size < Math.min(AHEAD_FROM_BYTES, segmentBytes / 16)) return;
    if (this.freeBytes - segmentBytes < minFreeBytes) return;
    this.spare = new SpareSegment(newSegment(dir, ++this.lastId), segmentBytes, files, log);
  }

  /** The next segment, with the counts so far and the numbers that are void. */
  private async begin(): Promise<OpenSegment> {
    const { files, snapshot } = this.options;
    const opened = await this.nextFile();
    const { segment, fd } = opened;
    try {
      const metas: [RecordKind, unknown][] = [[RecordKind.ledger, snapshot()]];
      for (const range of this.voids.slice(this.voidsTold)) metas.push([RecordKind.void, range]);
      const records = metas.map(([kind, meta]): WalRecord => {
        const bytes = Buffer.from(JSON.stringify(meta));
        return { kind, seq: this.syncedSeq, receivedMs: Date.now(), meta: bytes, body: NOTHING };
      });
      await files.write(
        fd,
        records.flatMap((record) => [encodeHeader(record, segment.salt), record.meta]),
        0,
      );
      await files.sync(fd);
      // The name of one that was made ahead is on the disk.
      if (opened.reserved === 0) await files.syncFolder(dirname(segment.path));
      segment.size = records.reduce((sum, record) => sum + sizeOf(record), 0);
    } catch (error) {
      await this.abandon(segment, fd);
      throw error;
    }
    this.voidsTold = this.voids.length;
    this.segments.push(segment);
    return opened;
  }

  /** That which was made ahead. One that is not ready is given up: its number is below that of the one begun now. */
  private async nextFile(): Promise<OpenSegment> {
    const { spare } = this;
    this.spare = undefined;
    const ready = spare?.take();
    if (ready !== undefined) return ready;
    if (spare !== undefined) this.closing = Promise.all([this.closing, spare.drop()]).then(() => {});
    const segment = newSegment(this.options.dir, ++this.lastId);
    return { segment, fd: await this.options.files.create(segment.path), reserved: 0 };
  }

  /** A segment that could not be begun. If it cannot be removed either, it holds nothing that was acknowledged. */
  private async abandon(segment: Segment, fd: number): Promise<void> {
    const { files, log } = this.options;
    try {
      await files.close(fd);
      await files.remove(segment.path);
    } catch (error) {
      log(`ingest: cannot remove ${segment.path}: ${String(error)}`);
    }
  }

  private async fail(group: readonly Pending[], error: unknown): Promise<void> {
    const { files, onVoid, log } = this.options;
    const isFull = (error as NodeJS.ErrnoException).code === "ENOSPC";
    this.failure = new WalUnavailable(
      isFull ? "disk-full" : "disk-failing",
      `the log cannot be written: ${String(error)}`,
    );
    this.pausedUntilMs = performance.now() + this.options.pauseMs;
    log(`ingest: ${this.failure.message}`);
    const { active } = this;
    this.active = undefined;
    if (active !== undefined) {
      this.voids.push({ from: group[0]!.record.seq, to: group.at(-1)!.record.seq });
      try {
        await files.truncate(active.fd, active.segment.size);
      } catch (cutError) {
        log(`ingest: cannot cut ${active.segment.path}: ${String(cutError)}`);
      }
      await files.close(active.fd).catch((closeError: unknown) => log(`ingest: ${String(closeError)}`));
    }
    // Those that wait, too: rows of a block can only be taken back from its end.
    const waiting = this.pending.splice(0);
    this.pendingBytes = 0;
    onVoid();
    for (const item of [...group, ...waiting]) item.reject(this.failure);
  }

  private async lookAtFreeSpace(): Promise<void> {
    try {
      this.freeBytes = await this.options.files.freeBytes(this.options.dir);
    } catch (error) {
      this.options.log(`ingest: cannot tell how much room ${this.options.dir} has: ${String(error)}`);
    }
  }
}

const NOTHING = new Uint8Array(0);

const sizeOf = (record: WalRecord): number => HEADER_BYTES + record.meta.length + record.body.length;
