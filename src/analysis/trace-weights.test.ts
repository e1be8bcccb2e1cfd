import { describe, expect, test } from "vitest";
import { plainFacts } from "../testing/plain-facts.ts";
import { traceFromText } from "../testing/trace-from-text.ts";
import { assembleTraces } from "./trace-assembly.ts";
import { describeSampling, weightOfTraceState } from "./trace-weights.ts";

test.each([
  // The threshold is the share that is rejected, in 2^-56: 8 is a half, c three quarters, fd70a 99 %.
  ["ot=th:0", 1],
  ["ot=th:8", 2],
  ["ot=th:c", 4],
  ["ot=th:fd70a3d70a3d71", 100],
  ["ot=rv:6e6d1a75832a2f;th:8", 2],
  ["vendor=a;th:c,ot=th:8;rv:6e6d1a75832a2f", 2],
  ["ot=th:ffffffffffffff", 2 ** 56],
  ["", 0],
  ["ot=rv:6e6d1a75832a2f", 0],
  ["vendor=th:8", 0],
  ["ot=th:", 0],
  ["ot=th:8000000000000000", 0],
  ["ot=th:xyz", 0],
])("%s has weight %d", (state, weight) => expect(weightOfTraceState(state)).toBeCloseTo(weight, 9));

describe("weights of traces", () => {
  const forestOf = (trailer: string, childTrailer = "") => {
    const spans = traceFromText(`
      a    |---| ${trailer}
        b   |-|  ${childTrailer}

      c    |---|`);
    return assembleTraces(spans, plainFacts(spans));
  };
  test.each([
    ["tracestate=ot=th:c", "", 4, "head"],
    ["sampling.probability=0.25", "", 4, "head"],
    ["sampling.probability=1", "", 1, "none"],
    ["SampleRate=20", "", 20, "head"],
    ["SampleRate=20 meta.refinery.reason=rules", "", 20, "tail"],
    ["sampler.type=probabilistic sampler.param=0.001", "", 1000, "head"],
    ["sampler.type=const sampler.param=0.5", "", 1, "unknown"],
    ["sampling.probability=7", "", 1, "unknown"],
    // Beyond 2^56, what a tracestate can state, is damage: the sum of two such weights would be infinite.
    ["sampling.probability=5e-324", "", 1, "unknown"],
    ["sampling.probability=NaN", "", 1, "unknown"],
    ["SampleRate=1e308", "", 1, "unknown"],
    ["SampleRate=Infinity", "", 1, "unknown"],
    ["SampleRate=72057594037927936", "", 2 ** 56, "head"],
    ["", "", 1, "unknown"],
    ["tailsampling.policy=slow", "", 1, "tail"],
    // The root's word counts; without it the rarest part's.
    ["SampleRate=2", "SampleRate=8", 2, "head"],
    ["", "SampleRate=8", 8, "head"],
  ])("%s %s", (trailer, childTrailer, weight, kind) => {
    const forest = forestOf(trailer, childTrailer);
    expect([...forest.weight]).toEqual([weight, 1]);
    expect(describeSampling(forest).kind).toBe(kind);
  });
});
