import { InputError, type Intake } from "../model/intake.ts";
import { StackPool } from "../model/stack-pool.ts";
import { StackTableBuilder, type Label } from "../model/stack-table-builder.ts";
import type { FrameKind, StackTable } from "../model/stack-table.ts";
import { StringPool } from "../model/string-pool.ts";
import { CallPath, FrameList } from "./call-path.ts";
import { frameKindOf } from "./frame-kind.ts";
import { flatNumbers, readOutline, signed, type PprofFunction, type PprofOutline } from "./pprof-outline.ts";
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
  const outline = readOutline(reader, bytes.length, intake, into.strings);
  const text = (index: number): string => outline.strings.text(index);
  const types = outline.types.map(({ type, unit }) => into.valueType(text(type), text(unit)));
  into.defaultValue = Math.max(0, defaultOf(outline, types));
  const startUnixNs = outline.timeNs > 0n ? outline.timeNs : -1n;
  const source = into.strings.intern(file);
  const durationNs = outline.durationNs > 0 ? outline.durationNs : -1;
  const thread = into.thread(into.process({ source, startUnixNs, durationNs }));
  const samples = new SampleReader(reader, outline, into, types, thread);
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
  into.strings.releaseSource();
  return into.finish();
}

function defaultOf({ types, defaultType, strings }: PprofOutline, indices: readonly number[]): number {
  const named =
    defaultType === 0 ? -1 : types.findIndex(({ type }) => strings.text(type) === strings.text(defaultType));
  return indices[named < 0 ? indices.length - 1 : named] ?? 0;
}

/** A line of a function that is not there. */
const NO_FUNCTION: PprofFunction = { name: 0, filename: 0, startLine: 0 };

/** No location has this id. */
const NO_FRAME = -1;

/** Frames by the ids of their locations. */
class LocationFrames {
  /** By id, where ids are about as many as locations, as in all profiles of Go: a frame, NO_FRAME, or -2 - i for the frames of `several[i]`. */
  private readonly dense: Int32Array;
  private readonly sparse = new Map<number, number>();
  /** the innermost first */
  private readonly several: number[][] = [];

  constructor(outline: PprofOutline, into: StackTableBuilder) {
    const { locations } = outline;
    this.dense = new Int32Array(2 * locations.id.length + 1024).fill(NO_FRAME);
    const naming = new Naming(outline, into);
    let from = 0;
    for (let row = 0; row < locations.id.length; row++) {
      const to = locations.linesEnd[row]!;
      const frames = naming.framesOf(row, from, to);
      from = to;
      const code = frames.length === 1 ? frames[0]! : -1 - this.several.push(frames);
      const id = locations.id[row]!;
      if (id < this.dense.length) this.dense[id] = code;
      else this.sparse.set(id, code);
    }
  }

  /** Appends the frames of a location, the innermost first; none where there is no such location. */
  append(id: number, to: FrameList): void {
    const code = id >= 0 && id < this.dense.length ? this.dense[id]! : (this.sparse.get(id) ?? NO_FRAME);
    if (code >= 0) to.push(code);
    else if (code !== NO_FRAME) for (const frame of this.several[-2 - code]!) to.push(frame);
  }
}

/** A function as it is named where it stands in a mapping; string ids. */
interface NamedFunction {
  readonly mapping: number;
  /** 0 for none: then the location is named */
  readonly name: number;
  readonly file: number;
  readonly kind: FrameKind;
}

class Naming {
  /** What each function was named last: they have several locations, nearly always of one mapping. */
  private readonly named = new Map<PprofFunction, NamedFunction>();
  private readonly outline: PprofOutline;
  private readonly into: StackTableBuilder;

  constructor(outline: PprofOutline, into: StackTableBuilder) {
    this.outline = outline;
    this.into = into;
  }

  /** Frames of location `row`, whose lines are `[from, to)`, the innermost first. */
  framesOf(row: number, from: number, to: number): number[] {
    const { outline, into } = this;
    const { locations, functions, mappings, strings } = outline;
    const mapping = strings.id(mappings.get(locations.mapping[row]!) ?? 0);
    if (from === to) {
      const name = this.unnamed(row, mapping);
      return [into.frame(into.strings.intern(name), mapping, -1, frameKindOf(name, "", into.strings.get(mapping)))];
    }
    const frames: number[] = [];
    for (let line = from; line < to; line++) {
      const held = functions.get(locations.lineFunction[line]!) ?? NO_FUNCTION;
      let named = this.named.get(held);
      if (named === undefined || named.mapping !== mapping || named.name === 0) {
        named = this.functionAt(held, row, mapping);
        this.named.set(held, named);
      }
      const number = locations.lineNumber[line]! > 0 ? locations.lineNumber[line]! : held.startLine;
      const name = named.name || into.strings.intern(this.unnamed(row, mapping));
      frames.push(into.frame(name, named.file || mapping, number > 0 ? number : -1, named.kind));
    }
    return frames;
  }

  private functionAt(held: PprofFunction, row: number, mapping: number): NamedFunction {
    const { outline, into } = this;
    const name = outline.strings.id(held.name);
    const file = outline.strings.id(held.filename);
    const text = name === 0 ? this.unnamed(row, mapping) : into.strings.get(name);
    return { mapping, name, file, kind: frameKindOf(text, into.strings.get(file), into.strings.get(mapping)) };
  }

