import { InputError, type Intake } from "../model/intake.ts";
import { StackTableBuilder } from "../model/stack-table-builder.ts";
import type { StackTable } from "../model/stack-table.ts";
import { JsonReader } from "./json-reader.ts";
import { type OtlpDictionary, OtlpProfileFiller, type OtlpProfileHead } from "./otlp-profile-filler.ts";
import { otherLayout } from "./otlp-profiles.ts";

/** V8 makes no longer strings. */
const MAX_TEXT_BYTES = 2 ** 29 - 24;

/**
 * Profiles of OTLP requests in protobuf's JSON mapping, one document or one per line; in camel or snake case, ids as
 * hexadecimal digits, 64-bit integers as strings or numbers. Names tell the layouts of older releases, which are refused.
 *
 * What was read before an error is kept; errors are told in `intake.errors`. An error of the JSON itself has its byte, one of
 * its content the path that it stands at.
 */
export function decodeOtlpProfilesJson(bytes: Uint8Array, intake: Intake, file: string): StackTable {
  const into = new StackTableBuilder();
  try {
    for (const { text, byte } of documents(bytes, intake, file)) readRequest(text, byte, into, file);
  } catch (error) {
    if (!(error instanceof InputError)) throw error;
    intake.errors.push(error);
  }
  return into.finish();
}

/** The values one after another; each is checked before it is parsed, so that an error has its byte. */
function* documents(bytes: Uint8Array, intake: Intake, file: string): Generator<{ text: string; byte: number }> {
  const reader = new JsonReader(bytes, intake, file, 0);
  const isSpace = (at: number): boolean => bytes[at] === 0x20 || (bytes[at]! >= 0x09 && bytes[at]! <= 0x0d);
  for (;;) {
    while (reader.position < bytes.length && isSpace(reader.position)) reader.position++;
    const start = reader.position;
    if (start >= bytes.length) return;
    reader.skipValue();
    const size = reader.position - start;
    if (size > MAX_TEXT_BYTES) {
      const expected = `a request of at most ${MAX_TEXT_BYTES} bytes`;
      throw new InputError("too-large", { file, byteOffset: start, expected, found: `${size} bytes` });
    }
    yield { text: new TextDecoder().decode(bytes.subarray(start, reader.position)), byte: start };
  }
}

function readRequest(text: string, byte: number, into: StackTableBuilder, file: string): void {
  const request = new JsonValue(JSON.parse(text), "request", { file, byte });
  const layout = otherNames(request);
  if (layout !== "") throw otherLayout(file, layout);
  const filler = new OtlpProfileFiller(into, dictionaryOf(request.get("dictionary")), file);
  filler.byteOffset = byte;
  for (const resource of request.list("resourceProfiles")) {
    const { strings } = dictionaryOf(request.get("dictionary").only("stringTable"));
    const facts = new Map(
      resource
        .get("resource")
        .list("attributes")
        .map((one) => [keyOf(one, strings), valueOf(one.get("value"), strings)]),
    );
    for (const scope of resource.list("scopeProfiles")) {
      filler.beginScope(facts);
      for (const profile of scope.list("profiles")) readProfile(profile, filler);
    }
  }
}

function readProfile(profile: JsonValue, filler: OtlpProfileFiller): void {
  const [type, period] = [profile.get("sampleType"), profile.get("periodType")];
  const head: OtlpProfileHead = {
    type: type.number("typeStrindex"),
    unit: type.number("unitStrindex"),
    periodType: period.number("typeStrindex"),
    periodUnit: period.number("unitStrindex"),
    period: profile.number("period"),
    timeUnixNs: profile.integer("timeUnixNano"),
    durationNs: Number(profile.integer("durationNano")),
  };
  const samples = profile.list("samples");
  const times = samples.map((sample) => sample.integers("timestampsUnixNano"));
  let base = head.timeUnixNs;
  for (const list of times) for (const at of list) if (base === 0n || at < base) base = at;
  filler.beginProfile(head, base);
  for (const [i, sample] of samples.entries())
    filler.sample(
      sample.number("stackIndex"),
      sample.numbers("attributeIndices"),
      sample.number("linkIndex"),
      sample.numbers("values"),
      times[i]!.map((at) => Number(at - base)),
    );
}

function dictionaryOf(dictionary: JsonValue): OtlpDictionary {
  const strings = dictionary.list("stringTable").map((one) => one.text());
  return {
    strings,
    mappings: dictionary.list("mappingTable").map((one) => ({ filename: one.number("filenameStrindex") })),
    functions: dictionary.list("functionTable").map((one) => ({
      name: one.number("nameStrindex"),
      systemName: one.number("systemNameStrindex"),
      filename: one.number("filenameStrindex"),
      startLine: one.number("startLine"),
    })),
    locations: dictionary.list("locationTable").map((one) => ({
      mapping: one.number("mappingIndex"),
      address: `0x${one.integer("address").toString(16)}`,
      lines: one.list("lines").map((line) => ({ function: line.number("functionIndex"), line: line.number("line") })),
      attributes: one.numbers("attributeIndices"),
    })),
    links: dictionary
      .list("linkTable")
      .map((one) => ({ traceId: one.id("traceId", 32), spanId: one.id("spanId", 16) })),
    attributes: dictionary
      .list("attributeTable")
      .map((one) => ({ key: keyOf(one, strings), value: valueOf(one.get("value"), strings) })),
    stacks: dictionary.list("stackTable").map((one) => one.numbers("locationIndices")),
  };
}

