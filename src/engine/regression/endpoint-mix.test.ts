import { expect, test } from "vitest";
import { SpanKind, type SpanTable } from "../../model/span-table.ts";
import { spansFromRows } from "../../testing/spans-from-rows.ts";
import { diagnose } from "../diagnose.ts";
import { buildWindow } from "../window.ts";
import { viewEndpoint } from "../endpoint-view.ts";
import { explainRegressions } from "./explain-regressions.ts";
import type { RegressionClaim } from "./affected.ts";

const MS = 1e6;

/** 400 requests, each a span: of every ten `dear` are GET /dear of 30 ms, the others GET /cheap of 5 ms, each ± 10 %. */
function requests(dear: number, dearMs = 30, cheapMs = 5): SpanTable {
  return spansFromRows(
    Array.from({ length: 400 }, (_, i) => {
      const isDear = (i * 7) % 10 < dear;
      const startNs = i * 50 * MS;
      const factor = 0.9 + 0.05 * (Math.floor(i / 10) % 5);
      return {
        trace: i + 1,
        id: 1,
        parent: 0,
        startNs,
        endNs: startNs + (isDear ? dearMs : cheapMs) * factor * MS,
        kind: SpanKind.server,
        service: "shop",
        name: isDear ? "GET /dear" : "GET /cheap",
      };
    }),
  );
}

async function mixClaims(now: SpanTable, before: SpanTable): Promise<RegressionClaim[]> {
  const window = await buildWindow(now, async () => {});
  const baseline = await buildWindow(before, async () => {});
  const views = window.endpoints.map((_, index) => viewEndpoint(window, index));
  const { claims } = explainRegressions({ window }, { window: baseline }, views);
  return claims.filter(({ explanation }) => explanation.mechanism === "mix-shift");
}

test("more of the dear endpoint, each as fast as before: all of the growth is the mix", async () => {
  const [claim, ...others] = await mixClaims(requests(6), requests(1));
  expect(others).toEqual([]);
  // 0.9 x 5 + 0.1 x 30 = 7.5 ms, and 0.4 x 5 + 0.6 x 30 = 20 ms
  expect(claim!.explanation.why).toContain("from 7.50 ms to 20.0 ms; 100 % of that is the mix");
  expect(claim!.explanation.subject).toMatchObject({ service: "shop", operation: "GET /dear" });
  expect(claim!.at).toEqual({ service: "shop", operation: "all requests" });
  // With nine cheap of ten the median is a cheap one again: 5 ms at the middle of the factors.
  expect(claim!.predicted!.p50.now.value).toBeGreaterThan(25 * MS);
  expect(claim!.predicted!.p50.predicted.value).toBeCloseTo(5 * MS, -4);
});

test("it is told first, as no work behind a queue", async () => {
  const { findings } = await diagnose({ spans: requests(6), baseline: requests(1) });
  expect(findings[0]).toMatchObject({ mechanism: "mix-shift", severity: "warning", rank: 1 });
  expect(findings[0]!.impact.method).toContain("weighed to its share in the baseline");
});

test.each([
  ["the dear endpoint is slower, and asked for as often", requests(3, 60), requests(3)],
  ["less of the dear endpoint", requests(1), requests(6)],
  ["the same mix", requests(3), requests(3)],
  ["more of an endpoint that costs the same", requests(6, 5), requests(1, 5)],
])("no claim: %s", async (_, now, before) => {
  expect(await mixClaims(now, before)).toEqual([]);
});
