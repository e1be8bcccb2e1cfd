import type { Intake } from "../model/intake.ts";
import { interleaveStackTables, type Run } from "../model/interleave-stack-tables.ts";
import type { StackTable } from "../model/stack-table.ts";
import type { HelperResult, PerfHelper } from "./perf-helper.ts";
import { PerfSamples } from "./perf-samples.ts";
import { ToldLines } from "./told-lines.ts";

/** A sample is a few kilobytes; what is longer is none. */
const MAX_SAMPLE = 16 * 1024 * 1024;
/** Bytes taken at once of a larger chunk. */
const MAX_TAKEN = 256 * 1024;
/** Bytes of a chunk that are put behind the beginning of a sample to complete it; the rest is read where it stands. */
const TAKEN_WITH_HELD = 16 * 1024;

/**
 * The text of `perf script`: samples, each a header line and its call chain, innermost
 * frame first, with an empty line behind. `push` the content in chunks, then `finish`.
 *
 * One value per event, in the order of first appearance: its period where the text has it
 * (nanoseconds for the clock events), else 1. Threads are told by command and numbers;
 * times are offsets from the first sample. Lines that are neither header nor frame are
 * told in `intake.errors`, and their sample goes on without them; lines of source places
 * (`-F +srcline`) are passed over.
 *
 * Text is cut behind empty lines, and read by `PerfSamples`. With a helper (`help`) the pieces are shared out between
 * this thread and its own, as each has time for the next; the table is the same, to the last row.
 */
export class PerfScript {
  /** Whether the last chain had no empty line behind it: it may have been cut anywhere, and is left out. */
  isCut = false;
  private readonly told: ToldLines;
  private readonly samples: PerfSamples;
  /** What was pushed and not read yet: the first `held` bytes. */
  private buffer: Buffer = Buffer.alloc(0);
  private held = 0;
  /** Offset in the file of `buffer[0]`. */
  private base = 0;

  private helper: PerfHelper | undefined;
  private helped: HelperResult | undefined;
  /** What is gathered for the helper, its first `filled` bytes; they begin at `base`, where nothing is held meanwhile. */
  private piece: Buffer | undefined;
  private filled = 0;
  /** Samples that were read here before each piece that the helper was given. */
  private readonly readBefore: number[] = [];

  constructor(intake: Intake, file: string) {
    this.told = new ToldLines(intake, file);
    this.samples = new PerfSamples(this.told, file);
  }

  /** From now on `helper` reads, too. `settle` has to be awaited before `finish`. */
  help(helper: PerfHelper): void {
    this.helper = helper;
  }

  push(chunk: Uint8Array): void {
    for (let at = 0; at < chunk.length; at += MAX_TAKEN) this.take(chunk.subarray(at, at + MAX_TAKEN));
  }

  /** Waits for the helper, and ends it. */
  async settle(): Promise<void> {
    if (this.helper === undefined) return;
    this.helped = await this.helper.finish();
    if (this.helped !== undefined) this.told.join(this.helped.errors, this.helped.damaged);
  }

  finish(): StackTable {
    const { samples, helped } = this;
    if (this.piece !== undefined) this.keepPiece(this.piece);
    samples.read(this.buffer.subarray(0, this.held), this.base, true);
    this.isCut = samples.isCut;
    this.told.finish();
    if (helped === undefined) return samples.finish();
    const durationNs = Math.max(samples.lastNs, helped.lastNs) - samples.firstNs;
    const runs: Run[] = [];
    for (const [i, end] of this.readBefore.entries())
      runs.push({ table: 0, end }, { table: 1, end: helped.samplesRead[i]! });
    runs.push({ table: 0, end: samples.sampleCount });
    return interleaveStackTables([samples.finish(), helped.stacks], runs, durationNs > 0 ? durationNs : -1);
  }

