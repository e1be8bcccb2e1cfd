import { placeText } from "../analysis/frame-text.ts";
import { groupFrames, inclusiveSums } from "../analysis/stack-totals.ts";
import type { FlameTree } from "../model/flame-tree.ts";
import { mergeStackTables } from "../model/merge-stack-tables.ts";
import { FRAME_KINDS, type StackTable } from "../model/stack-table.ts";
import { TuplePool } from "../model/tuple-pool.ts";
import { mapToInts } from "../model/map-column.ts";

/** Smaller parts of the whole are narrower than a tenth of a pixel of the widest screens, and are left out and counted. */
const MIN_SHARE = 1 / 40_000;

/**
 * One tree of all profiles; where they are of several processes, these are its first level. A
 * function is one whatever its lines. value: index of the value type in `table`; base: a window
 * before, of which the value type of the same name is taken.
 */
export function flameTree(table: StackTable, value: number, title: string, base?: StackTable): FlameTree {
  const type = table.valueTypes[value] ?? { type: "samples", unit: "count" };
  const both = base === undefined ? table : mergeStackTables([table, base]);
  const split = table.samples.rowCount;
  const column = both.valueTypes.findIndex((held) => held.type === type.type && held.unit === type.unit);
  const values = both.samples.values[column] ?? new Float64Array(both.samples.rowCount);
  const calls = new Calls(both);
  const now = calls.sums(values, (row) => row < split);
  const before = base === undefined ? undefined : calls.sums(values, (row) => row >= split);
  const scale = before === undefined || before[0] === 0 ? 1 : now[0]! / before[0]!;
  const parentOf = calls.pool.column(0);
  const functionOf = calls.pool.column(1);

  const kept = new Map<number, number>();
  const rows: number[] = [];
  for (let row = 0; row < now.length; row++) {
    const size = Math.max(now[row]!, (before?.[row] ?? 0) * scale);
    if (row > 0 && (size < MIN_SHARE * now[0]! || size === 0 || !kept.has(parentOf[row]!))) continue;
    kept.set(row, rows.length);
    rows.push(row);
  }
  return {
    title,
    ...type,
    functions: calls.functions,
    parent: rows.map((row) => kept.get(parentOf[row]!) ?? -1),
    function: rows.map((row) => functionOf[row]!),
    value: rows.map((row) => now[row]!),
    ...(before === undefined ? {} : { before: rows.map((row) => before[row]! * scale) }),
    left: now.length - rows.length,
  };
}

/** Stacks → tree of functions below one root, and below a process where there are several. */
class Calls {
  readonly pool = new TuplePool(2);
  readonly functions: [string, string, string][] = [["all", "", ""]];
  private readonly table: StackTable;
  /** row of the tree per sample */
  private readonly rowOf: Int32Array;

  constructor(table: StackTable) {
    this.table = table;
    const { samples, threads, processes } = table;
    this.pool.intern(-1, 0);
    const names = this.processNames();
    const isSplit = new Set(names).size > 1;
    const tops = names.map((name) => {
      if (!isSplit) return 0;
      let at = this.functions.findIndex(([held, place]) => held === name && place === "process");
      if (at < 0) at = this.functions.push([name, "process", ""]) - 1;
      return this.pool.intern(0, at);
    });
    const functionOf = this.functionsOf();
    // Stacks of each process in turn: the same stack in two of them stands in two places.
    const rows = new Map<number, Int32Array>();
    this.rowOf = mapToInts(samples.stack, (stack, row) => {
      const top = processes.rowCount === 0 ? 0 : tops[threads.process[samples.thread[row]!]!]!;
      if (!rows.has(top)) rows.set(top, new Int32Array(table.stacks.rowCount).fill(-1));
      return this.place(stack, top, rows.get(top)!, functionOf);
    });
  }

  sums(values: Float64Array, keep: (sample: number) => boolean): Float64Array {
    const own = new Float64Array(this.pool.size);
    for (let row = 0; row < values.length; row++) if (keep(row)) own[this.rowOf[row]!]! += values[row]!;
    return inclusiveSums({ parent: this.pool.column(0), rowCount: own.length }, own);
  }

  private place(stack: number, top: number, known: Int32Array, functionOf: Int32Array): number {
    const { parent, frame } = this.table.stacks;
    const open: number[] = [];
    let at = stack;
    while (at >= 0 && known[at]! < 0) {
      open.push(at);
      at = parent[at]!;
    }
    let row = at < 0 ? top : known[at]!;
    for (let next = open.pop(); next !== undefined; next = open.pop()) {
      row = this.pool.intern(row, functionOf[frame[next]!]!);
      known[next] = row;
    }
    return row;
  }

  private functionsOf(): Int32Array {
    const { frames, strings } = this.table;
    const { groupOf } = groupFrames(this.table, "function");
    const numbers = new Map<number, number>();
    return mapToInts(groupOf, (group, frame) => {
      let number = numbers.get(group);
      if (number === undefined) {
        const place = placeText(strings.get(frames.file[frame]!), frames.line[frame]!);
        const kind = FRAME_KINDS[frames.kind[frame]!]!;
        number = this.functions.push([strings.get(frames.function[frame]!), place, kind]) - 1;
        numbers.set(group, number);
      }
      return number;
    });
  }

  private processNames(): string[] {
    const { processes, strings } = this.table;
    return Array.from(processes.name, (name, process) => {
      const service = strings.get(processes.service[process]!);
      return strings.get(name) || service || "";
    });
  }
}
