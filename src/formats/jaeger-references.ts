import { grow } from "../model/string-pool.ts";
import { isZeroId, readHexId, readOpaqueId } from "./hex-ids.ts";
import { JsonKeys, UNKNOWN_KEY } from "./json-keys.ts";
import { END_OF_OBJECT } from "./json-reader.ts";
import type { JsonSpanWriter } from "./json-span-writer.ts";

const Key = { refType: 0, traceID: 1, spanID: 2 } as const;
const KEYS = new JsonKeys([...Object.entries(Key), ["traceId", Key.traceID], ["spanId", Key.spanID]]);

const CHILD_OF = 0;
const FOLLOWS_FROM = 1;
const REF_TYPES = new JsonKeys([
  ["CHILD_OF", CHILD_OF],
  ["FOLLOWS_FROM", FOLLOWS_FROM],
]);

/** Words of a reference: 4 of the trace id, zeros for the span's own trace; 2 of the span id. */
const WORDS = 6;

/**
 * References of the open Jaeger span. They may stand before the span's own trace
 * id, so what they mean is decided at the span's end.
 */
export class JaegerReferences {
  private readonly writer: JsonSpanWriter;
  private readonly legacyParent = new Uint32Array(2);
  private count = 0;
  private types = new Uint8Array(8);
  private words = new Uint32Array(8 * WORDS);

  constructor(writer: JsonSpanWriter) {
    this.writer = writer;
  }

  beginSpan(): void {
    this.count = 0;
    this.legacyParent.fill(0);
  }

  readList(): void {
    const { reader } = this.writer;
    if (!this.writer.arrayHere()) return;
    while (reader.nextElement()) this.readReference();
  }

  /** `parentSpanID` of formats before 2018; zero is none. */
  readLegacyParent(): void {
    const { reader } = this.writer;
    if (this.writer.textHere()) {
      readOpaqueId(reader.text, reader.textStart, reader.textEnd, this.legacyParent, 0, 2);
    }
  }

  /** The parent is the first CHILD_OF in the trace, else the legacy parent, else the first FOLLOWS_FROM. The rest are links. */
  endSpan(): void {
    const { into } = this.writer;
    const { words, types } = this;
    const row = into.open;
    let childOf = -1;
    let followsFrom = -1;
    for (let i = this.count - 1; i >= 0; i--) {
      if (!this.isInTrace(into.traceId, 4 * row, i * WORDS)) continue;
      if (types[i] === CHILD_OF) childOf = i;
      else followsFrom = i;
    }
    const hasLegacyParent = !isZeroId(this.legacyParent, 0, 2);
    const parent = childOf >= 0 || hasLegacyParent ? childOf : followsFrom;
    const source = parent >= 0 ? words : this.legacyParent;
    const at = parent >= 0 ? parent * WORDS + 4 : 0;
    into.parentSpanId[2 * row] = source[at]!;
    into.parentSpanId[2 * row + 1] = source[at + 1]!;
    for (let i = 0; i < this.count; i++) {
      if (i !== childOf) into.addLink(words.subarray(i * WORDS, (i + 1) * WORDS));
    }
  }

  /** Reads an opaque id of `words` words. */
  id(out: Uint32Array, at: number, words: number, reason: "trace-id-invalid" | "span-id-invalid"): void {
    const { reader } = this.writer;
    reader.kind();
    const from = reader.position;
    const quick = reader.quotedAt(8 * words);
    if (quick > 0 && readHexId(reader.bytes, quick, quick + 8 * words, out, at, words) && !isZeroId(out, at, words)) {
      reader.passQuoted(8 * words);
      return;
    }
    out.fill(0, at, at + words);
    if (!this.writer.textHere()) return;
    if (!readOpaqueId(reader.text, reader.textStart, reader.textEnd, out, at, words)) this.writer.fault(reason, from);
  }

  private readReference(): void {
    const { writer } = this;
    const { reader } = writer;
    if (!writer.objectHere()) return;
    const start = reader.position;
    const i = this.count++;
    if (i === this.types.length) {
      this.types = grow(this.types, Uint8Array, i + 1);
      this.words = grow(this.words, Uint32Array, (i + 1) * WORDS);
    }
    const { types, words } = this;
    const at = i * WORDS;
    types[i] = CHILD_OF;
    words.fill(0, at, at + WORDS);
    for (let key = reader.nextKey(KEYS); key !== END_OF_OBJECT; key = reader.nextKey(KEYS)) {
      if (key === Key.traceID) this.id(words, at, 4, "trace-id-invalid");
      else if (key === Key.spanID) this.id(words, at + 4, 2, "span-id-invalid");
      else if (key !== Key.refType) reader.skipValue();
      else if (writer.textHere()) {
        const type = REF_TYPES.find(reader.text, reader.textStart, reader.textEnd);
        if (type === UNKNOWN_KEY)
          writer.fault("span-malformed", start, "a reference that is neither CHILD_OF nor FOLLOWS_FROM");
        else types[i] = type;
      }
    }
    if (isZeroId(words, at + 4, 2)) writer.fault("span-id-invalid", start, "a reference without span id");
  }

  /** Whether the reference at `at` is one into the span's trace; one without trace id becomes so. */
  private isInTrace(traceId: Uint32Array, traceAt: number, at: number): boolean {
    const { words } = this;
    const isOwn = isZeroId(words, at, 4);
    for (let word = 0; word < 4; word++) {
      if (isOwn) words[at + word] = traceId[traceAt + word]!;
      else if (words[at + word] !== traceId[traceAt + word]) return false;
    }
    return true;
  }
}
