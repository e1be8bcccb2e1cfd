import { describe, expect, test } from "vitest";
import { Random } from "../../analysis/random.ts";
import { SpanKind, SpanStatus, type SpanTable } from "../../model/span-table.ts";
import { faultCase } from "../../testing/accuracy/case.ts";
import { HEALTHY_KINDS, healthyCase } from "../../testing/accuracy/healthy-case.ts";
import { alarms, score } from "../../testing/accuracy/score.ts";
import { FAULTS } from "../../testing/simulator/faults/table.ts";
import { spansFromRows, type SpanRow } from "../../testing/spans-from-rows.ts";
import { ownTime } from "../case.ts";
import { viewEndpoint } from "../endpoint-view.ts";
import { rankFindings } from "../findings.ts";
import { replayPredictor } from "../replay-predictor.ts";
import { buildWindow, type Window } from "../window.ts";
import type { RegressionExplanation } from "./affected.ts";
import { explainRegressions, type RegressionResult } from "./explain-regressions.ts";
import type { Slice } from "./operations.ts";

const MS = 1e6;

/** What is wrong with the drawn system; milliseconds are added to the named times. */
interface Wrong {
  readonly own?: Readonly<Record<string, number>>;
  /** by "caller>callee": on the way, both legs together */
  readonly way?: Readonly<Record<string, number>>;
  /** share of the shop's requests that stop before the second call */
  readonly breakOff?: number;
  /** share of the cart's spans in error, passed on by its callers */
  readonly cartErrors?: number;
  /** share of the requests for which the cart is not heard of, and its callers stop waiting after a second */
  readonly cartSilent?: number;
}

/**
 * shop calls cart, then offers; admin calls cart. Each SERVER span works some 3 ms of its own, each way takes some
 * 0.6 ms, all with a spread of about a third.
 */
function drawnSystem(seed: number, wrong: Wrong = {}): SpanTable {
  const random = new Random(seed);
  const vary = (ms: number): number =>
    ms * Math.exp(0.3 * (random.uniform() + random.uniform() + random.uniform() - 1.5) * 2);
  const rows: SpanRow[] = [];
  const errors: number[] = [];
  for (let trace = 1; trace <= 400; trace++) {
    const root = trace % 4 === 0 ? "admin" : "shop";
    const broken = root === "shop" && random.uniform() < (wrong.breakOff ?? 0);
    const isSilent = random.uniform() < (wrong.cartSilent ?? 0);
    const fails = random.uniform() < (wrong.cartErrors ?? 0);
    const callees = root === "admin" ? ["cart"] : broken ? ["cart"] : ["cart", "offers"];
    const rootRow =
      rows.push({
        trace,
        id: 1,
        parent: 0,
        startNs: 0,
        endNs: 0,
        kind: SpanKind.server,
        service: root,
        name: `GET /${root}`,
      }) - 1;
    let at = trace * 50 + (vary(2) + (wrong.own?.[root] ?? 0)) * MS;
    callees.forEach((callee, i) => {
      const way = vary(0.6) + (wrong.way?.[`${root}>${callee}`] ?? 0);
      const silent = isSilent && callee === "cart";
      const work = silent ? 1000 - way : vary(3) + (wrong.own?.[callee] ?? 0);
      const client =
        rows.push({
          trace,
          id: 2 + 2 * i,
          parent: 1,
          startNs: at,
          endNs: at + (way + work) * MS,
          kind: SpanKind.client,
          service: root,
          name: `call ${callee}`,
        }) - 1;
      const from = at + (way / 2) * MS;
      if (silent) errors.push(client, rootRow);
      else
        rows.push({
          trace,
          id: 3 + 2 * i,
          parent: 2 + 2 * i,
          startNs: from,
          endNs: from + work * MS,
          kind: SpanKind.server,
          service: callee,
          name: `GET /${callee}`,
        });
      if (fails && callee === "cart") errors.push(client, client + 1, rootRow);
      at += (way + work) * MS + vary(0.5) * MS;
    });
    rows[rootRow] = { ...rows[rootRow]!, startNs: trace * 50, endNs: at };
  }
  const table = spansFromRows(rows);
  for (const row of errors) table.status[row] = SpanStatus.error;
  return table;
}

const windowOf = (table: SpanTable): Promise<Window> => buildWindow(table, async () => {});

async function compare(now: SpanTable, before: SpanTable): Promise<RegressionResult> {
  const window = await windowOf(now);
  const views = window.endpoints.map((_, index) => viewEndpoint(window, index));
  return explainRegressions({ window }, { window: await windowOf(before) }, views);
}

/** "mechanism service" of what is harmful, once each. */
const harm = ({ claims }: RegressionResult): string[] => [
  ...new Set(
    claims.filter((c) => c.explanation.harmful).map(({ explanation: e }) => `${e.mechanism} ${e.subject.service}`),
  ),
];

async function explanationOf(wrong: Wrong): Promise<RegressionExplanation> {
  const { claims } = await compare(drawnSystem(2, wrong), drawnSystem(1));
  return claims.find((claim) => claim.explanation.harmful)!.explanation;
}

