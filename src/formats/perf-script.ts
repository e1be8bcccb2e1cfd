import { InputError, type Intake } from "../model/intake.ts";
import { StackTableBuilder } from "../model/stack-table-builder.ts";
import type { StackTable } from "../model/stack-table.ts";
import { StringPool } from "../model/string-pool.ts";
import { LastChains } from "./perf-callers.ts";
import { readPerfFrame } from "./perf-frame.ts";
import { PerfHeaderReader, type PerfHeader } from "./perf-header.ts";
import { ToldLines } from "./told-lines.ts";

const NEWLINE = 0x0a;
const HASH = 0x23;
/** Text of lines that is remembered at most; beyond it, remembering starts anew. */
const MAX_REMEMBERED = 64 * 1024 * 1024;
/** A sample is a few kilobytes; what is longer is none. */
const MAX_SAMPLE = 16 * 1024 * 1024;

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
 * Speed: a chain begins from that of the same thread before, as far as their text is the same (`LastChains`), and a
 * line is looked up by its text without ever becoming a string.
 */
export class PerfScript {
  /** Whether the last chain had no empty line behind it: it may have been cut anywhere, and is left out. */
  isCut = false;
  private readonly into = new StackTableBuilder();
  private readonly headers = new PerfHeaderReader();
  private readonly told: ToldLines;
  private readonly file: string;
  private pending: Uint8Array = new Uint8Array(0);
  /** Offset in the file of `pending[0]`. */
  private base = 0;
  private bytes: Buffer = Buffer.alloc(0);
  private words: DataView = new DataView(this.bytes.buffer);

  private readonly lastChains = new LastChains();
  /** Frames by the text of their lines; Java's, which are read otherwise, behind. */
  private readonly lines = [new Remembered(), new Remembered()];
  private readonly threads = new Remembered();
  private readonly events = new Remembered();
  private readonly processes = new Map<string, number>();
  /** Frames of lines that stand for several; line number -2 - i has those at i. */
  private readonly several: number[][] = [];
  /** 1 in samples of Java, else 0 */
  private language = 0;
  /** End of the chain read last. */
  private behind = 0;
  private isLast = false;
  private firstNs = -1;
  private lastNs = -1;

  constructor(intake: Intake, file: string) {
    this.told = new ToldLines(intake, file);
    this.file = file;
  }

  push(chunk: Uint8Array): void {
    const bytes = Buffer.concat([this.pending, chunk]);
    // Behind the last empty line a sample may go on.
    const last = Math.max(bytes.lastIndexOf("\n\n") + 2, bytes.lastIndexOf("\n\r\n") + 3);
    const hasEnd = last > 2;
    if (!hasEnd && bytes.length <= MAX_SAMPLE) {
      this.pending = bytes;
      return;
    }
    const end = hasEnd ? last : bytes.length;
    this.read(bytes.subarray(0, end));
    this.base += end;
    this.pending = bytes.subarray(end);
  }

  finish(): StackTable {
    this.isLast = true;
    this.read(Buffer.from(this.pending));
    this.told.finish();
    const durationNs = this.lastNs - this.firstNs;
    for (const process of this.processes.values()) if (durationNs > 0) this.into.setDuration(process, durationNs);
    return this.into.finish();
  }

  private read(bytes: Buffer): void {
    this.bytes = bytes;
    this.words = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    for (let at = 0; at < bytes.length;) {
      const end = lineEnd(bytes, at);
      if (bytes[at] === HASH || isBlank(bytes, at, end)) at = end + 1;
      else if (isIndented(bytes, at)) {
        // A frame behind no header: its own sample was damaged.
        this.damage(at, "a header of a sample", at, end);
        at = indentEnd(bytes, at, bytes.length) + 1;
      } else at = this.sample(at, end);
    }
    for (const pool of [...this.lines, this.threads, this.events]) pool.release();
  }

