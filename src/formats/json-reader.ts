import { isUtf8 } from "node:buffer";
import { InputError, type Intake } from "../model/intake.ts";
import { decodeEscape, isSurrogate, writeUtf8 } from "./json-escape.ts";
import { UNKNOWN_KEY, type JsonKeys } from "./json-keys.ts";
import { asciiText, DecimalOutcome, parseDouble, type Decimal64 } from "./json-number.ts";

/** What stands at the reader's position. */
export const JsonKind = { object: 1, array: 2, string: 3, number: 4, boolean: 5, null: 6 } as const;
export type JsonKind = (typeof JsonKind)[keyof typeof JsonKind];

/** `JsonReader.nextKey`: the object has ended. */
export const END_OF_OBJECT = -2;

/** Deeper values are refused: no telemetry comes near, and the skipper keeps a byte per level. */
const MAX_NESTING = 10_000;

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COMMA = 0x2c;
const COLON = 0x3a;
const OPEN_OBJECT = 0x7b;
const CLOSE_OBJECT = 0x7d;
const OPEN_ARRAY = 0x5b;
const CLOSE_ARRAY = 0x5d;

/** JsonKind by first byte, 0 where no value begins. */
const KIND_OF_BYTE = new Uint8Array(256);
KIND_OF_BYTE[OPEN_OBJECT] = JsonKind.object;
KIND_OF_BYTE[OPEN_ARRAY] = JsonKind.array;
KIND_OF_BYTE[QUOTE] = JsonKind.string;
for (const first of "-0123456789") KIND_OF_BYTE[first.charCodeAt(0)] = JsonKind.number;
KIND_OF_BYTE["t".charCodeAt(0)] = KIND_OF_BYTE["f".charCodeAt(0)] = JsonKind.boolean;
KIND_OF_BYTE["n".charCodeAt(0)] = JsonKind.null;

/** 1 for the bytes that end the quick scan of a string: quote, backslash, control characters. */
const STRING_STOP = new Uint8Array(256).fill(1, 0, 0x20);
STRING_STOP[QUOTE] = STRING_STOP[BACKSLASH] = 1;

/**
 * Reads JSON (RFC 8259) from bytes, one value at a time, as the caller asks for
 * it: no tree, no object and mostly no string is made.
 *
 *     reader.enterObject();
 *     for (let key = reader.nextKey(KEYS); key !== END_OF_OBJECT; key = reader.nextKey(KEYS)) {
 *       if (key === NAME) reader.readString();   // reader.text[textStart, textEnd) is UTF-8
 *       else reader.skipValue();
 *     }
 *
 * After each key or element the caller reads, enters or skips exactly one value.
 * A byte order mark and white space around values are fine. Invalid UTF-8 and
 * lone surrogates in strings read as U+FFFD and are counted in `intake.invalidUtf8`.
 * Everything else that RFC 8259 does not allow is an InputError with its byte
 * offset, counted from `byteBase`: "truncated" at the end of the input, otherwise
 * "malformed", or "too-large" beyond 10,000 levels.
 */
export class JsonReader {
  readonly bytes: Uint8Array;
  /** Offset of the next byte to read, in `bytes`. */
  position = 0;
  /** The last string or key is `text[textStart, textEnd)`, decoded UTF-8; valid until the next one. */
  text: Uint8Array;
  textStart = 0;
  textEnd = 0;

  private readonly end: number;
  private readonly file: string;
  private readonly byteBase: number;
  private readonly intake: Intake;
  /** Whole input is UTF-8: strings need no check of their own. */
  private readonly isUtf8: boolean;
  /** A container was entered and nothing of it read: no comma comes before its next part. */
  private fresh = false;
  private scratch = new Uint8Array(0);
  private openContainers: Uint8Array | undefined;

