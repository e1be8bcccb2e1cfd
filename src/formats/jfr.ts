import { InputError, type Intake } from "../model/intake.ts";
import { StackTableBuilder } from "../model/stack-table-builder.ts";
import { FrameKind, type StackTable } from "../model/stack-table.ts";
import { JfrChunk, JfrReference, type JfrStructure, type JfrValue } from "./jfr-chunk.ts";

interface EventRule {
  readonly event: string;
  readonly type: string;
  readonly unit: string;
  /** what a row is worth: the period of its sampler, a field, or how long it took */
  readonly worth: "period" | "duration" | { readonly field: string };
  /** class of the object that was waited for */
  readonly object?: string;
}

/** Events that are taken, and as which values. Waits are told beside processor time, never as a part of it. */
const RULES: readonly EventRule[] = [
  { event: "jdk.ExecutionSample", type: "cpu", unit: "nanoseconds", worth: "period" },
  // In a system call or in native code: at work or waiting, which the JVM does not know.
  { event: "jdk.NativeMethodSample", type: "native", unit: "nanoseconds", worth: "period" },
  { event: "jdk.ObjectAllocationSample", type: "alloc_space", unit: "bytes", worth: { field: "weight" } },
  { event: "jdk.ObjectAllocationInNewTLAB", type: "alloc_space", unit: "bytes", worth: { field: "tlabSize" } },
  { event: "jdk.ObjectAllocationOutsideTLAB", type: "alloc_space", unit: "bytes", worth: { field: "allocationSize" } },
  { event: "jdk.JavaMonitorEnter", type: "lock", unit: "nanoseconds", worth: "duration", object: "monitorClass" },
  { event: "jdk.JavaMonitorWait", type: "wait", unit: "nanoseconds", worth: "duration", object: "monitorClass" },
  { event: "jdk.ThreadPark", type: "park", unit: "nanoseconds", worth: "duration", object: "parkedClass" },
  { event: "jdk.ThreadSleep", type: "sleep", unit: "nanoseconds", worth: "duration" },
  { event: "jdk.SocketRead", type: "socket", unit: "nanoseconds", worth: "duration" },
  { event: "jdk.SocketWrite", type: "socket", unit: "nanoseconds", worth: "duration" },
  { event: "jdk.FileRead", type: "file", unit: "nanoseconds", worth: "duration" },
  { event: "jdk.FileWrite", type: "file", unit: "nanoseconds", worth: "duration" },
  { event: "jdk.FileForce", type: "file", unit: "nanoseconds", worth: "duration" },
];

/** What the sampler takes where a recording does not tell: the setting of the JDK's default.jfc. */
const DEFAULT_PERIOD_NS = 20e6;

/**
 * A recording of JDK Flight Recorder (decompressed), of JDK 9 and later: samples of execution and native code, allocations,
 * and waits for monitors, parked threads, sleep, sockets and files, each a type of values of its own.
 *
 * Names of hidden classes lose the address in them. A recording names classes and lines, and no source files: the
 * outermost class stands for the file.
 *
 * What was read before an error is kept; errors are told in `intake.errors`.
 */
export function decodeJfr(bytes: Uint8Array, intake: Intake, file: string): StackTable {
  const into = new StackTableBuilder();
  try {
    for (let at = 0; at < bytes.length;) {
      const chunk = new JfrChunk(bytes, at, file);
      new ChunkReader(chunk, into, file).read();
      if (chunk.cut !== undefined) throw chunk.cut;
      at = chunk.end;
    }
  } catch (error) {
    if (!(error instanceof InputError)) throw error;
    intake.errors.push(error);
  }
  const cpu = into.valueType("cpu", "nanoseconds");
  into.defaultValue = cpu;
  return into.finish();
}

class ChunkReader {
  private readonly chunk: JfrChunk;
  private readonly into: StackTableBuilder;
  private readonly process: number;
  private readonly threads = new Map<number, number>();
  private readonly stacks = new Map<number, number>();
  private readonly methods = new Map<number, { name: number; file: number; kind: FrameKind }>();

  constructor(chunk: JfrChunk, into: StackTableBuilder, file: string) {
    this.chunk = chunk;
    this.into = into;
    const machine = this.first("jdk.JVMInformation");
    const pid = machine?.["pid"];
    const command = chunk.text(machine?.["javaArguments"]).split(" ")[0] ?? "";
    this.process = into.process({
      name: into.strings.intern(command.slice(command.lastIndexOf("/") + 1)),
      pid: typeof pid === "number" ? pid : -1,
      source: into.strings.intern(file),
      startUnixNs: chunk.startUnixNs,
      durationNs: chunk.durationNs > 0 ? chunk.durationNs : -1,
    });
  }

  read(): void {
    const { chunk } = this;
    for (const rule of RULES)
      for (const type of chunk.typesNamed(rule.event)) {
        const positions = chunk.positions(type);
        if (positions.length === 0) continue;
        const column = this.into.valueType(rule.type, rule.unit);
        const periodNs = rule.worth === "period" ? this.periodNs(type) : 0;
        for (const at of positions) this.add(rule, column, periodNs, chunk.event(at));
      }
  }

