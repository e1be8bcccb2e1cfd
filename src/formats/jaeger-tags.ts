import { type AttributeSink, AttributeType } from "../model/attribute-table.ts";
import { JsonKeys } from "./json-keys.ts";
import { parseDouble } from "./json-number.ts";
import { END_OF_OBJECT, JsonKind } from "./json-reader.ts";
import type { JsonSpanWriter } from "./json-span-writer.ts";

const Key = { key: 0, type: 1, value: 2 } as const;
const KEYS = new JsonKeys(Object.entries(Key));

const TagType = { string: 0, bool: 1, int64: 2, float64: 3, binary: 4 } as const;
const TAG_TYPES = new JsonKeys(Object.entries(TagType));

/**
 * Reads lists of Jaeger's tags, `[{"key": "http.status_code", "type": "int64", "value": 200}, ...]`.
 * The type may be missing, or stand behind the value; numbers and booleans may be
 * written as strings, as Elasticsearch keeps them. Binary values stay base64 text.
 */
export class JaegerTags {
  private readonly writer: JsonSpanWriter;
  private readonly encoder = new TextEncoder();

  constructor(writer: JsonSpanWriter) {
    this.writer = writer;
  }

  readList(sink: AttributeSink): void {
    const { reader } = this.writer;
    if (!this.writer.arrayHere()) return;
    while (reader.nextElement()) this.readTag(sink);
  }

  private readTag(sink: AttributeSink): void {
    const { writer } = this;
    const { reader } = writer;
    if (!writer.objectHere()) return;
    const start = reader.position;
    let key = 0;
    let tagType: number = TagType.string;
    let kind: JsonKind = JsonKind.null;
    let value = 0;
    for (let name = reader.nextKey(KEYS); name !== END_OF_OBJECT; name = reader.nextKey(KEYS)) {
      if (name === Key.key) key = writer.stringId();
      else if (name === Key.type) {
        if (writer.textHere()) tagType = TAG_TYPES.find(reader.text, reader.textStart, reader.textEnd);
      } else if (name === Key.value) {
        kind = reader.kind();
        if (kind === JsonKind.string) {
          reader.readString();
          value = writer.valueTextId();
        } else if (kind === JsonKind.number) value = reader.readNumber();
        else if (kind === JsonKind.boolean) value = reader.readBoolean() ? 1 : 0;
        else if (kind === JsonKind.null) reader.skipValue();
        else writer.wrongType("a string, number or boolean");
      } else reader.skipValue();
    }
    if (kind === JsonKind.string) this.addText(sink, key, tagType, value, start);
    else if (kind === JsonKind.number) sink.add(key, AttributeType.number, value);
    else if (kind === JsonKind.boolean) sink.add(key, AttributeType.boolean, value);
  }

  /** A tag whose value was written as a string, `value` being its id. */
  private addText(sink: AttributeSink, key: number, tagType: number, value: number, start: number): void {
    const { writer } = this;
    if (tagType === TagType.int64 || tagType === TagType.float64) {
      const text = this.encoder.encode(writer.strings.get(value));
      const number = parseDouble(text, 0, text.length);
      if (number === undefined) writer.faultOrFail("malformed", start, "a number in the tag");
      else sink.add(key, AttributeType.number, number);
    } else if (tagType === TagType.bool) {
      const text = writer.strings.get(value);
      if (text !== "true" && text !== "false") writer.faultOrFail("malformed", start, "true or false in the tag");
      else sink.add(key, AttributeType.boolean, text === "true" ? 1 : 0);
    } else if (tagType === TagType.binary) {
      sink.add(key, AttributeType.json, writer.valueStringId(JSON.stringify(writer.strings.get(value)), false));
    } else sink.add(key, AttributeType.string, value);
  }
}
