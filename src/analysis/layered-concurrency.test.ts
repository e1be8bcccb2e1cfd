import { expect, test } from "vitest";
import type { LayeredModel } from "../model/layered-model.ts";
import { simultaneous } from "./layered-concurrency.ts";

const task = (threads: number, replicas = 1): LayeredModel["tasks"][number] => ({
  name: "",
  host: 0,
  threads,
  replicas,
});
const modelOf = (...tasks: LayeredModel["tasks"]): LayeredModel => ({ hosts: [], tasks, entries: [], sources: [] });

test.each([
  // source 50 → a (1 thread) → b, c (10 each) → d: what a's one thread calls in turn never meets at d
  ["two callers with one caller in common", modelOf(task(1), task(10), task(10), task(5)), [[4], [0], [0], [1, 2]], 1],
  [
    "the same with three threads in two replicas each",
    modelOf(task(3, 2), task(10), task(10), task(5)),
    [[4], [0], [0], [1, 2]],
    6,
  ],
  ["callers limit, not their number", modelOf(task(Infinity), task(2), task(3), task(1)), [[4], [0], [0], [1, 2]], 5],
  [
    "no limit but the customers",
    modelOf(task(Infinity), task(Infinity), task(Infinity), task(1)),
    [[4], [0], [0], [1, 2]],
    50,
  ],
])("%s", (_, model, callers, expected) => {
  expect(simultaneous(model, callers, [50], [3])).toBe(expected);
});

test("several targets on one host count together, and nobody is called without callers", () => {
  const model = modelOf(task(4), task(2), task(9));
  expect(simultaneous(model, [[3], [0], [0]], [50], [1, 2])).toBe(4);
  expect(simultaneous(model, [[3], [], [0]], [50], [1])).toBe(0);
});
