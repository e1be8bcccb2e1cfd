import { isZeroId, readOpaqueId } from "./hex-ids.ts";
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

interface Reference {
  readonly type: number;
  /** 4 words of the trace id, zeros for the span's own trace; 2 of the span id */
  readonly words: Uint32Array;
}

/**
 * References of the open Jaeger span. They may stand before the span's own trace
 * id, so what they mean is decided at the span's end.
 */
export class JaegerReferences {
  private readonly writer: JsonSpanWriter;
  private readonly legacyParent = new Uint32Array(2);
  private readonly list: Reference[] = [];

  constructor(writer: JsonSpanWriter) {
    this.writer = writer;
  }

  beginSpan(): void {
    this.list.length = 0;
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
    const row = into.open;
    const traceId = into.traceId.subarray(4 * row, 4 * row + 4);
    for (const { words } of this.list) if (isZeroId(words, 0, 4)) words.set(traceId);
    const inTrace = this.list.filter(({ words }) => traceId.every((word, i) => word === words[i]));
    const childOf = inTrace.find(({ type }) => type === CHILD_OF);
    const parent = childOf ?? (isZeroId(this.legacyParent, 0, 2) ? inTrace[0] : undefined);
    into.parentSpanId.set(parent?.words.subarray(4) ?? this.legacyParent, 2 * row);
    for (const reference of this.list) if (reference !== childOf) into.addLink(reference.words);
  }

  /** Reads an opaque id of `words` words. */
  id(out: Uint32Array, at: number, words: number, reason: "trace-id-invalid" | "span-id-invalid"): void {
    const { reader } = this.writer;
    reader.kind();
    const from = reader.position;
    if (!this.writer.textHere()) return;
    if (!readOpaqueId(reader.text, reader.textStart, reader.textEnd, out, at, words)) this.writer.fault(reason, from);
  }

  private readReference(): void {
    const { writer } = this;
    const { reader } = writer;
    const words = new Uint32Array(6);
    let type: number = CHILD_OF;
    if (!writer.objectHere()) return;
    const start = reader.position;
    for (let key = reader.nextKey(KEYS); key !== END_OF_OBJECT; key = reader.nextKey(KEYS)) {
      if (key === Key.traceID) this.id(words, 0, 4, "trace-id-invalid");
      else if (key === Key.spanID) this.id(words, 4, 2, "span-id-invalid");
      else if (key !== Key.refType) reader.skipValue();
      else if (writer.textHere()) {
        type = REF_TYPES.find(reader.text, reader.textStart, reader.textEnd);
        if (type === UNKNOWN_KEY) writer.fault("span-malformed", start, "a reference that is neither CHILD_OF nor FOLLOWS_FROM");
      }
    }
    if (isZeroId(words, 4, 2)) writer.fault("span-id-invalid", start, "a reference without span id");
    this.list.push({ type, words });
  }
}
