import { Message } from "./protobuf-writer.ts";

/** AnyValue's fields. */
const [STRING, BOOL, INT, DOUBLE, ARRAY, KVLIST, BYTES] = [1, 2, 3, 4, 5, 6, 7];

/**
 * The AnyValue that anyValueJson (any-value-json.ts) made a text of: arrays, maps and, as base64, bytes. Integers are
 * read with all their 64 bits. A text that is no JSON, as one that was cut, is written as a string.
 */
export class JsonAnyValue {
  private readonly text: string;
  private at = 0;

  constructor(text: string) {
    this.text = text;
  }

  whole(): Message {
    try {
      JSON.parse(this.text);
    } catch {
      return new Message().bytes(STRING, Buffer.from(this.text));
    }
    if (this.text[0] === '"') {
      const text = JSON.parse(this.text) as string;
      const bytes = Buffer.from(text, "base64");
      return bytes.toString("base64") === text
        ? new Message().bytes(BYTES, bytes)
        : new Message().bytes(STRING, Buffer.from(text));
    }
    return this.value();
  }

  /** The value at `at`; the text is known to be JSON, so its depth is one that JSON.parse takes, too. */
  private value(): Message {
    this.space();
    switch (this.text[this.at]) {
      case "[":
        return new Message().message(ARRAY, this.elements("]"));
      case "{":
        return new Message().message(KVLIST, this.elements("}"));
      case '"':
        return new Message().bytes(STRING, Buffer.from(this.string()));
      default:
        return this.literal();
    }
  }

  /** Values, or keys with values, up to `end`. */
  private elements(end: string): Message {
    const list = new Message();
    this.at++;
    for (this.space(); this.text[this.at] !== end; this.space()) {
      if (this.text[this.at] === ",") {
        this.at++;
        this.space();
      }
      if (end === "]") {
        list.message(1, this.value());
        continue;
      }
      const key = this.string();
      this.space();
      this.at++;
      list.message(1, new Message().bytes(1, Buffer.from(key)).message(2, this.value()));
    }
    this.at++;
    return list;
  }

  private string(): string {
    const start = this.at++;
    while (this.text[this.at] !== '"') this.at += this.text[this.at] === "\\" ? 2 : 1;
    return JSON.parse(this.text.slice(start, ++this.at)) as string;
  }

  private literal(): Message {
    const literal = /[^\s,\]}]*/y;
    literal.lastIndex = this.at;
    const [text = ""] = literal.exec(this.text) ?? [];
    this.at += text.length;
    if (text === "null") return new Message();
    if (text === "true" || text === "false") return new Message().chosenNumber(BOOL, text === "true" ? 1 : 0);
    if (/^-?\d+$/.test(text) && text !== "-0") {
      const integer = BigInt(text);
      if (BigInt.asIntN(64, integer) === integer) return new Message().bigNumber(INT, integer);
    }
    return new Message().double(DOUBLE, Number(text));
  }

  private space(): void {
    while (this.at < this.text.length && this.text.charCodeAt(this.at) <= 0x20) this.at++;
  }
}
