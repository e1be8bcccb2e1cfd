import { closeSync, existsSync, fstatSync, openSync, readSync } from "node:fs";
import { openRegular } from "./regular-file.ts";
import { EhFrame } from "./eh-frame.ts";

/** Function symbols of a file by address, ascending. Names stand in `names` from `nameAt` to a zero. */
export interface ElfSymbols {
  readonly count: number;
  readonly address: Float64Array;
  /** bytes; 0: unknown */
  readonly size: Float64Array;
  readonly nameAt: Uint32Array;
  /** 0 .symtab or .dynsym's string table, by the table that the symbol is of */
  readonly names: readonly Buffer[];
  readonly table: Uint8Array;
}

/** What unwinding and naming need of an executable or a library. Addresses are the file's own (virtual). */
export interface ElfFile {
  readonly path: string;
  /** hexadecimal; "" where it has none */
  readonly buildId: string;
  /** address of a byte of the file, or -1 where none of its segments holds it */
  addressOf(fileOffset: number): number;
  readonly symbols: ElfSymbols;
  /** undefined where the file has no tables for unwinding */
  readonly ehFrame: EhFrame | undefined;
}

/** A symbol table of more is not read: Chromium's has 3 million. */
const MAX_TABLE_BYTES = 1 << 29;
const MAX_SECTIONS = 1 << 16;

/**
 * Reads the tables of a 64-bit little-endian ELF file; nothing else of it is kept in memory.
 * `shownAs`: the path to speak of. Throws an Error that says what is wrong with the file and where.
 */
export function readElf(file: string, shownAs: string): ElfFile {
  const fd = openRegular(file);
  try {
    const reader = new Reader(fd, shownAs);
    const sections = sectionsOf(reader);
    const segments = segmentsOf(reader);
    const buildId = buildIdOf(reader, sections);
    return {
      path: shownAs,
      buildId,
      addressOf: (offset) => {
        const held = segments.find((one) => offset >= one.offset && offset < one.offset + one.size);
        return held === undefined ? -1 : offset - held.offset + held.address;
      },
      symbols: symbolsOf(reader, sections, buildId),
      ehFrame: ehFrameOf(reader, segments, sections),
    };
  } finally {
    closeSync(fd);
  }
}

interface Section {
  readonly name: string;
  readonly type: number;
  readonly address: number;
  readonly offset: number;
  readonly size: number;
  readonly link: number;
}

interface Segment {
  readonly type: number;
  readonly offset: number;
  readonly address: number;
  readonly size: number;
}

class Reader {
  readonly path: string;
  private readonly fd: number;
  private readonly size: number;

  constructor(fd: number, path: string) {
    this.fd = fd;
    this.path = path;
    this.size = fstatSync(fd).size;
  }

  bytes(offset: number, size: number, what: string): Buffer {
    // Before any memory is asked for: a damaged size may be anything.
    if (offset + size > this.size) throw new Error(`${this.path} at byte ${this.size}: ends in the middle of ${what}`);
    if (size > MAX_TABLE_BYTES)
      throw new Error(`${this.path}: ${what} of ${size} bytes, at most ${MAX_TABLE_BYTES} are read`);
    const buffer = Buffer.alloc(size);
    let have = 0;
    while (have < size) {
      const got = readSync(this.fd, buffer, have, size - have, offset + have);
      if (got === 0) throw new Error(`${this.path} at byte ${offset + have}: became shorter while it was read`);
      have += got;
    }
    return buffer;
  }

  header(): Buffer {
    const head = this.bytes(0, 64, "the ELF header");
    if (head.readUInt32BE(0) !== 0x7f454c46) throw new Error(`${this.path}: not an ELF file`);
    if (head[4] !== 2 || head[5] !== 1) throw new Error(`${this.path}: not a 64-bit little-endian ELF file`);
    return head;
  }
}

const u64 = (buffer: Buffer, at: number): number => Number(buffer.readBigUInt64LE(at));

function sectionsOf(reader: Reader): Section[] {
  const head = reader.header();
  const [offset, size, count, names] = [
    u64(head, 40),
    head.readUInt16LE(58),
    head.readUInt16LE(60),
    head.readUInt16LE(62),
  ];
  if (count === 0 || offset === 0) return [];
  if (size < 64 || count > MAX_SECTIONS) throw new Error(`${reader.path}: ${count} section headers of ${size} bytes`);
  const table = reader.bytes(offset, size * count, "the section headers");
  const raw = Array.from({ length: count }, (_, i) => {
    const at = i * size;
    return {
      nameAt: table.readUInt32LE(at),
      type: table.readUInt32LE(at + 4),
      address: u64(table, at + 16),
      offset: u64(table, at + 24),
      size: u64(table, at + 32),
      link: table.readUInt32LE(at + 40),
    };
  });
  const held = raw[names];
  const text = held === undefined ? Buffer.alloc(0) : reader.bytes(held.offset, held.size, "the names of sections");
  return raw.map(({ nameAt, ...section }) => ({ ...section, name: zeroEnded(text, nameAt) }));
}

/** Text of a string table from `at` to its zero. */
function zeroEnded(table: Buffer, at: number): string {
  if (at >= table.length) return "";
  const end = table.indexOf(0, at);
  return table.toString("utf8", at, end < 0 ? table.length : end);
}

const LOAD = 1;
const EH_FRAME = 0x6474e550;

