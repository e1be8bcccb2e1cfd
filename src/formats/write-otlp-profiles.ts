import { AttributeType } from "../model/attribute-table.ts";
import { FrameKind, SPAN_LABEL, type StackTable, TRACE_LABEL } from "../model/stack-table.ts";
import { TuplePool } from "../model/tuple-pool.ts";
import { JIT_MAPPING, KERNEL_MAPPING } from "./frame-kind.ts";
import { Message } from "./protobuf-writer.ts";

/** What is said of the sender besides the process. */
export interface ProfileSender {
  /** attributes of the resource; they go before what the table tells */
  readonly resource?: Readonly<Record<string, string | number>>;
  readonly scope?: string;
}

/**
 * A profile as an OTLP request, ExportProfilesServiceRequest of opentelemetry-proto 1.11.0: a resource per process, and a
 * Profile for each type of values. Samples of the same stack, thread, labels and link are one, with a value and a time
 * for each. The labels `trace_id` and `span_id` become the sample's link. Values are rounded to integers.
 */
export function writeOtlpProfiles(table: StackTable, sender: ProfileSender = {}): Uint8Array {
  return new RequestWriter(table, sender).request();
}

/** A request but for the resource, for senders that learn later whose it is. */
export interface OtlpProfileParts {
  /** a ScopeProfiles */
  readonly scopes: Uint8Array;
  /** a ProfilesDictionary */
  readonly dictionary: Uint8Array;
}

/** A profile of one process as such parts; what the table says of the process itself is left to the resource. */
export function otlpProfileParts(table: StackTable, scope: string): OtlpProfileParts {
  return new RequestWriter(table, { scope }).parts();
}

/** The request of parts and the attributes of their resource. */
export function otlpProfilesRequest(
  { scopes, dictionary }: OtlpProfileParts,
  resource: Readonly<Record<string, string | number>>,
): Uint8Array {
  const profiles = new Message().message(1, resourceMessage(Object.entries(resource))).bytes(2, scopes);
  return new Message().message(1, profiles).bytes(2, dictionary).finish();
}

function resourceMessage(facts: Iterable<readonly [string, string | number]>): Message {
  const resource = new Message();
  for (const [key, value] of facts)
    resource.message(1, new Message().bytes(1, Buffer.from(key)).message(2, anyValue(value)));
  return resource;
}

class RequestWriter {
  private readonly table: StackTable;
  private readonly sender: ProfileSender;
  private readonly strings = new Map([["", 0]]);
  private readonly mappings = new Entries();
  private readonly functions = new TuplePool(2);
  private readonly attributes = new Entries();
  private readonly links = new Entries();
  private readonly stackTable = new Message();
  /** by row of the table of threads; each sample asks */
  private readonly attributesOfThreads: (readonly number[])[] = [];
  private readonly stackOf: Int32Array;
  private stackCount = 0;
  /** of each set of labels: entries of the table of attributes, and the link */
  private readonly labelSets: { readonly attributes: readonly number[]; readonly link: number }[];

  constructor(table: StackTable, sender: ProfileSender) {
    this.table = table;
    this.sender = sender;
    this.mappings.of("", empty);
    this.attributes.of("", empty);
    this.links.of("", empty);
    this.functions.intern(0, 0);
    this.stackOf = new Int32Array(table.stacks.rowCount).fill(-1);
    this.addStack([]);
    this.labelSets = Array.from({ length: table.labels.listCount }, (_, set) => this.labelsOf(set));
  }

  request(): Uint8Array {
    const request = new Message();
    const rowsOf = this.rowsByProcess();
    for (let process = 0; process < rowsOf.length; process++) {
      if (rowsOf[process]!.length > 0) request.message(1, this.resourceProfiles(process, rowsOf[process]!));
    }
    return request.message(2, this.dictionary()).finish();
  }

  parts(): OtlpProfileParts {
    const scopes = this.scopeProfiles(0, [...this.table.samples.stack.keys()]).finish();
    return { scopes, dictionary: this.dictionary().finish() };
  }

  private rowsByProcess(): number[][] {
    const { samples, threads, processes } = this.table;
    const rowsOf: number[][] = Array.from({ length: processes.rowCount }, () => []);
    for (let row = 0; row < samples.rowCount; row++) rowsOf[threads.process[samples.thread[row]!]!]!.push(row);
    return rowsOf;
  }

