import { InputError, type Intake } from "../model/intake.ts";
import { StackTableBuilder } from "../model/stack-table-builder.ts";
import type { StackTable } from "../model/stack-table.ts";
import { anyValueJson } from "./any-value-json.ts";
import {
  type OtlpDictionary,
  type OtlpFunction,
  type OtlpLocation,
  OtlpProfileFiller,
  type OtlpProfileHead,
} from "./otlp-profile-filler.ts";
import { LayoutEvidence } from "./otlp-profiles-layout.ts";
import { addNumbers, fields, numbers, signedVarint } from "./protobuf-fields.ts";
import { ProtobufReader, Wire } from "./protobuf-reader.ts";
import { ToldLines } from "./told-lines.ts";

/*
 * opentelemetry-proto 1.10.0 and 1.11.0, profiles/v1development:
 *
 * message ExportProfilesServiceRequest { repeated ResourceProfiles resource_profiles = 1; ProfilesDictionary dictionary = 2; }
 * message ProfilesDictionary { repeated Mapping mapping_table = 1; repeated Location location_table = 2;
 *   repeated Function function_table = 3; repeated Link link_table = 4; repeated string string_table = 5;
 *   repeated KeyValueAndUnit attribute_table = 6; repeated Stack stack_table = 7; }   // row 0 of each is "none"
 * message ResourceProfiles { Resource resource = 1; repeated ScopeProfiles scope_profiles = 2; }
 * message ScopeProfiles { InstrumentationScope scope = 1; repeated Profile profiles = 2; }
 * message Profile { ValueType sample_type = 1; repeated Sample samples = 2; fixed64 time_unix_nano = 3; uint64 duration_nano = 4;
 *   ValueType period_type = 5; int64 period = 6; bytes profile_id = 7; repeated int32 attribute_indices = 11; }
 * message ValueType { int32 type_strindex = 1; int32 unit_strindex = 2; }
 * message Sample { int32 stack_index = 1; repeated int32 attribute_indices = 2; int32 link_index = 3;
 *   repeated int64 values = 4; repeated fixed64 timestamps_unix_nano = 5; }
 * message Mapping { int32 filename_strindex = 4; }        message Stack { repeated int32 location_indices = 1; } // innermost first
 * message Link { bytes trace_id = 1; bytes span_id = 2; }  message Line { int32 function_index = 1; int64 line = 2; int64 column = 3; }
 * message Location { int32 mapping_index = 1; uint64 address = 2; repeated Line lines = 3; repeated int32 attribute_indices = 4; }
 * message Function { int32 name_strindex = 1; int32 system_name_strindex = 2; int32 filename_strindex = 3; int64 start_line = 4; }
 * message KeyValueAndUnit { int32 key_strindex = 1; AnyValue value = 2; int32 unit_strindex = 3; }
 */

/** The release whose layout is read and written. */
export const PROFILES_PROTO_VERSION = "1.11.0";

/**
 * Profiles of an OTLP request, ExportProfilesServiceRequest or ProfilesData (decompressed). A request of an older
 * layout is refused, naming the release that it looks like: its numbers would be read as others.
 *
 * What was read before an error is kept; errors are told in `intake.errors`.
 */
export function decodeOtlpProfiles(bytes: Uint8Array, intake: Intake, file: string): StackTable {
  const into = new StackTableBuilder();
  try {
    const decoder = new OtlpProfileDecoder(into, intake, file);
    if (bytes[0] === 0x0a || bytes[0] === 0x12) decoder.request(bytes, 0);
    else for (const { at, end } of prefixed(bytes, file)) decoder.request(bytes.subarray(at, end), at);
  } catch (error) {
    if (!(error instanceof InputError)) throw error;
    intake.errors.push(error);
  }
  return into.finish();
}

/** Requests, each behind its length in 4 bytes, big-endian, as the Collector's file exporter writes. */
function* prefixed(bytes: Uint8Array, file: string): Generator<{ at: number; end: number }> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (let at = 0; at < bytes.length;) {
    const size = at + 4 <= bytes.length ? view.getUint32(at) : -1;
    if (size < 0 || at + 4 + size > bytes.length) {
      const expected = size < 0 ? "the length of a request in 4 bytes" : `a request of ${size} bytes`;
      const found = `${Math.max(0, bytes.length - at - (size < 0 ? 0 : 4))} bytes before the end`;
      throw new InputError("truncated", { file, byteOffset: at, expected, found });
    }
    yield { at: at + 4, end: at + 4 + size };
    at += 4 + size;
  }
}

