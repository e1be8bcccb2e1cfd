import { AttributeType } from "../model/attribute-table.ts";
import { FrameKind, type StackTable } from "../model/stack-table.ts";
import { TuplePool } from "../model/tuple-pool.ts";
import { JIT_MAPPING, KERNEL_MAPPING } from "./frame-kind.ts";
import { Message } from "./protobuf-writer.ts";

/**
 * A profile as a pprof message, not compressed (`go tool pprof` reads both). Samples of one stack,
 * process and set of labels are one; a process is told by the labels `process`, `pid` and `service.name`,
 * a frame's kind by its mapping, as far as pprof can tell it. Times of single samples have no place in pprof.
 */
export function writePprof(table: StackTable): Uint8Array {
  const strings = new Texts();
  const profile = new Message();
  for (const { type, unit } of table.valueTypes)
    profile.message(1, new Message().number(1, strings.of(type)).number(2, strings.of(unit)));
  writeSamples(table, profile, strings);
  writeFrames(table, profile, strings);
  const { startUnixNs, durationNs } = table.processes;
  const start = startUnixNs.reduce((least, at) => (at >= 0n && (least < 0n || at < least) ? at : least), -1n);
  if (start >= 0n) profile.bigNumber(9, start);
  const duration = durationNs.reduce((most, ns) => Math.max(most, ns), 0);
  if (duration > 0) profile.number(10, Math.round(duration));
  const shown = table.valueTypes[table.defaultValue];
  if (shown !== undefined) profile.number(14, strings.of(shown.type));
  for (const text of strings.all()) profile.bytes(6, Buffer.from(text));
  return profile.finish();
}

function writeSamples(table: StackTable, profile: Message, strings: Texts): void {
  const { samples, threads, stacks } = table;
  const groups = new TuplePool(3);
  const sums: number[][] = samples.values.map(() => []);
  for (let row = 0; row < samples.rowCount; row++) {
    const process = threads.process[samples.thread[row]!]!;
    const group = groups.intern(samples.stack[row]!, process, samples.labelSet[row]!);
    for (const [i, column] of samples.values.entries()) sums[i]![group] = (sums[i]![group] ?? 0) + column[row]!;
  }
  const [stackOf, processOf, setOf] = [groups.column(0), groups.column(1), groups.column(2)];
  for (let group = 0; group < groups.size; group++) {
    const sample = new Message();
    const ids: number[] = [];
    for (let at = stackOf[group]!; at >= 0; at = stacks.parent[at]!) ids.push(stacks.frame[at]! + 1);
    sample.numbers(1, ids);
    sample.numbers(
      2,
      sums.map((column) => Math.round(column[group]!)),
    );
    for (const label of labelsOf(table, setOf[group]!, processOf[group]!)) {
      const message = new Message().number(1, strings.of(label.key));
      if (typeof label.value === "string") message.number(2, strings.of(label.value));
      else message.number(3, label.value);
      sample.message(3, message);
    }
    profile.message(2, sample);
  }
}

function labelsOf(table: StackTable, set: number, process: number): { key: string; value: string | number }[] {
  const { labels, strings, processes } = table;
  const found: { key: string; value: string | number }[] = [];
  for (let row = labels.listStart[set]!; row < labels.listStart[set + 1]!; row++) {
    const value = labels.value[row]!;
    found.push({
      key: strings.get(labels.key[row]!),
      value: labels.type[row] === AttributeType.number ? value : strings.get(value),
    });
  }
  const add = (key: string, value: string | number): void => {
    if (!found.some((label) => label.key === key)) found.push({ key, value });
  };
  if (processes.service[process] !== 0) add("service.name", strings.get(processes.service[process]!));
  if (processes.name[process] !== 0) add("process", strings.get(processes.name[process]!));
  if (processes.pid[process]! >= 0) add("pid", processes.pid[process]!);
  return found;
}

/** A location per frame, of its number + 1; a function per distinct name and source. */
function writeFrames({ frames, strings: texts }: StackTable, profile: Message, strings: Texts): void {
  const functions = new TuplePool(2);
  const mappings = new Map<string, number>();
  for (let row = 0; row < frames.rowCount; row++) {
    const file = texts.get(frames.file[row]!);
    const kind = frames.kind[row]!;
    const mapping = mappingOf(kind, file);
    const name = strings.of(texts.get(frames.function[row]!));
    const filename = kind === FrameKind.native || kind === FrameKind.kernel ? 0 : strings.of(file);
    const id = functions.intern(name, filename) + 1;
    const location = new Message().number(1, row + 1);
    if (mapping !== "") {
      if (!mappings.has(mapping)) mappings.set(mapping, mappings.size + 1);
      location.number(2, mappings.get(mapping)!);
    }
    const line = new Message().number(1, id);
    if (frames.line[row]! > 0) line.number(2, frames.line[row]!);
    profile.message(4, location.message(4, line));
  }
  const [name, filename] = [functions.column(0), functions.column(1)];
  for (let id = 0; id < functions.size; id++)
    profile.message(
      5,
      new Message()
        .number(1, id + 1)
        .number(2, name[id]!)
        .number(4, filename[id]!),
    );
  for (const [text, id] of mappings) profile.message(3, new Message().number(1, id).number(5, strings.of(text)));
}

function mappingOf(kind: number, file: string): string {
  if (kind === FrameKind.kernel) return file.startsWith("[") || file.includes("vmlinux") ? file : KERNEL_MAPPING;
  if (kind === FrameKind.jit) return JIT_MAPPING;
  return kind === FrameKind.native ? file : "";
}

/** The table of strings, in which 0 is the empty one. */
class Texts {
  private readonly numbers = new Map<string, number>([["", 0]]);

  of(text: string): number {
    let number = this.numbers.get(text);
    if (number === undefined) this.numbers.set(text, (number = this.numbers.size));
    return number;
  }

  all(): IterableIterator<string> {
    return this.numbers.keys();
  }
}
