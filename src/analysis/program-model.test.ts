import { describe, expect, test } from "vitest";
import { traceFromText } from "../testing/trace-from-text.ts";
import { plainFacts } from "../testing/plain-facts.ts";
import type { CallPaths } from "../model/call-paths.ts";
import type { TraceForest } from "../model/trace-forest.ts";
import { JoinKind, repetition } from "./call-behaviour.ts";
import { buildCallPaths } from "./call-paths.ts";
import { findDuplicates } from "./duplicate-calls.ts";
import { independence } from "./independence.ts";
import { learnProgram, type ProgramModel } from "./program-model.ts";
import { pairRow, siblingOrder } from "./sibling-order.ts";
import { describeSpans } from "./span-facts.ts";
import { assembleTraces } from "./trace-assembly.ts";

interface Learned {
  readonly forest: TraceForest;
  readonly paths: CallPaths;
  readonly model: ProgramModel;
  readonly node: (operation: string) => number;
  readonly order: (from: string, to: string) => string;
}

/** Learns from `copies` of each picture. */
function learn(copies: number, ...pictures: string[]): Learned {
  const table = traceFromText(
    pictures.flatMap((picture) => Array.from({ length: copies }, () => picture)).join("\n\n"),
  );
  const forest = assembleTraces(table, plainFacts(table));
  const paths = buildCallPaths(forest);
  const model = learnProgram(forest, paths);
  const node = (operation: string): number => paths.operation.indexOf(table.strings.intern(operation));
  return {
    forest,
    paths,
    model,
    node,
    order: (from, to) => siblingOrder(model.pairs, pairRow(model.pairs, node(from), node(to))),
  };
}

const SEQUENCE = `
    shop root  |----------------|
      shop A    |---|
      shop B         |-----|       `;
const REVERSED = `
    shop root  |----------------|
      shop B    |---|
      shop A         |-----|       `;
const TOGETHER = `
    shop root  |----------------|
      shop A    |---|
      shop B      |-----|          `;

describe("order of siblings", () => {
  test("29 traces without a violation prove an order, 28 and three do not", () => {
    expect([3, 28, 29].map((n) => learn(n, SEQUENCE).order("A", "B"))).toEqual(["unknown", "unknown", "waits"]);
  });

  test("one overlap may be an accident, two refute the order", () => {
    expect(learn(1, TOGETHER).order("A", "B")).toBe("unknown");
    expect(learn(2, TOGETHER).order("A", "B")).toBe("free");
    // 2 of 202 parents are below 1 %: the lower bound of 2/202 is 0.18 %.
    const rare = learn(1, TOGETHER, TOGETHER, ...Array.from({ length: 200 }, () => SEQUENCE));
    expect(rare.order("A", "B")).toBe("waits");
  });

  test("a loop that starts A and B together: B runs beside A, the next A waits for B", () => {
    const { order } = learn(
      30,
      `
    shop root  |---------------------|
      shop A    |---|
      shop B     |----|
      shop A            |-----|
      shop B             |--|          `,
    );
    expect([order("A", "B"), order("B", "A"), order("A", "A"), order("B", "B")]).toEqual([
      "free",
      "waits",
      "waits",
      "waits",
    ]);
  });
});

describe("independence", () => {
  test("order proves nothing; both orders, overlap, and one without the other do", () => {
    const verdict = (learned: Learned) =>
      independence(learned.model, learned.paths, learned.node("A"), learned.node("B"));
    expect(verdict(learn(50, SEQUENCE))).toEqual({ kind: "unknown" });
    expect(verdict(learn(2, SEQUENCE, REVERSED))).toEqual({ kind: "independent", because: "both-orders" });
    expect(verdict(learn(2, TOGETHER))).toEqual({ kind: "independent", because: "overlap" });
    const alone = `
    shop root  |----------------|
      shop B    |---|              `;
    expect(verdict(learn(3, SEQUENCE, alone))).toEqual({ kind: "independent", because: "without-it" });
    const afterFailure = `
    shop root  |----------------|
      shop A    |---|              error
      shop B         |-----|       `;
    expect(verdict(learn(3, SEQUENCE, afterFailure))).toEqual({ kind: "independent", because: "without-it" });
  });

  test("a loop of varying length after a single call iterates over its result", () => {
    const short = `
    shop root  |----------------|
      shop A    |-|
      shop B        |--|         `;
    const long = `
    shop root  |----------------|
      shop A    |-|
      shop B        |--|
      shop B            |--|
      shop B                |--| `;
    const { model, paths, node } = learn(3, short, long);
    expect(independence(model, paths, node("A"), node("B"))).toEqual({
      kind: "dependent",
      because: "loop-over-result",
    });
  });
});