/** The error of a request whose layout is that of another release. */
export function otherLayout(file: string, layout: string): InputError {
  return new InputError("unsupported", {
    file,
    byteOffset: 0,
    expected: `OTLP profiles of opentelemetry-proto 1.10.0 or ${PROFILES_PROTO_VERSION}`,
    found: `profiles of opentelemetry-proto ${layout} (a newer sender or collector writes the present layout)`,
  });
}

/** Adds requests to one builder. Throws InputError where nothing more of a request can be read. */
class OtlpProfileDecoder {
  private readonly into: StackTableBuilder;
  private readonly intake: Intake;
  private readonly file: string;
  private readonly reader: ProtobufReader;

  constructor(into: StackTableBuilder, intake: Intake, file: string) {
    this.into = into;
    this.intake = intake;
    this.file = file;
    this.reader = new ProtobufReader(file);
  }

  /** `byteBase`: offset of the request in the file. */
  request(bytes: Uint8Array, byteBase: number): void {
    const { reader, file } = this;
    reader.over(bytes, byteBase);
    const evidence = new LayoutEvidence();
    const resources: Span[] = [];
    const dictionaries: Span[] = [];
    fields(reader, 0, bytes.length, (field, wire, start, end) => {
      evidence.request(field);
      if (wire !== Wire.bytes) return;
      if (field === 1) resources.push({ start, end });
      else if (field === 2) dictionaries.push({ start, end });
    });
    for (const { start, end } of dictionaries) {
      fields(reader, start, end, (field, wire, from, to) => {
        if (field === 6 && wire === Wire.bytes)
          fields(reader, from, to, (inner, kind) => evidence.attributeField(inner, kind));
      });
    }
    const profiles = resources.flatMap((span) => this.profilesOf(span, dictionaries.length > 0, evidence));
    const layout = evidence.other || evidence.decide(this.attributeCount(dictionaries));
    if (layout !== "") throw otherLayout(file, layout);
    const dictionary = this.dictionary(dictionaries);
    const filler = new OtlpProfileFiller(this.into, dictionary, file);
    const told = new ToldLines(this.intake, file);
    let scope = -1;
    for (const profile of profiles) {
      if (profile.scope !== scope) filler.beginScope(attributesOf(reader, profile.resource, dictionary.strings));
      scope = profile.scope;
      this.profile(profile, filler, told);
    }
    told.finish();
  }

  private attributeCount(dictionaries: readonly Span[]): number {
    let count = 0;
    for (const { start, end } of dictionaries)
      fields(this.reader, start, end, (field) => {
        if (field === 6) count++;
      });
    return count;
  }

  private profilesOf(resource: Span, hasDictionary: boolean, evidence: LayoutEvidence): ProfileSpan[] {
    const { reader } = this;
    const found: ProfileSpan[] = [];
    let facts: Span | undefined;
    const scopes: Span[] = [];
    fields(reader, resource.start, resource.end, (field, wire, start, end) => {
      if (wire !== Wire.bytes) return;
      if (field === 1) facts = { start, end };
      else if (field === 2) scopes.push({ start, end });
    });
    for (const scope of scopes)
      fields(reader, scope.start, scope.end, (field, wire, start, end) => {
        if (field !== 2 || wire !== Wire.bytes) return;
        const samples: Span[] = [];
        let isTimed = false;
        fields(reader, start, end, (inner, kind, from, to) => {
          evidence.profileField(inner, kind, hasDictionary);
          if (inner === 3 && kind === Wire.fixed64) isTimed = true;
          if (inner === 2 && kind === Wire.bytes) samples.push({ start: from, end: to });
        });
        if (evidence.other === "")
          for (const sample of samples) evidence.sample(reader, sample.start, sample.end, isTimed);
        found.push({ start, end, samples, resource: facts, scope: scope.start });
      });
    return found;
  }

  private profile({ start, end, samples }: ProfileSpan, filler: OtlpProfileFiller, told: ToldLines): void {
    const { reader } = this;
    const head = this.head(start, end);
    let base = head.timeUnixNs;
    // Samples before the start, or no start at all: the earliest sample is one.
    for (const sample of samples)
      this.times(sample, (high, low) => {
        const at = (BigInt(high) << 32n) | BigInt(low);
        if (base === 0n || at < base) base = at;
      });
    filler.byteOffset = reader.offset(start);
    filler.beginProfile(head, base);
    for (const sample of samples) {
      try {
        this.sample(sample, base, filler);
      } catch (error) {
        if (!(error instanceof InputError)) throw error;
        told.tell(error);
      }
    }
  }

