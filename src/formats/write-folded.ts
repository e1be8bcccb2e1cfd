import { FrameKind, type StackTable } from "../model/stack-table.ts";
import { TuplePool } from "../model/tuple-pool.ts";

export interface FoldedOptions {
  /** index of the value type; the table's default if absent */
  readonly value?: number;
  /** marks frames of the kernel with `_[k]` and those compiled while running with `_[j]` */
  readonly annotate?: boolean;
}

/**
 * A profile as folded stacks, a line per distinct stack of names, sorted; stacks whose value is
 * zero are left out. The name of the process, where the profile has one, is the outermost frame.
 * Functions without a name are told apart by their place. Numbers are rounded to thousandths.
 *
 * What the format cannot hold is replaced: semicolons by colons, line ends by spaces.
 */
export function* foldedLines(table: StackTable, options: FoldedOptions = {}): Generator<string> {
  for (const [stack, value] of inOrder(foldedSums(table, options.value ?? table.defaultValue, options))) {
    if (value !== 0) yield `${stack} ${value}`;
  }
}

/** Folded stacks with two numbers, before and after, as viewers of differences take them. */
export function* foldedDifference(before: StackTable, after: StackTable, options: FoldedOptions): Generator<string> {
  const shown = options.value ?? after.defaultValue;
  const { type, unit } = after.valueTypes[shown] ?? { type: "", unit: "" };
  const same = before.valueTypes.findIndex((held) => held.type === type && held.unit === unit);
  const was = foldedSums(before, same, options);
  const is = foldedSums(after, shown, options);
  const all = new Map([...was.keys(), ...is.keys()].map((stack) => [stack, 0]));
  for (const [stack] of inOrder(all)) {
    const [a, b] = [was.get(stack) ?? 0, is.get(stack) ?? 0];
    if (a !== 0 || b !== 0) yield `${stack} ${a} ${b}`;
  }
}

/** By code units: the same on every machine. */
const inOrder = (sums: ReadonlyMap<string, number>): [string, number][] =>
  [...sums].sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));

/** Value by the text of the stack. */
function foldedSums(table: StackTable, value: number, { annotate = false }: FoldedOptions): Map<string, number> {
  const { stacks, samples, threads, processes, strings } = table;
  const names = namesOfFrames(table, annotate);
  // Stacks of names: frames that differ only in what a name does not tell become one.
  const texts = new Map<string, number>();
  const nameOf = names.map((name) => texts.get(name) ?? (texts.set(name, texts.size), texts.size - 1));
  const pool = new TuplePool(2);
  const namedStack = new Int32Array(stacks.rowCount);
  for (let row = 0; row < namedStack.length; row++) {
    const parent = stacks.parent[row]!;
    namedStack[row] = pool.intern(parent < 0 ? -1 : namedStack[parent]!, nameOf[stacks.frame[row]!]!);
  }
  const values = samples.values[value] ?? new Float64Array(samples.rowCount);
  const folds = new TuplePool(2);
  const sums: number[] = [];
  for (let row = 0; row < samples.rowCount; row++) {
    const stack = samples.stack[row]!;
    const process = processes.name[threads.process[samples.thread[row]!]!]!;
    const fold = folds.intern(stack < 0 ? -1 : namedStack[stack]!, process);
    sums[fold] = (sums[fold] ?? 0) + values[row]!;
  }
  const text = [...texts.keys()];
  const [parent, name, stackOfFold, processOfFold] = [pool.column(0), pool.column(1), folds.column(0), folds.column(1)];
  const found = new Map<string, number>();
  for (const [fold, sum] of sums.entries()) {
    const frames: string[] = [];
    for (let at = stackOfFold[fold]!; at >= 0; at = parent[at]!) frames.push(text[name[at]!]!);
    // Collapsers write a space in the name of a process as `_`, since some readers take the first space for the gap.
    const process = strings.get(processOfFold[fold]!);
    if (process !== "") frames.push(escaped(process).replaceAll(" ", "_"));
    if (frames.length === 0) continue;
    const key = frames.reverse().join(";");
    found.set(key, Math.round(((found.get(key) ?? 0) + sum) * 1000) / 1000);
  }
  return found;
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
