import { expect, test } from "vitest";
import { stacksFromText } from "../../testing/stacks-from-text.ts";
import { spansFromRows } from "../../testing/spans-from-rows.ts";
import { buildWindow } from "../window.ts";
import { endpointsOfFunction } from "./function-endpoints.ts";

/** Traces 0 to 2 are of GET /search, 3 to 5 of GET /pay. */
async function window() {
  const rows = Array.from({ length: 6 }, (_, i) => ({
    trace: i + 1,
    id: 1,
    parent: 0,
    startNs: 10 * i,
    endNs: 10 * i + 5,
    service: "shop",
    name: i < 3 ? "GET /search" : "GET /pay",
  }));
  return buildWindow(spansFromRows(rows), async () => {});
}

const lines = (text: string, times: number): string => Array.from({ length: times }, () => `${text} 1`).join("\n");

test("the endpoint of most samples with the function anywhere on the stack, and another one that has a fifth", async () => {
  const found = await window();
  // Rows 0..29 within rank, of which 24 are of /search and 6 of /pay; then 10 of no span, and 30 elsewhere.
  const stacks = stacksFromText(
    [lines("serve;rank@r.js:9;map", 30), lines("serve;rank@r.js:9", 10), lines("serve;pay@p.js:2", 30)].join("\n"),
  );
  const { forest } = found;
  const [search, pay] = ["GET /search", "GET /pay"].map((name) => {
    const endpoint = found.endpoints.find((one) => found.text(one.operation) === name)!;
    return endpoint.traces[0]!;
  }) as [number, number];
  expect(forest.rows.length).toBe(6);
  const trace = Int32Array.from({ length: 70 }, (_, i) => (i < 24 ? search : i < 30 ? pay : i < 40 ? -1 : pay));
  expect(endpointsOfFunction(found, stacks, trace, "rank (r.js:9)")).toBe(
    "it runs in GET /search (80 % of 30 samples in it that carry a span's id) and GET /pay (20 %)",
  );
  expect(endpointsOfFunction(found, stacks, trace, "pay (p.js:2)")).toBe(
    "it runs in GET /pay (100 % of 30 samples in it that carry a span's id)",
  );
  // 19 samples are too few to say.
  expect(
    endpointsOfFunction(
      found,
      stacks,
      trace.map((of, i) => (i < 11 ? -1 : of)),
      "rank (r.js:9)",
    ),
  ).toBe("");
  expect(endpointsOfFunction(found, stacks, trace, "nobody")).toBe("");
});
