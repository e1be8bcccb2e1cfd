import { FrameKind, sampleCountOf, type StackTable } from "../model/stack-table.ts";
import { CollectionStarts } from "./collection-starts.ts";
import { WORK_CLASSES, workClassOf, type WorkClass } from "./work-class.ts";

/** What a thread was busy with, by class of work and function. Values are in the unit of the value type looked at. */
export interface CodeProfile {
  /** all that was sampled, waiting for something to do included */
  readonly total: number;
  /** the same without waiting */
  readonly busy: number;
  readonly busySamples: number;
  /** classes that were seen, most first; their values sum to `busy` */
  readonly classes: readonly ClassShare[];
}

export interface ClassShare {
  readonly work: WorkClass;
  readonly value: number;
  readonly samples: number;
  /** of `busy` */
  readonly share: number;
  /**
   * the share that is exceeded in 39 of 40 such profiles: a few samples that stand for long times (a thread
   * that was stopped meanwhile) make a share that the next profile will not show
   */
  readonly leastShare: number;
  /**
   * functions that do it, most first: the nearest function with a source file around it. Of collection without a
   * stack: the functions in which most of them begin (`CollectionStarts`), which is a hint at who allocates and no more.
   */
  readonly functions: readonly FunctionShare[];
}

export interface FunctionShare {
  /** row of `frames` */
  readonly frame: number;
  readonly value: number;
  /** of `busy` */
  readonly share: number;
  /** row of the innermost frame that takes most of it, itself where it is the function's own; -1 for none */
  readonly inside: number;
  /** share of the function's value */
  readonly insideShare: number;
}

/**
 * Splits the samples of a profile by what the thread did. values: a column of `samples.values`. `keep`: sample
 * rows that count, all if absent.
 *
 * A sample belongs to the class that its innermost telling frame says (`workClassOf`), else to code; and to the
 * innermost frame that stands in a source file of the program or its libraries, so that a regular expression or
 * `JSON.stringify` counts for the function that runs it. A callback without a name counts for the named
 * function around it in the same file.
 */
export function codeProfile(table: StackTable, values: Float64Array, keep?: (sample: number) => boolean): CodeProfile {
  const { samples, stacks, frames } = table;
  const classOf = classOfStacks(table);
  const functionOf = functionOfStacks(table);
  const countOf = sampleCountOf(table);
  const sums = new Map<WorkClass, Sum>();
  const starts = new CollectionStarts(table.threads.rowCount);
  let [total, busy, busySamples, squares] = [0, 0, 0, 0];
  // What stands in no order was preceded by nothing.
  let collector = -1;
  const isTimed = (row: number): boolean => samples.timeOffsetNs[row]! >= 0;
  for (let row = 0; row < samples.rowCount; row++) {
    if (keep !== undefined && !keep(row)) continue;
    const value = values[row]!;
    // A sample of another kind: of memory, of a wait.
    if (value === 0) continue;
    const stack = samples.stack[row]!;
    total += value;
    const kind = stack < 0 ? FrameKind.native : frames.kind[stacks.frame[stack]!]!;
    const thread = samples.thread[row]!;
    if (kind === FrameKind.idle) {
      starts.ran(thread, -1);
      continue;
    }
    const samplesOfRow = countOf(row);
    busy += value;
    busySamples += samplesOfRow;
    squares += value ** 2 / samplesOfRow;
    const work = stack < 0 ? "code" : WORK_CLASSES[classOf[stack]!]!;
    const running = stack < 0 ? -1 : functionOf[stack]!;
    const leaf = stack < 0 ? -1 : stacks.frame[stack]!;
    const sum = sumOf(sums, work);
    sum.value += value;
    sum.samples += samplesOfRow;
    sum.squares += value ** 2 / samplesOfRow;
    if (running >= 0) add(sum, running, leaf, value);
    if (!isTimed(row)) continue;
    if (work !== "gc") starts.ran(thread, running);
    else if (running < 0) {
      starts.collected(thread, value);
      collector = leaf;
    }
  }
  for (const [frame, value] of starts.byFunction()) add(sumOf(sums, "gc"), frame, collector, value);
  const classes = [...sums]
    .map(([work, sum]) => classShare(work, sum, busy, squares))
    .sort((a, b) => b.value - a.value || (a.work < b.work ? -1 : 1));
  return { total, busy, busySamples, classes };
}