  constructor(bytes: Uint8Array, intake: Intake, file: string, byteBase: number) {
    this.bytes = this.text = bytes;
    this.end = bytes.length;
    this.intake = intake;
    this.file = file;
    this.byteBase = byteBase;
    this.isUtf8 = isUtf8(bytes);
    if (bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf) this.position = 3;
  }

  /** Kind of the next value, before which white space is skipped. */
  kind(): JsonKind {
    const kind = KIND_OF_BYTE[this.peek("a value")];
    return kind === 0 ? this.fail("a value") : (kind as JsonKind);
  }

  enterObject(): void {
    if (this.peek("an object") !== OPEN_OBJECT) this.fail("an object");
    this.position++;
    this.fresh = true;
  }

  /** Number of the next key, UNKNOWN_KEY, or END_OF_OBJECT; the reader then stands before the key's value. */
  nextKey(keys: JsonKeys): number {
    if (!this.toKey()) return END_OF_OBJECT;
    let key = keys.match(this.bytes, this.position + 1);
    if (key !== UNKNOWN_KEY) this.position += keys.matchedLength + 2;
    else {
      this.readString();
      key = keys.find(this.text, this.textStart, this.textEnd);
    }
    this.toValue();
    return key;
  }

  /** Like nextKey, for objects whose keys are data: the key is `text`; false at the object's end. */
  nextKeyText(): boolean {
    if (!this.toKey()) return false;
    this.readString();
    this.toValue();
    return true;
  }

  enterArray(): void {
    if (this.peek("an array") !== OPEN_ARRAY) this.fail("an array");
    this.position++;
    this.fresh = true;
  }

  /** Whether another element follows; the reader then stands before it. */
  nextElement(): boolean {
    const byte = this.peek("',' or ']'");
    if (byte === CLOSE_ARRAY) {
      this.position++;
      this.fresh = false;
      return false;
    }
    if (this.fresh) {
      this.fresh = false;
    } else if (byte === COMMA) {
      this.position++;
      if (this.peek("a value") === CLOSE_ARRAY) this.fail("a value");
    } else {
      this.fail("',' or ']'");
    }
    return true;
  }

  /** Reads a string into `text`, `textStart`, `textEnd`. */
  readString(): void {
    if (this.peek("a string") !== QUOTE) this.fail("a string");
    const start = this.position + 1;
    const stop = this.scanString(start);
    if (this.bytes[stop] === QUOTE && this.isUtf8) {
      this.text = this.bytes;
      this.textStart = start;
      this.textEnd = stop;
      this.position = stop + 1;
      return;
    }
    this.readStringSlowly(start, stop);
  }

  /**
   * Offset of the content of a string of exactly `length` bytes here, -1 where
   * there may be none. Only a guess, for content that is then found to hold neither
   * quote nor backslash: the caller does so and moves on with `passQuoted`.
   */
  quotedAt(length: number): number {
    const { bytes, position } = this;
    return position + length + 1 < this.end && bytes[position] === QUOTE && bytes[position + length + 1] === QUOTE
      ? position + 1
      : -1;
  }

  /** Moves past a string of `length` plain bytes, as `quotedAt` found it. */
  passQuoted(length: number): void {
    this.position += length + 2;
  }

  readBoolean(): boolean {
    const isTrue = this.peek("true or false") === 0x74;
    this.readWord(isTrue ? "true" : "false");
    return isTrue;
  }

  /** The double nearest to the number here. */
  readNumber(): number {
    const start = this.scanNumber();
    const value = parseDouble(this.bytes, start, this.position);
    if (value !== undefined) return value;
    this.position = start;
    return this.fail("a number of at most 4096 bytes", "too-large");
  }

  /**
   * The number here, bare or as a string (64-bit integers are strings in protobuf's
   * JSON), times 10^shift into `into`.
   */
  readDecimal(into: Decimal64, shift: number): DecimalOutcome {
    const kind = this.kind();
    if (kind === JsonKind.string) {
      this.readString();
      return into.parse(this.text, this.textStart, this.textEnd, shift);
    }
    if (kind === JsonKind.number) {
      const start = this.scanNumber();
      return into.parse(this.bytes, start, this.position, shift);
    }
    this.skipValue();
    return DecimalOutcome.notANumber;
  }

