import { InputError } from "../model/intake.ts";
import type { Label, StackTableBuilder } from "../model/stack-table-builder.ts";
import { FrameKind, SPAN_LABEL, TRACE_LABEL } from "../model/stack-table.ts";
import { frameKindOf } from "./frame-kind.ts";

export type OtlpAttributes = ReadonlyMap<string, string | number>;

/** The tables that all profiles of a request share; row 0 of each stands for "none". */
export interface OtlpDictionary {
  readonly strings: readonly string[];
  /** row of `strings` */
  readonly mappings: readonly { readonly filename: number }[];
  readonly functions: readonly OtlpFunction[];
  readonly locations: readonly OtlpLocation[];
  /** hexadecimal digits, "" for none */
  readonly links: readonly { readonly traceId: string; readonly spanId: string }[];
  readonly attributes: readonly { readonly key: string; readonly value: string | number }[];
  /** rows of `locations`, the innermost first */
  readonly stacks: readonly (readonly number[])[];
}

export interface OtlpFunction {
  readonly name: number;
  readonly systemName: number;
  readonly filename: number;
  readonly startLine: number;
}

export interface OtlpLocation {
  readonly mapping: number;
  /** with "0x" */
  readonly address: string;
  /** the innermost first */
  readonly lines: readonly { readonly function: number; readonly line: number }[];
  readonly attributes: readonly number[];
}

export interface OtlpProfileHead {
  readonly type: number;
  readonly unit: number;
  readonly periodType: number;
  readonly periodUnit: number;
  readonly period: number;
  /** 0n where it is not told */
  readonly timeUnixNs: bigint;
  readonly durationNs: number;
}

/** Attributes of samples that are facts about the thread or the process. */
const THREAD_ID = "thread.id";
const THREAD_NAME = "thread.name";
const PROCESS_ID = "process.pid";
const PROCESS_NAME = "process.executable.name";
const SERVICE = "service.name";
const FRAME_TYPE = "profile.frame.type";
/** What tells instances of a service apart, kept as labels. */
const INSTANCE_KEYS: readonly string[] = ["service.instance.id", "host.name"];

/**
 * Puts profiles of OTLP (opentelemetry-proto 1.10 and 1.11) into a StackTable, whatever they are encoded in.
 *
 * A profile has one type of values; several of a scope that hold the same samples in the same order (as one
 * with several types is sent) become one row per sample. Where only times are told, each counts 1; and what it stands
 * for follows as a second type from the period. Links become the labels `trace_id` and `span_id`.
 *
 * References that lead nowhere throw an InputError at `byteOffset`, which the decoder keeps up to date.
 */
export class OtlpProfileFiller {
  byteOffset = -1;
  private readonly into: StackTableBuilder;
  private readonly dictionary: OtlpDictionary;
  private readonly file: string;
  private readonly stackRows: number[] = [];
  private readonly frameRows: (readonly number[] | undefined)[] = [];
  private readonly processes = new Map<string, number>();
  private readonly threads = new Map<string, number>();
  private readonly labelSets = new Map<string, { set: number; thread: number }>();
  private resource: OtlpAttributes = new Map();
  private scope = 0;
  private profile: OpenProfile | undefined;
  private before: OpenProfile | undefined;

  constructor(into: StackTableBuilder, dictionary: OtlpDictionary, file: string) {
    this.into = into;
    this.dictionary = dictionary;
    this.file = file;
  }

  beginScope(resource: OtlpAttributes): void {
    this.resource = resource;
    this.scope++;
    this.before = this.profile = undefined;
  }

