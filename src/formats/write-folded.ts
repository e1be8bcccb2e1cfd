import { mergeStackTables } from "../model/merge-stack-tables.ts";
import { FrameKind, type StackTable } from "../model/stack-table.ts";
import { TuplePool } from "../model/tuple-pool.ts";

export interface FoldedOptions {
  /** index of the value type; the table's default if absent */
  readonly value?: number;
  /** marks frames of the kernel with `_[k]` and those compiled while running with `_[j]` */
  readonly annotate?: boolean;
}

/**
 * A profile as folded stacks, a line per distinct stack of names, callers before their callees and
 * callees by name; stacks whose value is zero are left out. The name of the process, where the profile has
 * one, is the outermost frame. Functions without a name are told apart by their place. Numbers are
 * rounded to thousandths.
 *
 * What the format cannot hold is replaced: semicolons by colons, line ends by spaces.
 */
export function* foldedLines(table: StackTable, options: FoldedOptions = {}): Generator<string> {
  const values = table.samples.values[options.value ?? table.defaultValue];
  const names = new NamedStacks(table, options.annotate === true);
  const sums = names.sums(values, 0, table.samples.rowCount);
  for (const { text, stack } of names.inOrder((at) => sums[at] !== 0)) {
    const value = rounded(sums[stack]!);
    if (value !== 0) yield `${text} ${value}`;
  }
}

/** Folded stacks with two numbers, before and after, as viewers of differences take them. */
export function* foldedDifference(before: StackTable, after: StackTable, options: FoldedOptions): Generator<string> {
  const both = mergeStackTables([after, before]);
  const split = after.samples.rowCount;
  const { type, unit } = after.valueTypes[options.value ?? after.defaultValue] ?? { type: "", unit: "" };
  const values = both.samples.values[both.valueTypes.findIndex((held) => held.type === type && held.unit === unit)];
  const names = new NamedStacks(both, options.annotate === true);
  const is = names.sums(values, 0, split);
  const was = names.sums(values, split, both.samples.rowCount);
  for (const { text, stack } of names.inOrder((at) => is[at] !== 0 || was[at] !== 0)) {
    const [a, b] = [rounded(was[stack]!), rounded(is[stack]!)];
    if (a !== 0 || b !== 0) yield `${text} ${a} ${b}`;
  }
}

const rounded = (value: number): number => Math.round(value * 1000) / 1000;

/** Stacks of names: frames that differ only in what a name does not tell are one. */
class NamedStacks {
  private readonly texts: string[] = [];
  private readonly pool = new TuplePool(2);
  /** stack of names per sample, -1 for none */
  private readonly stackOf: Int32Array;

  constructor(table: StackTable, annotate: boolean) {
    const { samples, stacks, threads, processes, strings } = table;
    const numbers = new Map<string, number>();
    const numberOf = (text: string): number => {
      let number = numbers.get(text);
      if (number === undefined) numbers.set(text, (number = this.texts.push(text) - 1));
      return number;
    };
    const nameOf = Int32Array.from(namesOfFrames(table, annotate), numberOf);
    // Collapsers write a space in the name of a process as `_`, since some readers take the first space for the gap.
    const tops = Array.from(processes.name, (id) =>
      id === 0 ? -1 : this.pool.intern(-1, numberOf(escaped(strings.get(id)).replaceAll(" ", "_"))),
    );
    const known = new Map<number, Int32Array>();
    const open: number[] = [];
    this.stackOf = new Int32Array(samples.rowCount);
    for (let row = 0; row < samples.rowCount; row++) {
      const top = tops[threads.process[samples.thread[row]!]!]!;
      let named = known.get(top);
      if (named === undefined) known.set(top, (named = new Int32Array(stacks.rowCount).fill(-1)));
      let at = samples.stack[row]!;
      for (; at >= 0 && named[at]! < 0; at = stacks.parent[at]!) open.push(at);
      let stack = at < 0 ? top : named[at]!;
      for (let next = open.pop(); next !== undefined; next = open.pop())
        named[next] = stack = this.pool.intern(stack, nameOf[stacks.frame[next]!]!);
      this.stackOf[row] = stack;
    }
  }

  /** Sum of the values of the samples `[from, to)` per stack. */
  sums(values: Float64Array | undefined, from: number, to: number): Float64Array {
    const sums = new Float64Array(this.pool.size);
    if (values === undefined) return sums;
    for (let row = from; row < to; row++) if (this.stackOf[row]! >= 0) sums[this.stackOf[row]!]! += values[row]!;
    return sums;
  }

  /** Stacks that are wanted, callers first and callees by name in code units: the same on every machine. */
  *inOrder(isWanted: (stack: number) => boolean): Generator<{ stack: number; text: string }> {
    const { texts, pool } = this;
    const [parent, name] = [pool.column(0), pool.column(1)];
    const { first, next } = calleesByName(parent, name, texts);
    // Texts of the callers that are open, by depth; joined as ropes, which only those that are wanted become strings of.
    const prefix: string[] = [];
    const path: number[] = [];
    for (let stack = first[0]!; stack >= 0;) {
      const own = texts[name[stack]!]!;
      const text = path.length === 0 ? own : `${prefix[path.length - 1]!};${own}`;
      if (isWanted(stack)) yield { stack, text };
      if (first[stack + 1]! >= 0) {
        prefix[path.length] = text;
        path.push(stack);
        stack = first[stack + 1]!;
        continue;
      }
      while (next[stack]! < 0 && path.length > 0) stack = path.pop()!;
      stack = next[stack]!;
    }
  }
}

/** First callee of each stack (of stack s at s + 1; of none at 0) and the next one of the same caller, by name; -1 for none. */
function calleesByName(
  parent: Int32Array,
  name: Int32Array,
  texts: readonly string[],
): { first: Int32Array; next: Int32Array } {
  const size = parent.length;
  const byName = Int32Array.from(texts.keys()).sort((a, b) => (texts[a]! < texts[b]! ? -1 : 1));
  const rank = new Int32Array(texts.length);
  byName.forEach((text, at) => (rank[text] = at));
  // Sorted by rank, by counting; put before their siblings from the last on, they end up in order.
  const start = new Int32Array(texts.length + 1);
  for (let stack = 0; stack < size; stack++) start[rank[name[stack]!]! + 1]!++;
  for (let at = 0; at < texts.length; at++) start[at + 1]! += start[at]!;
  const sorted = new Int32Array(size);
  for (let stack = 0; stack < size; stack++) sorted[start[rank[name[stack]!]!]!++] = stack;
  const first = new Int32Array(size + 1).fill(-1);
  const next = new Int32Array(size).fill(-1);
  for (let i = size - 1; i >= 0; i--) {
    const stack = sorted[i]!;
    next[stack] = first[parent[stack]! + 1]!;
    first[parent[stack]! + 1] = stack;
  }
  return { first, next };
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
