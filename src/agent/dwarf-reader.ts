/** Reads numbers of a DWARF table. Reading behind the end throws a RangeError. */
export class DwarfReader {
  at = 0;
  private readonly bytes: Buffer;
  /** address of the first byte, for pointers relative to their own place */
  private readonly address: number;
  /** what "relative to the data" counts from */
  private readonly dataBase: number;

  constructor(bytes: Buffer, address: number, dataBase: number) {
    this.bytes = bytes;
    this.address = address;
    this.dataBase = dataBase;
  }

  get isAtEnd(): boolean {
    return this.at >= this.bytes.length;
  }

  u8(): number {
    return this.bytes.readUInt8(this.at++);
  }

  u16(): number {
    this.at += 2;
    return this.bytes.readUInt16LE(this.at - 2);
  }

  u32(): number {
    this.at += 4;
    return this.bytes.readUInt32LE(this.at - 4);
  }

  u64(): number {
    this.at += 8;
    return Number(this.bytes.readBigUInt64LE(this.at - 8));
  }

  uleb(): number {
    let value = 0;
    for (let scale = 1; ; scale *= 128) {
      const byte = this.u8();
      value += (byte & 0x7f) * scale;
      if ((byte & 0x80) === 0) return value;
    }
  }

  sleb(): number {
    let value = 0;
    for (let scale = 1; ; scale *= 128) {
      const byte = this.u8();
      value += (byte & 0x7f) * scale;
      if ((byte & 0x80) === 0) return (byte & 0x40) === 0 ? value : value - scale * 128;
    }
  }

  text(): string {
    const end = this.bytes.indexOf(0, this.at);
    if (end < 0) throw new RangeError("text without an end");
    const text = this.bytes.toString("latin1", this.at, end);
    this.at = end + 1;
    return text;
  }

  block(): Buffer {
    const size = this.uleb();
    this.at += size;
    if (this.at > this.bytes.length) throw new RangeError("block behind the end");
    return this.bytes.subarray(this.at - size, this.at);
  }

  /** A pointer in the encoding of DW_EH_PE: the low bits say how it is written, the next ones what it is relative to. */
  encoded(encoding: number): number {
    if (encoding === 0xff) return 0;
    const place = this.address + this.at;
    const value = this.plain(encoding & 0x0f);
    switch (encoding & 0x70) {
      case 0x00:
        return value;
      case 0x10:
        return place + value;
      case 0x30:
        return this.dataBase + value;
      default:
        throw new RangeError(`pointer encoding ${encoding}`);
    }
  }

  private plain(format: number): number {
    switch (format) {
      case 0x00:
      case 0x04:
        return this.u64();
      case 0x01:
        return this.uleb();
      case 0x02:
        return this.u16();
      case 0x03:
        return this.u32();
      case 0x09:
        return this.sleb();
      case 0x0a:
        return (this.u16() << 16) >> 16;
      case 0x0b:
        return this.u32() | 0;
      case 0x0c:
        this.at += 8;
        return Number(this.bytes.readBigInt64LE(this.at - 8));
      default:
        throw new RangeError(`pointer format ${format}`);
    }
  }
}
