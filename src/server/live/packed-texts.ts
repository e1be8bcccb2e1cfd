import { promisify } from "node:util";
import { gunzip, gzip } from "node:zlib";

const [pack, unpack] = [promisify(gzip), promisify(gunzip)];

export interface Packed<Note> {
  /** gzip */
  readonly bytes: Buffer;
  readonly note: Note;
}

/**
 * Texts by a key, packed to some tenth of their size, within a number of packed bytes: beyond, those that were used longest
 * ago go. Packing and unpacking are done beside the event loop.
 */
export class PackedTexts<Note> {
  private readonly mostBytes: number;
  private readonly held = new Map<string, Packed<Note>>();
  private bytes = 0;

  constructor(mostBytes: number) {
    this.mostBytes = mostBytes;
  }

  /** Holds the text in the place of the one of before; gives it as it is held, and the keys that went for it. */
  async keep(
    key: string,
    text: string,
    note: Note,
  ): Promise<{ readonly packed: Packed<Note>; readonly gone: readonly string[] }> {
    const packed = { bytes: await pack(text, { level: 1 }), note };
    return { packed, gone: this.put(key, packed) };
  }

  /** The same for what is packed already. */
  put(key: string, packed: Packed<Note>): readonly string[] {
    this.forget(key);
    this.held.set(key, packed);
    this.bytes += packed.bytes.length;
    const gone: string[] = [];
    for (const [oldest] of this.held) {
      if (this.bytes <= this.mostBytes) break;
      this.forget(oldest);
      gone.push(oldest);
    }
    return gone;
  }

  noteOf(key: string): Note | undefined {
    return this.held.get(key)?.note;
  }

  /** Undefined where there is none. Throws the error of zlib for bytes that are damaged. */
  async get(key: string): Promise<{ readonly text: string; readonly note: Note } | undefined> {
    const packed = this.held.get(key);
    if (packed === undefined) return undefined;
    // Used last stands last.
    this.held.delete(key);
    this.held.set(key, packed);
    return { text: (await unpack(packed.bytes)).toString(), note: packed.note };
  }

  forget(key: string): void {
    this.bytes -= this.held.get(key)?.bytes.length ?? 0;
    this.held.delete(key);
  }
}
