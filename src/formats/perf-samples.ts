import { InputError } from "../model/intake.ts";
import { StackTableBuilder } from "../model/stack-table-builder.ts";
import type { StackTable } from "../model/stack-table.ts";
import { CallPath, FrameList } from "./call-path.ts";
import { readPerfFrame } from "./perf-frame.ts";
import { PerfHeaderReader, type PerfHeader } from "./perf-header.ts";
import { PerfLineCache } from "./perf-line-cache.ts";
import { NumberedBytes, PerfSymbols, UNKNOWN } from "./perf-symbols.ts";
import type { ToldLines } from "./told-lines.ts";

const NEWLINE = 0x0a;
const HASH = 0x23;
/** Text of lines that is remembered at most; beyond it, remembering starts anew. */
const MAX_REMEMBERED = 64 * 1024 * 1024;
/** Threads whose last chain is kept at most; of two that meet in a place each begins from the other's. */
const MAX_PATHS = 4096;

/**
 * Samples of `perf script` in pieces of whole samples, each a header line and its call chain with an empty line behind.
 * What is told of the text at `PerfScript` is done here.
 *
 * Speed: a line that was read before is known by its text, without a look for its end and without ever becoming a
 * string (`PerfLineCache`), and a chain begins from that of the same thread before (`CallPath`).
 */
export class PerfSamples {
  /** Whether the last chain had no empty line behind it: it may have been cut anywhere, and is left out. */
  isCut = false;
  private readonly into = new StackTableBuilder();
  private readonly headers = new PerfHeaderReader();
  private readonly told: ToldLines;
  private readonly file: string;
  private bytes: Buffer = Buffer.alloc(0);
  private words: DataView = new DataView(this.bytes.buffer);
  /** Offset in the file of `bytes[0]`. */
  private base = 0;

  private readonly chain = new FrameList();
  private readonly paths: (CallPath | undefined)[] = [];
  /** What whole lines stand for; Java's, which are read otherwise, behind. */
  private readonly known: (PerfLineCache | undefined)[] = [undefined, undefined];
  /** The same by the text behind their addresses. */
  private readonly lines = [new PerfSymbols(), new PerfSymbols()];
  private readonly threads = new NumberedBytes();
  private readonly events = new NumberedBytes();
  private readonly processes = new Map<string, number>();
  /** Frames of lines that stand for several, the innermost first; line number -2 - i has those at i. */
  private readonly several: number[][] = [];
  /** 1 in samples of Java, else 0 */
  private language = 0;
  /** End of the chain read last. */
  private behind = 0;
  private isLast = false;
  private firstNs = -1;
  private lastNs = -1;

  constructor(told: ToldLines, file: string) {
    this.told = told;
    this.file = file;
  }

  /** Reads `bytes`, which begin at byte `base` of the file with a sample. isLast: the file ends with them. */
  read(bytes: Buffer, base: number, isLast = false): void {
    this.bytes = bytes;
    this.words = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.base = base;
    this.isLast = isLast;
    for (let at = 0; at < bytes.length;) {
      if (bytes[at] === NEWLINE) {
        at++;
        continue;
      }
      const end = lineEnd(bytes, at);
      if (bytes[at] === HASH || isBlank(bytes, at, end)) at = end + 1;
      else if (isIndented(bytes, at)) {
        // A frame behind no header: its own sample was damaged.
        this.damage(at, "a header of a sample", at, end);
        at = indentEnd(bytes, at) + 1;
      } else at = this.sample(at, end);
    }
    for (const pool of [...this.lines, this.threads, this.events]) pool.release();
  }

  finish(): StackTable {
    const durationNs = this.lastNs - this.firstNs;
    for (const process of this.processes.values()) if (durationNs > 0) this.into.setDuration(process, durationNs);
    return this.into.finish();
  }