  /** `baseUnixNs`: what the times of its samples are offsets from; 0n where it has neither times nor a time. */
  beginProfile(head: OtlpProfileHead, baseUnixNs: bigint): void {
    const { into } = this;
    const [typeName, unit] = [this.text(head.type), this.text(head.unit)];
    const type = into.valueType(typeName || "samples", unit || "count");
    const period = this.text(head.periodType);
    const isTimed = typeName === "samples" && this.text(head.periodUnit) === "nanoseconds" && head.period > 0;
    const periodType = isTimed && period !== "" ? into.valueType(period, "nanoseconds") : -1;
    if (into.sampleCount === 0) into.defaultValue = periodType >= 0 ? periodType : type;
    this.before = this.profile;
    this.labelSets.clear();
    const isSame = this.before?.baseUnixNs === baseUnixNs && this.before.durationNs === head.durationNs;
    const number = isSame ? this.before!.number : (this.before?.number ?? 0) + 1;
    const { period: periodNs, durationNs } = head;
    this.profile = { type, periodType, periodNs, baseUnixNs, durationNs, number, rows: [], keys: [] };
    if (!isSame) this.before = undefined;
  }

  /** offsets: of each observation from `baseUnixNs`, or none; values: of each, or none. */
  sample(
    stack: number,
    attributes: readonly number[],
    link: number,
    values: readonly number[],
    offsets: readonly number[],
  ): void {
    const profile = this.profile!;
    if (values.length > 0 && offsets.length > 0 && values.length !== offsets.length)
      this.fail(`as many values as times (${offsets.length})`, `${values.length} values`);
    const stackRow = this.stackRow(stack);
    const { set, thread } = this.labelsOf(attributes, link);
    const count = Math.max(values.length, offsets.length);
    for (let i = 0; i < count; i++) {
      const offset = offsets[i] ?? -1;
      const row = this.row(profile, stackRow, thread, offset, set);
      const value = values[i] ?? 1;
      this.into.setValue(row, profile.type, value);
      if (profile.periodType >= 0) this.into.setValue(row, profile.periodType, value * profile.periodNs);
    }
  }

  /** A new row, or that of the same sample in the profile of another type before. */
  private row(profile: OpenProfile, stack: number, thread: number, offset: number, set: number): number {
    const key = `${stack},${thread},${offset},${set}`;
    const at = profile.rows.length;
    const { before } = this;
    const isHeld = before !== undefined && before.type !== profile.type && before.keys[at] === key;
    const row = isHeld ? before.rows[at]! : this.into.sample(stack, thread, offset, set);
    profile.rows.push(row);
    profile.keys.push(key);
    return row;
  }

  private text(index: number): string {
    return this.dictionary.strings[index] ?? "";
  }

  private stackRow(index: number): number {
    const held = this.stackRows[index];
    if (held !== undefined) return held;
    const { dictionary, into } = this;
    if (index === 0 && dictionary.stacks.length === 0) return -1;
    const locations = dictionary.stacks[index] ?? this.outside("stack", index, dictionary.stacks.length);
    let stack = -1;
    for (let i = locations.length - 1; i >= 0; i--)
      for (const frame of this.framesOf(locations[i]!)) stack = into.stack(stack, frame);
    return (this.stackRows[index] = stack);
  }

  /** Frames of a location, the outermost first. */
  private framesOf(index: number): readonly number[] {
    const held = this.frameRows[index];
    if (held !== undefined) return held;
    const { dictionary, into } = this;
    const { locations, mappings, functions } = dictionary;
    const location = locations[index] ?? this.outside("location", index, locations.length);
    const mapping = this.text(mappings[location.mapping]?.filename ?? 0);
    const frameType = this.frameTypeOf(location);
    const add = (name: string, file: string, line: number): number => {
      const kind = KIND_OF_TYPE.get(frameType) ?? frameKindOf(name, file, mapping);
      const place = into.strings.intern(file || mapping);
      return into.frame(into.strings.intern(name), place, line > 0 ? line : -1, kind);
    };
    const frames = location.lines.map(({ function: number, line }) => {
      const held = functions[number] ?? this.outside("function", number, functions.length);
      const name = this.text(held.name) || this.text(held.systemName) || unnamed(mapping, location.address);
      return add(name, this.text(held.filename), line > 0 ? line : held.startLine);
    });
    if (frames.length === 0) frames.push(add(unnamed(mapping, location.address), "", -1));
    return (this.frameRows[index] = frames.reverse());
  }

  private frameTypeOf({ attributes }: OtlpLocation): string {
    for (const index of attributes) {
      const { key, value } = this.attribute(index);
      if (key === FRAME_TYPE) return String(value);
    }
    return "";
  }

