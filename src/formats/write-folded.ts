import { mapToInts } from "../model/map-column.ts";
import { mergeStackTables } from "../model/merge-stack-tables.ts";
import type { StackTable } from "../model/stack-table.ts";
import { NamedStacks } from "./named-stacks.ts";

export interface FoldedOptions {
  /** index of the value type; the table's default if absent */
  readonly value?: number;
  /** marks frames of the kernel with `_[k]` and those compiled while running with `_[j]` */
  readonly annotate?: boolean;
}

/** Bytes that are given at once, if no line is longer. */
const PIECE = 256 * 1024;

/**
 * A profile as folded stacks, UTF-8 in pieces of whole lines: a line per distinct stack of names, callers before
 * their callees and callees by name; stacks whose value is zero are left out. The name of the process, where the
 * profile has one, is the outermost frame. Functions without a name are told apart by their place. Numbers are
 * rounded to thousandths.
 *
 * What the format cannot hold is replaced: semicolons by colons, line ends by spaces.
 */
export function* foldedText(table: StackTable, options: FoldedOptions = {}): Generator<Uint8Array> {
  const values = table.samples.values[options.value ?? table.defaultValue];
  const names = new NamedStacks(table, options.annotate === true);
  const sums = names.sums(values, 0, table.samples.rowCount);
  yield* pieces(names, (stack) => {
    const sum = sums[stack]!;
    const value = sum === 0 ? 0 : rounded(sum);
    return value === 0 ? "" : String(value);
  });
}

/** The same, line by line, without line ends. */
export function* foldedLines(table: StackTable, options: FoldedOptions = {}): Generator<string> {
  for (const piece of foldedText(table, options)) {
    const lines = Buffer.from(piece.buffer, piece.byteOffset, piece.length).toString("utf8").split("\n");
    lines.pop();
    yield* lines;
  }
}

/** Folded stacks with two numbers, before and after, as viewers of differences take them; in pieces, too. */
export function* foldedDifference(
  before: StackTable,
  after: StackTable,
  options: FoldedOptions,
): Generator<Uint8Array> {
  const both = mergeStackTables([after, before]);
  const split = after.samples.rowCount;
  const { type, unit } = after.valueTypes[options.value ?? after.defaultValue] ?? { type: "", unit: "" };
  const values = both.samples.values[both.valueTypes.findIndex((held) => held.type === type && held.unit === unit)];
  const names = new NamedStacks(both, options.annotate === true);
  const is = names.sums(values, 0, split);
  const was = names.sums(values, split, both.samples.rowCount);
  yield* pieces(names, (stack) => {
    const [a, b] = [rounded(was[stack]!), rounded(is[stack]!)];
    return a === 0 && b === 0 ? "" : `${a} ${b}`;
  });
}

const rounded = (value: number): number => Math.round(value * 1000) / 1000;

function* pieces(names: NamedStacks, numbersOf: (stack: number) => string): Generator<Uint8Array> {
  const writer = new FoldedWriter(names, numbersOf);
  for (let piece = writer.piece(); piece.length > 0; piece = writer.piece()) yield piece;
}

const SEMICOLON = 0x3b;

/** Goes through the stacks in order with the text of the callers in hand: each name is written once per stack, each line copied at once. */
class FoldedWriter {
  private readonly names: NamedStacks;
  /** the numbers behind a stack; "" where it is not wanted */
  private readonly numbersOf: (stack: number) => string;
  private readonly encoded: Encoded;
  private readonly order: CalleesByName;
  /** the stack that comes next and how many callers it has; -1 at the end */
  private stack: number;
  private depth = 0;
  /** text of the stack and its callers, and where each of them ends */
  private path = new Uint8Array(4096);
  private pathWords = new DataView(this.path.buffer);
  private readonly ends: number[] = [];

  constructor(names: NamedStacks, numbersOf: (stack: number) => string) {
    this.names = names;
    this.numbersOf = numbersOf;
    this.encoded = encode(names.texts);
    this.order = calleesByName(names);
    this.stack = this.order.first[0]!;
  }