  private unnamed(row: number, mappingId: number): string {
    const { addressLow, addressHigh } = this.outline.locations;
    const mapping = this.into.strings.get(mappingId);
    if (mapping === "") return `0x${((BigInt(addressHigh[row]!) << 32n) | BigInt(addressLow[row]!)).toString(16)}`;
    return mapping.startsWith("[") ? mapping : `[${mapping.slice(mapping.lastIndexOf("/") + 1)}]`;
  }
}

/** Sets of labels by the bytes of their messages: the same few come again and again. */
class LabelSets {
  private readonly messages = new StringPool();
  private readonly labels: (Label | undefined)[] = [];
  private readonly lists = new StackPool();
  /** label set of each list; -1 before somebody asks */
  private readonly sets: number[] = [];
  private readonly reader: ProtobufReader;
  private readonly outline: PprofOutline;
  private readonly into: StackTableBuilder;

  constructor(reader: ProtobufReader, outline: PprofOutline, into: StackTableBuilder) {
    this.reader = reader;
    this.outline = outline;
    this.into = into;
  }

  /** List `list` (-1: the empty one) with the label whose message is `[start, end)` behind. */
  add(list: number, start: number, end: number): number {
    const message = this.messages.internBytes(this.reader.bytes, start, end);
    this.labels[message] ??= this.read(start, end);
    return this.lists.intern(list, message);
  }

  setOf(list: number): number {
    if (list < 0) return 0;
    while (this.sets.length <= list) this.sets.push(-1);
    if (this.sets[list]! < 0) this.sets[list] = this.into.labelSet(this.labelsOf(list));
    return this.sets[list]!;
  }

  private labelsOf(list: number): Label[] {
    const labels: Label[] = [];
    const { parent, member } = this.lists;
    for (let at = list; at >= 0; at = parent[at]!) labels.push(this.labels[member[at]!]!);
    return labels.reverse();
  }

  private read(start: number, end: number): Label {
    const [, key, text, number] = flatNumbers(this.reader, start, end, 3) as [number, number, number, number];
    const { strings } = this.outline;
    const isText = text !== 0;
    return { key: strings.id(key), value: isText ? strings.id(text) : number, isText };
  }
}

class SampleReader {
  private readonly chain = new FrameList();
  private readonly path = new CallPath();
  private readonly values: number[] = [];
  private readonly reader: ProtobufReader;
  private readonly into: StackTableBuilder;
  private readonly types: readonly number[];
  private readonly locations: LocationFrames;
  private readonly labels: LabelSets;
  private readonly thread: number;

  constructor(
    reader: ProtobufReader,
    outline: PprofOutline,
    into: StackTableBuilder,
    types: readonly number[],
    thread: number,
  ) {
    this.reader = reader;
    this.into = into;
    this.types = types;
    this.thread = thread;
    this.locations = new LocationFrames(outline, into);
    this.labels = new LabelSets(reader, outline, into);
  }

  read(start: number, end: number): void {
    const { reader, chain, values, labels, into, types } = this;
    chain.count = values.length = 0;
    let list = -1;
    for (let at = start; at < end;) {
      const tag = reader.tag(at, end);
      if (tag === ((1 << 3) | Wire.bytes)) at = this.packedLocations(reader.at, end);
      else if (tag === ((2 << 3) | Wire.bytes)) at = this.packedValues(reader.at, end);
      else if (tag === ((3 << 3) | Wire.bytes)) {
        const stop = reader.valueEnd(reader.at, end);
        list = labels.add(list, reader.at, stop);
        at = stop;
      } else if (tag === ((1 << 3) | Wire.varint)) {
        this.locations.append(signed(reader, reader.varint(reader.at, end)), chain);
        at = reader.at;
      } else if (tag === ((2 << 3) | Wire.varint)) {
        values.push(signed(reader, reader.varint(reader.at, end)));
        at = reader.at;
      } else at = reader.skip(tag, reader.at, end);
    }
    const stack = this.path.stackOf(chain.frames, chain.count, into);
    const row = into.sample(stack, this.thread, -1, labels.setOf(list));
    for (let i = 0; i < types.length && i < values.length; i++) into.setValue(row, types[i]!, values[i]!);
  }

  /** Returns the position behind them. */
  private packedLocations(at: number, end: number): number {
    const { reader, locations, chain } = this;
    const stop = reader.valueEnd(at, end);
    const { bytes } = reader;
    for (let next = reader.at; next < stop;) {
      // One byte or two for nearly all.
      const byte = bytes[next]!;
      if (byte < 0x80) {
        locations.append(byte, chain);
        next++;
      } else if (next + 1 < stop && bytes[next + 1]! < 0x80) {
        locations.append((byte & 0x7f) | (bytes[next + 1]! << 7), chain);
        next += 2;
      } else {
        locations.append(signed(reader, reader.varint(next, stop)), chain);
        next = reader.at;
      }
    }
    return stop;
  }

  /** Returns the position behind them. */
  private packedValues(at: number, end: number): number {
    const { reader, values } = this;
    const stop = reader.valueEnd(at, end);
    const { bytes } = reader;
    for (let next = reader.at; next < stop;) {
      if (bytes[next]! < 0x80) values.push(bytes[next++]!);
      else {
        values.push(signed(reader, reader.varint(next, stop)));
        next = reader.at;
      }
    }
    return stop;
  }
}
