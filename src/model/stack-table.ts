import { AttributeType, type AttributeTable } from "./attribute-table.ts";
import type { StringPool } from "./string-pool.ts";

/** What kind of code a frame is. */
export const FrameKind = {
  /** the program and its libraries, in a language that names source files */
  user: 0,
  kernel: 1,
  /** machine code of a library or executable */
  native: 2,
  /** code that a runtime compiled while it ran */
  jit: 3,
  /** the runtime's own work: its standard library, its interpreter */
  runtime: 4,
  /** garbage collection */
  gc: 5,
  /** no work at all: the thread waits for something to do */
  idle: 6,
} as const;
export type FrameKind = (typeof FrameKind)[keyof typeof FrameKind];

/** Names of the kinds, by number. */
export const FRAME_KINDS: readonly (keyof typeof FrameKind)[] = Object.keys(FrameKind) as (keyof typeof FrameKind)[];

/** Labels of samples that were taken while a span was active: its ids in hexadecimal digits, 32 and 16 of them. */
export const TRACE_LABEL = "trace_id";
export const SPAN_LABEL = "span_id";

/** What a column of values counts, as pprof names it: "cpu" in "nanoseconds", "alloc_space" in "bytes". */
export interface ValueType {
  readonly type: string;
  readonly unit: string;
}

/**
 * A profile as columns: distinct frames, distinct stacks as a tree of them, and a row
 * per sample. Strings are ids of `strings`, 0 for none; -1 is "none" in all other columns.
 */
export interface StackTable {
  readonly valueTypes: readonly ValueType[];
  /** the value that is looked at where nobody says which; an index of `valueTypes` */
  readonly defaultValue: number;
  readonly frames: FrameColumns;
  readonly stacks: StackTree;
  readonly samples: SampleColumns;
  readonly threads: ThreadColumns;
  readonly processes: ProcessColumns;
  /** list l is label set l of the samples; list 0 is empty */
  readonly labels: AttributeTable;
  readonly strings: StringPool;
}

/** Distinct (function, file, line, kind). */
export interface FrameColumns {
  readonly rowCount: number;
  /** string id of the function's name as a person reads it */
  readonly function: Int32Array;
  /** string id of the source file, or of the library or executable where there is none */
  readonly file: Int32Array;
  /** line in `file`, from 1; of the function or of the place in it, as the format tells; -1 unknown */
  readonly line: Int32Array;
  /** FrameKind */
  readonly kind: Uint8Array;
}

/** Stacks share their callers: a row is the innermost frame and the stack that called it. Parents before children. */
export interface StackTree {
  readonly rowCount: number;
  /** row of the caller's stack, smaller than the row's own; -1 at the outermost frame */
  readonly parent: Int32Array;
  /** row of `frames` */
  readonly frame: Int32Array;
}

/** In the order in which they were read. */
export interface SampleColumns {
  readonly rowCount: number;
  /** row of `stacks`; -1 for an empty stack */
  readonly stack: Int32Array;
  /** a column per value type */
  readonly values: readonly Float64Array[];
  /** nanoseconds after the start of the thread's process (`ProcessColumns.startUnixNs`); -1 where not told */
  readonly timeOffsetNs: Float64Array;
  /** row of `threads` */
  readonly thread: Int32Array;
  /** list of `labels` */
  readonly labelSet: Int32Array;
}

export interface ThreadColumns {
  readonly rowCount: number;
  /** row of `processes` */
  readonly process: Int32Array;
  /** the system's number of the thread, -1 unknown */
  readonly tid: Int32Array;
  /** string id */
  readonly name: Int32Array;
}

/** A process in one recording; the same process in two files is two rows. */
export interface ProcessColumns {
  readonly rowCount: number;
  /** string id of the command's name */
  readonly name: Int32Array;
  /** string id of `service.name` */
  readonly service: Int32Array;
  readonly pid: Int32Array;
  /** string id of the file that it was read from */
  readonly source: Int32Array;
  /** time zero of its samples; -1 where their clock is not tied to a calendar */
  readonly startUnixNs: BigInt64Array;
  /** for how long it was looked at; -1 unknown */
  readonly durationNs: Float64Array;
}

