import { InputError } from "../model/intake.ts";
import { JfrCursor } from "./jfr-cursor.ts";

/** A value of an event: a number, a text, a truth as 0 or 1, a reference into a pool, a structure or a list of these. */
export type JfrValue = number | string | JfrReference | JfrStructure | readonly JfrValue[];

export interface JfrStructure {
  readonly [field: string]: JfrValue;
}

export class JfrReference {
  readonly type: number;
  readonly key: number;

  constructor(type: number, key: number) {
    this.type = type;
    this.key = key;
  }
}

interface Field {
  readonly name: string;
  readonly type: number;
  readonly isPooled: boolean;
  readonly isArray: boolean;
}

interface Type {
  readonly name: string;
  readonly fields: readonly Field[];
}

interface Element {
  readonly name: string;
  readonly attributes: ReadonlyMap<string, string>;
  readonly children: readonly Element[];
}

const HEADER_BYTES = 68;
const METADATA = 0;
const CHECKPOINT = 1;
/** Structures of the JDK nest 3 deep; what goes deeper is a circle of types. */
const MAX_DEPTH = 32;

/**
 * One chunk of a JDK Flight Recorder file (format 2, of JDK 9 and later), `bytes[start, ...)`.
 *
 *   chunk       "FLR\0", version (2 × 16 bits), then 64-bit big-endian: size, position of the constant pools, position of
 *               the metadata, start (Unix ns), duration (ns), start (ticks), ticks per second; 32 bits of features; events
 *   event       size, type, then the fields that the metadata names; all numbers compressed
 *   metadata    event 0: strings, and a tree of elements that describes all types
 *   checkpoint  event 1: values of the constant pools by key, which events refer to
 *
 * The file describes itself: fields are found by their names, whatever the version of the JDK.
 */
export class JfrChunk {
  readonly start: number;
  /** behind the chunk, or behind the file where it ends early */
  readonly end: number;
  readonly startUnixNs: bigint;
  readonly durationNs: number;
  /** what is wrong with it as a whole: it ends early */
  readonly cut: InputError | undefined;
  private readonly cursor: JfrCursor;
  private readonly startTicks: bigint;
  /** structures that the open event may still have: damaged types can be nested without taking a byte */
  private structuresLeft = 0;
  private readonly nsPerTick: number;
  private readonly types = new Map<number, Type>();
  private readonly pools = new Map<number, Map<number, JfrValue>>();
  private readonly eventsAt = new Map<number, number[]>();

  constructor(bytes: Uint8Array, start: number, file: string) {
    const cursor = new JfrCursor(bytes, start, bytes.length, file);
    this.cursor = cursor;
    this.start = start;
    if (Buffer.from(cursor.raw(4)).toString("latin1") !== "FLR\0")
      cursor.fail("malformed", start, "a chunk of a JFR recording (FLR)", "other bytes");
    const major = cursor.unsigned16();
    const minor = cursor.unsigned16();
    if (major !== 2)
      cursor.fail("unsupported", start + 4, "JFR of version 2 (JDK 9 and later)", `version ${major}.${minor}`);
    const size = Number(cursor.big());
    cursor.big();
    const metadataAt = Number(cursor.big());
    this.startUnixNs = cursor.big();
    this.durationNs = Number(cursor.big());
    this.startTicks = cursor.big();
    const frequency = Number(cursor.big());
    this.nsPerTick = 1e9 / frequency;
    if (!(frequency > 0)) cursor.fail("malformed", start + 56, "ticks per second", String(frequency));
    if (size < HEADER_BYTES)
      cursor.fail("malformed", start + 8, `a chunk of at least ${HEADER_BYTES} bytes`, `${size}`);
    this.end = Math.min(bytes.length, start + size);
    const missing = start + size - bytes.length;
    if (missing > 0) {
      const found = `the end of the file ${missing} bytes earlier`;
      this.cut = new InputError("truncated", {
        file,
        byteOffset: this.end,
        expected: `a chunk of ${size} bytes`,
        found,
      });
    }
    if (metadataAt < HEADER_BYTES || start + metadataAt >= this.end) throw this.cut ?? this.outside(metadataAt, file);
    this.readMetadata(start + metadataAt);
    this.scan();
  }

  /** Numbers of the types of that name. */
  typesNamed(name: string): number[] {
    return [...this.types].filter(([, type]) => type.name === name).map(([id]) => id);
  }

  /** Where the events of a type stand, in the order of the file. */
  positions(type: number): readonly number[] {
    return this.eventsAt.get(type) ?? [];
  }

  /** The fields of the event at a position. */
  event(at: number): JfrStructure {
    const { type } = this.open(at);
    return this.structure(type, 0);
  }

  /** The value itself, a reference followed; undefined where the pool has none of that key. */
  resolve(value: JfrValue | undefined): JfrValue | undefined {
    return value instanceof JfrReference ? this.pools.get(value.type)?.get(value.key) : value;
  }

  /** A field of a structure, or of the one that a reference leads to. */
  member(value: JfrValue | undefined, name: string): JfrValue | undefined {
    const held = this.resolve(value);
    return typeof held === "object" && !Array.isArray(held) ? this.resolve((held as JfrStructure)[name]) : undefined;
  }

  text(value: JfrValue | undefined): string {
    const held = this.resolve(value);
    return typeof held === "string" ? held : "";
  }

  /** Nanoseconds after the chunk's start. */
  offsetNs(ticks: number): number {
    return Math.round((ticks - Number(this.startTicks)) * this.nsPerTick);
  }