  private head(start: number, end: number): OtlpProfileHead {
    const { reader } = this;
    const head = { type: 0, unit: 0, periodType: 0, periodUnit: 0, period: 0, timeUnixNs: 0n, durationNs: 0 };
    fields(reader, start, end, (field, wire, from, to) => {
      if (field === 1 || field === 5) {
        if (wire !== Wire.bytes) return;
        const [, type, unit] = numbers(reader, from, to, 2) as [number, number, number];
        if (field === 1) [head.type, head.unit] = [type, unit];
        else [head.periodType, head.periodUnit] = [type, unit];
      } else if (field === 3 && wire === Wire.fixed64) head.timeUnixNs = reader.words.getBigUint64(from, true);
      else if (field === 4 && wire === Wire.varint) head.durationNs = reader.varint(from, to);
      else if (field === 6 && wire === Wire.varint) head.period = signedVarint(reader, from, to);
    });
    return head;
  }

  private times({ start, end }: Span, each: (high: number, low: number) => void): void {
    const { reader } = this;
    fields(reader, start, end, (field, wire, from, to) => {
      if (field !== 5) return;
      if (wire === Wire.bytes && (to - from) % 8 !== 0)
        reader.fail("malformed", from, "times of 8 bytes each", `${to - from} bytes`);
      if (wire !== Wire.bytes && wire !== Wire.fixed64) reader.fail("malformed", from, "fixed times", "another type");
      for (let at = from; at < to; at += 8)
        each(reader.words.getUint32(at + 4, true), reader.words.getUint32(at, true));
    });
  }

  private sample(span: Span, base: bigint, filler: OtlpProfileFiller): void {
    const { reader } = this;
    const attributes: number[] = [];
    const values: number[] = [];
    const offsets: number[] = [];
    let [stack, link] = [0, 0];
    filler.byteOffset = reader.offset(span.start);
    fields(reader, span.start, span.end, (field, wire, from, to) => {
      if (field === 1 && wire === Wire.varint) stack = signedVarint(reader, from, to);
      else if (field === 3 && wire === Wire.varint) link = signedVarint(reader, from, to);
      else if (field === 2 || field === 4) addNumbers(reader, wire, from, to, field === 2 ? attributes : values);
    });
    const [baseHigh, baseLow] = [Number(base >> 32n), Number(base & 0xffff_ffffn)];
    this.times(span, (high, low) => offsets.push((high - baseHigh) * 2 ** 32 + (low - baseLow)));
    filler.sample(stack, attributes, link, values, offsets);
  }

  private dictionary(spans: readonly Span[]): OtlpDictionary {
    const { reader } = this;
    const strings: string[] = [];
    const mappings: { filename: number }[] = [];
    const functions: OtlpFunction[] = [];
    const locations: OtlpLocation[] = [];
    const links: { traceId: string; spanId: string }[] = [];
    const attributes: { key: string; value: string | number }[] = [];
    const stacks: number[][] = [];
    const open: Span[] = [];
    const decoder = new TextDecoder();
    for (const { start, end } of spans)
      fields(reader, start, end, (field, wire, from, to) => {
        if (wire !== Wire.bytes) return;
        if (field === 1) mappings.push({ filename: numbers(reader, from, to, 4)[4]! });
        else if (field === 2) locations.push(readLocation(reader, from, to));
        else if (field === 3) {
          const [, name, systemName, filename, startLine] = numbers(reader, from, to, 4) as [0, ...number[]];
          functions.push({ name: name!, systemName: systemName!, filename: filename!, startLine: startLine! });
        } else if (field === 4) links.push(readLink(reader, from, to));
        else if (field === 5) strings.push(decoder.decode(reader.bytes.subarray(from, to)));
        else if (field === 6) open.push({ start: from, end: to });
        else if (field === 7) stacks.push(readIndices(reader, from, to, 1));
      });
    // Keys, and values that are references, are strings, which may stand behind them.
    for (const { start, end } of open) attributes.push(readAttribute(reader, start, end, strings));
    return { strings, mappings, functions, locations, links, attributes, stacks };
  }
}

interface Span {
  readonly start: number;
  readonly end: number;
}

interface ProfileSpan extends Span {
  readonly samples: readonly Span[];
  readonly resource: Span | undefined;
  /** where its scope begins */
  readonly scope: number;
}

