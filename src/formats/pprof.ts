import { InputError, type Intake } from "../model/intake.ts";
import { StackTableBuilder, type Label } from "../model/stack-table-builder.ts";
import type { StackTable } from "../model/stack-table.ts";
import { frameKindOf } from "./frame-kind.ts";
import { ProtobufReader, Wire } from "./protobuf-reader.ts";
import { ToldLines } from "./told-lines.ts";

/*
 * message Profile {                              message Sample { repeated uint64 location_id = 1; // innermost first
 *   repeated ValueType sample_type = 1;            repeated int64 value = 2; repeated Label label = 3; }
 *   repeated Sample sample = 2;                  message Label { int64 key = 1; int64 str = 2; int64 num = 3; }
 *   repeated Mapping mapping = 3;                message Mapping { uint64 id = 1; int64 filename = 5; }
 *   repeated Location location = 4;              message Location { uint64 id = 1; uint64 mapping_id = 2;
 *   repeated Function function = 5;                uint64 address = 3; repeated Line line = 4; }  // innermost first
 *   repeated string string_table = 6;            message Line { uint64 function_id = 1; int64 line = 2; }
 *   int64 time_nanos = 9;                        message Function { uint64 id = 1; int64 name = 2; int64 system_name = 3;
 *   int64 duration_nanos = 10;                     int64 filename = 4; int64 start_line = 5; }
 *   int64 default_sample_type = 14; }            message ValueType { int64 type = 1; int64 unit = 2; }
 */

/**
 * A pprof profile (decompressed). Lines inlined at one address become frames of their own; a
 * location without lines is named by its mapping in brackets, or by its address. The value looked
 * at is the profile's default, else the last, as `go tool pprof` does. Samples have no times of their own.
 *
 * Strings stand behind what refers to them, so the file is gone through twice. What was read
 * before an error is kept; errors are told in `intake.errors`.
 */
export function decodePprof(bytes: Uint8Array, intake: Intake, file: string): StackTable {
  const into = new StackTableBuilder();
  const reader = new ProtobufReader(file);
  reader.over(bytes, 0);
  const outline = readOutline(reader, bytes.length, intake);
  const types = outline.types.map(({ type, unit }) => into.valueType(outline.text(type), outline.text(unit)));
  into.defaultValue = Math.max(0, defaultOf(outline, types));
  const startUnixNs = outline.timeNs > 0n ? outline.timeNs : -1n;
  const source = into.strings.intern(file);
  const durationNs = outline.durationNs > 0 ? outline.durationNs : -1;
  const thread = into.thread(into.process({ source, startUnixNs, durationNs }));
  const framesAt = framesOf(outline, into);
  const samples = new SampleReader(reader, outline, into, types, framesAt, thread);
  const told = new ToldLines(intake, file);
  for (let i = 0; i < outline.sampleBounds.length; i += 2) {
    try {
      samples.read(outline.sampleBounds[i]!, outline.sampleBounds[i + 1]!);
    } catch (error) {
      if (!(error instanceof InputError)) throw error;
      told.tell(error);
    }
  }
  told.finish();
  return into.finish();
}

interface Outline {
  readonly types: { readonly type: number; readonly unit: number }[];
  /** start and end of each sample */
  readonly sampleBounds: number[];
  readonly mappings: Map<number, number>;
  readonly locations: Location[];
  readonly functions: Map<number, { readonly name: number; readonly filename: number; readonly startLine: number }>;
  /** string of the profile's table; "" where it has none of that number */
  readonly text: (index: number) => string;
  timeNs: bigint;
  durationNs: number;
  defaultType: number;
}

interface Location {
  readonly id: number;
  readonly mapping: number;
  readonly address: string;
  /** function id and line number, innermost first */
  readonly lines: readonly { readonly function: number; readonly line: number }[];
}