  private resourceProfiles(process: number, rows: readonly number[]): Message {
    const { processes, strings } = this.table;
    const facts = new Map<string, string | number>();
    if (processes.service[process] !== 0) facts.set("service.name", strings.get(processes.service[process]!));
    if (processes.pid[process]! >= 0) facts.set("process.pid", processes.pid[process]!);
    if (processes.name[process] !== 0) facts.set("process.executable.name", strings.get(processes.name[process]!));
    for (const [key, value] of Object.entries(this.sender.resource ?? {})) facts.set(key, value);
    return new Message().message(1, resourceMessage(facts)).message(2, this.scopeProfiles(process, rows));
  }

  private scopeProfiles(process: number, rows: readonly number[]): Message {
    const scope = new Message();
    if (this.sender.scope !== undefined) scope.message(1, new Message().bytes(1, Buffer.from(this.sender.scope)));
    for (const [types, some] of this.byTypes(rows))
      for (const type of types) scope.message(2, this.profile(process, type, some));
    return scope;
  }

  /** Rows by which of their values are other than zero: those have a profile each, with the same samples. */
  private byTypes(rows: readonly number[]): (readonly [types: number[], rows: number[]])[] {
    const { samples, defaultValue, valueTypes } = this.table;
    const order = [...valueTypes.keys()].sort(
      (a, b) => Number(b === defaultValue) - Number(a === defaultValue) || a - b,
    );
    const groups = new Map<string, readonly [number[], number[]]>();
    for (const row of rows) {
      const types = order.filter((type) => samples.values[type]![row] !== 0);
      if (types.length === 0) types.push(defaultValue);
      const held = groups.get(types.join());
      if (held === undefined) groups.set(types.join(), [types, [row]]);
      else held[1].push(row);
    }
    return [...groups.values()];
  }

  private profile(process: number, type: number, rows: readonly number[]): Message {
    const { valueTypes, processes } = this.table;
    const { type: name, unit } = valueTypes[type]!;
    const profile = new Message().message(1, new Message().number(1, this.string(name)).number(2, this.string(unit)));
    const start = processes.startUnixNs[process]!;
    for (const group of this.groups(rows)) profile.message(2, this.sample(type, group, start));
    if (start > 0n) profile.fixed64(3, Number(start >> 32n), Number(start & 0xffff_ffffn));
    const duration = processes.durationNs[process]!;
    if (duration > 0) profile.number(4, Math.round(duration));
    return profile;
  }

  /** Rows of one stack, set of labels and thread; those without a time apart from those with one. */
  private groups(rows: readonly number[]): number[][] {
    const { samples } = this.table;
    const keys = new TuplePool(4);
    const groups: number[][] = [];
    for (const row of rows) {
      const isTimed = samples.timeOffsetNs[row]! >= 0 ? 1 : 0;
      const key = keys.intern(samples.stack[row]!, samples.labelSet[row]!, samples.thread[row]!, isTimed);
      if (key === groups.length) groups.push([row]);
      else groups[key]!.push(row);
    }
    return groups;
  }

  private sample(type: number, rows: readonly number[], start: bigint): Message {
    const { samples } = this.table;
    const first = rows[0]!;
    const { attributes, link } = this.labelSets[samples.labelSet[first]!]!;
    const sample = new Message().number(1, this.stack(samples.stack[first]!));
    sample.numbers(2, [...this.threadAttributes(samples.thread[first]!), ...attributes]);
    sample.number(3, link);
    sample.numbers(
      4,
      rows.map((row) => Math.round(samples.values[type]![row]!)),
    );
    if (samples.timeOffsetNs[first]! < 0 || start < 0n) return sample;
    const times = Buffer.alloc(8 * rows.length);
    rows.forEach((row, i) => times.writeBigUInt64LE(start + BigInt(Math.round(samples.timeOffsetNs[row]!)), 8 * i));
    return sample.bytes(5, times);
  }

  private threadAttributes(thread: number): readonly number[] {
    const held = this.attributesOfThreads[thread];
    if (held !== undefined) return held;
    const { threads, strings } = this.table;
    const found: number[] = [];
    this.attributesOfThreads[thread] = found;
    if (threads.tid[thread]! >= 0) found.push(this.attribute("thread.id", threads.tid[thread]!));
    if (threads.name[thread] !== 0) found.push(this.attribute("thread.name", strings.get(threads.name[thread]!)));
    return found;
  }

  private labelsOf(set: number): { attributes: number[]; link: number } {
    const { labels, strings } = this.table;
    const attributes: number[] = [];
    let [trace, span] = ["", ""];
    for (let row = labels.listStart[set]!; row < labels.listStart[set + 1]!; row++) {
      const key = strings.get(labels.key[row]!);
      const isNumber = labels.type[row] === AttributeType.number;
      const value = isNumber ? labels.value[row]! : strings.get(labels.value[row]!);
      if (key === TRACE_LABEL && /^[\da-f]{32}$/.test(String(value))) trace = String(value);
      else if (key === SPAN_LABEL && /^[\da-f]{16}$/.test(String(value))) span = String(value);
      else attributes.push(this.attribute(key, value));
    }
    return { attributes, link: trace === "" && span === "" ? 0 : this.link(trace, span) };
  }

