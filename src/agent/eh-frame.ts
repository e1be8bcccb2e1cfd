import { CfaProgram, type FrameRules } from "./cfa-program.ts";
import { DwarfReader } from "./dwarf-reader.ts";

interface Cie {
  readonly codeAlign: number;
  readonly dataAlign: number;
  readonly returnRegister: number;
  readonly pointerEncoding: number;
  readonly hasAugmentation: boolean;
  readonly isSignalFrame: boolean;
  readonly instructions: Buffer;
}

/** The tables by which a C++ exception would find its way up, which tell the caller of every place in the code. */
export class EhFrame {
  private readonly starts: Float64Array;
  private readonly entries: Float64Array;
  private readonly frames: Buffer;
  private readonly framesAddress: number;
  private readonly cies = new Map<number, Cie>();
  /** rules by address, since samples hit the same places again */
  private readonly known = new Map<number, FrameRules | undefined>();

  private constructor(starts: Float64Array, entries: Float64Array, frames: Buffer, framesAddress: number) {
    this.starts = starts;
    this.entries = entries;
    this.frames = frames;
    this.framesAddress = framesAddress;
  }

  /**
   * index, frames: the contents of .eh_frame_hdr and .eh_frame, with the addresses at which they stand.
   * Undefined where the index is of a kind that linkers don't write. After the Linux Standard Base, 10.6.
   */
  static read(index: Buffer, indexAddress: number, frames: Buffer, framesAddress: number): EhFrame | undefined {
    if (index.length < 4 || index[0] !== 1) return undefined;
    const reader = new DwarfReader(index, indexAddress, indexAddress);
    const [pointer, count, table] = [index[1]!, index[2]!, index[3]!];
    reader.at = 4;
    reader.encoded(pointer);
    const rows = count === 0xff ? 0 : reader.encoded(count);
    // Pairs of signed 32-bit numbers counted from the index: all that GNU ld, gold, lld and mold write.
    if (table !== 0x3b || reader.at + rows * 8 > index.length) return undefined;
    const starts = new Float64Array(rows);
    const entries = new Float64Array(rows);
    for (let row = 0; row < rows; row++) {
      starts[row] = indexAddress + index.readInt32LE(reader.at + row * 8);
      entries[row] = indexAddress + index.readInt32LE(reader.at + row * 8 + 4);
    }
    return new EhFrame(starts, entries, frames, framesAddress);
  }

  /**
   * The same without an index, which programs that are linked statically lack: all entries are looked at once.
   * Undefined where there are none.
   */
  static scan(frames: Buffer, framesAddress: number): EhFrame | undefined {
    const found = new EhFrame(new Float64Array(0), new Float64Array(0), frames, framesAddress);
    const entries: { start: number; at: number }[] = [];
    const reader = new DwarfReader(frames, framesAddress, 0);
    try {
      while (!reader.isAtEnd) {
        const at = reader.at;
        const length = reader.u32();
        if (length === 0 || length === 0xffffffff) break;
        const end = reader.at + length;
        const cieAt = reader.at - reader.u32();
        // Common entries point nowhere: what follows their length is zero.
        if (cieAt !== at + 4) {
          const { pointerEncoding } = found.cieAt(cieAt);
          entries.push({ start: reader.encoded(pointerEncoding), at: framesAddress + at });
        }
        reader.at = end;
      }
    } catch (error) {
      // A damaged entry hides where the next one begins: what was read until there holds.
      if (!(error instanceof RangeError)) throw error;
    }
    if (entries.length === 0) return undefined;
    entries.sort((a, b) => a.start - b.start);
    const starts = Float64Array.from(entries, ({ start }) => start);
    return new EhFrame(
      starts,
      Float64Array.from(entries, ({ at }) => at),
      frames,
      framesAddress,
    );
  }

  /** How to find the caller from `address`; undefined where no entry covers it, or a damaged one does. */
  rulesAt(address: number): FrameRules | undefined {
    if (!this.known.has(address)) {
      let rules: FrameRules | undefined;
      try {
        rules = this.compute(address);
      } catch (error) {
        // A table that leads out of itself: this place has no rules, the others do.
        if (!(error instanceof RangeError)) throw error;
      }
      this.known.set(address, rules);
    }
    return this.known.get(address);
  }

  private compute(address: number): FrameRules | undefined {
    let [low, high] = [0, this.starts.length];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.starts[middle]! <= address) low = middle + 1;
      else high = middle;
    }
    if (low === 0) return undefined;
    const entryAt = this.entries[low - 1]! - this.framesAddress;
    const reader = new DwarfReader(this.frames, this.framesAddress, 0);
    reader.at = entryAt;
    const length = reader.u32();
    // 0 ends the section; all ones announce a 64-bit length, which no compiler needs here.
    if (length === 0 || length === 0xffffffff) return undefined;
    const end = reader.at + length;
    const cieAt = reader.at - reader.u32();
    const cie = this.cieAt(cieAt);
    const start = reader.encoded(cie.pointerEncoding);
    const size = reader.encoded(cie.pointerEncoding & 0x0f);
    if (address < start || address >= start + size) return undefined;
    if (cie.hasAugmentation) reader.at += reader.uleb();
    const program = new CfaProgram(cie.codeAlign, cie.dataAlign, cie.returnRegister, this.framesAddress);
    return program.run(cie.instructions, this.frames.subarray(reader.at, end), address - start, cie.isSignalFrame);
  }

  private cieAt(at: number): Cie {
    const known = this.cies.get(at);
    if (known !== undefined) return known;
    const reader = new DwarfReader(this.frames, this.framesAddress, 0);
    reader.at = at;
    const length = reader.u32();
    const end = reader.at + length;
    if (reader.u32() !== 0) throw new RangeError("not a common entry");
    const version = reader.u8();
    const augmentation = reader.text();
    const codeAlign = reader.uleb();
    const dataAlign = reader.sleb();
    const returnRegister = version === 1 ? reader.u8() : reader.uleb();
    let pointerEncoding = 0;
    const hasAugmentation = augmentation.startsWith("z");
    if (hasAugmentation) {
      const bytes = reader.uleb();
      const behind = reader.at + bytes;
      for (const letter of augmentation.slice(1)) {
        if (letter === "R") pointerEncoding = reader.u8();
        else if (letter === "L") reader.u8();
        else if (letter === "P") reader.encoded(reader.u8());
      }
      reader.at = behind;
    }
    const isSignalFrame = augmentation.includes("S");
    const instructions = this.frames.subarray(reader.at, end);
    const cie = { codeAlign, dataAlign, returnRegister, pointerEncoding, hasAugmentation, isSignalFrame, instructions };
    this.cies.set(at, cie);
    return cie;
  }
}