  /** Moves past one value of any kind and depth. */
  skipValue(): void {
    let depth = 0;
    for (;;) {
      const kind = this.kind();
      if (kind === JsonKind.object || kind === JsonKind.array) {
        this.openContainers ??= new Uint8Array(MAX_NESTING);
        if (depth === MAX_NESTING) this.fail(`at most ${MAX_NESTING} levels of nesting`, "too-large");
        this.openContainers[depth++] = kind;
        this.position++;
        this.fresh = true;
      } else {
        this.skipScalar(kind);
      }
      for (;;) {
        if (depth === 0) return;
        const inObject = this.openContainers![depth - 1] === JsonKind.object;
        if (inObject ? this.nextSkippedKey() : this.nextElement()) break;
        depth--;
      }
    }
  }

  /** Accepts nothing but white space up to the end of the input. */
  expectEnd(): void {
    if (this.skipSpace()) this.fail("the end of the input");
  }

  /** Bytes `[start, end)` of the input as text, for numbers. */
  sourceText(start: number, end: number): string {
    return asciiText(this.bytes, start, end);
  }

  /** Offset of `at` in the decompressed file. */
  fileOffset(at: number): number {
    return this.byteBase + at;
  }

  /** What stands at `at`, short and printable. */
  describe(at: number): string {
    if (at >= this.end) return "the end of the input";
    const most = Math.min(this.end, at + 24);
    let text = "";
    for (let i = at; i < most; i++) {
      const byte = this.bytes[i]!;
      text += byte >= 0x20 && byte < 0x7f ? String.fromCharCode(byte) : `\\x${byte.toString(16).padStart(2, "0")}`;
    }
    return `'${text}'${most < this.end ? "..." : ""}`;
  }

  /** Throws the InputError of the byte at `position`. */
  fail(expected: string, code?: "malformed" | "too-large"): never {
    const at = Math.min(this.position, this.end);
    throw new InputError(code ?? (at >= this.end ? "truncated" : "malformed"), {
      file: this.file,
      byteOffset: this.fileOffset(at),
      expected,
      found: this.describe(at),
    });
  }

  /** Next byte that is no white space, not consumed. */
  private peek(expected: string): number {
    if (this.position < this.end) {
      const byte = this.bytes[this.position]!;
      if (byte > 0x20) return byte;
      if (this.skipSpace()) return this.bytes[this.position]!;
    }
    return this.fail(expected);
  }

  /** False at the end of the input. */
  private skipSpace(): boolean {
    const { bytes, end } = this;
    let at = this.position;
    while (at < end) {
      const byte = bytes[at]!;
      if (byte !== 0x20 && byte !== 0x0a && byte !== 0x0d && byte !== 0x09) break;
      at++;
    }
    this.position = at;
    return at < end;
  }

  /** Offset of the first quote, backslash or control character from `at` on. */
  private scanString(at: number): number {
    const { bytes, end } = this;
    while (at < end && STRING_STOP[bytes[at]!] === 0) at++;
    if (at < end) return at;
    this.position = end;
    return this.fail("'\"' at the end of a string");
  }

  /** Strings with escapes, and all strings of an input that is not UTF-8 throughout. */
  private readStringSlowly(start: number, stop: number): void {
    const { bytes } = this;
    let replaced = false;
    let length = 0;
    let from = start;
    for (;;) {
      this.reserve(length + (stop - from) + 4);
      this.scratch.set(bytes.subarray(from, stop), length);
      length += stop - from;
      this.position = stop;
      if (bytes[stop] === QUOTE) break;
      if (bytes[stop] !== BACKSLASH) this.fail("no control character in a string");
      const code = this.readEscape();
      if (isSurrogate(code)) replaced = true;
      length = writeUtf8(code, this.scratch, length);
      from = this.position;
      stop = this.scanString(from);
    }
    this.position++;
    if (!this.isUtf8 && !isUtf8(this.scratch.subarray(0, length))) {
      replaced = true;
      const clean = new TextEncoder().encode(
        new TextDecoder("utf-8", { ignoreBOM: true }).decode(this.scratch.subarray(0, length)),
      );
      length = clean.length;
      this.reserve(length);
      this.scratch.set(clean);
    }
    if (replaced) this.intake.invalidUtf8++;
    this.text = this.scratch;
    this.textStart = 0;
    this.textEnd = length;
  }