interface Sum {
  value: number;
  samples: number;
  /** sum of the squares of what each sample stands for */
  squares: number;
  /** per function: value by innermost frame */
  readonly functions: Map<number, Map<number, number>>;
}

function sumOf(sums: Map<WorkClass, Sum>, work: WorkClass): Sum {
  let sum = sums.get(work);
  if (sum === undefined) sums.set(work, (sum = { value: 0, samples: 0, squares: 0, functions: new Map() }));
  return sum;
}

function add({ functions }: Sum, frame: number, leaf: number, value: number): void {
  let inside = functions.get(frame);
  if (inside === undefined) functions.set(frame, (inside = new Map()));
  inside.set(leaf, (inside.get(leaf) ?? 0) + value);
}

/** Of the normal distribution: 2.5 % lie below. */
const LEAST_Z = 1.96;

function classShare(
  work: WorkClass,
  { value, samples, squares, functions }: Sum,
  busy: number,
  allSquares: number,
): ClassShare {
  const shares = [...functions].map(([frame, inside]) => {
    const all = [...inside.values()].reduce((sum, one) => sum + one, 0);
    const [leaf, most] = [...inside].reduce((best, entry) => (entry[1] > best[1] ? entry : best), [-1, 0]);
    return { frame, value: all, share: ratio(all, busy), inside: leaf, insideShare: ratio(most, all) };
  });
  shares.sort((a, b) => b.value - a.value || a.frame - b.frame);
  const share = ratio(value, busy);
  // Of a ratio of sums: each sample deviates by its value times (is it of the class - share).
  const error = ratio(Math.sqrt(squares * (1 - share) ** 2 + Math.max(0, allSquares - squares) * share ** 2), busy);
  const leastShare = Math.max(0, share - LEAST_Z * error);
  return { work, value, samples, share, leastShare, functions: shares };
}

const ratio = (part: number, all: number): number => (all > 0 ? part / all : 0);

/** Per stack: index of WORK_CLASSES. */
function classOfStacks({ stacks, frames, strings }: StackTable): Uint8Array {
  const ofFrame = Array.from(frames.function, (name, row) =>
    workClassOf(strings.get(name), strings.get(frames.file[row]!), frames.kind[row] as FrameKind),
  );
  const classOf = new Uint8Array(stacks.rowCount);
  for (let row = 0; row < stacks.rowCount; row++) {
    const own = ofFrame[stacks.frame[row]!];
    const parent = stacks.parent[row]!;
    classOf[row] = own !== undefined ? WORK_CLASSES.indexOf(own) : parent < 0 ? 0 : classOf[parent]!;
  }
  return classOf;
}

/** Per stack: the row of the frame of the function that it counts for; -1 where no frame has a source. */
function functionOfStacks({ stacks, frames, strings }: StackTable): Int32Array {
  const isNameless = Uint8Array.from(frames.function, (name) => (strings.get(name) === "(anonymous)" ? 1 : 0));
  const isSource = frames.kind.map((kind, row) => {
    if (kind === FrameKind.user) return 1;
    // Compiled JavaScript of a file; machine code of an executable, not of a library.
    if (kind === FrameKind.jit) return frames.line[row]! > 0 ? 1 : 0;
    return kind === FrameKind.native && isExecutable(strings.get(frames.file[row]!)) ? 1 : 0;
  });
  const functionOf = new Int32Array(stacks.rowCount);
  for (let row = 0; row < stacks.rowCount; row++) {
    const frame = stacks.frame[row]!;
    const parent = stacks.parent[row]!;
    const around = parent < 0 ? -1 : functionOf[parent]!;
    if (isSource[frame] === 0) functionOf[row] = around;
    else if (isNameless[frame] === 0 || around < 0) functionOf[row] = frame;
    // Within the lines of the function around it, as far as its beginning tells.
    else {
      const isWithin = frames.file[frame] === frames.file[around] && frames.line[frame]! >= frames.line[around]!;
      functionOf[row] = isWithin && isNameless[around] === 0 ? around : frame;
    }
  }
  return functionOf;
}

const isExecutable = (file: string): boolean =>
  file.startsWith("/") && !/\.so\b|\/(?:node|java|python[\d.]*|ruby)$/.test(file);
