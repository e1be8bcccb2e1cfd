import { closeSync, fstatSync, readSync, statSync } from "node:fs";
import { openRegular } from "./regular-file.ts";

/** A year of a busy Node writes some 50 MB. */
const MAX_BYTES = 1 << 28;
/**
 * Names that a runtime wrote for the code it compiled: `start size name` in hexadecimal, a line each. Code is moved and its
 * place used again: where entries overlap, the later one holds. Damaged lines are counted and left out.
 */
export class PerfMap {
  count = 0;
  /** lines that are no entries */
  damaged = 0;
  /** later ones behind, each less than half of the one before: few are looked through, and no entry is put in order often */
  private readonly pieces: Piece[] = [];

  /** Takes in what stands behind all that was added before; keeps the bytes, in which the names stand. */
  add(bytes: Buffer): void {
    let piece = new Piece(bytes);
    this.count += piece.count;
    this.damaged += piece.damaged;
    if (piece.count === 0) return;
    let joined = bytes.length;
    const parts = [bytes];
    while (this.pieces.length > 0 && this.pieces.at(-1)!.bytes.length <= 2 * joined) {
      const before = this.pieces.pop()!.bytes;
      joined += before.length;
      parts.unshift(before);
    }
    if (parts.length > 1) piece = new Piece(Buffer.concat(parts));
    this.pieces.push(piece);
  }

  find(address: number): string | undefined {
    for (let i = this.pieces.length - 1; i >= 0; i--) {
      const found = this.pieces[i]!.find(address);
      if (found !== undefined) return found;
    }
    return undefined;
  }
}

const NEWLINE = 0x0a;

/** Entries that were read together. By columns and with their names in the text: a runtime writes tens of thousands. */
class Piece {
  readonly bytes: Buffer;
  count = 0;
  damaged = 0;
  /** in the order in which they were written */
  private readonly start: Float64Array;
  private readonly end: Float64Array;
  private readonly nameAt: Uint32Array;
  /** places in those columns, ascending by start */
  private readonly order: Uint32Array;
  /** the farthest end so far, so that a search to the left knows when to stop */
  private readonly reach: Float64Array;

  constructor(bytes: Buffer) {
    this.bytes = bytes;
    let lines = 1;
    for (let at = bytes.indexOf(NEWLINE); at >= 0; at = bytes.indexOf(NEWLINE, at + 1)) lines++;
    const start = (this.start = new Float64Array(lines));
    this.end = new Float64Array(lines);
    this.nameAt = new Uint32Array(lines);
    for (let at = 0; at < bytes.length;) at = this.line(at);
    this.order = Uint32Array.from({ length: this.count }, (_, i) => i).sort((a, b) => start[a]! - start[b]! || a - b);
    this.reach = new Float64Array(this.count);
    for (let i = 0, far = 0; i < this.count; i++) this.reach[i] = far = Math.max(far, this.end[this.order[i]!]!);
  }

  find(address: number): string | undefined {
    const { start, end, order, reach } = this;
    let [low, high] = [0, this.count];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (start[order[middle]!]! <= address) low = middle + 1;
      else high = middle;
    }
    let best = -1;
    for (let at = low - 1; at >= 0 && reach[at]! > address; at--)
      if (address < end[order[at]!]! && order[at]! > best) best = order[at]!;
    if (best < 0) return undefined;
    const from = this.nameAt[best]!;
    return this.bytes.toString("utf8", from, endOfLine(this.bytes, from));
  }

  /** Takes in the line that begins there; returns where the next one does. */
  private line(at: number): number {
    const { bytes } = this;
    const end = endOfLine(bytes, at);
    const start = hexadecimal(bytes, at, end);
    const size = start === undefined ? undefined : hexadecimal(bytes, start.behind, end);
    if (size !== undefined && size.behind < end) {
      this.start[this.count] = start!.value;
      this.end[this.count] = start!.value + size.value;
      this.nameAt[this.count++] = size.behind;
    } else if (end > at) this.damaged++;
    return end + 1;
  }
}

function endOfLine(bytes: Buffer, from: number): number {
  const end = bytes.indexOf(NEWLINE, from);
  return end < 0 ? bytes.length : end;
}

const [ZERO, BLANK, LETTER_X, LETTER_A] = [0x30, 0x20, 0x78, 0x61];
/** Of 64 bits. */
const MOST_DIGITS = 16;