function segmentsOf(reader: Reader): Segment[] {
  const head = reader.header();
  const [offset, size, count] = [u64(head, 32), head.readUInt16LE(54), head.readUInt16LE(56)];
  if (count === 0) return [];
  if (size < 56) throw new Error(`${reader.path}: program headers of ${size} bytes`);
  const table = reader.bytes(offset, size * count, "the program headers");
  return Array.from({ length: count }, (_, i) => ({
    type: table.readUInt32LE(i * size),
    offset: u64(table, i * size + 8),
    address: u64(table, i * size + 16),
    size: u64(table, i * size + 32),
  })).filter(({ type }) => type === LOAD || type === EH_FRAME);
}

function buildIdOf(reader: Reader, sections: readonly Section[]): string {
  const note = sections.find(({ name }) => name === ".note.gnu.build-id");
  if (note === undefined || note.size > 4096) return "";
  const bytes = reader.bytes(note.offset, note.size, "the build id");
  if (bytes.length < 12) return "";
  const start = 12 + ((bytes.readUInt32LE(0) + 3) & ~3);
  return bytes.toString("hex", start, start + bytes.readUInt32LE(4));
}

const NO_BITS = 8;

function symbolsOf(reader: Reader, sections: readonly Section[], buildId: string): ElfSymbols {
  const hasOwn = sections.some(({ name, type }) => name === ".symtab" && type !== NO_BITS);
  // What a distribution took off its binaries, where someone has installed it.
  const debug = `/usr/lib/debug/.build-id/${buildId.slice(0, 2)}/${buildId.slice(2)}.debug`;
  if (!hasOwn && buildId !== "" && existsSync(debug)) {
    const fd = openSync(debug, "r");
    try {
      const other = new Reader(fd, debug);
      return collect(other, sectionsOf(other), [".symtab"]);
    } finally {
      closeSync(fd);
    }
  }
  return collect(reader, sections, hasOwn ? [".symtab"] : [".dynsym"]);
}

const FUNCTION = 2;
const INDIRECT_FUNCTION = 10;

/** By columns: a large program has hundreds of thousands, and an object for each would take ten times as much memory. */
function collect(reader: Reader, sections: readonly Section[], wanted: readonly string[]): ElfSymbols {
  const tables = sections
    .filter(({ name, type }) => wanted.includes(name) && type !== NO_BITS)
    .map((section) => {
      const strings = sections[section.link];
      if (strings === undefined) throw new Error(`${reader.path}: ${section.name} without names`);
      const rows = reader.bytes(section.offset, section.size - (section.size % 24), section.name);
      return { rows, text: reader.bytes(strings.offset, strings.size, strings.name) };
    });
  const most = tables.reduce((sum, { rows }) => sum + rows.length / 24, 0);
  const found = {
    address: new Float64Array(most),
    size: new Float64Array(most),
    nameAt: new Uint32Array(most),
    table: new Uint8Array(most),
    rank: new Uint8Array(most),
  };
  let count = 0;
  for (const [number, { rows, text }] of tables.entries()) {
    for (let at = 0; at < rows.length; at += 24) {
      const kind = rows[at + 4]! & 15;
      if ((kind !== FUNCTION && kind !== INDIRECT_FUNCTION) || rows.readUInt16LE(at + 6) === 0) continue;
      const nameAt = rows.readUInt32LE(at);
      found.address[count] = u64(rows, at + 8);
      found.size[count] = u64(rows, at + 16);
      found.nameAt[count] = nameAt;
      found.table[count] = number;
      found.rank[count] = Math.min(255, underscores(text, nameAt));
      count++;
    }
  }
  const { address, rank, nameAt } = found;
  const order = Uint32Array.from({ length: count }, (_, i) => i);
  // Of several names of one function the plainest: write before __libc_write.
  order.sort((a, b) => address[a]! - address[b]! || rank[a]! - rank[b]! || nameAt[a]! - nameAt[b]!);
  const kept = order.filter((row, i) => i === 0 || address[row] !== address[order[i - 1]!]);
  return {
    count: kept.length,
    address: Float64Array.from(kept, (row) => address[row]!),
    size: Float64Array.from(kept, (row) => found.size[row]!),
    nameAt: kept.map((row) => nameAt[row]!),
    table: Uint8Array.from(kept, (row) => found.table[row]!),
    names: tables.map(({ text }) => text),
  };
}

function underscores(text: Buffer, at: number): number {
  let count = 0;
  while (text[at + count] === 0x5f) count++;
  return count;
}

/** Name of the function at an address, or undefined where the file names none there. */
export function symbolAt(symbols: ElfSymbols, address: number): string | undefined {
  let [low, high] = [0, symbols.count];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (symbols.address[middle]! <= address) low = middle + 1;
    else high = middle;
  }
  if (low === 0) return undefined;
  const row = low - 1;
  const size = symbols.size[row]!;
  // Behind its end is something that the file does not name: a wrong neighbour is worse than none.
  if (size > 0 && address >= symbols.address[row]! + size) return undefined;
  return zeroEnded(symbols.names[symbols.table[row]!]!, symbols.nameAt[row]!);
}

function ehFrameOf(reader: Reader, segments: readonly Segment[], sections: readonly Section[]): EhFrame | undefined {
  const index = segments.find(({ type }) => type === EH_FRAME);
  const frames = sections.find(({ name, type }) => name === ".eh_frame" && type !== NO_BITS);
  if (frames === undefined) return undefined;
  if (index === undefined) return EhFrame.scan(reader.bytes(frames.offset, frames.size, ".eh_frame"), frames.address);
  return EhFrame.read(
    reader.bytes(index.offset, index.size, ".eh_frame_hdr"),
    index.address,
    reader.bytes(frames.offset, frames.size, ".eh_frame"),
    frames.address,
  );
}
