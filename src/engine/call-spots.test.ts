import { expect, test } from "vitest";
import { traceFromText } from "../testing/trace-from-text.ts";
import { callSpots, inclusiveTimes } from "./call-spots.ts";
import { subtree } from "./path-index.ts";
import { viewEndpoint } from "./endpoint-view.ts";
import { buildWindow } from "./window.ts";

const COLUMN_NS = 10_000;

/** Five times the same trace; 20 columns, 12 of them below the call of cart, 1 of those in its cache. */
const TRACE = `
  shop GET /        |-------------------|   server
    shop log         ||                     internal
    shop POST          |-----------|        client server.address=cart
      cart POST /add    |---------|         server
        cart SELECT       |-----|           client db.system=postgresql db.namespace=main
        cart GET                |           client db.system=redis server.address=cache
    shop SELECT                       ||    client db.system=postgresql db.namespace=main
`;

async function drawn(): Promise<Parameters<typeof inclusiveTimes>> {
  const window = await buildWindow(
    traceFromText(Array(5).fill(TRACE).join("\n"), { unitNs: COLUMN_NS }),
    async () => {},
  );
  return [window, viewEndpoint(window, 0)];
}

test("a call's time holds all that is below it", async () => {
  const [window, view] = await drawn();
  const times = [...inclusiveTimes(window, view)].map(([node, { meanNs }]) => [
    `${window.text(window.paths.service[node]!)} ${window.text(window.paths.operation[node]!)}`,
    meanNs / COLUMN_NS,
  ]);
  expect(Object.fromEntries(times)).toEqual({
    "shop GET /": 20,
    "shop log": 1,
    // 12 columns: 2 on the way, 4 in cart itself, 6 in its database
    "shop POST": 12,
    "cart POST /add": 10,
    "cart SELECT": 6,
    "shop SELECT": 1,
  });
});

test("calls from 5 % of the endpoint's time on, the most first", async () => {
  const [window, view] = await drawn();
  expect(callSpots(window, view).map((spot) => [spot.operation, spot.callee, spot.slowNs / COLUMN_NS])).toEqual([
    ["POST", "cart", 12],
    ["SELECT", "main", 6],
    // 1 of 20 columns is 5 %
    ["SELECT", "main", 1],
  ]);
});

test("a node and all below it", async () => {
  const [window] = await drawn();
  const { paths } = window;
  const call = paths.operation.findIndex((id) => window.text(id) === "POST");
  expect(subtree(window, call).map((node) => window.text(paths.operation[node]!))).toEqual([
    "POST",
    "POST /add",
    "SELECT",
    "GET",
  ]);
});