/** Throws when a column's length or a reference is wrong. For tests and after decoding foreign input. */
export function assertStackTable(table: StackTable): void {
  const { frames, stacks, samples, threads, processes, labels, strings } = table;
  lengths("frames", frames.rowCount, [frames.function, frames.file, frames.line, frames.kind]);
  lengths("stacks", stacks.rowCount, [stacks.parent, stacks.frame]);
  const { stack, values, timeOffsetNs, thread, labelSet } = samples;
  lengths("samples", samples.rowCount, [stack, ...values, timeOffsetNs, thread, labelSet]);
  lengths("threads", threads.rowCount, [threads.process, threads.tid, threads.name]);
  const { name, service, pid, source, startUnixNs, durationNs } = processes;
  lengths("processes", processes.rowCount, [name, service, pid, source, startUnixNs, durationNs]);
  if (values.length !== table.valueTypes.length)
    throw new Error(`StackTable: ${values.length} columns of values for ${table.valueTypes.length} types`);
  if (values.length > 0 && !(table.defaultValue in table.valueTypes))
    throw new Error(`StackTable.defaultValue = ${table.defaultValue} of ${values.length}`);

  within("frames.function", frames.function, 0, strings.size);
  within("frames.file", frames.file, 0, strings.size);
  within("frames.kind", frames.kind, 0, FRAME_KINDS.length);
  within("stacks.frame", stacks.frame, 0, frames.rowCount);
  stacks.parent.forEach((parent, row) => {
    if (parent < -1 || parent >= row) throw new Error(`StackTable: parent ${parent} of stack ${row} is not before it`);
  });
  within("samples.stack", stack, -1, stacks.rowCount);
  within("samples.thread", thread, 0, threads.rowCount);
  within("samples.labelSet", labelSet, 0, labels.listCount);
  within("threads.process", threads.process, 0, processes.rowCount);
  if (labels.listStart[1] !== 0) throw new Error("StackTable.labels: list 0 is not empty");
  values.forEach((column, type) => {
    const row = column.findIndex((value) => !Number.isFinite(value));
    if (row >= 0) throw new Error(`StackTable: value ${type} of sample ${row} is not finite`);
  });
}

function lengths(table: string, rowCount: number, columns: readonly { readonly length: number }[]): void {
  for (const [i, { length }] of columns.entries()) {
    if (length !== rowCount) throw new Error(`StackTable.${table}, column ${i}: ${length} elements, not ${rowCount}`);
  }
}

function within(name: string, column: Int32Array | Uint8Array, low: number, end: number): void {
  for (let row = 0; row < column.length; row++) {
    const value = column[row]!;
    if (value < low || value >= end) throw new Error(`StackTable.${name}[${row}] = ${value}, not in [${low}, ${end})`);
  }
}

/** Frames of a stack, the outermost first. */
export function framesOfStack({ parent, frame }: StackTree, stack: number): number[] {
  const frames: number[] = [];
  for (let at = stack; at >= 0; at = parent[at]!) frames.push(frame[at]!);
  return frames.reverse();
}

/** How many times a row was sampled: pprof's rows are distinct stacks, and say so by a column of their own; else each row is one. */
export function sampleCountOf({ valueTypes, samples }: StackTable): (row: number) => number {
  const column = valueTypes.findIndex(({ type, unit }) => type === "samples" && unit === "count");
  const counts = samples.values[column];
  return (row) => Math.max(1, counts?.[row] ?? 1);
}

/** Text of a label that is a string or a number; "" where the set has none of that key. */
export function labelText({ labels, strings }: StackTable, labelSet: number, key: string): string {
  for (let row = labels.listStart[labelSet + 1]! - 1; row >= labels.listStart[labelSet]!; row--) {
    if (strings.get(labels.key[row]!) !== key) continue;
    return labels.type[row] === AttributeType.string ? strings.get(labels.value[row]!) : String(labels.value[row]!);
  }
  return "";
}
