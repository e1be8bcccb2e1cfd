import type { Intake } from "../model/intake.ts";
import type { StackTable } from "../model/stack-table.ts";
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
 * Text is cut behind empty lines and read by `PerfSamples`, where it stands: only the sample that a chunk ends in is copied.
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

  constructor(intake: Intake, file: string) {
    this.told = new ToldLines(intake, file);
    this.samples = new PerfSamples(this.told, file);
  }

  push(chunk: Uint8Array): void {
    for (let at = 0; at < chunk.length; at += MAX_TAKEN) this.take(chunk.subarray(at, at + MAX_TAKEN));
  }

  finish(): StackTable {
    const { samples } = this;
    samples.read(this.buffer.subarray(0, this.held), this.base, true);
    this.isCut = samples.isCut;
    this.told.finish();
    return samples.finish();
  }

  /** Reads what is held and the chunk, up to its last empty line; behind it a sample may go on, which is held. */
  private take(chunk: Uint8Array): void {
    const rest = this.held === 0 ? chunk : this.completeHeld(chunk);
    const bytes = Buffer.from(rest.buffer, rest.byteOffset, rest.length);
    const end = lastEmptyLine(bytes, 0);
    this.readWhole(bytes.subarray(0, end));
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
      this.readWhole(buffer.subarray(0, end));
      return chunk.subarray(at - (held - end));
    }
    return chunk.subarray(chunk.length);
  }

  private readWhole(bytes: Buffer): void {
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
