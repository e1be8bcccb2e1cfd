import { expect, test } from "vitest";
import { traceFromText } from "../testing/trace-from-text.ts";
import { samplingError } from "./sampling-error.ts";
import { describeSpans } from "./span-facts.ts";
import { assembleTraces } from "./trace-assembly.ts";

function errorOf(picture: string): ReturnType<typeof samplingError> {
  const spans = traceFromText(picture);
  return samplingError(assembleTraces(spans, describeSpans(spans)));
}

test("of 100 traces kept by 1 in 4, the 400 they stand for are known to 8.66 %, as 100 of Binomial(400, 1/4)", () => {
  const picture = Array.from({ length: 100 }, () => "a |--| server tracestate=ot=th:c").join("\n\n");
  const { traces, standFor, relativeError } = errorOf(picture);
  expect([traces, standFor]).toEqual([100, 400]);
  expect(relativeError).toBeCloseTo(Math.sqrt(400 * 0.25 * 0.75) / 100, 10);
});

test("traces that were all kept are counted without an error, and mixed ones add their variances", () => {
  expect(errorOf("a |--| server\n\nb |--| server")).toEqual({ traces: 2, standFor: 2, relativeError: 0 });
  // 1 and 4: variance 0 + 12 of a count of 5.
  expect(errorOf("a |--| server\n\nb |--| server tracestate=ot=th:c").relativeError).toBeCloseTo(Math.sqrt(12) / 5, 10);
});
