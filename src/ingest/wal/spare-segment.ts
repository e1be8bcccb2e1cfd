import { dirname } from "node:path";
import type { Segment } from "./segment.ts";
import type { WalFiles } from "./wal-files.ts";

/** A segment that is written to. */
export interface OpenSegment {
  readonly segment: Segment;
  readonly fd: number;
  /** the file's size where it was filled with zeros ahead, else 0 */
  readonly reserved: number;
}

/** Zeros written and synced at a time: a few milliseconds of a disk, between which the log has its turn. */
const PIECE_BYTES = 2 ** 20;
const ZEROS: Buffer = Buffer.alloc(2 ** 16);

/**
 * The next segment, made while the one before is written: a file of zeros that are on the disk.
 *
 * The sync of a file that grows has to wait for the file system's journal, and in ext4's usual mode that waits for the
 * data of all files that grew meanwhile, such as the store's new parts. Where a record takes the place of zeros that are
 * on the disk already, there is nothing but its own bytes to wait for. Node knows no fallocate, and blocks that are only
 * allocated would be marked as written by the journal all the same.
 */
export class SpareSegment {
  readonly segment: Segment;
  private state: "filling" | "ready" | "given-up" = "filling";
  private fd: number | undefined;
  private readonly size: number;
  private readonly files: WalFiles;
  private readonly log: (text: string) => void;
  private readonly ended: Promise<void>;

  constructor(segment: Segment, size: number, files: WalFiles, log: (text: string) => void) {
    this.segment = segment;
    this.size = size;
    this.files = files;
    this.log = log;
    this.ended = this.fill();
  }

  get isReady(): boolean {
    return this.state === "ready";
  }

  /** A method, as `drop` may be called during an await, which the compiler does not see. */
  isFilling(): boolean {
    return this.state === "filling";
  }

  /** Bytes that it takes on the disk, at most. */
  get bytes(): number {
    return this.state === "given-up" ? 0 : this.size;
  }

  /** The segment where it is ready, to be used and closed by the caller. */
  take(): OpenSegment | undefined {
    const { segment, fd, size } = this;
    if (this.state !== "ready" || fd === undefined) return undefined;
    this.state = "given-up";
    this.fd = undefined;
    return { segment, fd, reserved: size };
  }

  /** Removes the file, unless it was taken; resolves when that is done. Never rejects. */
  async drop(): Promise<void> {
    const wasReady = this.state === "ready";
    this.state = "given-up";
    await this.ended;
    if (wasReady) await this.remove();
  }

  private async fill(): Promise<void> {
    const { files, segment, size } = this;
    try {
      this.fd = await files.create(segment.path);
      for (let at = 0; at < size && this.isFilling(); at += PIECE_BYTES) {
        await files.write(this.fd, zeros(Math.min(PIECE_BYTES, size - at)), at);
        await files.sync(this.fd);
      }
      await files.syncFolder(dirname(segment.path));
      if (this.isFilling()) {
        this.state = "ready";
        return;
      }
    } catch (error) {
      // Nothing is lost: the next segment grows as it is written.
      this.log(`ingest: no room is made ahead for the log: ${String(error)}`);
      this.state = "given-up";
    }
    await this.remove();
  }

  /** Left behind, the file holds no record, and is removed as a segment of which the store has all. */
  private async remove(): Promise<void> {
    const { files, segment, fd } = this;
    if (fd === undefined) return;
    this.fd = undefined;
    try {
      await files.close(fd);
      await files.remove(segment.path);
    } catch (error) {
      this.log(`ingest: cannot remove ${segment.path}: ${String(error)}`);
    }
  }
}

function zeros(size: number): Buffer[] {
  const whole = Array.from({ length: Math.floor(size / ZEROS.length) }, () => ZEROS);
  return size % ZEROS.length === 0 ? whole : [...whole, ZEROS.subarray(0, size % ZEROS.length)];
}
