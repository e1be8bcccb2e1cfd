import { AttributeTableBuilder, AttributeType } from "./attribute-table.ts";
import { StackPool } from "./stack-pool.ts";
import type { FrameKind, StackTable, ValueType } from "./stack-table.ts";
import { grow, StringPool } from "./string-pool.ts";
import { TuplePool } from "./tuple-pool.ts";

/** A label of a sample: its key is a string id; a text value is one too. */
export interface Label {
  readonly key: number;
  readonly value: number;
  readonly isText: boolean;
}

export interface ProcessFacts {
  /** string ids; 0 for none */
  readonly name?: number;
  readonly service?: number;
  readonly pid?: number;
  readonly source?: number;
  readonly startUnixNs?: bigint;
  readonly durationNs?: number;
}

/** Fills a StackTable. Equal frames and stacks become one row each; samples are kept one by one. */
export class StackTableBuilder {
  readonly strings: StringPool = new StringPool();
  /** the value type that is looked at where nobody says which */
  defaultValue = 0;
  private readonly types: ValueType[] = [];
  private readonly framePool = new TuplePool(4);
  private readonly stackPool = new StackPool();
  private values: Float64Array[] = [];
  private stackOf = new Int32Array(1 << 10);
  private timeOf = new Float64Array(1 << 10);
  private threadOf = new Int32Array(1 << 10);
  private labelSetOf = new Int32Array(1 << 10);
  private rows = 0;
  private readonly threads: { process: number; tid: number; name: number }[] = [];
  private readonly processes: Required<ProcessFacts>[] = [];
  private readonly labels = new AttributeTableBuilder();
  private readonly labelSets = new Map<string, number>();

  constructor() {
    this.labels.closeList();
    this.labelSets.set("", 0);
  }

  get sampleCount(): number {
    return this.rows;
  }

  get threadCount(): number {
    return this.threads.length;
  }

  /** Index of a value type, which is added when it is new. */
  valueType(type: string, unit: string): number {
    const known = this.types.findIndex((held) => held.type === type && held.unit === unit);
    if (known >= 0) return known;
    this.values.push(new Float64Array(this.stackOf.length));
    return this.types.push({ type, unit }) - 1;
  }

  /** Row of a frame. functionName, file: string ids; line: -1 unknown. */
  frame(functionName: number, file: number, line: number, kind: FrameKind): number {
    return this.framePool.intern(functionName, file, line, kind);
  }

  /** Row of the stack whose innermost frame is `frame`, called by stack `parent` (-1: by nobody). */
  stack(parent: number, frame: number): number {
    return this.stackPool.intern(parent, frame);
  }

  process(facts: ProcessFacts): number {
    const none = { name: 0, service: 0, pid: -1, source: 0, startUnixNs: -1n, durationNs: -1 };
    return this.processes.push({ ...none, ...facts }) - 1;
  }

  /** Sets for how long a process was looked at, where that shows only in the end. */
  setDuration(process: number, durationNs: number): void {
    this.processes[process] = { ...this.processes[process]!, durationNs };
  }

  thread(process: number, tid = -1, name = 0): number {
    return this.threads.push({ process, tid, name }) - 1;
  }

  /** Number of a set of labels; the order of the labels tells sets apart. */
  labelSet(labels: readonly Label[]): number {
    const key = labels.map((label) => `${label.key}${label.isText ? "=" : "#"}${label.value}`).join(",");
    const known = this.labelSets.get(key);
    if (known !== undefined) return known;
    for (const { key: name, value, isText } of labels)
      this.labels.add(name, isText ? AttributeType.string : AttributeType.number, value);
    const set = this.labels.closeList();
    this.labelSets.set(key, set);
    return set;
  }

  /** Adds a sample with all values zero and returns its row, for `setValue`. */
  sample(stack: number, thread: number, timeOffsetNs = -1, labelSet = 0): number {
    const row = this.rows++;
    if (row === this.stackOf.length) this.growRows();
    this.stackOf[row] = stack;
    this.timeOf[row] = timeOffsetNs;
    this.threadOf[row] = thread;
    this.labelSetOf[row] = labelSet;
    return row;
  }

  setValue(row: number, type: number, value: number): void {
    this.values[type]![row] = value;
  }

  private growRows(): void {
    const need = this.rows;
    this.stackOf = grow(this.stackOf, Int32Array, need);
    this.timeOf = grow(this.timeOf, Float64Array, need);
    this.threadOf = grow(this.threadOf, Int32Array, need);
    this.labelSetOf = grow(this.labelSetOf, Int32Array, need);
    this.values = this.values.map((column) => grow(column, Float64Array, need));
  }

  /** The table. The builder is not used any more. */
  finish(): StackTable {
    const { framePool, stackPool, rows, threads, processes } = this;
    const int = <T>(from: readonly T[], pick: (one: T) => number): Int32Array => Int32Array.from(from, pick);
    return {
      valueTypes: this.types,
      defaultValue: this.defaultValue,
      frames: {
        rowCount: framePool.size,
        function: framePool.column(0),
        file: framePool.column(1),
        line: framePool.column(2),
        kind: Uint8Array.from(framePool.column(3)),
      },
      stacks: { rowCount: stackPool.size, parent: stackPool.parent, frame: stackPool.member },
      samples: {
        rowCount: rows,
        stack: this.stackOf.subarray(0, rows),
        values: this.values.map((column) => column.subarray(0, rows)),
        timeOffsetNs: this.timeOf.subarray(0, rows),
        thread: this.threadOf.subarray(0, rows),
        labelSet: this.labelSetOf.subarray(0, rows),
      },
      threads: {
        rowCount: threads.length,
        process: int(threads, (thread) => thread.process),
        tid: int(threads, (thread) => thread.tid),
        name: int(threads, (thread) => thread.name),
      },
      processes: {
        rowCount: processes.length,
        name: int(processes, (process) => process.name),
        service: int(processes, (process) => process.service),
        pid: int(processes, (process) => process.pid),
        source: int(processes, (process) => process.source),
        startUnixNs: BigInt64Array.from(processes, (process) => process.startUnixNs),
        durationNs: Float64Array.from(processes, (process) => process.durationNs),
      },
      labels: this.labels.finish(),
      strings: this.strings,
    };
  }
}
