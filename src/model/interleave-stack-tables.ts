import { StackTableBuilder } from "./stack-table-builder.ts";
import type { FrameKind, StackTable } from "./stack-table.ts";

/** Samples up to `end` of table number `table`, from where the run before of the same table ended. */
export interface Run {
  readonly table: number;
  readonly end: number;
}

/**
 * One recording whose samples were read into several tables, in turns, as the one table that a single reader would have
 * made of it: samples in the order of the runs, and strings, frames, stacks, threads and processes in the order in which they are met
 * there, those of the same name and numbers being the same. Labels are left out: such recordings have none.
 * durationNs: for how long all processes were looked at, which none of the tables knows; -1 unknown.
 */
export function interleaveStackTables(
  tables: readonly StackTable[],
  runs: readonly Run[],
  durationNs: number,
): StackTable {
  const into = new StackTableBuilder();
  const processes = new Map<string, number>();
  const threads = new Map<string, number>();
  const sources = tables.map((table) => new Source(table, into, processes, threads));
  for (const { table, end } of runs) sources[table]!.appendUpTo(end);
  // Those of which all values are zero were not met.
  for (const source of sources) source.addTypes();
  for (const process of processes.values()) into.setDuration(process, durationNs);
  return into.finish();
}

/** A table with where its rows went. */
class Source {
  private next = 0;
  private readonly table: StackTable;
  private readonly into: StackTableBuilder;
  private readonly processes: Map<string, number>;
  private readonly threads: Map<string, number>;
  /** rows of `into`; -1 for those that were not met yet */
  private readonly textOf: Int32Array;
  private readonly frameOf: Int32Array;
  private readonly stackOf: Int32Array;
  private readonly threadOf: Int32Array;
  private readonly typeOf: Int32Array;
  /** stacks on the way to a caller that is known, the innermost first */
  private readonly open: number[] = [];

  constructor(
    table: StackTable,
    into: StackTableBuilder,
    processes: Map<string, number>,
    threads: Map<string, number>,
  ) {
    this.table = table;
    this.into = into;
    this.processes = processes;
    this.threads = threads;
    const unmet = (length: number): Int32Array => new Int32Array(length).fill(-1);
    this.textOf = unmet(table.strings.size);
    this.frameOf = unmet(table.frames.rowCount);
    this.stackOf = unmet(table.stacks.rowCount);
    this.threadOf = unmet(table.threads.rowCount);
    this.typeOf = unmet(table.valueTypes.length);
  }

  appendUpTo(end: number): void {
    const { into } = this;
    const { stack, thread, timeOffsetNs, values } = this.table.samples;
    for (; this.next < end; this.next++) {
      const row = this.next;
      const toThread = this.thread(thread[row]!);
      const to = into.sample(this.stack(stack[row]!), toThread, timeOffsetNs[row]!);
      for (let type = 0; type < values.length; type++) {
        const value = values[type]![row]!;
        if (value !== 0) into.setValue(to, this.type(type), value);
      }
    }
  }

  addTypes(): void {
    for (let type = 0; type < this.typeOf.length; type++) this.type(type);
  }

  private stack(row: number): number {
    const { into, open, stackOf } = this;
    const { parent, frame } = this.table.stacks;
    let at = row;
    for (; at >= 0 && stackOf[at] === -1; at = parent[at]!) {
      open.push(at);
      this.frame(frame[at]!);
    }
    let to = at < 0 ? -1 : stackOf[at]!;
    for (let next = open.pop(); next !== undefined; next = open.pop())
      stackOf[next] = to = into.stack(to, this.frameOf[frame[next]!]!);
    return to;
  }

  private frame(row: number): void {
    if (this.frameOf[row] !== -1) return;
    const { frames } = this.table;
    const name = this.text(frames.function[row]!);
    const file = this.text(frames.file[row]!);
    this.frameOf[row] = this.into.frame(name, file, frames.line[row]!, frames.kind[row] as FrameKind);
  }

  private thread(row: number): number {
    if (this.threadOf[row]! >= 0) return this.threadOf[row]!;
    const { threads } = this.table;
    const process = this.process(threads.process[row]!);
    const tid = threads.tid[row]!;
    const name = this.text(threads.name[row]!);
    const key = `${process} ${tid} ${name}`;
    const to = this.threads.get(key) ?? this.into.thread(process, tid, name);
    this.threads.set(key, to);
    return (this.threadOf[row] = to);
  }

  private process(row: number): number {
    const { processes } = this.table;
    const facts = {
      name: this.text(processes.name[row]!),
      service: this.text(processes.service[row]!),
      pid: processes.pid[row]!,
      source: this.text(processes.source[row]!),
      startUnixNs: processes.startUnixNs[row]!,
    };
    const key = Object.values(facts).join(" ");
    let to = this.processes.get(key);
    if (to === undefined) this.processes.set(key, (to = this.into.process(facts)));
    return to;
  }

  private type(index: number): number {
    if (this.typeOf[index]! >= 0) return this.typeOf[index]!;
    const { type, unit } = this.table.valueTypes[index]!;
    return (this.typeOf[index] = this.into.valueType(type, unit));
  }

  private text(id: number): number {
    if (this.textOf[id]! < 0) this.textOf[id] = this.into.strings.intern(this.table.strings.get(id));
    return this.textOf[id]!;
  }
}