  /** Reads the sample whose header is `bytes[start, end)`; returns the position behind it. */
  private sample(start: number, end: number): number {
    const { bytes } = this;
    const header = this.headers.read(bytes, start, end);
    const hasChain = isIndented(bytes, end + 1) && !isBlank(bytes, end + 1, lineEnd(bytes, end + 1));
    if (header === undefined) {
      this.damage(start, "a header of a sample: command, process, event", start, end);
      return hasChain ? indentEnd(bytes, end + 1, bytes.length) + 1 : end + 1;
    }
    const thread = this.threadOf(header);
    this.behind = end;
    const stack = hasChain ? this.chain(end + 1, thread) : this.frameOnHeader(header, end);
    if (hasChain && this.isLast && this.behind + 1 >= bytes.length) {
      this.isCut = true;
      return bytes.length;
    }
    if (header.timeNs >= 0 && this.firstNs < 0) this.firstNs = header.timeNs;
    this.lastNs = Math.max(this.lastNs, header.timeNs);
    const timeNs = header.timeNs < 0 ? -1 : Math.max(0, header.timeNs - this.firstNs);
    const row = this.into.sample(stack, thread, timeNs);
    this.into.setValue(row, this.valueOf(header), header.period);
    return this.behind + 1;
  }

  private threadOf(header: PerfHeader): number {
    const { bytes, threads, into } = this;
    const id = threads.find(bytes, header.threadStart, header.threadEnd);
    let thread = threads.get(id);
    if (thread === UNKNOWN) {
      const name = bytes.toString("utf8", header.threadStart, header.commEnd);
      const key = `${header.pid} ${name}`;
      let process = this.processes.get(key);
      if (process === undefined) {
        process = into.process({
          name: into.strings.intern(name),
          pid: header.pid,
          source: into.strings.intern(this.file),
        });
        this.processes.set(key, process);
      }
      thread = into.thread(process, header.tid, into.strings.intern(name));
      threads.set(id, thread);
    }
    this.language = Number(
      bytes[header.threadStart] === 0x6a && bytes.toString("latin1", header.threadStart, header.commEnd) === "java",
    );
    return thread;
  }

  private valueOf(header: PerfHeader): number {
    const { bytes, events } = this;
    const id = events.find(bytes, header.eventStart, header.eventEnd);
    let type = events.get(id);
    if (type === UNKNOWN) {
      const name = bytes.toString("utf8", header.eventStart, header.eventEnd);
      const isClock = header.hasPeriod && /^(?:cpu|task)-clock/.test(name);
      type = this.into.valueType(name, isClock ? "nanoseconds" : "count");
      events.set(id, type);
    }
    return type;
  }

  /** Without a call chain the frame stands behind the event; arguments of tracepoints do, too, and are none. */
  private frameOnHeader(header: PerfHeader, end: number): number {
    const text = this.bytes.toString("utf8", header.restStart, end).trim();
    if (!/^[\da-f]+ .+\)$/.test(text)) return -1;
    return this.withLine(-1, header.restStart, end);
  }

  /** Stack of the chain of indented lines at `start`, from the innermost frame out; its end is left in `behind`. */
  private chain(start: number, thread: number): number {
    const { bytes } = this;
    const end = (this.behind = chainEnd(bytes, start));
    const last = this.lastChains.of(thread);
    let lineEnd = end - last.keepSame(bytes, this.words, start, end);
    while (lineEnd > start) {
      let lineStart = lineEnd;
      while (lineStart > start && bytes[lineStart - 1] !== NEWLINE) lineStart--;
      if (!isIndented(bytes, lineStart) || (lineEnd - lineStart < 8 && isBlank(bytes, lineStart, lineEnd))) {
        // No empty line behind the sample: what was read so far is the next one's.
        last.forget();
        return this.chainBefore(start, lineStart);
      }
      last.add(end - lineStart, this.withLine(last.top, lineStart, lineEnd));
      lineEnd = lineStart - 1;
    }
    last.remember(bytes, start, end);
    return last.top;
  }

  /** Stack of the lines from `start` up to the first that is not indented, which `limit` or an earlier one is. */
  private chainBefore(start: number, limit: number): number {
    const { bytes } = this;
    const end = (this.behind = indentEnd(bytes, start, limit));
    let stack = -1;
    for (let to = end; to > start;) {
      let from = to;
      while (from > start && bytes[from - 1] !== NEWLINE) from--;
      stack = this.withLine(stack, from, to);
      to = from - 1;
    }
    return stack;
  }

  /** The stack with the frame of a line called by `parent`. */
  private withLine(parent: number, start: number, end: number): number {
    const { bytes, language } = this;
    let at = start;
    while (at < end && bytes[at]! <= 0x20) at++;
    const addressStart = at;
    while (at < end && isHex(bytes[at]!)) at++;
    if (at === addressStart || bytes[at] !== 0x20) return this.otherLine(parent, start, end);
    at++;
    while (end > at && bytes[end - 1]! <= 0x20) end--;
    const remembered = this.lines[language]!;
    const id = remembered.find(bytes, at, end);
    let frame = remembered.get(id);
    if (frame === UNKNOWN) {
      frame = this.frameOf(bytes.toString("utf8", at, end));
      remembered.set(id, frame);
      if (remembered.bytes > MAX_REMEMBERED) this.lines[language] = new Remembered();
    }
    if (frame >= 0) return this.into.stack(parent, frame);
    if (frame === NO_FRAME) return parent;
    return this.several[-2 - frame]!.reduce((stack, row) => this.into.stack(stack, row), parent);
  }

  private frameOf(text: string): number {
    const { into, several } = this;
    const frames = readPerfFrame(text, this.language === 1);
    if (frames === undefined) return NO_FRAME;
    const rows = frames.map(({ name, file, line, kind }) =>
      into.frame(into.strings.intern(name), into.strings.intern(file), line, kind),
    );
    return rows.length === 1 ? rows[0]! : -1 - several.push(rows);
  }

  /** A place in the source is known to stand between frames. */
  private otherLine(parent: number, start: number, end: number): number {
    const text = this.bytes.toString("utf8", start, end).trim();
    if (text !== "" && !/:\d+$|^\?\?/.test(text)) this.damage(start, "a frame: address, symbol, (module)", start, end);
    return parent;
  }

  private damage(at: number, expected: string, start: number, end: number): void {
    const found = JSON.stringify(this.bytes.toString("utf8", start, Math.min(end, start + 60)));
    this.told.tell(new InputError("malformed", { file: this.file, byteOffset: this.base + at, expected, found }));
  }
}