  /** Reads the sample whose header is `bytes[start, end)`; returns the position behind it. */
  private sample(start: number, end: number): number {
    const { bytes } = this;
    const header = this.headers.read(bytes, start, end);
    const hasChain = isIndented(bytes, end + 1) && !isBlank(bytes, end + 1, bytes.length);
    if (header === undefined) {
      this.damage(start, "a header of a sample: command, process, event", start, end);
      return hasChain ? indentEnd(bytes, end + 1) + 1 : end + 1;
    }
    const thread = this.threadOf(header);
    this.behind = end;
    this.chain.count = 0;
    if (hasChain) this.readChain(end + 1);
    else this.readFrameOnHeader(header, end);
    if (hasChain && this.isLast && this.behind + 1 >= bytes.length) {
      this.isCut = true;
      return bytes.length;
    }
    const path = (this.paths[thread % MAX_PATHS] ??= new CallPath());
    const stack = path.stackOf(this.chain.frames, this.chain.count, this.into);
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
    let thread = threads.numbers.get(id);
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
      threads.numbers.set(id, thread);
    }
    this.language = Number(
      bytes[header.threadStart] === 0x6a && bytes.toString("latin1", header.threadStart, header.commEnd) === "java",
    );
    return thread;
  }

  private valueOf(header: PerfHeader): number {
    const { bytes, events } = this;
    const id = events.find(bytes, header.eventStart, header.eventEnd);
    let type = events.numbers.get(id);
    if (type === UNKNOWN) {
      const name = bytes.toString("utf8", header.eventStart, header.eventEnd);
      const isClock = header.hasPeriod && /^(?:cpu|task)-clock/.test(name);
      type = this.into.valueType(name, isClock ? "nanoseconds" : "count");
      events.numbers.set(id, type);
    }
    return type;
  }

  /** Without a call chain the frame stands behind the event; arguments of tracepoints do, too, and are none. */
  private readFrameOnHeader(header: PerfHeader, end: number): void {
    const text = this.bytes.toString("utf8", header.restStart, end).trim();
    if (/^[\da-f]+ .+\)$/.test(text)) this.add(this.lineOf(header.restStart, end));
  }

  /** Reads the chain of indented lines at `start` into `chain`; its end is left in `behind`. */
  private readChain(start: number): void {
    const { bytes, words, chain, language } = this;
    const known = (this.known[language] ??= new PerfLineCache());
    let at = start;
    known.begin();
    while (isIndented(bytes, at)) {
      chain.reserve();
      chain.count = known.readKnown(words, at, chain.frames, chain.count);
      at = known.at;
      if (!isIndented(bytes, at)) break;
      const end = lineEnd(bytes, at);
      if (end - at < 8 && isBlank(bytes, at, end)) break;
      const line = this.lineOf(at, end);
      this.add(line);
      // Lines that stand for no frame or several are not among those known by their text.
      if (line >= 0 && end < bytes.length) known.add(bytes, words, at, end + 1, line);
      at = end + 1;
    }
    this.behind = at - 1;
  }

  private add(line: number): void {
    if (line >= 0) this.chain.push(line);
    else if (line < NO_FRAME && line !== UNKNOWN) for (const frame of this.several[-2 - line]!) this.chain.push(frame);
  }

  /** What a line stands for: a frame, NO_FRAME or several; UNKNOWN, and told, where it is no line of a chain. */
  private lineOf(start: number, end: number): number {
    const { bytes, language } = this;
    let at = start;
    while (at < end && bytes[at]! <= 0x20) at++;
    const addressStart = at;
    while (at < end && isHex(bytes[at]!)) at++;
    if (at === addressStart || bytes[at] !== 0x20) return this.otherLine(start, end);
    at++;
    let textEnd = end;
    while (textEnd > at && bytes[textEnd - 1]! <= 0x20) textEnd--;
    const held = this.lines[language]!;
    const id = held.find(bytes, at, textEnd);
    let line = held.lines.get(id);
    if (line === UNKNOWN) {
      line = this.framesOf(bytes.toString("utf8", at, textEnd));
      held.lines.set(id, line);
      if (held.byteLength > MAX_REMEMBERED) this.lines[language] = new PerfSymbols();
    }
    return line;
  }

  private framesOf(text: string): number {
    const { into, several } = this;
    const frames = readPerfFrame(text, this.language === 1);
    if (frames === undefined) return NO_FRAME;
    const rows = frames
      .toReversed()
      .map(({ name, file, line, kind }) =>
        into.frame(into.strings.intern(name), into.strings.intern(file), line, kind),
      );
    return rows.length === 1 ? rows[0]! : -1 - several.push(rows);
  }

  /** A place in the source is known to stand between frames. */
  private otherLine(start: number, end: number): number {
    const text = this.bytes.toString("utf8", start, end).trim();
    if (text === "" || /:\d+$|^\?\?/.test(text)) return NO_FRAME;
    this.damage(start, "a frame: address, symbol, (module)", start, end);
    return UNKNOWN;
  }

  private damage(at: number, expected: string, start: number, end: number): void {
    const found = JSON.stringify(this.bytes.toString("utf8", start, Math.min(end, start + 60)));
    this.told.tell(new InputError("malformed", { file: this.file, byteOffset: this.base + at, expected, found }));
  }
}

const NO_FRAME = -1;

function lineEnd(bytes: Uint8Array, at: number): number {
  const end = bytes.indexOf(NEWLINE, at);
  return end < 0 ? bytes.length : end;
}

/** End of the lines that begin at `at`, without the line end of the last, up to the first that is not indented or is blank; `at - 1` where that is the first. */
function indentEnd(bytes: Buffer, at: number): number {
  let end = at;
  while (isIndented(bytes, end)) {
    const next = lineEnd(bytes, end);
    if (isBlank(bytes, end, next)) break;
    end = next + 1;
  }
  return end - 1;
}

const isIndented = (bytes: Uint8Array, at: number): boolean => bytes[at] === 0x20 || bytes[at] === 0x09;

/** Whether nothing stands in the line at `start`, which ends at `end` or before. */
function isBlank(bytes: Uint8Array, start: number, end: number): boolean {
  let at = start;
  while (at < end && bytes[at]! <= 0x20 && bytes[at] !== NEWLINE) at++;
  return at >= end || bytes[at] === NEWLINE;
}

const isHex = (byte: number): boolean =>
  (byte >= 0x30 && byte <= 0x39) || (byte >= 0x61 && byte <= 0x66) || (byte >= 0x41 && byte <= 0x46);