  private take(chunk: Uint8Array): void {
    const { helper } = this;
    // Times are offsets from the first one, which both have to know.
    const isFor =
      helper?.hasRoom === true && this.samples.firstNs >= 0 && this.held + chunk.length <= helper.pieceBytes;
    if (this.piece === undefined && isFor) {
      this.piece = helper.takePiece();
      this.piece.set(this.buffer.subarray(0, this.held));
      this.filled = this.held;
      this.held = 0;
    }
    if (this.piece === undefined) this.takeHere(chunk);
    else if (this.filled + chunk.length <= this.piece.length) {
      this.piece.set(chunk, this.filled);
      this.filled += chunk.length;
    } else {
      const isGiven = this.give(this.piece);
      if (isGiven) this.take(chunk);
      else this.takeHere(chunk);
    }
  }

  /** Gives the piece to the helper but for the sample at its end, which may go on; false, and all stays here, where it holds no whole one. */
  private give(piece: Buffer): boolean {
    const end = lastEmptyLine(piece.subarray(0, this.filled), 0);
    this.keepPiece(piece, end);
    if (end === 0) return false;
    this.helper!.give(piece, end, this.base, this.samples.firstNs);
    this.readBefore.push(this.samples.sampleCount);
    this.base += end;
    return true;
  }

  /** Holds what the piece has behind `from`, to be read here or gathered anew. */
  private keepPiece(piece: Buffer, from = 0): void {
    this.hold(piece.subarray(from, this.filled));
    this.piece = undefined;
  }

  /** Reads what is held and the chunk, up to its last empty line; behind it a sample may go on, which is held. */
  private takeHere(chunk: Uint8Array): void {
    const rest = this.held === 0 ? chunk : this.completeHeld(chunk);
    const bytes = Buffer.from(rest.buffer, rest.byteOffset, rest.length);
    const end = lastEmptyLine(bytes, 0);
    this.readHere(bytes.subarray(0, end));
    this.hold(bytes.subarray(end));
  }

  /** Reads what is held with as much of the chunk as makes it whole samples; returns the rest of the chunk, of which nothing is held. */
  private completeHeld(chunk: Uint8Array): Uint8Array {
    for (let at = 0; at < chunk.length;) {
      const before = this.held;
      const taken = chunk.subarray(at, at + Math.max(TAKEN_WITH_HELD, at));
      this.hold(taken);
      at += taken.length;
      const { buffer, held } = this;
      // What was held has no empty line, but for its last two bytes.
      let end = lastEmptyLine(buffer.subarray(0, held), Math.max(0, before - 2));
      if (end === 0 && held > MAX_SAMPLE) end = held;
      if (end === 0) continue;
      this.held = 0;
      this.readHere(buffer.subarray(0, end));
      return chunk.subarray(at - (held - end));
    }
    return chunk.subarray(chunk.length);
  }

  private readHere(bytes: Buffer): void {
    if (bytes.length === 0) return;
    this.samples.read(bytes, this.base);
    this.base += bytes.length;
  }

  /** Puts the bytes behind those that are held. */
  private hold(bytes: Uint8Array): void {
    const size = this.held + bytes.length;
    if (size > this.buffer.length) {
      const bigger = Buffer.alloc(2 * size);
      bigger.set(this.buffer.subarray(0, this.held));
      this.buffer = bigger;
    }
    this.buffer.set(bytes, this.held);
    this.held = size;
  }
}

/** Position behind the last empty line of `bytes` that begins at `from` or behind; 0 where there is none. */
function lastEmptyLine(bytes: Buffer, from: number): number {
  const plain = bytes.subarray(from).lastIndexOf("\n\n");
  const end = plain < 0 ? 0 : from + plain + 2;
  // Only behind that one: to look through all of a text with plain line ends would take as long as reading it.
  const rest = Math.max(from, end - 1);
  const other = bytes.subarray(rest).lastIndexOf("\n\r\n");
  return other < 0 ? end : rest + other + 3;
}
