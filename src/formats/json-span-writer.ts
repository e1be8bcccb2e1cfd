import type { Intake, RejectReason } from "../model/intake.ts";
import type { SpanTableBuilder } from "../model/span-table-builder.ts";
import type { StringPool } from "../model/string-pool.ts";
import { isZeroId } from "./hex-ids.ts";
import { Decimal64, DecimalOutcome, parseDouble } from "./json-number.ts";
import { JsonKind, JsonReader } from "./json-reader.ts";

/** Attribute values longer than this many bytes are cut and counted. */
export const MAX_VALUE_BYTES: number = 64 * 1024;

const TWO_32 = 2 ** 32;

/**
 * What the JSON decoders share: fields of the open span from a JsonReader into a
 * SpanTableBuilder, and the account of spans that cannot be taken.
 *
 * A field of the wrong type makes a fault: its value is skipped, reading goes on,
 * and `endSpan` rejects the span with the first fault found. Outside of a span the
 * same is an InputError, since nothing smaller than the document could be refused.
 */
export class JsonSpanWriter {
  readonly reader: JsonReader;
  readonly into: SpanTableBuilder;
  readonly intake: Intake;
  readonly strings: StringPool;
  /** The last number read by `decimal`. */
  readonly number: Decimal64 = new Decimal64();

  private readonly file: string;
  private spanAt = -1;
  private reason: RejectReason | undefined;
  private example = "";

  constructor(bytes: Uint8Array, into: SpanTableBuilder, intake: Intake, file: string, byteBase: number) {
    this.reader = new JsonReader(bytes, intake, file, byteBase);
    this.into = into;
    this.intake = intake;
    this.strings = into.strings;
    this.file = file;
  }

  /** Enters the object of the next span; false, with the element counted as rejected, when it is none. */
  beginSpan(resource: number, scope: number): boolean {
    const kind = this.reader.kind();
    this.spanAt = this.reader.position;
    this.reason = undefined;
    this.into.begin(resource, scope);
    if (kind === JsonKind.object) {
      this.reader.enterObject();
      return true;
    }
    this.wrongType();
    this.reject();
    return false;
  }

  /** Keeps the open span, or rejects it for its first fault. `hasTimes`: it has those that its format asks for. */
  endSpan(hasTimes: boolean): void {
    const { into } = this;
    const row = into.open;
    if (isZeroId(into.traceId, 4 * row, 4)) this.fault("trace-id-invalid", this.spanAt, "no trace id");
    else if (isZeroId(into.spanId, 2 * row, 2)) this.fault("span-id-invalid", this.spanAt, "no span id");
    else if (!hasTimes) this.fault("time-missing", this.spanAt, "no time");
    if (this.reason !== undefined) {
      this.reject();
      return;
    }
    into.commit();
    this.intake.accept();
    this.spanAt = -1;
  }

  /** After an InputError: the span it happened in is counted as rejected, those before it stay. */
  abandon(error: unknown): void {
    if (this.spanAt < 0) return;
    this.fault("span-malformed", this.spanAt, error instanceof Error ? error.message : String(error));
    this.reject();
  }

  /** Notes why the open span cannot be taken; `found` is by default what stands at `at`. */
  fault(reason: RejectReason, at: number, found?: string): void {
    if (this.reason !== undefined) return;
    this.reason = reason;
    if (this.intake.rejected.has(reason)) return;
    this.example = `${this.file}: byte ${this.reader.fileOffset(at)}: found ${found ?? this.reader.describe(at)}`;
  }

  /** Enters an object; false when the value is null or of another type and was skipped. */
  objectHere(): boolean {
    const kind = this.reader.kind();
    if (kind === JsonKind.object) {
      this.reader.enterObject();
      return true;
    }
    if (kind === JsonKind.null) this.reader.skipValue();
    else this.wrongType("an object");
    return false;
  }

  /** Enters an array; false when the value is null or of another type and was skipped. */
  arrayHere(): boolean {
    const kind = this.reader.kind();
    if (kind === JsonKind.array) {
      this.reader.enterArray();
      return true;
    }
    if (kind === JsonKind.null) this.reader.skipValue();
    else this.wrongType("an array");
    return false;
  }

  /** Reads a string into `reader.text`; false when the value is null or of another type and was skipped. */
  textHere(): boolean {
    const kind = this.reader.kind();
    if (kind === JsonKind.string) {
      this.reader.readString();
      return true;
    }
    if (kind === JsonKind.null) this.reader.skipValue();
    else this.wrongType("a string");
    return false;
  }

