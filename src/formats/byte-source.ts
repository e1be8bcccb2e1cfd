/**
 * A stream of chunks from which a parser takes bytes: it asks for what it needs
 * and finds that in one piece in `bytes`, from `at` on. A chunk is only valid until
 * the next one is asked for, so that the reader of a file can reuse its buffers.
 */
export class ByteSource {
  bytes: Uint8Array = new Uint8Array(0);
  at = 0;
  private base = 0;
  private readonly chunks: AsyncIterator<Uint8Array>;

  constructor(chunks: AsyncIterator<Uint8Array>) {
    this.chunks = chunks;
  }

  /** Offset in the stream of `bytes[at]`. */
  get offset(): number {
    return this.base + this.at;
  }

  get available(): number {
    return this.bytes.length - this.at;
  }

  /** Makes at least `count` bytes available; false when the stream ends before. */
  async need(count: number): Promise<boolean> {
    while (this.available < count) {
      // A copy, as the chunk is not valid any more after `next`; Buffer.slice would be none.
      const rest = new Uint8Array(this.bytes.subarray(this.at));
      const next = await this.chunks.next();
      if (next.done) {
        this.base += this.at;
        this.bytes = rest;
        this.at = 0;
        return false;
      }
      this.base += this.at;
      this.at = 0;
      this.bytes = rest.length === 0 ? next.value : concat(rest, next.value);
    }
    return true;
  }

  /** Ends the stream early, so that its file is closed. */
  async close(): Promise<void> {
    await this.chunks.return?.();
  }

  /** The bytes from `at` on to the end of the stream, chunk by chunk. */
  async *rest(): AsyncGenerator<Uint8Array> {
    while (await this.need(1)) {
      const chunk = this.bytes.subarray(this.at);
      this.at = this.bytes.length;
      yield chunk;
    }
  }
}

function concat(first: Uint8Array, second: Uint8Array): Uint8Array {
  const both = new Uint8Array(first.length + second.length);
  both.set(first);
  both.set(second, first.length);
  return both;
}