const UNKNOWN = -1_000_000_000;
const NO_FRAME = -1;

/** Numbers by the bytes that they were made of. */
class Remembered {
  private readonly pool = new StringPool();
  private numbers = new Int32Array(1 << 10).fill(UNKNOWN);

  find(bytes: Uint8Array, start: number, end: number): number {
    return this.pool.internBytes(bytes, start, end);
  }

  get(id: number): number {
    return id < this.numbers.length ? this.numbers[id]! : UNKNOWN;
  }

  set(id: number, number: number): void {
    if (id >= this.numbers.length) {
      const bigger = new Int32Array(Math.max(id + 1, 2 * this.numbers.length)).fill(UNKNOWN);
      bigger.set(this.numbers);
      this.numbers = bigger;
    }
    this.numbers[id] = number;
  }

  get bytes(): number {
    return this.pool.byteLength;
  }

  release(): void {
    this.pool.releaseSource();
  }
}

function lineEnd(bytes: Uint8Array, at: number): number {
  const end = bytes.indexOf(NEWLINE, at);
  return end < 0 ? bytes.length : end;
}

const TWO_LINES = Buffer.from("\n\n");

/** A longer chain is looked at line by line for its end, so that text without empty lines costs no quadratic time. */
const USUAL_CHAIN = 64 * 1024;

/** End of the lines that begin at `at`, up to an empty line, without the line end of the last. */
function chainEnd(bytes: Buffer, at: number): number {
  const end = bytes.indexOf(TWO_LINES, at);
  const limit = end < 0 ? bytes.length : end;
  return end < 0 || limit - at > USUAL_CHAIN ? indentEnd(bytes, at, limit) : limit;
}

/** The same, up to the first line that is not indented or is blank; `at - 1` where that is the first. */
function indentEnd(bytes: Buffer, at: number, limit: number): number {
  let end = at;
  while (end < limit) {
    const next = Math.min(limit, lineEnd(bytes, end));
    if (!isIndented(bytes, end) || isBlank(bytes, end, next)) break;
    end = next + 1;
  }
  return end - 1;
}

const isIndented = (bytes: Uint8Array, at: number): boolean => bytes[at] === 0x20 || bytes[at] === 0x09;

function isBlank(bytes: Uint8Array, start: number, end: number): boolean {
  for (let at = start; at < end; at++) if (bytes[at]! > 0x20) return false;
  return true;
}

const isHex = (byte: number): boolean =>
  (byte >= 0x30 && byte <= 0x39) || (byte >= 0x61 && byte <= 0x66) || (byte >= 0x41 && byte <= 0x46);
