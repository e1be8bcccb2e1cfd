import { StackPool } from "../model/stack-pool.ts";
import { StringPool } from "../model/string-pool.ts";

/** What no number was given to yet. */
export const UNKNOWN = -1_000_000_000;

/** Numbers by an id that counts up from 0; UNKNOWN before they are set. */
export class Numbers {
  private numbers = new Int32Array(1 << 10).fill(UNKNOWN);

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
}

/** Numbers by the bytes that they were made of. */
export class NumberedBytes {
  readonly numbers: Numbers = new Numbers();
  private readonly pool = new StringPool();

  find(bytes: Uint8Array, start: number, end: number): number {
    return this.pool.internBytes(bytes, start, end);
  }

  release(): void {
    this.pool.releaseSource();
  }
}

const SPACE = 0x20;
const OPEN = 0x28;
const CLOSE = 0x29;
/** What perf writes behind the name of a module whose file is gone, its own closing parenthesis included. */
const DELETED = Uint8Array.from(" (deleted))", (char) => char.charCodeAt(0));

/**
 * Lines of call chains behind their addresses, `symbol+0x1c (module)`, numbered so that lines which `readPerfFrame` reads
 * as the same have mostly one number: the offset within the symbol does not count. One symbol in five is met at one offset alone.
 */
export class PerfSymbols {
  /** what the lines stand for, by number */
  readonly lines: Numbers = new Numbers();
  private readonly symbols = new StringPool();
  private readonly modules = new StringPool();
  private readonly pairs = new StackPool();

  /** Number of the text `bytes[start, end)`, which does not end with a blank. */
  find(bytes: Uint8Array, start: number, end: number): number {
    const open = moduleStart(bytes, start, end);
    const symbolEnd = open < 0 ? end : withoutOffset(bytes, start, open);
    const module = open < 0 ? 0 : this.modules.internBytes(bytes, open, end);
    const symbol = this.symbols.internBytes(bytes, start, symbolEnd);
    return this.pairs.intern(module < 1 ? -1 : this.pairs.intern(-1, -module), symbol);
  }

  get byteLength(): number {
    return this.symbols.byteLength + this.modules.byteLength;
  }

  release(): void {
    this.symbols.releaseSource();
    this.modules.releaseSource();
  }
}

/** Where the blank before the module's parenthesis stands, as `readPerfFrame` finds it; -1 for no module. */
function moduleStart(bytes: Uint8Array, start: number, end: number): number {
  if (end <= start || bytes[end - 1] !== CLOSE) return -1;
  let at = end - (isDeleted(bytes, start, end) ? DELETED.length : 1) - 1;
  while (at > start && (bytes[at] !== SPACE || bytes[at + 1] !== OPEN)) at--;
  return at > start ? at : -1;
}

function isDeleted(bytes: Uint8Array, start: number, end: number): boolean {
  const from = end - DELETED.length;
  if (from < start || bytes[end - 2] !== CLOSE) return false;
  for (let i = 0; i < DELETED.length; i++) if (bytes[from + i] !== DELETED[i]) return false;
  return true;
}

function withoutOffset(bytes: Uint8Array, start: number, end: number): number {
  while (end > start && bytes[end - 1]! <= SPACE) end--;
  let at = end;
  while (at > start && isLowerHex(bytes[at - 1]!)) at--;
  const isOffset =
    at < end && at - 3 >= start && bytes[at - 1] === 0x78 && bytes[at - 2] === 0x30 && bytes[at - 3] === 0x2b;
  return isOffset ? at - 3 : end;
}

const isLowerHex = (byte: number): boolean => (byte >= 0x30 && byte <= 0x39) || (byte >= 0x61 && byte <= 0x66);
