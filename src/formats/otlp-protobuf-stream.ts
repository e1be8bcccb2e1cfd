import { InputError } from "../model/intake.ts";
import { ProtobufReader, Wire } from "./protobuf-reader.ts";

/** A ResourceSpans or ResourceMetrics, which is decoded as a whole, may be that large. */
const MAX_MESSAGE = 2 ** 30;
/** The longest tag and length: 5 and 10 bytes. */
const MAX_HEADER = 15;
/** A window larger than this is given back once it is decoded. */
const KEEP_WINDOW = 8 * 1024 * 1024;

/** How requests follow one another: one message, or each behind its length in 4 bytes, big-endian, as the Collector's file exporter writes. */
export type Framing = "message" | "length-prefixed";

/** Decodes the request in `bytes[start, end)`, or some of its fields; byte 0 of `bytes` is byte `byteBase` of the file. */
export interface RequestDecoder {
  request(bytes: Uint8Array, start: number, end: number, byteBase: number): void;
}

/**
 * Decodes a file of OTLP protobuf as its chunks arrive, one ResourceSpans or ResourceMetrics at a time;
 * what is not complete yet waits in a window that grows as needed, up to 1 GiB.
 * `push` and `finish` throw InputError as the decoder does, and `too-large`.
 */
export class OtlpProtobufStream {
  private readonly decoder: RequestDecoder;
  private readonly reader: ProtobufReader;
  private readonly prefixed: boolean;
  /** Bytes not decoded yet are window[start, end); window[start] is byte `base` of the file. */
  private window: Uint8Array = new Uint8Array(0);
  private start = 0;
  private end = 0;
  private base = 0;
  /** Bytes of the present request that are not decoded yet. */
  private requestLeft: number;

  constructor(decoder: RequestDecoder, file: string, framing: Framing) {
    this.decoder = decoder;
    this.reader = new ProtobufReader(file);
    this.prefixed = framing === "length-prefixed";
    this.requestLeft = this.prefixed ? 0 : Infinity;
  }

  /** Decodes what `chunk` completes. The chunk is not kept. */
  push(chunk: Uint8Array): void {
    if (this.start < this.end) {
      this.append(chunk);
      this.decodeComplete(false);
      return;
    }
    // Nothing waits: decode from the chunk itself and keep a copy of its rest.
    const own = this.window;
    [this.window, this.start, this.end] = [chunk, 0, chunk.length];
    try {
      this.decodeComplete(false);
    } finally {
      const rest = chunk.subarray(this.start, this.end);
      [this.window, this.start, this.end] = [own, 0, 0];
      this.append(rest);
    }
  }

  /** Decodes what is left at the end of the file; throws where it ends in the middle of a message. */
  finish(): void {
    this.decodeComplete(true);
    if (this.prefixed && this.requestLeft > 0) {
      this.fail("truncated", `${this.requestLeft} more bytes of a request`, "the end of the file");
    }
  }

  private decodeComplete(last: boolean): void {
    while (this.start < this.end) {
      if (this.requestLeft === 0) {
        if (!this.readPrefix(last)) return;
        continue;
      }
      const inRequest = Math.min(this.end, this.start + this.requestLeft);
      // The request's last bytes are there, or the file's: nothing more will come.
      const closed = last || inRequest < this.end || inRequest - this.start === this.requestLeft;
      const fieldEnd = this.fieldEnd(inRequest, closed);
      if (fieldEnd < 0) return;
      this.decoder.request(this.window, this.start, fieldEnd, this.base - this.start);
      this.requestLeft -= fieldEnd - this.start;
      this.advance(fieldEnd);
    }
  }

  /** End of the field at `start`; -1 when it is not complete yet. `closed`: no more bytes than up to `end` will come. */
  private fieldEnd(end: number, closed: boolean): number {
    if (closed && end - this.start <= KEEP_WINDOW) return end;
    if (!closed && end - this.start < MAX_HEADER) return -1;
    const reader = this.reader;
    reader.over(this.window, this.base - this.start);
    const tag = reader.tag(this.start, end);
    // Of the other wire types only a group can be longer than what is there; it is left to the end of the file.
    if ((tag & 7) === Wire.groupStart && !closed && end - this.start <= MAX_MESSAGE) return -1;
    if ((tag & 7) !== Wire.bytes) return closed ? end : reader.skip(tag, reader.at, end);
    const size = reader.varint(reader.at, end);
    if (size > MAX_MESSAGE) {
      this.fail("too-large", `a message of at most ${MAX_MESSAGE} bytes`, `${size} bytes`);
    }
    const fieldEnd = reader.at + size;
    if (fieldEnd <= end) return fieldEnd;
    return closed ? end : -1;
  }

  private readPrefix(last: boolean): boolean {
    if (this.end - this.start < 4) {
      if (last)
        this.fail("truncated", "a request's length in 4 bytes", `${this.end - this.start} bytes before the end`);
      return false;
    }
    this.requestLeft = new DataView(this.window.buffer, this.window.byteOffset + this.start, 4).getUint32(0);
    this.advance(this.start + 4);
    return true;
  }

  private advance(to: number): void {
    this.base += to - this.start;
    this.start = to;
  }

  /** Adds bytes to the window, moving what waits to its beginning when there is no room behind it. */
  private append(bytes: Uint8Array): void {
    const waiting = this.end - this.start;
    const need = waiting + bytes.length;
    if (this.start > 0 || need > this.window.length) {
      const shrink = this.window.length > KEEP_WINDOW && need < KEEP_WINDOW;
      const target = need > this.window.length || shrink ? new Uint8Array(Math.max(2 * need, 1 << 16)) : this.window;
      target.set(this.window.subarray(this.start, this.end));
      this.window = target;
      this.start = 0;
      this.end = waiting;
    }
    this.window.set(bytes, this.end);
    this.end += bytes.length;
  }

  private fail(code: "truncated" | "too-large", expected: string, found: string): never {
    throw new InputError(code, { file: this.reader.file, byteOffset: this.base, expected, found });
  }
}