/** A hexadecimal number with a blank behind it, perhaps with 0x before it; undefined where there is none. */
function hexadecimal(bytes: Buffer, from: number, end: number): { value: number; behind: number } | undefined {
  const first = bytes[from] === ZERO && (bytes[from + 1]! | 0x20) === LETTER_X ? from + 2 : from;
  let value = 0;
  let at = first;
  for (; at < end && at - first <= MOST_DIGITS; at++) {
    const byte = bytes[at]!;
    const letter = (byte | 0x20) - LETTER_A;
    const digit = byte >= ZERO && byte < ZERO + 10 ? byte - ZERO : letter >= 0 && letter < 6 ? letter + 10 : -1;
    if (digit < 0) break;
    value = value * 16 + digit;
  }
  const digits = at - first;
  return digits === 0 || digits > MOST_DIGITS || bytes[at] !== BLANK || at >= end
    ? undefined
    : { value, behind: at + 1 };
}

/** So much before the place where reading goes on has to be as it was. */
const TAIL_BYTES = 128;

/** The map that a process goes on writing: only what is new is read again. */
export class PerfMapFile {
  private readonly path: string;
  private map = new PerfMap();
  private identity = "";
  private readBytes = 0;
  private tail: Buffer = Buffer.alloc(0);

  constructor(path: string) {
    this.path = path;
  }

  /** As it is now; undefined where there is none. Throws an Error for one that is too large or no file. */
  read(): PerfMap | undefined {
    if (!isThere(this.path)) return undefined;
    const file = openRegular(this.path);
    try {
      const { size, dev, ino } = fstatSync(file);
      if (size > MAX_BYTES) throw new Error(`${this.path}: ${size} bytes; at most ${MAX_BYTES} are read`);
      const identity = `${dev}:${ino}`;
      if (identity !== this.identity || size < this.readBytes || !this.isContinued(file)) {
        this.map = new PerfMap();
        this.identity = identity;
        this.readBytes = 0;
      }
      if (size > this.readBytes) this.readOn(file, size);
      return this.map;
    } finally {
      closeSync(file);
    }
  }

  /** Java writes the whole of it anew each time it is asked to. */
  private isContinued(file: number): boolean {
    const before = bytesAt(file, this.readBytes - this.tail.length, this.tail.length);
    return before.equals(this.tail);
  }

  /** Up to the last line that is whole. */
  private readOn(file: number, size: number): void {
    const bytes = bytesAt(file, this.readBytes, size - this.readBytes);
    const end = bytes.lastIndexOf(0x0a) + 1;
    this.map.add(bytes.subarray(0, end));
    this.readBytes += end;
    const tail = Math.min(TAIL_BYTES, this.readBytes);
    this.tail = bytesAt(file, this.readBytes - tail, tail);
  }
}

/** What there is of them. */
function bytesAt(file: number, from: number, count: number): Buffer {
  const bytes = Buffer.allocUnsafeSlow(count);
  let size = 0;
  for (let got = 1; got > 0 && size < count; size += got) got = readSync(file, bytes, size, count - size, from + size);
  return bytes.subarray(0, size);
}

/** Asked of every process, most of which have none. */
function isThere(path: string): boolean {
  try {
    return statSync(path, { throwIfNoEntry: false }) !== undefined;
  } catch {
    // The process, or the right to look at it, is gone.
    return false;
  }
}

export interface JitFrame {
  readonly name: string;
  readonly file: string;
  readonly line: number;
  readonly isScript: boolean;
}

/**
 * A name of a perf map, taken apart: V8's `JS:*parse file:///srv/a.js:39:12` is `parse` in a.js, line 39; its builtins,
 * and what other runtimes write, keep their names. CPython's `py::parse:/srv/a.py` names the file without a line.
 */
export function readJitName(name: string): JitFrame {
  const python = /^py::(.+?):(\/.*|<.*>)$/.exec(name);
  if (python !== null) return { name: python[1]!, file: python[2]!, line: -1, isScript: true };
  const v8 = /^(?:JS|LazyCompile|Function|Script|Eval):([*~^+]*)(.*)$/.exec(name);
  if (v8 === null) return { name, file: "", line: -1, isScript: false };
  const place = /^(\S*) ?(?:file:\/\/)?(.+?):(\d+)(?::\d+)?$/.exec(v8[2]!);
  if (place === null) return { name: v8[2] === "" ? "(anonymous)" : v8[2]!, file: "", line: -1, isScript: true };
  const called = place[1] === "" ? "(anonymous)" : place[1]!;
  return { name: called, file: place[2]!, line: Number(place[3]), isScript: true };
}
