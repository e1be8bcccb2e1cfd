import { expect, test } from "vitest";
import type { PairedEstimate } from "../analysis/bootstrap.ts";
import type { EndpointView } from "./endpoint-view.ts";
import { rankFindings, type Claim, type Told } from "./findings.ts";
import type { Explanation } from "./hot-spot.ts";
import type { PredictedEndpoint } from "./prediction.ts";

const MS = 1e6;

/** What the ranking reads of an endpoint. */
const endpoint = (operation: string, traffic: number): EndpointView =>
  ({
    name: `shop ${operation}`,
    service: "shop",
    operation,
    traffic,
    caution: undefined,
    endpoint: { traces: new Int32Array(1000) },
  }) as unknown as EndpointView;

const explanation: Explanation = {
  mechanism: "slow-query",
  kind: "latency",
  subject: { service: "main" },
  title: "",
  why: "",
  confidence: 0.8,
  harmful: true,
  nodes: [],
  undo: [],
  chain: [],
  evidence: [],
  counter: [],
  refutedBy: "",
  remedy: { text: "" },
};

const fixed = (value: number): PairedEstimate["now"] => ({ value, low: value, high: value });
function gain(nowMs: number, predictedMs: number): PredictedEndpoint {
  const pair = {
    now: fixed(nowMs * MS),
    predicted: fixed(predictedMs * MS),
    difference: fixed((predictedMs - nowMs) * MS),
  };
  return { p50: pair, p95: pair, p99: pair };
}

function ranked(
  parts: readonly { view: EndpointView; predicted: PredictedEndpoint }[],
): ReturnType<typeof rankFindings> {
  const claims = parts.map(({ view }): Claim => ({ view, explanation }));
  return rankFindings(claims, (view) => parts.find((part) => part.view === view)!.predicted);
}

test("much of little at one endpoint and little of much at another are no harm at either", () => {
  const findings = ranked([
    // 80 % of half a millisecond
    { view: endpoint("GET /ping", 0.1), predicted: gain(0.5, 0.1) },
    // 4 % of 100 ms
    { view: endpoint("GET /report", 0.9), predicted: gain(100, 96) },
  ]);
  expect(findings.map(({ severity }) => severity)).toEqual(["note"]);
});

test("harm at a rare endpoint is told there", () => {
  const [finding] = ranked([
    { view: endpoint("GET /rare", 0.01), predicted: gain(100, 20) },
    { view: endpoint("GET /all", 0.99), predicted: gain(100, 95) },
  ]);
  expect(finding).toMatchObject({ severity: "critical", impact: { now: 100, predicted: 20 } });
  expect(finding!.impact.endpoint.operation).toBe("GET /rare");
});

test("a change that gains nothing is no finding", () => {
  expect(ranked([{ view: endpoint("GET /", 1), predicted: gain(10, 12) }])).toEqual([]);
});

test("other sources hear what is loud, and what follows from it; not what follows from a note", () => {
  const at = endpoint("GET /list", 1);
  const big = gain(100, 10);
  const of = (mechanism: Explanation["mechanism"], service: string, harmful: boolean): Explanation => ({
    ...explanation,
    mechanism,
    subject: { service },
    harmful,
  });
  const claims: Claim[] = [
    { view: at, explanation: of("slow-query", "main", true) },
    { view: at, explanation: of("n-plus-one", "shop", false) },
    { view: at, explanation: of("pool-exhausted", "stock", false), becauseOf: "main" },
    { view: at, explanation: of("load-increase", "mail", false), becauseOf: "shop" },
  ];
  let heard: Told | undefined;
  rankFindings(
    claims,
    () => big,
    () => 1,
    (told) => {
      heard = told;
      return [];
    },
  );
  expect(heard!.loud.map(({ mechanism }) => mechanism)).toEqual(["slow-query"]);
  expect(heard!.consequences).toEqual([{ mechanism: "pool-exhausted", service: "stock", of: "main" }]);
});
