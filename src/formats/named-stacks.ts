import { StackPool } from "../model/stack-pool.ts";
import { mapToInts } from "../model/map-column.ts";
import { FrameKind, type StackTable } from "../model/stack-table.ts";

/**
 * Stacks of names, as folded stacks have them: frames that differ only in what a name does not tell are one, and the
 * name of the process, where there is one, is the outermost.
 *
 * Of n samples with m distinct stacks it takes n + m steps, and memory for m stacks of names even where each of many
 * processes has its own.
 */
export class NamedStacks {
  /** distinct names */
  readonly texts: string[] = [];
  /** the caller of each stack of names, before it; -1 for none */
  readonly parent: Int32Array;
  /** its innermost name, an index of `texts` */
  readonly member: Int32Array;
  private readonly pool = new StackPool();
  /** stack of names per sample, -1 for none */
  private readonly stackOf: Int32Array;

  constructor(table: StackTable, annotate: boolean) {
    const { samples, threads } = table;
    const numbers = new Map<string, number>();
    const numberOf = (text: string): number => {
      let number = numbers.get(text);
      if (number === undefined) numbers.set(text, (number = this.texts.push(text) - 1));
      return number;
    };
    const nameOf = mapToInts(namesOfFrames(table, annotate), numberOf);
    const tops = namesOfProcesses(table).map((text) => (text === "" ? -1 : this.pool.intern(-1, numberOf(text))));
    const below = new StacksBelow(table, nameOf, this.pool);
    this.stackOf = new Int32Array(samples.rowCount);
    const topOf = mapToInts(samples.thread, (thread) => tops[threads.process[thread]!]!);
    for (const row of rowsByTop(topOf)) this.stackOf[row] = below.named(topOf[row]!, samples.stack[row]!);
    this.parent = this.pool.parent;
    this.member = this.pool.member;
  }

  /** Sum of the values of the samples `[from, to)` per stack. */
  sums(values: Float64Array | undefined, from: number, to: number): Float64Array {
    const sums = new Float64Array(this.pool.size);
    if (values === undefined) return sums;
    for (let row = from; row < to; row++) if (this.stackOf[row]! >= 0) sums[this.stackOf[row]!]! += values[row]!;
    return sums;
  }
}

/**
 * Samples of one name of a process after those of another, for which what was found of a stack is then kept in one
 * place: kernels have the same callers below each of them.
 */
function rowsByTop(topOf: Int32Array): Int32Array {
  let last = -1;
  for (const top of topOf) last = Math.max(last, top);
  const starts = new Int32Array(last + 3);
  for (const top of topOf) starts[top + 2]!++;
  for (let top = 0; top <= last; top++) starts[top + 2]! += starts[top + 1]!;
  const rows = new Int32Array(topOf.length);
  for (let row = 0; row < topOf.length; row++) rows[starts[topOf[row]! + 1]!++] = row;
  return rows;
}

/** The stacks of a table below the names of processes; all that is asked of one top is asked in a row. */
class StacksBelow {
  private readonly parent: Int32Array;
  private readonly frame: Int32Array;
  private readonly nameOf: Int32Array;
  private readonly pool: StackPool;
  /** stack of names below the top that asked for it last, and that top + 2, 0 for none */
  private readonly namedOf: Int32Array;
  private readonly topOf: Int32Array;
  private readonly open: number[] = [];

  constructor({ stacks }: StackTable, nameOf: Int32Array, pool: StackPool) {
    this.parent = stacks.parent;
    this.frame = stacks.frame;
    this.nameOf = nameOf;
    this.pool = pool;
    this.namedOf = new Int32Array(stacks.rowCount);
    this.topOf = new Int32Array(stacks.rowCount);
  }

  /** The stack of names of `stack` (-1: none) below `top`, a stack of names itself (-1: none). */
  named(top: number, stack: number): number {
    const { parent, frame, open, nameOf, pool, topOf, namedOf } = this;
    let at = stack;
    for (; at >= 0 && topOf[at] !== top + 2; at = parent[at]!) open.push(at);
    let named = at < 0 ? top : namedOf[at]!;
    for (let next = open.pop(); next !== undefined; next = open.pop()) {
      named = pool.intern(named, nameOf[frame[next]!]!);
      topOf[next] = top + 2;
      namedOf[next] = named;
    }
    return named;
  }
}

/** "" for none. Collapsers write a space in the name of a process as `_`, since some readers take the first space for the gap. */
function namesOfProcesses({ processes, strings }: StackTable): string[] {
  return Array.from(processes.name, (id) => (id === 0 ? "" : escaped(strings.get(id)).replaceAll(" ", "_")));
}

function namesOfFrames({ frames, strings }: StackTable, annotate: boolean): string[] {
  return Array.from(frames.function, (id, row) => {
    const name = escaped(strings.get(id));
    const file = strings.get(frames.file[row]!);
    const hasPlace = name === "(anonymous)" && file !== "";
    const place = hasPlace ? ` ${escaped(file.slice(file.lastIndexOf("/") + 1))}:${frames.line[row]!}` : "";
    return `${name}${place}${annotate ? annotation(frames.kind[row]!) : ""}`;
  });
}

const annotation = (kind: number): string =>
  kind === FrameKind.kernel ? "_[k]" : kind === FrameKind.jit ? "_[j]" : "";

function escaped(name: string): string {
  const text = name.replaceAll(";", ":").replace(/\s+/g, " ").trim();
  return text === "" ? "[unknown]" : text;
}