function readOutline(reader: ProtobufReader, end: number, intake: Intake): Outline {
  const strings: number[] = [];
  const texts: string[] = [];
  const decoder = new TextDecoder();
  const outline: Outline = {
    types: [],
    sampleBounds: [],
    mappings: new Map(),
    locations: [],
    functions: new Map(),
    text: (index) => {
      if (!(index >= 0 && index * 2 < strings.length)) return "";
      return (texts[index] ??= decoder.decode(reader.bytes.subarray(strings[index * 2]!, strings[index * 2 + 1]!)));
    },
    timeNs: 0n,
    durationNs: 0,
    defaultType: 0,
  };
  try {
    for (let at = 0; at < end;) {
      const tag = reader.tag(at, end);
      if ((tag & 7) === Wire.bytes) {
        const stop = reader.valueEnd(reader.at, end);
        const start = reader.at;
        at = stop;
        if (tag >>> 3 === 2) outline.sampleBounds.push(start, stop);
        else if (tag >>> 3 === 6) strings.push(start, stop);
        else readMessage(reader, tag >>> 3, start, stop, outline);
      } else if ((tag & 7) === Wire.varint) {
        const value = reader.varint(reader.at, end);
        at = reader.at;
        if (tag >>> 3 === 9) outline.timeNs = BigInt.asIntN(64, (BigInt(reader.high) << 32n) | BigInt(reader.low));
        else if (tag >>> 3 === 10) outline.durationNs = signed(reader, value);
        else if (tag >>> 3 === 14) outline.defaultType = value;
      } else at = reader.skip(tag, reader.at, end);
    }
  } catch (error) {
    if (!(error instanceof InputError)) throw error;
    intake.errors.push(error);
  }
  return outline;
}

function readMessage(reader: ProtobufReader, field: number, start: number, end: number, outline: Outline): void {
  if (field === 1) {
    const value = numbers(reader, start, end, 2);
    outline.types.push({ type: value[1]!, unit: value[2]! });
  } else if (field === 3) {
    const value = numbers(reader, start, end, 5);
    outline.mappings.set(value[1]!, value[5]!);
  } else if (field === 4) outline.locations.push(readLocation(reader, start, end));
  else if (field === 5) {
    const value = numbers(reader, start, end, 5);
    outline.functions.set(value[1]!, { name: value[2]! || value[3]!, filename: value[4]!, startLine: value[5]! });
  }
}

/** Values of the varint fields 1 .. `last` of a flat message, 0 where absent. */
function numbers(reader: ProtobufReader, start: number, end: number, last: number): number[] {
  const values = Array.from({ length: last + 1 }, () => 0);
  for (let at = start; at < end;) {
    const tag = reader.tag(at, end);
    if ((tag & 7) === Wire.varint && tag >>> 3 <= last) {
      values[tag >>> 3] = signed(reader, reader.varint(reader.at, end));
      at = reader.at;
    } else at = reader.skip(tag, reader.at, end);
  }
  return values;
}

function readLocation(reader: ProtobufReader, start: number, end: number): Location {
  let id = 0;
  let mapping = 0;
  let address = "0x0";
  const lines: { function: number; line: number }[] = [];
  for (let at = start; at < end;) {
    const tag = reader.tag(at, end);
    if ((tag & 7) === Wire.varint) {
      const value = reader.varint(reader.at, end);
      at = reader.at;
      if (tag >>> 3 === 1) id = value;
      else if (tag >>> 3 === 2) mapping = value;
      else if (tag >>> 3 === 3) address = `0x${((BigInt(reader.high) << 32n) | BigInt(reader.low)).toString(16)}`;
    } else if (tag >>> 3 === 4 && (tag & 7) === Wire.bytes) {
      const stop = reader.valueEnd(reader.at, end);
      const value = numbers(reader, reader.at, stop, 2);
      lines.push({ function: value[1]!, line: value[2]! });
      at = stop;
    } else at = reader.skip(tag, reader.at, end);
  }
  return { id, mapping, address, lines };
}

/** The varint that was read last as a two's complement number. */
const signed = (reader: ProtobufReader, value: number): number =>
  reader.high >= 0x8000_0000 ? (reader.high - 2 ** 32) * 2 ** 32 + reader.low : value;

function defaultOf({ types, defaultType, text }: Outline, indices: readonly number[]): number {
  const named = defaultType === 0 ? -1 : types.findIndex(({ type }) => text(type) === text(defaultType));
  return indices[named < 0 ? indices.length - 1 : named] ?? 0;
}

/** Frames of each location by its id, the outermost first. */
function framesOf(outline: Outline, into: StackTableBuilder): Map<number, readonly number[]> {
  const { text, mappings, functions } = outline;
  const intern = (value: string): number => into.strings.intern(value);
  return new Map(
    outline.locations.map((location) => {
      const mapping = text(mappings.get(location.mapping) ?? 0);
      const frames = location.lines.map((line) => {
        const held = functions.get(line.function);
        const name = text(held?.name ?? 0) || unnamed(mapping, location.address);
        const filename = text(held?.filename ?? 0);
        const kind = frameKindOf(name, filename, mapping);
        const number = line.line > 0 ? line.line : (held?.startLine ?? 0);
        return into.frame(intern(name), intern(filename || mapping), number > 0 ? number : -1, kind);
      });
      if (frames.length === 0) {
        const name = unnamed(mapping, location.address);
        frames.push(into.frame(intern(name), intern(mapping), -1, frameKindOf(name, "", mapping)));
      }
      return [location.id, frames.reverse()];
    }),
  );
}