  private add(rule: EventRule, column: number, periodNs: number, event: JfrStructure): void {
    const { chunk, into } = this;
    const number = (field: string): number => (typeof event[field] === "number" ? event[field] : 0);
    const { worth } = rule;
    const value =
      worth === "period" ? periodNs : worth === "duration" ? chunk.ticksToNs(number("duration")) : number(worth.field);
    const object = rule.object === undefined ? "" : className(this.symbol(chunk.member(event[rule.object], "name")));
    const intern = (text: string): number => into.strings.intern(text);
    const labels = object === "" ? 0 : into.labelSet([{ key: intern("object"), value: intern(object), isText: true }]);
    const thread = this.thread(event["sampledThread"] ?? event["eventThread"]);
    const offset = Math.max(0, chunk.offsetNs(number("startTime")));
    const row = into.sample(this.stack(event["stackTrace"]), thread, offset, labels);
    into.setValue(row, column, value);
  }

  private first(name: string): JfrStructure | undefined {
    for (const type of this.chunk.typesNamed(name)) {
      const [at] = this.chunk.positions(type);
      if (at !== undefined) return this.chunk.event(at);
    }
    return undefined;
  }

  /** The setting "period" of a type of events: "10 ms". */
  private periodNs(type: number): number {
    const { chunk } = this;
    for (const settings of chunk.typesNamed("jdk.ActiveSetting"))
      for (const at of chunk.positions(settings)) {
        const { id, name, value } = chunk.event(at);
        if (id !== type || chunk.text(name) !== "period") continue;
        const parts = /^(\d+) ?(ns|us|ms|s)$/.exec(chunk.text(value));
        if (parts !== null) return Number(parts[1]) * { ns: 1, us: 1e3, ms: 1e6, s: 1e9 }[parts[2] as "ns"];
      }
    return DEFAULT_PERIOD_NS;
  }

  private thread(value: JfrValue | undefined): number {
    const key = value instanceof JfrReference ? value.key : -1;
    let thread = this.threads.get(key);
    if (thread !== undefined) return thread;
    const { chunk, into } = this;
    const tid = chunk.member(value, "osThreadId");
    const name = chunk.text(chunk.member(value, "javaName")) || chunk.text(chunk.member(value, "osName"));
    thread = into.thread(this.process, typeof tid === "number" ? tid : -1, into.strings.intern(name));
    this.threads.set(key, thread);
    return thread;
  }

  private stack(value: JfrValue | undefined): number {
    const key = value instanceof JfrReference ? value.key : -1;
    const held = key < 0 ? undefined : this.stacks.get(key);
    if (held !== undefined) return held;
    const { chunk, into } = this;
    const frames = chunk.member(value, "frames");
    const list = (Array.isArray(frames) ? frames : []) as readonly JfrStructure[];
    let stack = -1;
    // The innermost comes first.
    for (let i = list.length - 1; i >= 0; i--) {
      const method = this.method(list[i]!["method"]);
      const line = list[i]!["lineNumber"];
      const number = typeof line === "number" && line > 0 && line < 2 ** 31 ? line : -1;
      stack = into.stack(stack, into.frame(method.name, method.file, number, method.kind));
    }
    if (key >= 0) this.stacks.set(key, stack);
    return stack;
  }

  private method(value: JfrValue | undefined): { name: number; file: number; kind: FrameKind } {
    const key = value instanceof JfrReference ? value.key : -1;
    let method = this.methods.get(key);
    if (method !== undefined) return method;
    const { chunk, into } = this;
    const owner = className(this.symbol(chunk.member(chunk.member(value, "type"), "name")));
    const name = this.symbol(chunk.member(value, "name")) || "(unknown)";
    const outer = owner.replace(/\$.*$/, "");
    method = {
      name: into.strings.intern(owner === "" ? name : `${owner}.${name}`),
      file: into.strings.intern(outer),
      kind: kindOf(owner),
    };
    this.methods.set(key, method);
    return method;
  }

  /** A name is a symbol, which is a structure around a text, or a text. */
  private symbol(value: JfrValue | undefined): string {
    return this.chunk.text(value) || this.chunk.text(this.chunk.member(value, "string"));
  }
}

/** "java/util/List" → "java.util.List"; of a hidden class without its address, which differs in each run. */
const className = (name: string): string =>
  name.replace(/(\$\$[A-Za-z]*)(?:\$\d+)?[+/]0x[\da-f]+(?:\/\d+)?$/, "$1").replaceAll("/", ".");

const RUNTIME = /^(?:java|javax|jdk|sun|com\.sun)\./;

/** Native code that stands by itself has no class. */
function kindOf(owner: string): FrameKind {
  if (owner === "") return FrameKind.native;
  return RUNTIME.test(owner) ? FrameKind.runtime : FrameKind.user;
}
