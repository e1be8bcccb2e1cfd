import { AttributeType, type AttributeTable } from "../model/attribute-table.ts";
import type { StringPool } from "../model/string-pool.ts";

const TWO_32 = 2 ** 32;

/** JSON texts of the strings and attributes of a table, in OTLP's encoding; each string is quoted once. */
export class OtlpJsonValues {
  private readonly strings: StringPool;
  private readonly quoted: (string | undefined)[] = [];

  constructor(strings: StringPool) {
    this.strings = strings;
  }

  /** The string with its quotes. */
  string(id: number): string {
    return (this.quoted[id] ??= JSON.stringify(this.strings.get(id)));
  }

  /** `[{"key":..,"value":..},..]` of a list. */
  attributes(table: AttributeTable, list: number): string {
    let text = "[";
    for (let row = table.listStart[list]!; row < table.listStart[list + 1]!; row++) {
      if (text.length > 1) text += ",";
      text += `{"key":${this.string(table.key[row]!)},"value":${this.value(table.type[row]!, table.value[row]!)}}`;
    }
    return `${text}]`;
  }

  private value(type: number, value: number): string {
    switch (type) {
      case AttributeType.number:
        return numberValue(value);
      case AttributeType.boolean:
        return `{"boolValue":${value === 1}}`;
      case AttributeType.json:
        return jsonValue(this.strings.get(value));
      default:
        return `{"stringValue":${this.string(value)}}`;
    }
  }
}

/** Decimal text of nanoseconds since 1970: a base in two halves and an offset, exact below 2^53 of the latter. */
export class UnixNsTexts {
  private readonly high: number;
  private readonly low: number;

  constructor(baseUnixNs: bigint) {
    this.high = Number(baseUnixNs / BILLION);
    this.low = Number(baseUnixNs % BILLION);
  }

  at(offsetNs: number): string {
    // Seconds and nanoseconds apart are both exact in a double; a bigint per span would take ten times as long.
    const below = this.low + offsetNs;
    const carry = Math.floor(below / 1e9);
    const seconds = this.high + carry;
    const nanos = below - carry * 1e9;
    return seconds === 0 ? String(nanos) : `${seconds}${String(nanos).padStart(9, "0")}`;
  }
}

const BILLION = 1_000_000_000n;

/** A double as JSON has it in protobuf's mapping: no number is left out. */
export function doubleText(value: number): string {
  if (Object.is(value, -0)) return "-0";
  return Number.isFinite(value) ? String(value) : `"${value > 0 ? "Infinity" : value < 0 ? "-Infinity" : "NaN"}"`;
}

/** Which of the two number types it was is not kept: whole numbers are written as integers, with the same value. */
function numberValue(value: number): string {
  const isInteger = Number.isSafeInteger(value) && !Object.is(value, -0);
  return isInteger ? `{"intValue":"${value}"}` : `{"doubleValue":${doubleText(value)}}`;
}

/** Hex of `words` big-endian words. */
export function hexOf(column: Uint32Array, at: number, words: number): string {
  let text = "";
  for (let i = at; i < at + words; i++) text += (column[i]! + TWO_32).toString(16).slice(1);
  return text;
}

const TOKEN = /"(?:[^"\\]|\\.)*"|[[\]{},:]|true|false|null|-?\d[\d.eE+-]*/y;

/**
 * The AnyValue whose JSON text an attribute of type `json` holds: arrays and objects as such, a text as bytes, since
 * nothing else becomes a text alone. Token by token, so that 64-bit integers stay exact. A text that was cut off
 * in decoding is no JSON any more and is written as a string.
 */
function jsonValue(json: string): string {
  if (json.startsWith('"')) return isWhole(json) ? `{"bytesValue":${json}}` : `{"stringValue":${JSON.stringify(json)}}`;
  const open: ("[" | "{")[] = [];
  let out = "";
  let isKey = false;
  TOKEN.lastIndex = 0;
  for (let at = 0; at < json.length; at = TOKEN.lastIndex) {
    const token = TOKEN.exec(json)?.[0];
    if (token === undefined) return `{"stringValue":${JSON.stringify(json)}}`;
    switch (token) {
      case "[":
        open.push("[");
        out += '{"arrayValue":{"values":[';
        break;
      case "{":
        open.push("{");
        out += '{"kvlistValue":{"values":[';
        isKey = true;
        break;
      case "]":
      case "}":
        out += "]}}";
        isKey = false;
        open.pop();
        if (open.at(-1) === "{") out += "}";
        break;
      case ",":
        out += ",";
        isKey = open.at(-1) === "{";
        break;
      case ":":
        out += ',"value":';
        isKey = false;
        break;
      default:
        out += isKey ? `{"key":${token}` : scalar(token);
        if (!isKey && open.at(-1) === "{") out += "}";
    }
  }
  return open.length === 0 ? out : `{"stringValue":${JSON.stringify(json)}}`;
}

function scalar(token: string): string {
  if (token.startsWith('"')) return `{"stringValue":${token}}`;
  if (token === "true" || token === "false") return `{"boolValue":${token}}`;
  if (token === "null") return "{}";
  return /^-?\d+$/.test(token) ? `{"intValue":"${token}"}` : `{"doubleValue":${token}}`;
}

function isWhole(json: string): boolean {
  TOKEN.lastIndex = 0;
  return TOKEN.exec(json)?.[0].length === json.length;
}