describe("a cause that several edges share", () => {
  test.each<[string, Wrong, string[]]>([
    [
      "the way to a callee, from both its callers",
      { way: { "shop>cart": 8, "admin>cart": 8 } },
      ["network-latency cart"],
    ],
    [
      "all ways out of a caller, and its own work",
      { own: { shop: 9 }, way: { "shop>cart": 8, "shop>offers": 8 } },
      ["cpu-saturated shop"],
    ],
    ["a single edge goes to the callee", { way: { "shop>offers": 8 } }, ["network-latency offers"]],
    ["own work of one service", { own: { offers: 9 } }, ["slow-code offers"]],
    ["nothing", {}, []],
  ])("%s", async (_, wrong, expected) => {
    expect(harm(await compare(drawnSystem(2, wrong), drawnSystem(1)))).toEqual(expected);
  });

  test("one edge alone is less sure than all edges", async () => {
    const single = await explanationOf({ way: { "shop>offers": 8 } });
    const all = await explanationOf({ way: { "shop>cart": 8, "admin>cart": 8 } });
    expect(single.confidence).toBeLessThan(all.confidence);
  });

  test("the undo brings back the time of the baseline", async () => {
    const { undo } = await explanationOf({ own: { offers: 9 } });
    expect(undo).toHaveLength(1);
    const one = undo[0]!;
    if (one.kind !== "own-time") throw new Error(`undo is a ${one.kind}`);
    const mean = one.ownNs.reduce((sum, ns) => sum + ns, 0) / one.ownNs.length;
    expect(one.rows).toHaveLength(300);
    expect(mean / MS).toBeGreaterThan(2.7);
    expect(mean / MS).toBeLessThan(3.4);
  });
});

describe("requests that break off", () => {
  test("calls that are not made any more", async () => {
    const result = await compare(drawnSystem(2, { breakOff: 0.3 }), drawnSystem(1));
    expect(harm(result)).toEqual(["error-handling shop"]);
    const { explanation, view } = result.claims[0]!;
    expect(view.service).toBe("shop");
    expect(explanation.loss).toBeGreaterThan(0.22);
    expect(explanation.loss).toBeLessThan(0.38);
  });

  test("errors belong to the service where they begin", async () => {
    const result = await compare(drawnSystem(2, { cartErrors: 0.2 }), drawnSystem(1));
    expect(harm(result)).toEqual(["error-handling cart"]);
    expect(new Set(result.claims.map((claim) => claim.view.service))).toEqual(new Set(["shop", "admin"]));
  });
});

test("a caller that stops waiting does not break off", async () => {
  const { claims } = await compare(drawnSystem(2, { cartSilent: 0.2 }), drawnSystem(1));
  const mechanisms = claims.filter(({ explanation }) => explanation.harmful).map(({ explanation }) => explanation);
  expect(mechanisms.filter(({ mechanism }) => mechanism === "error-handling")).toEqual([]);
});

test("masks compare two halves of one window", async () => {
  const table = drawnSystem(3);
  const window = await windowOf(table);
  const views = window.endpoints.map((_, index) => viewEndpoint(window, index));
  const half = (parity: number): Slice => ({
    window,
    traces: Uint8Array.from({ length: window.forest.traceCount }, (_, t) => Number(t % 2 === parity)),
  });
  const result = explainRegressions(half(0), half(1), views);
  expect(harm(result)).toEqual([]);
  expect(result.unchanged.length).toBeGreaterThan(3);
});

test("nothing to compare with is no regression", async () => {
  const empty = spansFromRows([]);
  expect((await compare(drawnSystem(2), empty)).claims).toEqual([]);
  expect((await compare(empty, drawnSystem(1))).claims).toEqual([]);
});

test("the split of an endpoint's mean adds up", async () => {
  const { splits } = await compare(drawnSystem(2, { own: { offers: 9 } }), drawnSystem(1));
  expect(splits.length).toBe(2);
  for (const { comparison } of splits) expect(comparison.mix + comparison.slowdown).toBeCloseTo(comparison.change, 3);
});

async function findingsOf(now: SpanTable, before: SpanTable): Promise<ReturnType<typeof rankFindings>> {
  const window = await windowOf(now);
  const views = window.endpoints.map((_, index) => viewEndpoint(window, index));
  const { claims } = explainRegressions({ window }, { window: await windowOf(before) }, views);
  return rankFindings(claims, replayPredictor(window, ownTime(window.segments, window.spans.rowCount), 1));
}

describe("simulated faults against their baseline", () => {
  test.each(FAULTS.filter((fault) => fault.baseline).map((fault) => [fault.name, fault] as const))(
    "%s comes first",
    { timeout: 60_000 },
    async (_, fault) => {
      const { truth, current, baseline } = faultCase(fault, 2, 800);
      expect(score(await findingsOf(current, baseline!), truth)).toEqual({ byService: 1, byServiceAndMechanism: 1 });
    },
  );
});

describe("healthy pairs", () => {
  const kinds = HEALTHY_KINDS.filter((kind) => kind.baseline);
  test.each(kinds.map((kind) => [kind.name, kind] as const))(
    "%s: ten seeds without an alarm",
    { timeout: 60_000 },
    async (_, kind) => {
      for (let seed = 101; seed <= 110; seed++) {
        const { current, baseline } = healthyCase(kind, seed, 300);
        expect({ seed, alarms: alarms(await findingsOf(current, baseline!)).map(({ title }) => title) }).toEqual({
          seed,
          alarms: [],
        });
      }
    },
  );
});