const unnamed = (mapping: string, address: string): string =>
  mapping === "" ? address : mapping.startsWith("[") ? mapping : `[${mapping.slice(mapping.lastIndexOf("/") + 1)}]`;

class SampleReader {
  private readonly locations: number[] = [];
  private readonly values: number[] = [];
  private readonly labels: Label[] = [];
  /** locations of the sample before, the outermost first, and the stack at each */
  private readonly before: number[] = [];
  private readonly stacks: number[] = [];
  private readonly reader: ProtobufReader;
  private readonly outline: Outline;
  private readonly into: StackTableBuilder;
  private readonly types: readonly number[];
  private readonly framesAt: ReadonlyMap<number, readonly number[]>;
  private readonly thread: number;

  constructor(
    reader: ProtobufReader,
    outline: Outline,
    into: StackTableBuilder,
    types: readonly number[],
    framesAt: ReadonlyMap<number, readonly number[]>,
    thread: number,
  ) {
    this.reader = reader;
    this.outline = outline;
    this.into = into;
    this.types = types;
    this.framesAt = framesAt;
    this.thread = thread;
  }

  read(start: number, end: number): void {
    const { reader, locations, values, labels, into, types } = this;
    locations.length = values.length = labels.length = 0;
    for (let at = start; at < end;) {
      const tag = reader.tag(at, end);
      const field = tag >>> 3;
      if (field === 1 || field === 2) at = this.numbers(tag, reader.at, end, field === 1 ? locations : values);
      else if (tag === ((3 << 3) | Wire.bytes)) {
        const stop = reader.valueEnd(reader.at, end);
        this.label(reader.at, stop);
        at = stop;
      } else at = reader.skip(tag, reader.at, end);
    }
    const stack = this.stackOf(locations);
    const row = into.sample(stack, this.thread, -1, labels.length === 0 ? 0 : into.labelSet(labels));
    for (let i = 0; i < types.length && i < values.length; i++) into.setValue(row, types[i]!, values[i]!);
  }

  /** Outer callers that are those of the sample before need no look-up. */
  private stackOf(locations: readonly number[]): number {
    const { into, before, stacks } = this;
    const depth = locations.length;
    let level = 0;
    while (level < depth && level < before.length && before[level] === locations[depth - 1 - level]) level++;
    before.length = stacks.length = level;
    let stack = level === 0 ? -1 : stacks[level - 1]!;
    for (; level < depth; level++) {
      const location = locations[depth - 1 - level]!;
      for (const frame of this.framesAt.get(location) ?? []) stack = into.stack(stack, frame);
      before.push(location);
      stacks.push(stack);
    }
    return stack;
  }

  /** Packed or single varints behind a tag; returns the position behind them. */
  private numbers(tag: number, at: number, end: number, into: number[]): number {
    const { reader } = this;
    if ((tag & 7) === Wire.varint) {
      into.push(signed(reader, reader.varint(at, end)));
      return reader.at;
    }
    if ((tag & 7) !== Wire.bytes) return reader.skip(tag, at, end);
    const stop = reader.valueEnd(at, end);
    const { bytes } = reader;
    for (let next = reader.at; next < stop;) {
      // One byte for most, two for nearly all.
      const byte = bytes[next]!;
      if (byte < 0x80) {
        into.push(byte);
        next++;
      } else if (next + 1 < stop && bytes[next + 1]! < 0x80) {
        into.push((byte & 0x7f) | (bytes[next + 1]! << 7));
        next += 2;
      } else {
        into.push(signed(reader, reader.varint(next, stop)));
        next = reader.at;
      }
    }
    return stop;
  }

  private label(start: number, end: number): void {
    const [, key, text, number] = numbers(this.reader, start, end, 3) as [number, number, number, number];
    const { into, outline } = this;
    const isText = text !== 0;
    const value = isText ? into.strings.intern(outline.text(text)) : number;
    this.labels.push({ key: into.strings.intern(outline.text(key)), value, isText });
  }
}