describe("behaviour", () => {
  test("repetition counts the parents that make the calls one after the other", () => {
    const loop = (n: number): string =>
      [
        "    shop root  |------------------------------|",
        ...Array.from({ length: n }, (_, i) => `      shop item ${" ".repeat(3 * i)} |-|`),
      ].join("\n");
    const { model, node } = learn(1, loop(4), loop(6), loop(1), "    shop root  |--|");
    expect(repetition(model.behaviour, node("item"))).toEqual({ mean: 5, max: 6, parents: 2, share: 0.5 });
    expect(model.behaviour.fewest[node("item")]).toBe(0);
    expect(model.behaviour.parentSpans[node("item")]).toBe(4);
  });

  test("detached, awaited above, given up, raced and limited calls", () => {
    const { model, node } = learn(
      6,
      `
    shop GET        |------------------|             server
      shop log       |------------------------|
      shop handler   |-|
        shop query    |-----|
      shop call      |--------|                      client
        pay post      |----------------|             server
      shop race      |-----|
      shop race      |--------------------|
      shop get       |--|
      shop get       |----|
      shop get          |---|
      shop get            |----|                    `,
    );
    const { join, limit, concurrency } = model.behaviour;
    expect(join[node("log")]).toBe(JoinKind.detached);
    expect(join[node("query")]).toBe(JoinKind.above);
    expect(join[node("race")]).toBe(JoinKind.firstOf);
    expect(join[node("get")]).toBe(JoinKind.all);
    expect([limit[node("get")], concurrency[node("get")], limit[node("race")]]).toEqual([2, 2, 0]);
    const sometimes = learn(
      3,
      "    shop call  |-----|        client\n      pay post  |---|         server",
      "    shop call  |-----|        client error\n      pay post  |-------|     server",
      "    shop call  |-----|        client\n      pay post  |---|         server",
    );
    expect(sometimes.model.behaviour.join[sometimes.node("post")]).toBe(JoinKind.timeout);
  });

  test("retries repeat a failed attempt; a loop with a failing item does not", () => {
    const once = `
    shop root  |----------|
      shop pay  |--|          `;
    const retried = `
    shop root  |----------------|
      shop pay  |--|             error
      shop pay         |--|      `;
    const { model } = learn(1, once, retried);
    // Rows: root, pay | root, pay, pay.
    expect([...model.retryOf]).toEqual([-1, -1, -1, -1, 3]);
    const loop = `
    shop root  |----------------|
      shop pay  |--|
      shop pay         |--|      `;
    expect([...learn(1, once, retried, loop).model.retryOf].every((row) => row === -1)).toBe(true);
  });
});

describe("duplicates", () => {
  const duplicates = (picture: string): number[] => {
    const table = traceFromText(picture);
    const forest = assembleTraces(table, describeSpans(table));
    const paths = buildCallPaths(forest);
    return [...findDuplicates(forest, learnProgram(forest, paths).retryOf)];
  };

  test("the same URL by GET, or the same statement with its literals", () => {
    expect(
      duplicates(`
    shop root     |----------------------------|   server
      shop GET     |--|                            client http.request.method=GET url.full="http://cart/7"
      shop GET         |--|                        client http.request.method=GET url.full="http://cart/8"
      shop GET             |--|                    client http.request.method=GET url.full="http://cart/7"
      shop POST                |--|                client http.request.method=POST url.full="http://cart/7"
      shop POST                    |--|            client http.request.method=POST url.full="http://cart/7"`),
    ).toEqual([-1, -1, -1, 1, -1, -1]);
    expect(
      duplicates(`
    shop root     |----------------------------|   server
      shop q       |--|                            client db.system=postgresql db.statement="SELECT 1 FROM t WHERE id = 4"
      shop q           |--|                        client db.system=postgresql db.statement="SELECT 1 FROM t WHERE id = 4"
      shop q               |--|                    client db.system=postgresql db.statement="SELECT 1 FROM t WHERE id = $1"
      shop q                   |--|                client db.system=postgresql db.statement="SELECT 1 FROM t WHERE id = $1"`),
    ).toEqual([-1, -1, 1, -1, -1]);
  });
});
