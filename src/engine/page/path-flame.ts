import { kindOfKey, nodeOfKey } from "../../analysis/blame.ts";
import type { FlameTree } from "../../model/flame-tree.ts";
import { TIME_KINDS } from "../../model/time-kind.ts";
import { NS_PER_MS } from "../../model/units.ts";
import type { EndpointView } from "../endpoint-view.ts";
import type { Window } from "../window.ts";

/**
 * The mean critical path of an endpoint's requests around the p99 as a flame graph: call paths instead of
 * functions, milliseconds instead of samples, below each the kinds of its own time. `before` has the same around the
 * median, so that the difference shows what makes the slow ones slow.
 */
export function pathFlame(window: Window, view: EndpointView): FlameTree {
  const { paths, text } = window;
  const slow = below(window, view.blameSlow);
  const typical = below(window, view.blameTypical);
  const functions: [string, string, string][] = [[view.name, "", ""]];
  const numbers = new Map<string, number>();
  const number = (name: string, place: string, kind: string): number => {
    const key = JSON.stringify([name, place, kind]);
    const known = numbers.get(key);
    if (known !== undefined) return known;
    numbers.set(key, functions.length);
    return functions.push([name, place, kind]) - 1;
  };
  const parent = [-1];
  const of = [0];
  const value = [0];
  const before = [0];
  const rowOfNode = new Map<number, number>();
  // Parents stand before their children in the call paths.
  for (let node = 0; node < paths.nodeCount; node++) {
    const here = slow.get(node) ?? 0;
    const there = typical.get(node) ?? 0;
    if (here === 0 && there === 0) continue;
    const up = rowOfNode.get(paths.parent[node]!) ?? 0;
    rowOfNode.set(node, parent.length);
    parent.push(up);
    of.push(number(text(paths.operation[node]!), text(paths.service[node]!), "call"));
    value.push(here);
    before.push(there);
    if (up === 0) {
      value[0]! += here;
      before[0]! += there;
    }
  }
  for (const key of new Set([...view.blameSlow.keys(), ...view.blameTypical.keys()])) {
    const row = rowOfNode.get(nodeOfKey(key));
    if (row === undefined) continue;
    parent.push(row);
    of.push(number(TIME_KINDS[kindOfKey(key)]!, "", TIME_KINDS[kindOfKey(key)]!));
    value.push(view.blameSlow.get(key) ?? 0);
    before.push(view.blameTypical.get(key) ?? 0);
  }
  const inMs = (ns: number): number => Math.round(ns / 1e3) / (NS_PER_MS / 1e3);
  return {
    title: view.name,
    type: "critical path around the p99",
    unit: "milliseconds",
    functions,
    parent,
    function: of,
    value: value.map(inMs),
    before: before.map(inMs),
    left: 0,
  };
}

/** Nanoseconds of a node with all below it. */
function below(window: Window, blame: ReadonlyMap<number, number>): Map<number, number> {
  const sums = new Map<number, number>();
  for (const [key, ns] of blame) {
    for (let node = nodeOfKey(key); node >= 0; node = window.paths.parent[node]!)
      sums.set(node, (sums.get(node) ?? 0) + ns);
  }
  return sums;
}
