import { framesOfStack, type StackTable } from "../../model/stack-table.ts";
import { attributeItems } from "./attribute-text.ts";
import { contentHash } from "./content-hash.ts";
import { type Arrays, NativeWriter } from "./native-writer.ts";

export const STACK_COLUMNS: readonly string[] = ["stack", "frames", "seen"];

export const PROFILE_COLUMNS: readonly string[] = [
  "service",
  "time",
  "profile",
  "number",
  "stack",
  "has_stack",
  "types",
  "values",
  "default_value",
  "offset",
  "process",
  "thread",
  "labels",
];

/** Between the type and the unit of a value. */
export const TYPE_UNIT = "\u001f";

/** What is stored of a process besides its row's columns; its number in the profile tells equal ones apart. */
export type ProcessText = readonly [
  number: number,
  name: string,
  pid: number,
  source: string,
  startUnixNs: string,
  durationNs: number,
];
export type ThreadText = readonly [number: number, tid: number, name: string];
export type FrameText = readonly [functionName: string, file: string, line: number, kind: number];

export interface KeyedStacks {
  readonly id: BigUint64Array;
  /** string ids of JSON */
  readonly frames: Int32Array;
}

/** Stacks by a hash of their frames. Interns in the table's pool. */
export function keyedStacks(table: StackTable): KeyedStacks {
  const { frames, stacks, strings } = table;
  const keyed = { id: new BigUint64Array(stacks.rowCount), frames: new Int32Array(stacks.rowCount) };
  for (let stack = 0; stack < stacks.rowCount; stack++) {
    const texts = framesOfStack(stacks, stack).map((frame): FrameText => [
      strings.get(frames.function[frame]!),
      strings.get(frames.file[frame]!),
      frames.line[frame]!,
      frames.kind[frame]!,
    ]);
    const json = JSON.stringify(texts);
    keyed.id[stack] = contentHash(json);
    keyed.frames[stack] = strings.intern(json);
  }
  return keyed;
}

/** Stacks that have a sample of their own, as a block; those that only call others are in the others' frames. */
export function stackBlock(table: StackTable, keyed: KeyedStacks, seenUnixNs: bigint): Uint8Array {
  const rows = Int32Array.from(new Set(table.samples.stack)).filter((stack) => stack >= 0);
  const writer = new NativeWriter(STACK_COLUMNS.length, rows.length, table.strings);
  writer.unsigned64(
    "stack",
    BigUint64Array.from(rows, (row) => keyed.id[row]!),
  );
  writer.stringColumn(
    "frames",
    rows.map((row) => keyed.frames[row]!),
  );
  writer.times("seen", seenUnixNs, new Float64Array(rows.length));
  return writer.finish();
}

/** All samples as a block. Those whose process has no calendar are of the time `nowUnixNs`. */
export function profileBlock(table: StackTable, keyed: KeyedStacks, token: string, nowUnixNs: bigint): Uint8Array {
  const { samples, strings, threads, processes } = table;
  const n = samples.rowCount;
  const processText = Int32Array.from(processes.name, (_, process) =>
    strings.intern(JSON.stringify(processOf(table, process))),
  );
  const threadText = Int32Array.from(threads.tid, (tid, thread) =>
    strings.intern(JSON.stringify([thread, tid, strings.get(threads.name[thread]!)] satisfies ThreadText)),
  );
  const labelText = Int32Array.from({ length: table.labels.listCount }, (_, list) =>
    strings.intern(JSON.stringify(attributeItems(table.labels, list, strings))),
  );
  const types = table.valueTypes.map(({ type, unit }) => strings.intern(type + TYPE_UNIT + unit));
  const profile = strings.intern(token);
  const unknown = strings.intern("unknown_service");
  const processOfSample = samples.thread.map((thread) => threads.process[thread]!);
  // The pool is complete from here on.
  const writer = new NativeWriter(PROFILE_COLUMNS.length, n, strings);
  writer.dictionary(
    "service",
    processOfSample.map((process) => processes.service[process]! || unknown),
  );
  writer.times("time", nowUnixNs, sampleTimes(table, nowUnixNs));
  writer.dictionary("profile", new Int32Array(n).fill(profile));
  writer.unsigned64(
    "number",
    BigUint64Array.from(samples.stack, (_, row) => BigInt(row)),
  );
  writer.unsigned64(
    "stack",
    BigUint64Array.from(samples.stack, (stack) => (stack < 0 ? 0n : keyed.id[stack]!)),
  );
  writer.bytesColumn(
    "has_stack",
    Uint8Array.from(samples.stack, (stack) => (stack < 0 ? 0 : 1)),
  );
  writer.dictionaryArrays("types", repeated(n, Int32Array.from(types)));
  writer.doubleArrays("values", valueArrays(table));
  writer.bytesColumn("default_value", new Uint8Array(n).fill(table.defaultValue));
  writer.doubles("offset", samples.timeOffsetNs);
  writer.dictionary(
    "process",
    processOfSample.map((process) => processText[process]!),
  );
  writer.dictionary(
    "thread",
    samples.thread.map((thread) => threadText[thread]!),
  );
  writer.dictionary(
    "labels",
    samples.labelSet.map((list) => labelText[list]!),
  );
  return writer.finish();
}

function processOf({ processes, strings }: StackTable, process: number): ProcessText {
  return [
    process,
    strings.get(processes.name[process]!),
    processes.pid[process]!,
    strings.get(processes.source[process]!),
    String(processes.startUnixNs[process]!),
    processes.durationNs[process]!,
  ];
}

/** Nanoseconds after `nowUnixNs` of each sample; those of the day are exact. */
function sampleTimes({ samples, threads, processes }: StackTable, nowUnixNs: bigint): Float64Array {
  const start = Float64Array.from(processes.startUnixNs, (ns) => (ns < 0n ? 0 : Number(ns - nowUnixNs)));
  return Float64Array.from(
    samples.thread,
    (thread, row) => start[threads.process[thread]!]! + Math.max(0, samples.timeOffsetNs[row]!),
  );
}

function repeated(rows: number, items: Int32Array): Arrays<Int32Array> {
  const all = new Int32Array(rows * items.length);
  for (let row = 0; row < rows; row++) all.set(items, row * items.length);
  return {
    ends: Int32Array.from({ length: rows }, (_, row) => (row + 1) * items.length),
    items: all,
    count: all.length,
  };
}

function valueArrays({ samples }: StackTable): Arrays<Float64Array> {
  const width = samples.values.length;
  const items = new Float64Array(samples.rowCount * width);
  samples.values.forEach((column, i) => {
    for (let row = 0; row < column.length; row++) items[row * width + i] = column[row]!;
  });
  return {
    ends: Int32Array.from({ length: samples.rowCount }, (_, row) => (row + 1) * width),
    items,
    count: items.length,
  };
}