function readIndices(reader: ProtobufReader, start: number, end: number, wanted: number): number[] {
  const indices: number[] = [];
  fields(reader, start, end, (field, wire, from, to) => {
    if (field === wanted) addNumbers(reader, wire, from, to, indices);
  });
  return indices;
}

function readLocation(reader: ProtobufReader, start: number, end: number): OtlpLocation {
  let mapping = 0;
  let address = "0x0";
  const lines: { function: number; line: number }[] = [];
  fields(reader, start, end, (field, wire, from, to) => {
    if (field === 1 && wire === Wire.varint) mapping = reader.varint(from, to);
    else if (field === 2 && wire === Wire.varint) {
      reader.varint(from, to);
      address = `0x${((BigInt(reader.high) << 32n) | BigInt(reader.low)).toString(16)}`;
    } else if (field === 3 && wire === Wire.bytes) {
      const line = numbers(reader, from, to, 2);
      lines.push({ function: line[1]!, line: line[2]! });
    }
  });
  return { mapping, address, lines, attributes: readIndices(reader, start, end, 4) };
}

function readLink(reader: ProtobufReader, start: number, end: number): { traceId: string; spanId: string } {
  const link = { traceId: "", spanId: "" };
  fields(reader, start, end, (field, wire, from, to) => {
    if (wire !== Wire.bytes || field > 2) return;
    const id = reader.bytes.subarray(from, to);
    const size = field === 1 ? 16 : 8;
    if (id.length !== 0 && id.length !== size)
      reader.fail("malformed", from, `an id of ${size} bytes`, `${id.length} bytes`);
    const text = id.every((byte) => byte === 0) ? "" : Buffer.from(id).toString("hex");
    if (field === 1) link.traceId = text;
    else link.spanId = text;
  });
  return link;
}

/** A KeyValueAndUnit, or a KeyValue of a resource, whose key = 1 is a text or whose key_strindex = 3 a reference. */
function readAttribute(
  reader: ProtobufReader,
  start: number,
  end: number,
  strings: readonly string[],
): { key: string; value: string | number } {
  const attribute: { key: string; value: string | number } = { key: "", value: "" };
  fields(reader, start, end, (field, wire, from, to) => {
    if (field === 1 && wire === Wire.varint) attribute.key = strings[reader.varint(from, to)] ?? "";
    else if (field === 1 && wire === Wire.bytes) attribute.key = textOf(reader, from, to);
    else if (field === 3 && wire === Wire.varint && attribute.key === "")
      attribute.key = strings[reader.varint(from, to)] ?? "";
    else if (field === 2 && wire === Wire.bytes) attribute.value = readValue(reader, from, to, strings);
  });
  return attribute;
}

function attributesOf(
  reader: ProtobufReader,
  resource: Span | undefined,
  strings: readonly string[],
): ReadonlyMap<string, string | number> {
  const found = new Map<string, string | number>();
  if (resource === undefined) return found;
  fields(reader, resource.start, resource.end, (field, wire, from, to) => {
    if (field !== 1 || wire !== Wire.bytes) return;
    const { key, value } = readAttribute(reader, from, to, strings);
    found.set(key, value);
  });
  return found;
}

/** Longer texts of arrays and maps are cut. */
const MAX_TEXT = 64 * 1024;

/** An AnyValue: numbers as such, truth as "true" or "false", arrays and maps as JSON. */
function readValue(reader: ProtobufReader, start: number, end: number, strings: readonly string[]): string | number {
  let value: string | number = "";
  fields(reader, start, end, (field, wire, from, to) => {
    if (field === 1 && wire === Wire.bytes) value = textOf(reader, from, to);
    else if (field === 2 && wire === Wire.varint) value = reader.varint(from, to) === 0 ? "false" : "true";
    else if (field === 3 && wire === Wire.varint) value = signedVarint(reader, from, to);
    else if (field === 4 && wire === Wire.fixed64) value = reader.words.getFloat64(from, true);
    else if (field >= 5 && field <= 7 && wire === Wire.bytes)
      value = anyValueJson(reader, (field << 3) | Wire.bytes, from, to, MAX_TEXT).text;
    else if (field === 8 && wire === Wire.varint) value = strings[reader.varint(from, to)] ?? "";
  });
  return value;
}

const textOf = (reader: ProtobufReader, start: number, end: number): string =>
  new TextDecoder().decode(reader.bytes.subarray(start, end));
