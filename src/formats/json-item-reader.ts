import type { Intake } from "../model/intake.ts";
import type { StringPool } from "../model/string-pool.ts";
import { Decimal64, DecimalOutcome, parseDouble } from "./json-number.ts";
import { JsonKind, JsonReader } from "./json-reader.ts";

/** Attribute values longer than this many bytes are cut and counted. */
export const MAX_VALUE_BYTES: number = 64 * 1024;

/** What may be wrong with one field of an item, whatever the item is. */
export type ItemFault = "time-out-of-range" | "malformed";

/**
 * What the JSON decoders share: typed values from a JsonReader, and the account of
 * items (spans, points of metrics) that cannot be taken.
 *
 * A field of the wrong type makes a fault: its value is skipped, reading goes on,
 * and the item is rejected with the first fault found. Outside of an item the
 * same is an InputError, since nothing smaller than the document could be refused.
 */
export abstract class JsonItemReader {
  readonly reader: JsonReader;
  readonly intake: Intake;
  readonly strings: StringPool;
  /** The last number read by `decimal`. */
  readonly number: Decimal64 = new Decimal64();

  protected readonly file: string;
  /** Start of the open item, -1 outside of one. */
  protected itemAt = -1;

  constructor(bytes: Uint8Array, strings: StringPool, intake: Intake, file: string, byteBase: number) {
    this.reader = new JsonReader(bytes, intake, file, byteBase);
    this.strings = strings;
    this.intake = intake;
    this.file = file;
  }

  /** Notes why the open item cannot be taken; `found` is by default what stands at `at`. */
  protected abstract itemFault(fault: ItemFault, at: number, found?: string): void;

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
    this.faultOrFail(outcome === DecimalOutcome.outOfRange ? "time-out-of-range" : "malformed", at, "a number");
    return false;
  }

  /** Reads a time into word pair `row` of `words`; false when there is none, or after a fault. */
  time(words: Uint32Array, row: number, shift: number): boolean {
    this.reader.kind();
    const at = this.reader.position;
    if (!this.decimal(shift)) return false;
    if (this.number.negative) {
      this.itemFault("time-out-of-range", at);
      return false;
    }
    words[2 * row] = this.number.high;
    words[2 * row + 1] = this.number.low;
    return true;
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
      if (value === undefined) this.faultOrFail("malformed", at, "a number");
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
    this.faultOrFail("malformed", this.reader.position, expected);
    this.reader.skipValue();
  }

  /** A fault of the open item, or an InputError where none is open. */
  faultOrFail(reason: ItemFault, at: number, expected: string): void {
    if (this.itemAt >= 0) {
      this.itemFault(reason, at);
      return;
    }
    this.reader.position = at;
    this.reader.fail(expected);
  }
}