  private attribute(index: number): { readonly key: string; readonly value: string | number } {
    const { attributes } = this.dictionary;
    return attributes[index] ?? this.outside("attribute", index, attributes.length);
  }

  private labelsOf(attributes: readonly number[], link: number): { set: number; thread: number } {
    const key = `${link};${attributes.join()}`;
    const held = this.labelSets.get(key);
    if (held !== undefined) return held;
    const own = new Map(this.resource);
    const labels: Label[] = [];
    const intern = (text: string): number => this.into.strings.intern(text);
    const label = (name: string, value: string | number): void => {
      const isText = typeof value === "string";
      labels.push({ key: intern(name), value: isText ? intern(value) : value, isText });
    };
    for (const index of attributes) {
      const { key: name, value } = this.attribute(index);
      if (FACTS.has(name)) own.set(name, value);
      else label(name, value);
    }
    for (const name of INSTANCE_KEYS) if (this.resource.has(name)) label(name, this.resource.get(name)!);
    if (link > 0) {
      const { links } = this.dictionary;
      const { traceId, spanId } = links[link] ?? this.outside("link", link, links.length);
      if (traceId !== "") label(TRACE_LABEL, traceId);
      if (spanId !== "") label(SPAN_LABEL, spanId);
    }
    const made = { set: labels.length === 0 ? 0 : this.into.labelSet(labels), thread: this.threadOf(own) };
    this.labelSets.set(key, made);
    return made;
  }

  private threadOf(facts: OtlpAttributes): number {
    const { into, profile } = this;
    const text = (name: string): string => String(facts.get(name) ?? "");
    const number = (name: string): number => (facts.has(name) ? Number(facts.get(name)) || -1 : -1);
    const processKey = `${this.scope};${profile!.number};${number(PROCESS_ID)};${text(SERVICE)};${text(PROCESS_NAME)}`;
    let process = this.processes.get(processKey);
    if (process === undefined) {
      const { baseUnixNs, durationNs } = profile!;
      process = into.process({
        name: into.strings.intern(text(PROCESS_NAME)),
        service: into.strings.intern(text(SERVICE)),
        pid: number(PROCESS_ID),
        source: into.strings.intern(this.file),
        startUnixNs: baseUnixNs > 0n ? baseUnixNs : -1n,
        durationNs: durationNs > 0 ? durationNs : -1,
      });
      this.processes.set(processKey, process);
    }
    const threadKey = `${process};${number(THREAD_ID)};${text(THREAD_NAME)}`;
    let thread = this.threads.get(threadKey);
    if (thread === undefined) {
      thread = into.thread(process, number(THREAD_ID), into.strings.intern(text(THREAD_NAME)));
      this.threads.set(threadKey, thread);
    }
    return thread;
  }

  private outside(what: string, index: number, size: number): never {
    this.fail(`a ${what} among the ${size} of the dictionary`, `${what} ${index}`);
  }

  private fail(expected: string, found: string): never {
    throw new InputError("malformed", { file: this.file, byteOffset: this.byteOffset, expected, found });
  }
}

interface OpenProfile {
  readonly type: number;
  /** type of the values that follow from the period, -1 for none */
  readonly periodType: number;
  readonly periodNs: number;
  readonly baseUnixNs: bigint;
  readonly durationNs: number;
  /** equal in profiles of the scope that follow one another and are of the same time */
  readonly number: number;
  /** of its samples: row, and what tells it from others */
  readonly rows: number[];
  readonly keys: string[];
}

const FACTS: ReadonlySet<string> = new Set([THREAD_ID, THREAD_NAME, PROCESS_ID, PROCESS_NAME, SERVICE]);

/** `profile.frame.type` of the semantic conventions, where it says more than the frame does. */
const KIND_OF_TYPE: ReadonlyMap<string, FrameKind> = new Map([
  ["kernel", FrameKind.kernel],
  ["native", FrameKind.native],
]);

const unnamed = (mapping: string, address: string): string =>
  mapping === "" ? address : mapping.startsWith("[") ? mapping : `[${mapping.slice(mapping.lastIndexOf("/") + 1)}]`;