const keyOf = (attribute: JsonValue, strings: readonly string[]): string =>
  attribute.has("key") ? attribute.get("key").text() : (strings[attribute.number("keyStrindex")] ?? "");

function valueOf(value: JsonValue, strings: readonly string[]): string | number {
  if (value.has("stringValue")) return value.get("stringValue").text();
  if (value.has("stringValueStrindex")) return strings[value.number("stringValueStrindex")] ?? "";
  if (value.has("intValue")) return value.number("intValue");
  if (value.has("doubleValue")) return value.number("doubleValue");
  if (value.has("boolValue")) return value.get("boolValue").json();
  for (const name of ["arrayValue", "kvlistValue", "bytesValue"]) if (value.has(name)) return value.get(name).json();
  return "";
}

/** The release that names of an older one are of; "" where there are none. */
function otherNames(request: JsonValue): string {
  const dictionary = request.get("dictionary");
  if (request.has("stringTable")) return "1.6.0";
  if (dictionary.has("attributeUnits")) return "1.7.0";
  for (const resource of request.list("resourceProfiles"))
    for (const scope of resource.list("scopeProfiles"))
      for (const profile of scope.list("profiles")) {
        if (profile.has("profile") || profile.has("startTimeUnixNano")) return "1.3.0";
        if (profile.has("stringTable")) return "1.4.0 or 1.5.0";
        if (profile.has("timeNanos") || profile.has("locationIndices")) return "1.7.0";
        if (profile.has("sample")) return "1.8.0";
      }
  return "";
}

/** A parsed JSON value and its path; what is missing reads as proto3's default, what has another type is refused. */
class JsonValue {
  private readonly value: unknown;
  private readonly path: string;
  private readonly at: { readonly file: string; readonly byte: number };

  constructor(value: unknown, path: string, at: { readonly file: string; readonly byte: number }) {
    this.value = value;
    this.path = path;
    this.at = at;
  }

  has(name: string): boolean {
    return this.member(name) !== undefined;
  }

  get(name: string): JsonValue {
    return new JsonValue(this.member(name), `${this.path}.${name}`, this.at);
  }

  /** The same with this member alone. */
  only(name: string): JsonValue {
    return new JsonValue({ [name]: this.member(name) }, this.path, this.at);
  }

  list(name: string): JsonValue[] {
    const value = this.member(name);
    if (value === undefined) return [];
    if (!Array.isArray(value)) return this.fail("an array", value, name);
    return value.map((one: unknown, i) => new JsonValue(one, `${this.path}.${name}[${i}]`, this.at));
  }

  number(name: string): number {
    const value = this.member(name);
    if (value === undefined) return 0;
    const number = typeof value === "string" && value !== "" ? Number(value) : value;
    return typeof number === "number" && Number.isFinite(number) ? number : this.fail("a number", value, name);
  }

  integer(name: string): bigint {
    const value = this.member(name);
    return value === undefined ? 0n : this.toInteger(value, name);
  }

  numbers(name: string): number[] {
    return this.list(name).map((one) => {
      const number = typeof one.value === "string" && one.value !== "" ? Number(one.value) : one.value;
      return typeof number === "number" && Number.isFinite(number) ? number : one.fail("a number", one.value);
    });
  }

  integers(name: string): bigint[] {
    return this.list(name).map((one) => one.toInteger(one.value));
  }

  text(): string {
    return typeof this.value === "string" ? this.value : this.fail("a string", this.value);
  }

  /** An id of so many hexadecimal digits, or base64 as protobuf's own JSON has bytes; "" for none and for zeros. */
  id(name: string, digits: number): string {
    const sent = this.has(name) ? this.get(name).text() : "";
    const decoded = Buffer.from(sent, "base64");
    const isBase64 = sent.endsWith("=") && decoded.length === digits / 2;
    const text = isBase64 ? decoded.toString("hex") : sent;
    if (/^0*$/.test(text)) return "";
    if (text.length !== digits || !/^[\da-f]+$/i.test(text))
      return this.fail(`${digits} hexadecimal digits`, text, name);
    return text.toLowerCase();
  }

  json(): string {
    return JSON.stringify(this.value);
  }

  private member(name: string): unknown {
    const { value } = this;
    if (value === undefined || value === null) return undefined;
    if (typeof value !== "object" || Array.isArray(value)) return this.fail("an object", value);
    const members = value as Readonly<Record<string, unknown>>;
    return members[name] ?? members[name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)] ?? undefined;
  }

  private toInteger(value: unknown, name?: string): bigint {
    if (typeof value === "string" && /^-?\d+$/.test(value)) return BigInt(value);
    return typeof value === "number" && Number.isInteger(value) ? BigInt(value) : this.fail("an integer", value, name);
  }

  private fail(expected: string, value: unknown, name?: string): never {
    const path = name === undefined ? this.path : `${this.path}.${name}`;
    const found = (JSON.stringify(value) ?? "nothing").slice(0, 40);
    const at = { file: this.at.file, byteOffset: this.at.byte, expected: `${expected} as ${path}`, found };
    throw new InputError("malformed", at);
  }
}
