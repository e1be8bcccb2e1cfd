import type { FlameTree } from "../../model/flame-tree.ts";

/**
 * One function from both sides: what it calls, summed over all places where it is called (`callees`, the function at
 * the root), and who calls it (`callers`, the function at the root, its callers as children). Recursion: the outermost
 * call counts.
 */
export function sandwich(tree: FlameTree, of: number): { callers: FlameTree; callees: FlameTree } {
  const callees = new Builder(tree, of);
  const callers = new Builder(tree, of);
  const placeBelow = new Int32Array(tree.parent.length).fill(-1);
  for (let row = 0; row < tree.parent.length; row++) {
    const up = tree.parent[row]!;
    const inside = up < 0 ? -1 : placeBelow[up]!;
    const before = tree.before?.[row];
    if (inside >= 0) placeBelow[row] = callees.add(inside, tree.function[row]!, tree.value[row]!, before);
    else if (tree.function[row] === of) {
      placeBelow[row] = 0;
      callees.addTo(0, tree.value[row]!, before);
      callers.addTo(0, tree.value[row]!, before);
      let at = 0;
      for (let caller = up; caller >= 0; caller = tree.parent[caller]!) {
        at = callers.add(at, tree.function[caller]!, tree.value[row]!, before);
      }
    }
  }
  return { callers: callers.tree(), callees: callees.tree() };
}

class Builder {
  private readonly of: FlameTree;
  private readonly parent = [-1];
  private readonly function: number[];
  private readonly value = [0];
  private readonly before = [0];
  private readonly known = new Map<string, number>();

  constructor(tree: FlameTree, root: number) {
    this.of = tree;
    this.function = [root];
  }

  /** The row of `called` below `parent`, made where it is not there yet. */
  add(parent: number, called: number, value: number, before: number | undefined): number {
    const key = `${parent} ${called}`;
    let row = this.known.get(key);
    if (row === undefined) {
      row = this.parent.push(parent) - 1;
      this.function.push(called);
      this.value.push(0);
      this.before.push(0);
      this.known.set(key, row);
    }
    this.addTo(row, value, before);
    return row;
  }

  addTo(row: number, value: number, before: number | undefined): void {
    this.value[row]! += value;
    this.before[row]! += before ?? 0;
  }

  tree(): FlameTree {
    const { title, type, unit, functions, left } = this.of;
    return {
      title,
      type,
      unit,
      functions,
      left,
      parent: this.parent,
      function: this.function,
      value: this.value,
      ...(this.of.before === undefined ? {} : { before: this.before }),
    };
  }
}
