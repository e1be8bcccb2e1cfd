import { InputError, type Intake } from "../model/intake.ts";
import { isUtf8, type StringPool } from "../model/string-pool.ts";
import { Wire, type ProtobufReader } from "./protobuf-reader.ts";

/** What a profile of pprof has beside its samples, of which it tells the places: strings stand behind what refers to them. */
export interface PprofOutline {
  readonly types: { readonly type: number; readonly unit: number }[];
  /** start and end of each sample */
  readonly sampleBounds: number[];
  /** file of each mapping by its id */
  readonly mappings: Map<number, number>;
  readonly locations: LocationColumns;
  readonly functions: Map<number, PprofFunction>;
  readonly strings: PprofStrings;
  timeNs: bigint;
  durationNs: number;
  defaultType: number;
}

/** Numbers of strings, and of a line. */
export interface PprofFunction {
  readonly name: number;
  readonly filename: number;
  readonly startLine: number;
}

/** A row per location, in the order of the file. */
export interface LocationColumns {
  readonly id: number[];
  readonly mapping: number[];
  readonly addressLow: number[];
  readonly addressHigh: number[];
  /** end of its lines in the columns below, innermost first; they begin where those of the row before end */
  readonly linesEnd: number[];
  readonly lineFunction: number[];
  readonly lineNumber: number[];
}

/** The profile's table of strings; each is decoded, and put into the pool, when somebody asks for it. */
export class PprofStrings {
  private readonly bounds: number[] = [];
  private readonly ids: number[] = [];
  private readonly bytes: Uint8Array;
  private readonly pool: StringPool;

  constructor(bytes: Uint8Array, pool: StringPool) {
    this.bytes = bytes;
    this.pool = pool;
  }

  add(start: number, end: number): void {
    this.bounds.push(start, end);
    this.ids.push(-1);
  }

  /** Id in the pool; that of "" where the profile has no string of that number. */
  id(index: number): number {
    if (!(index >= 0 && index < this.ids.length)) return 0;
    const known = this.ids[index]!;
    if (known >= 0) return known;
    const [start, end] = [this.bounds[index * 2]!, this.bounds[index * 2 + 1]!];
    const { bytes, pool } = this;
    const id = isUtf8(bytes, start, end)
      ? pool.internBytes(bytes, start, end)
      : pool.intern(new TextDecoder().decode(bytes.subarray(start, end)));
    this.ids[index] = id;
    return id;
  }

  text(index: number): string {
    return this.pool.get(this.id(index));
  }
}

/** Reads all but the samples of the `end` bytes that `reader` is over; at an error, told in `intake.errors`, what was read until then. */
export function readOutline(reader: ProtobufReader, end: number, intake: Intake, pool: StringPool): PprofOutline {
  const outline: PprofOutline = {
    types: [],
    sampleBounds: [],
    mappings: new Map(),
    locations: {
      id: [],
      mapping: [],
      addressLow: [],
      addressHigh: [],
      linesEnd: [],
      lineFunction: [],
      lineNumber: [],
    },
    functions: new Map(),
    strings: new PprofStrings(reader.bytes, pool),
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
        else if (tag >>> 3 === 6) outline.strings.add(start, stop);
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

function readMessage(reader: ProtobufReader, field: number, start: number, end: number, outline: PprofOutline): void {
  if (field === 4) {
    readLocation(reader, start, end, outline.locations);
    return;
  }
  if (field !== 1 && field !== 3 && field !== 5) return;
  const value = flatNumbers(reader, start, end, field === 1 ? 2 : 5);
  if (field === 1) outline.types.push({ type: value[1]!, unit: value[2]! });
  else if (field === 3) outline.mappings.set(value[1]!, value[5]!);
  else outline.functions.set(value[1]!, { name: value[2]! || value[3]!, filename: value[4]!, startLine: value[5]! });
}

const flat: number[] = [0, 0, 0, 0, 0, 0];

/** Values of the varint fields 1 .. `last` (at most 5) of a flat message, 0 where absent. The list is used again by the next call. */
export function flatNumbers(reader: ProtobufReader, start: number, end: number, last: number): readonly number[] {
  flat.fill(0);
  for (let at = start; at < end;) {
    const tag = reader.tag(at, end);
    if ((tag & 7) === Wire.varint && tag >>> 3 <= last) {
      flat[tag >>> 3] = signed(reader, reader.varint(reader.at, end));
      at = reader.at;
    } else at = reader.skip(tag, reader.at, end);
  }
  return flat;
}

function readLocation(reader: ProtobufReader, start: number, end: number, into: LocationColumns): void {
  let id = 0;
  let mapping = 0;
  let low = 0;
  let high = 0;
  const lines = into.lineFunction.length;
  try {
    for (let at = start; at < end;) {
      const tag = reader.tag(at, end);
      if ((tag & 7) === Wire.varint) {
        const value = reader.varint(reader.at, end);
        at = reader.at;
        if (tag >>> 3 === 1) id = value;
        else if (tag >>> 3 === 2) mapping = value;
        else if (tag >>> 3 === 3) [low, high] = [reader.low, reader.high];
      } else if (tag >>> 3 === 4 && (tag & 7) === Wire.bytes) {
        const stop = reader.valueEnd(reader.at, end);
        const value = flatNumbers(reader, reader.at, stop, 2);
        into.lineFunction.push(value[1]!);
        into.lineNumber.push(value[2]!);
        at = stop;
      } else at = reader.skip(tag, reader.at, end);
    }
  } catch (error) {
    into.lineFunction.length = into.lineNumber.length = lines;
    throw error;
  }
  into.id.push(id);
  into.mapping.push(mapping);
  into.addressLow.push(low);
  into.addressHigh.push(high);
  into.linesEnd.push(into.lineFunction.length);
}

/** The varint that was read last as a two's complement number. */
export const signed = (reader: ProtobufReader, value: number): number =>
  reader.high >= 0x8000_0000 ? (reader.high - 2 ** 32) * 2 ** 32 + reader.low : value;
