import { type AttributeTable, AttributeType } from "../model/attribute-table.ts";
import type { StringPool } from "../model/string-pool.ts";
import { Message } from "./protobuf-writer.ts";
import { JsonAnyValue } from "./json-any-value.ts";

/**
 * Writes attributes as OTLP's KeyValue messages. Whole numbers that a double holds exactly are integers, others
 * doubles; the text of arrays, maps and bytes becomes those again.
 *
 * Most come again and again: each distinct string is made once.
 */
export class KeyValueWriter {
  private readonly strings: StringPool;
  /** key * 2^26 + value → message; exact, as keys are few */
  private readonly known = new Map<number, Uint8Array>();

  constructor(strings: StringPool) {
    this.strings = strings;
  }

  /** Adds list `list` of `table` to `into`, each attribute a field `field`. */
  addList(into: Message, field: number, table: AttributeTable, list: number): void {
    for (let row = table.listStart[list]!; row < table.listStart[list + 1]!; row++) {
      into.bytes(field, this.keyValue(table.key[row]!, table.type[row]!, table.value[row]!));
    }
  }

  /** The bytes of a string, as they came. */
  text(id: number): Uint8Array {
    const bytes = new Uint8Array(this.strings.lengthOf(id));
    this.strings.copyTo(id, bytes, 0);
    return bytes;
  }

  private keyValue(key: number, type: number, value: number): Uint8Array {
    if (type === AttributeType.string) {
      const place = key * 2 ** 26 + value;
      const held = this.known.get(place);
      if (held !== undefined) return held;
      const made = this.message(key, new Message().bytes(1, this.text(value)));
      // Values that differ each time would fill the memory.
      if (this.known.size < 1 << 16) this.known.set(place, made);
      return made;
    }
    return this.message(key, this.anyValue(type, value));
  }

  private message(key: number, value: Message): Uint8Array {
    return new Message().bytes(1, this.text(key)).message(2, value).finish();
  }

  private anyValue(type: number, value: number): Message {
    if (type === AttributeType.boolean) return new Message().chosenNumber(2, value);
    if (type === AttributeType.json) return new JsonAnyValue(this.strings.get(value)).whole();
    const isInteger = Number.isSafeInteger(value) && !Object.is(value, -0);
    return isInteger ? new Message().chosenNumber(3, value) : new Message().double(4, value);
  }
}
