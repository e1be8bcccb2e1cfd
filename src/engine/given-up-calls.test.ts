import { expect, test } from "vitest";
import { SpanKind, SpanStatus } from "../model/span-table.ts";
import { spansFromRows, type SpanRow } from "../testing/spans-from-rows.ts";
import { givenUpCalls } from "./given-up-calls.ts";
import { buildWindow } from "./window.ts";

const MS = 1e6;

/** One call of a trace of its own: how long the caller waits, whether it fails, and when the callee ends, if it is heard of. */
interface Call {
  readonly ms: number;
  readonly fails: boolean;
  readonly calleeEndsAtMs?: number;
}

async function givenUp(calls: readonly Call[]): Promise<number[]> {
  const rows: SpanRow[] = calls.flatMap(({ ms, calleeEndsAtMs }, i): SpanRow[] => {
    const trace = i + 1;
    const shop = { trace, service: "shop" };
    return [
      { ...shop, id: 1, parent: 0, startNs: 0, endNs: (ms + 2) * MS, kind: SpanKind.server, name: "GET /shop" },
      { ...shop, id: 2, parent: 1, startNs: MS, endNs: (ms + 1) * MS, kind: SpanKind.client, name: "call cart" },
      ...(calleeEndsAtMs === undefined
        ? []
        : [{ trace, service: "cart", id: 3, parent: 2, startNs: MS, endNs: calleeEndsAtMs * MS, kind: SpanKind.server, name: "GET /cart" }]), // prettier-ignore
    ];
  });
  const table = spansFromRows(rows);
  const clients = rows.flatMap(({ name }, row) => (name === "call cart" ? [row] : []));
  clients.forEach((row, i) => {
    if (calls[i]!.fails) table.status[row] = SpanStatus.error;
  });
  const given = givenUpCalls(await buildWindow(table, async () => {}));
  return clients.map((row) => given[row]!);
}

const failing = (...durations: readonly number[]): Call[] => durations.map((ms) => ({ ms, fails: true }));

test("failures after one time, of which the callee knows nothing: a timer", async () => {
  expect(await givenUp(failing(1000, 1001, 1004, 1010, 999, 1002))).toEqual([1, 1, 1, 1, 1, 1]);
});

test("quick refusals beside them are refusals", async () => {
  expect(await givenUp(failing(1000, 1001, 3, 1004, 1010, 2, 999))).toEqual([1, 1, 0, 1, 1, 0, 1]);
});

test("failures after all kinds of times, few, or within a moment, are no timer", async () => {
  expect(await givenUp(failing(100, 240, 700, 410, 1900, 900))).toEqual([0, 0, 0, 0, 0, 0]);
  expect(await givenUp(failing(1000, 1001, 1002, 1003))).toEqual([0, 0, 0, 0]);
  expect(await givenUp(failing(2, 2, 2, 2, 2, 2))).toEqual([0, 0, 0, 0, 0, 0]);
});

test("a callee that goes on after its caller has left", async () => {
  expect(
    await givenUp([
      { ms: 100, fails: true, calleeEndsAtMs: 400 },
      { ms: 100, fails: true, calleeEndsAtMs: 90 },
      { ms: 100, fails: false, calleeEndsAtMs: 400 },
    ]),
  ).toEqual([1, 0, 0]);
});