  private link(trace: string, span: string): number {
    const link = new Message();
    if (trace !== "") link.bytes(1, Buffer.from(trace, "hex"));
    if (span !== "") link.bytes(2, Buffer.from(span, "hex"));
    return this.links.of(`${trace}:${span}`, () => link);
  }

  private attribute(key: string, value: string | number): number {
    return this.attributes.of(`${key}\0${typeof value}\0${value}`, () =>
      new Message().number(1, this.string(key)).message(2, anyValue(value)),
    );
  }

  private string(text: string): number {
    const held = this.strings.get(text);
    if (held !== undefined) return held;
    this.strings.set(text, this.strings.size);
    return this.strings.size - 1;
  }

  private stack(stack: number): number {
    if (stack < 0) return 0;
    if (this.stackOf[stack]! >= 0) return this.stackOf[stack]!;
    const { stacks } = this.table;
    const locations: number[] = [];
    // A location per frame, behind the empty one.
    for (let at = stack; at >= 0; at = stacks.parent[at]!) locations.push(stacks.frame[at]! + 1);
    return (this.stackOf[stack] = this.addStack(locations));
  }

  private addStack(locations: readonly number[]): number {
    this.stackTable.message(7, new Message().numbers(1, locations));
    return this.stackCount++;
  }

  private dictionary(): Message {
    const locations = this.locations();
    const dictionary = new Message();
    for (const message of this.mappings.all()) dictionary.message(1, message);
    dictionary.raw(locations.finish());
    const [name, file] = [this.functions.column(0), this.functions.column(1)];
    for (let id = 0; id < this.functions.size; id++)
      dictionary.message(3, new Message().number(1, name[id]!).number(3, file[id]!));
    for (const message of this.links.all()) dictionary.message(4, message);
    for (const text of this.strings.keys()) dictionary.bytes(5, Buffer.from(text));
    for (const message of this.attributes.all()) dictionary.message(6, message);
    return dictionary.raw(this.stackTable.finish());
  }

  /** A frame's kind is told by its mapping and by `profile.frame.type`, as far as it can be. */
  private locations(): Message {
    const { frames, strings } = this.table;
    const locations = new Message().message(2, new Message());
    for (let row = 0; row < frames.rowCount; row++) {
      const kind = frames.kind[row]!;
      const file = strings.get(frames.file[row]!);
      const isMapped = kind === FrameKind.native || kind === FrameKind.kernel;
      const mapping = mappingOf(kind, file);
      const location = new Message();
      if (mapping !== "")
        location.number(
          1,
          this.mappings.of(mapping, () => new Message().number(4, this.string(mapping))),
        );
      const name = this.string(strings.get(frames.function[row]!));
      const line = new Message().number(1, this.functions.intern(name, isMapped ? 0 : this.string(file)));
      if (frames.line[row]! > 0) line.number(2, frames.line[row]!);
      location.message(3, line);
      if (isMapped)
        location.numbers(4, [this.attribute("profile.frame.type", kind === FrameKind.kernel ? "kernel" : "native")]);
      locations.message(2, location);
    }
    return locations;
  }
}

function mappingOf(kind: number, file: string): string {
  if (kind === FrameKind.kernel) return file || KERNEL_MAPPING;
  if (kind === FrameKind.jit) return JIT_MAPPING;
  return kind === FrameKind.native ? file : "";
}

function anyValue(value: string | number): Message {
  if (typeof value === "string") return new Message().bytes(1, Buffer.from(value));
  return Number.isSafeInteger(value) ? new Message().chosenNumber(3, value) : new Message().double(4, value);
}

const empty = (): Message => new Message();

/** Distinct entries of a table, numbered in the order in which they came. */
class Entries {
  private readonly numbers = new Map<string, number>();
  private readonly messages: Message[] = [];

  /** make: called for a key that is new. */
  of(key: string, make: () => Message): number {
    const held = this.numbers.get(key);
    if (held !== undefined) return held;
    // Before it gets a number: what it is made of may be entries of this table, too.
    const message = make();
    this.numbers.set(key, this.messages.length);
    return this.messages.push(message) - 1;
  }

  all(): readonly Message[] {
    return this.messages;
  }
}
