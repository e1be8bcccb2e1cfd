import { expect, test } from "vitest";
import { traceFromText } from "../testing/trace-from-text.ts";
import { groupEndpoints } from "./endpoints.ts";
import { describeSpans } from "./span-facts.ts";
import { assembleTraces } from "./trace-assembly.ts";

test("complete traces by root, ascending by duration, most total time first, weighted", () => {
  const spans = traceFromText(`
    shop GET /a    |---|          server

    shop GET /a    |-|            server error

    shop GET /b    |------|       server tracestate=ot=th:8

    other GET /a   |--------|     server

    shop GET /a    |--|           server
      cart x        |-|           server parent=nobody`);
  const endpoints = groupEndpoints(assembleTraces(spans, describeSpans(spans)));
  const text = (id: number): string => spans.strings.get(id);
  expect(
    endpoints.map((e) => ({
      name: `${text(e.service)} ${text(e.operation)}`,
      traces: Array.from(e.traces),
      us: Array.from(e.durationNs, (ns) => ns / 1000),
      weight: e.totalWeight,
      errors: e.errorRatio,
    })),
  ).toEqual([
    // 7 µs, standing for two requests
    { name: "shop GET /b", traces: [2], us: [7], weight: 2, errors: 0 },
    { name: "other GET /a", traces: [3], us: [9], weight: 1, errors: 0 },
    // the third trace has an orphan and is left out
    { name: "shop GET /a", traces: [1, 0], us: [2, 4], weight: 2, errors: 0.5 },
  ]);
});

test("no complete trace, no endpoint", () => {
  const spans = traceFromText("shop GET /a |--| server parent=nobody");
  expect(groupEndpoints(assembleTraces(spans, describeSpans(spans)))).toEqual([]);
});
