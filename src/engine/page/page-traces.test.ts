import { expect, test } from "vitest";
import { traceFromText } from "../../testing/trace-from-text.ts";
import type { SegmentSamples } from "../ledger/sample-evidence.ts";
import { buildWindow } from "../window.ts";
import { pageTrace } from "./page-traces.ts";

// A column is a millisecond. The path: web 0–3, its call 3–7, web 7–10.
const SPANS = traceFromText(
  `
  web GET /      |---------|   server
    web POST        |---|      client server.address=other
`,
  { unitNs: 1e6 },
);

/** Samples of a service that show this of each segment by its number. */
const showing = (...times: ReturnType<SegmentSamples["times"]>[]): ReadonlyMap<string, SegmentSamples> =>
  new Map([["web", { isCovered: () => true, times: (segment) => times[segment] ?? [], sampleNs: new Map() }]]);

test("what samples show of the request's own stretches stands beside its path, at most the stretch", async () => {
  const window = await buildWindow(SPANS, () => Promise.resolve());
  const { path, sampled } = pageTrace(
    window,
    0,
    0,
    "slow",
    showing(
      [{ kind: "cpu", link: "span-id", ns: 2e6 }],
      [{ kind: "cpu", link: "span-id", ns: 1e6 }],
      // Two samples of 4 ms each in a stretch of less: half of it each.
      [
        { kind: "lock", link: "thread-time", ns: 4e6 },
        { kind: "gc", link: "span-id", ns: 4e6 },
      ],
    ),
  );
  expect(path.map(([row, start, end]) => [row, start, end])).toEqual([
    [0, 0, 3],
    [1, 3, 7],
    [0, 7, 10],
  ]);
  // The call is explained by its span.
  expect(sampled).toEqual([
    [0, "cpu", "span-id", 2],
    [2, "lock", "thread-time", 1.5],
    [2, "gc", "span-id", 1.5],
  ]);
});

test("without samples of its services nothing stands there", async () => {
  const window = await buildWindow(SPANS, () => Promise.resolve());
  expect(pageTrace(window, 0, 0, "slow")).not.toHaveProperty("sampled");
  expect(pageTrace(window, 0, 0, "slow", showing([], []))).not.toHaveProperty("sampled");
});