  ticksToNs(ticks: number): number {
    return Math.round(ticks * this.nsPerTick);
  }

  private outside(at: number, file: string): InputError {
    return new InputError("malformed", {
      file,
      byteOffset: this.start + 24,
      expected: `metadata within the chunk of ${this.end - this.start} bytes`,
      found: `position ${at}`,
    });
  }

  /** Goes to the event at `at`; the cursor ends where the event does. */
  private open(at: number): { type: number; end: number } {
    const { cursor } = this;
    cursor.at = at;
    cursor.end = this.end;
    const size = cursor.varint();
    const end = at + size;
    if (size <= cursor.at - at) cursor.fail("malformed", at, "the size of an event", `${size}`);
    if (end > this.end)
      cursor.fail("truncated", at, `an event of ${size} bytes`, `${this.end - at} bytes before the end`);
    cursor.end = end;
    this.structuresLeft = size + 1000;
    return { type: cursor.varint(), end };
  }

  private scan(): void {
    const checkpoints: number[] = [];
    let at = this.start + HEADER_BYTES;
    while (at < this.end) {
      if (this.cut !== undefined && !this.isWhole(at)) break;
      const { type, end } = this.open(at);
      if (type === CHECKPOINT) checkpoints.push(at);
      else if (type !== METADATA) {
        const held = this.eventsAt.get(type);
        if (held === undefined) this.eventsAt.set(type, [at]);
        else held.push(at);
      }
      at = end;
    }
    for (const checkpoint of checkpoints) this.readCheckpoint(checkpoint);
  }

  /** Whether the event at `at` lies before the end of a file that ends early. */
  private isWhole(at: number): boolean {
    const { cursor } = this;
    cursor.at = at;
    cursor.end = this.end;
    return this.end - at >= 9 && at + cursor.varint() <= this.end;
  }

  private readCheckpoint(at: number): void {
    const { cursor } = this;
    this.open(at);
    // Start, duration, distance to the checkpoint before, and a mask of kinds.
    for (let i = 0; i < 3; i++) cursor.varint();
    cursor.byte();
    for (let pools = cursor.varint(); pools > 0; pools--) {
      const type = cursor.varint();
      let pool = this.pools.get(type);
      if (pool === undefined) this.pools.set(type, (pool = new Map()));
      for (let count = cursor.length(); count > 0; count--) pool.set(cursor.varint(), this.value(type, 0));
    }
  }

  private structure(type: number, depth: number): JfrStructure {
    const { cursor } = this;
    const held = this.types.get(type);
    if (held === undefined) return cursor.fail("malformed", cursor.at, "a type of the metadata", `type ${type}`);
    if (depth > MAX_DEPTH)
      return cursor.fail("malformed", cursor.at, `types nested ${MAX_DEPTH} deep at most`, held.name);
    if (this.structuresLeft-- === 0) cursor.fail("malformed", cursor.at, "no more structures than bytes", "more");
    const fields: Record<string, JfrValue> = {};
    for (const field of held.fields) {
      const one = (): JfrValue =>
        field.isPooled ? new JfrReference(field.type, cursor.varint()) : this.value(field.type, depth + 1);
      fields[field.name] = field.isArray ? Array.from({ length: cursor.length() }, one) : one();
    }
    return fields;
  }

  private value(type: number, depth: number): JfrValue {
    const { cursor } = this;
    switch (this.types.get(type)?.name) {
      case "boolean":
      case "byte":
        return cursor.byte();
      case "char":
      case "short":
      case "int":
      case "long":
        return cursor.varint();
      case "float":
        return cursor.float();
      case "double":
        return cursor.double();
      case "java.lang.String": {
        const text = cursor.string();
        return typeof text === "string" ? text : new JfrReference(type, text);
      }
      default:
        return this.structure(type, depth);
    }
  }

  private readMetadata(at: number): void {
    const { cursor } = this;
    const { type } = this.open(at);
    if (type !== METADATA) cursor.fail("malformed", at, "metadata (event 0)", `event ${type}`);
    for (let i = 0; i < 3; i++) cursor.varint();
    const strings = Array.from({ length: cursor.length() }, () => String(cursor.string()));
    const root = this.element(strings, 0);
    const classes = root.children.find(({ name }) => name === "metadata")?.children ?? [];
    for (const element of classes) {
      if (element.name !== "class") continue;
      const fields = element.children
        .filter(({ name }) => name === "field")
        .map(({ attributes }) => ({
          name: attributes.get("name") ?? "",
          type: Number(attributes.get("class")),
          isPooled: attributes.get("constantPool") === "true",
          isArray: Number(attributes.get("dimension") ?? 0) > 0,
        }));
      this.types.set(Number(element.attributes.get("id")), { name: element.attributes.get("name") ?? "", fields });
    }
  }

  private element(strings: readonly string[], depth: number): Element {
    const { cursor } = this;
    if (depth > MAX_DEPTH) cursor.fail("malformed", cursor.at, `elements nested ${MAX_DEPTH} deep at most`, "more");
    const text = (): string => {
      const at = cursor.at;
      const index = cursor.varint();
      return strings[index] ?? cursor.fail("malformed", at, `one of ${strings.length} strings`, `string ${index}`);
    };
    const name = text();
    const attributes = new Map<string, string>();
    for (let count = cursor.length(); count > 0; count--) attributes.set(text(), text());
    const children = Array.from({ length: cursor.length() }, () => this.element(strings, depth + 1));
    return { name, attributes, children };
  }
}