  /** String id of the string here; 0 for null. */
  stringId(): number {
    return this.textHere() ? this.textId() : 0;
  }

  /** String id of the reader's text. */
  textId(): number {
    const { reader } = this;
    return this.strings.internBytes(reader.text, reader.textStart, reader.textEnd);
  }

  /** String id of the reader's text as an attribute's value: cut behind 64 KiB, at a character's end. */
  valueTextId(): number {
    const { text, textStart, textEnd } = this.reader;
    let end = textEnd;
    if (end - textStart > MAX_VALUE_BYTES) {
      end = textStart + MAX_VALUE_BYTES;
      while ((text[end]! & 0xc0) === 0x80) end--;
      this.intake.truncatedValues++;
    }
    return this.strings.internBytes(text, textStart, end);
  }

  /** String id of text made here, as an attribute's value. */
  valueStringId(text: string, wasCut: boolean): number {
    const cut = text.length > MAX_VALUE_BYTES;
    if (cut || wasCut) this.intake.truncatedValues++;
    return this.strings.intern(cut ? text.slice(0, MAX_VALUE_BYTES) : text);
  }

  /** Reads the number here, bare or as a string, times 10^shift into `number`; false for null and after a fault. */
  decimal(shift: number): boolean {
    const { reader } = this;
    if (reader.kind() === JsonKind.null) {
      reader.skipValue();
      return false;
    }
    const at = reader.position;
    const outcome = reader.readDecimal(this.number, shift);
    if (outcome === DecimalOutcome.ok) return true;
    this.faultOrFail(outcome === DecimalOutcome.outOfRange ? "time-out-of-range" : "span-malformed", at, "a number");
    return false;
  }

  /** Reads a time into word pair `row` of `words`; false when there is none, or after a fault. */
  time(words: Uint32Array, row: number, shift: number): boolean {
    this.reader.kind();
    const at = this.reader.position;
    if (!this.decimal(shift)) return false;
    if (this.number.negative) {
      this.fault("time-out-of-range", at);
      return false;
    }
    words[2 * row] = this.number.high;
    words[2 * row + 1] = this.number.low;
    return true;
  }

  /** Sets the open span's end to its start plus a signed number of nanoseconds. */
  endAfter(length: Decimal64): void {
    const { startWords, endWords, open: row } = this.into;
    const sign = length.negative ? -1 : 1;
    const low = startWords[2 * row + 1]! + sign * length.low;
    const carry = Math.floor(low / TWO_32);
    const high = startWords[2 * row]! + sign * length.high + carry;
    if (high < 0 || high >= TWO_32) this.fault("time-out-of-range", this.spanAt, "an end before 1970 or after 2554");
    endWords[2 * row] = high;
    endWords[2 * row + 1] = low - carry * TWO_32;
  }

  /** The double here, bare or as a string; undefined for null and after a fault. */
  double(): number | undefined {
    const { reader } = this;
    const kind = reader.kind();
    if (kind === JsonKind.number) return reader.readNumber();
    const at = reader.position;
    if (kind === JsonKind.string) {
      reader.readString();
      const value = parseDouble(reader.text, reader.textStart, reader.textEnd);
      if (value === undefined) this.faultOrFail("span-malformed", at, "a number");
      return value;
    }
    if (kind === JsonKind.null) reader.skipValue();
    else this.wrongType("a number");
    return undefined;
  }

  /** The boolean here; undefined for null and after a fault. */
  boolean(): boolean | undefined {
    const { reader } = this;
    const kind = reader.kind();
    if (kind === JsonKind.boolean) return reader.readBoolean();
    if (kind === JsonKind.null) reader.skipValue();
    else this.wrongType("true or false");
    return undefined;
  }

  /** Skips a value that is not of the type its field has. */
  wrongType(expected = "an object"): void {
    this.faultOrFail("span-malformed", this.reader.position, expected);
    this.reader.skipValue();
  }

  /** A fault of the open span, or an InputError where none is open. */
  faultOrFail(reason: RejectReason, at: number, expected: string): void {
    if (this.spanAt >= 0) {
      this.fault(reason, at);
      return;
    }
    this.reader.position = at;
    this.reader.fail(expected);
  }

  private reject(): void {
    this.into.drop();
    this.intake.reject(this.reason ?? "span-malformed", this.example);
    this.spanAt = -1;
  }
}