  /** The next lines; empty where there are no more. All that the loop needs is in local variables: 1.5x. */
  piece(): Uint8Array {
    const { numbersOf, ends } = this;
    const { starts, words } = this.encoded;
    const { first, next } = this.order;
    const { parent, member } = this.names;
    let { stack, depth } = this;
    let out = new Uint8Array(PIECE);
    let size = 0;
    while (stack >= 0) {
      // The name behind its callers, eight bytes at a time, some of them beyond its end.
      const from = starts[member[stack]!]!;
      const length = starts[member[stack]! + 1]! - from;
      let end = depth === 0 ? 0 : ends[depth - 1]!;
      if (end + length + 9 > this.path.length) this.growPath(end + length + 9);
      const { path, pathWords } = this;
      if (depth > 0) path[end++] = SEMICOLON;
      for (let i = 0; i < length; i += 8) pathWords.setFloat64(end + i, words.getFloat64(from + i, true), true);
      ends[depth] = end += length;

      const numbers = numbersOf(stack);
      if (numbers !== "") {
        const need = end + numbers.length + 2;
        if (size + need > out.length) {
          // The stack is entered again for the next piece.
          if (size > 0) break;
          out = new Uint8Array(need);
        }
        size = writeLine(out, size, path, end, numbers);
      }

      if (first[stack + 1]! >= 0) {
        stack = first[stack + 1]!;
        depth++;
        continue;
      }
      for (; next[stack]! < 0 && depth > 0; depth--) stack = parent[stack]!;
      stack = next[stack]!;
    }
    this.stack = stack;
    this.depth = depth;
    return out.subarray(0, size);
  }

  private growPath(need: number): void {
    const bigger = new Uint8Array(2 * need);
    bigger.set(this.path);
    this.path = bigger;
    this.pathWords = new DataView(bigger.buffer);
  }
}

/** Returns the position behind the line. */
function writeLine(out: Uint8Array, at: number, path: Uint8Array, pathEnd: number, numbers: string): number {
  out.set(path.subarray(0, pathEnd), at);
  let to = at + pathEnd;
  out[to++] = 0x20;
  for (let i = 0; i < numbers.length; i++) out[to++] = numbers.charCodeAt(i);
  out[to++] = 0x0a;
  return to;
}

/**
 * Texts one behind the other, and eight bytes more; text t is the bytes `[starts[t], starts[t + 1])`. Eight of them may be
 * moved as a double: one that is no number, whose bits need not stay as they are, ends with a byte 7F or FF behind one of
 * F0 or more, and UTF-8 has no such bytes.
 */
interface Encoded {
  readonly words: DataView;
  readonly starts: Int32Array;
}

function encode(texts: readonly string[]): Encoded {
  const starts = new Int32Array(texts.length + 1);
  texts.forEach((text, at) => (starts[at + 1] = starts[at]! + Buffer.byteLength(text)));
  const bytes = Buffer.alloc(starts[texts.length]! + 8);
  texts.forEach((text, at) => bytes.write(text, starts[at]!));
  return { words: new DataView(bytes.buffer, bytes.byteOffset, bytes.length), starts };
}

/** First callee of each stack (of stack s at s + 1; of none at 0) and the next one of the same caller, by name in code units: the same on every machine; -1 for none. */
interface CalleesByName {
  readonly first: Int32Array;
  readonly next: Int32Array;
}

function calleesByName({ parent, member, texts }: NamedStacks): CalleesByName {
  const size = parent.length;
  const byName = mapToInts(texts, (_, text) => text).sort((a, b) => (texts[a]! < texts[b]! ? -1 : 1));
  const rank = new Int32Array(texts.length);
  byName.forEach((text, at) => (rank[text] = at));
  const callees = new Int32Array(size + 1);
  for (let stack = 0; stack < size; stack++) callees[parent[stack]! + 1]!++;
  const first = new Int32Array(size + 1).fill(-1);
  const next = new Int32Array(size).fill(-1);
  // Most are the only callee. The others are sorted by rank, by counting; put before their siblings from the last on, they end up in order.
  const start = new Int32Array(texts.length + 1);
  for (let stack = 0; stack < size; stack++) {
    if (callees[parent[stack]! + 1] === 1) first[parent[stack]! + 1] = stack;
    else start[rank[member[stack]!]! + 1]!++;
  }
  for (let at = 0; at < texts.length; at++) start[at + 1]! += start[at]!;
  const sorted = new Int32Array(start[texts.length]!);
  for (let stack = 0; stack < size; stack++)
    if (callees[parent[stack]! + 1] !== 1) sorted[start[rank[member[stack]!]!]!++] = stack;
  for (let i = sorted.length - 1; i >= 0; i--) {
    const stack = sorted[i]!;
    next[stack] = first[parent[stack]! + 1]!;
    first[parent[stack]! + 1] = stack;
  }
  return { first, next };
}
