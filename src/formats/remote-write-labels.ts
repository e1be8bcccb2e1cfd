import { type AttributeSink, AttributeType } from "../model/attribute-table.ts";
import type { StringPool } from "../model/string-pool.ts";
import { readHexId } from "./hex-ids.ts";
import type { ProtobufReader } from "./protobuf-reader.ts";

/** String ids of the symbols of a 2.0 request. */
export type Symbols = number[];

const TRACE_ID = /^trace_?id$/i;
const SPAN_ID = /^span_?id$/i;

/**
 * Labels of one series or exemplar of Prometheus remote-write, gathered part by part and then read:
 *
 *   1.0: message Label { string name = 1; string value = 2; }, each a part from start to end
 *   2.0: repeated uint32 labels_refs, indices of symbols, packed or not
 */
export class RemoteWriteLabels {
  /** 1.0: starts and ends of label messages. 2.0: refs. */
  readonly parts: number[] = [];
  /** what is wrong with the last that were read; "" where nothing is */
  fault = "";
  private readonly reader: ProtobufReader;
  private readonly strings: StringPool;
  private readonly symbols: Symbols;
  private readonly nameId: number;
  /** string ids of names and values */
  private readonly pairs: number[] = [];

  constructor(reader: ProtobufReader, strings: StringPool, symbols: Symbols) {
    this.reader = reader;
    this.strings = strings;
    this.symbols = symbols;
    this.nameId = strings.intern("__name__");
  }

  /** Adds the refs in `[start, end)`, packed. */
  addPacked(start: number, end: number): void {
    const { reader, parts } = this;
    for (let at = start; at < end; at = reader.at) parts.push(reader.varint(at, end));
  }

  symbol(ref: number, at: number): number {
    const id = this.symbols[ref];
    if (id === undefined)
      this.reader.fail("malformed", at, `a reference to one of ${this.symbols.length} symbols`, String(ref));
    return id;
  }

  /** Reads what was gathered of the message at `at`. */
  read(version: 1 | 2, at: number): void {
    const { parts, pairs } = this;
    pairs.length = 0;
    if (version === 2) for (const ref of parts) pairs.push(this.symbol(ref, at));
    else for (let i = 0; i < parts.length; i += 2) this.readLabel(parts[i]!, parts[i + 1]!);
  }

  /** As `read`, of a series; gives the string id of its name. Sets `fault` where there is none, or a label twice. */
  readSeries(version: 1 | 2, at: number): number {
    const { pairs } = this;
    if (version === 2 && this.parts.length % 2 !== 0)
      this.reader.fail("malformed", at, "pairs of label references", "one alone");
    this.read(version, at);
    let name = 0;
    for (let i = 0; i < pairs.length; i += 2) {
      if (pairs[i] === this.nameId) name = pairs[i + 1]!;
      for (let before = 0; before < i; before += 2) {
        if (pairs[before] === pairs[i]) this.fault = `label ${this.strings.get(pairs[i]!)} twice`;
      }
    }
    if (name === 0) this.fault = "no __name__";
    return name;
  }

  /** Adds them, but for the name. An empty value is as no label. */
  addTo(list: AttributeSink): void {
    const { pairs, nameId } = this;
    for (let i = 0; i < pairs.length; i += 2) {
      if (pairs[i] !== nameId && pairs[i + 1] !== 0) list.add(pairs[i]!, AttributeType.string, pairs[i + 1]!);
    }
  }

  /** Sets the four words of a trace id and two of a span id that they name; whether they name a trace. */
  readIds(ids: Uint32Array): boolean {
    const { pairs, strings } = this;
    ids.fill(0);
    let found = false;
    for (let i = 0; i + 1 < pairs.length; i += 2) {
      const key = strings.get(pairs[i]!);
      const isTrace = TRACE_ID.test(key);
      if (!isTrace && !SPAN_ID.test(key)) continue;
      const words = isTrace ? 4 : 2;
      const text = new TextEncoder().encode(strings.get(pairs[i + 1]!));
      const sound = text.length === 8 * words && readHexId(text, 0, text.length, ids, isTrace ? 0 : 4, words);
      if (isTrace) found = sound;
      else if (!sound) ids.fill(0, 4);
    }
    return found;
  }

  private readLabel(start: number, end: number): void {
    const { reader, strings } = this;
    let name = 0;
    let value = 0;
    for (let at = start; at < end;) {
      const tag = reader.tag(at, end);
      if (tag !== 0x0a && tag !== 0x12) {
        at = reader.skip(tag, reader.at, end);
        continue;
      }
      at = reader.valueEnd(reader.at, end);
      const id = strings.internBytes(reader.bytes, reader.at, at);
      if (tag === 0x0a) name = id;
      else value = id;
    }
    this.pairs.push(name, value);
  }
}