  /** Moves past the escape at `position`, a backslash; returns its code point or lone surrogate. */
  private readEscape(): number {
    const escape = decodeEscape(this.bytes, this.position, this.end);
    if (escape < 0) {
      this.position = -1 - escape;
      this.fail("a JSON escape");
    }
    this.position += escape & 15;
    return escape >> 4;
  }

  private reserve(length: number): void {
    if (length <= this.scratch.length) return;
    const bigger = new Uint8Array(Math.max(256, 2 * length));
    bigger.set(this.scratch);
    this.scratch = bigger;
  }

  /** Moves past a number; returns where it began. */
  private scanNumber(): number {
    const { bytes } = this;
    if (KIND_OF_BYTE[this.peek("a number")] !== JsonKind.number) this.fail("a number");
    const start = this.position;
    let at = start;
    if (bytes[at] === 0x2d) at++;
    at = bytes[at] === 0x30 ? at + 1 : this.scanDigits(at);
    if (bytes[at] === 0x2e) at = this.scanDigits(at + 1);
    if (at < this.end && (bytes[at]! | 0x20) === 0x65) {
      at++;
      if (bytes[at] === 0x2b || bytes[at] === 0x2d) at++;
      at = this.scanDigits(at);
    }
    this.position = at;
    return start;
  }

  /** Offset after the digits at `at`, of which there must be one. */
  private scanDigits(at: number): number {
    const { bytes, end } = this;
    const first = at;
    while (at < end && bytes[at]! >= 0x30 && bytes[at]! <= 0x39) at++;
    if (at > first) return at;
    this.position = at;
    return this.fail("a digit");
  }

  private readWord(word: string): void {
    for (let i = 0; i < word.length; i++) {
      if (this.bytes[this.position] !== word.charCodeAt(i)) this.fail(word);
      this.position++;
    }
  }

  private skipScalar(kind: JsonKind): void {
    if (kind === JsonKind.string) this.skipString();
    else if (kind === JsonKind.number) this.scanNumber();
    else if (kind === JsonKind.boolean) this.readBoolean();
    else this.readWord("null");
  }

  /** Checks escapes, but decodes nothing and counts no invalid UTF-8: the string is not used. */
  private skipString(): void {
    for (let at = this.scanString(this.position + 1); ; at = this.scanString(this.position)) {
      this.position = at;
      if (this.bytes[at] === QUOTE) break;
      if (this.bytes[at] !== BACKSLASH) this.fail("no control character in a string");
      this.readEscape();
    }
    this.position++;
  }

  /** nextKeyText without the text. */
  private nextSkippedKey(): boolean {
    if (!this.toKey()) return false;
    this.skipString();
    this.toValue();
    return true;
  }

  /** Moves to the quote of the next key, or past the end of the object: false. */
  private toKey(): boolean {
    const byte = this.peek("',' or '}'");
    if (byte === CLOSE_OBJECT) {
      this.position++;
      this.fresh = false;
      return false;
    }
    if (this.fresh) this.fresh = false;
    else if (byte === COMMA) this.position++;
    else this.fail("',' or '}'");
    if (this.peek("a key") !== QUOTE) this.fail("a key");
    return true;
  }

  /** Moves past the colon behind a key. */
  private toValue(): void {
    if (this.peek("':'") !== COLON) this.fail("':'");
    this.position++;
  }
}
