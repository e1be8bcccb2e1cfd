import { describe, expect, test } from "vitest";
import { SpanKind, type SpanTable } from "../../model/span-table.ts";
import { spansFromRows, type SpanRow } from "../../testing/spans-from-rows.ts";
import { diagnose } from "../diagnose.ts";
import type { Finding } from "../../model/report.ts";

const MS = 1e6;

/** 300 requests to the front, which calls the back; `wayMs` is how long the i-th call is on the way there, else 1 ms. */
function calls(wayMs: (i: number) => number | undefined): SpanTable {
  const rows: SpanRow[] = [];
  for (let i = 0; i < 300; i++) {
    const at = i * 100 * MS;
    const way = (wayMs(i) ?? 1 + 0.1 * (i % 7)) * MS;
    const work = (4 + 0.2 * (i % 5)) * MS;
    const row = (id: number, from: number, to: number, kind: number, service: string, name: string): SpanRow => ({
      trace: i + 1,
      id,
      parent: id - 1,
      startNs: from,
      endNs: to,
      kind,
      service,
      name,
    });
    rows.push(row(1, at, at + way + work + 3 * MS, SpanKind.server, "front", "GET /"));
    rows.push(row(2, at + MS, at + way + work + 2 * MS, SpanKind.client, "front", "GET"));
    rows.push(row(3, at + MS + way, at + MS + way + work, SpanKind.server, "back", "GET /part"));
  }
  return spansFromRows(rows);
}

const every = (n: number, ms: (k: number) => number) => (i: number) => (i % n === 3 ? ms((i - 3) / n) : undefined);
const refusing = calls(every(30, (k) => [1003, 1012, 1031, 3008][k % 4]!));

async function found(now: SpanTable, baseline?: SpanTable): Promise<Finding[]> {
  const { findings } = await diagnose({ spans: now, ...(baseline === undefined ? {} : { baseline }) });
  return findings.filter(({ severity }) => severity !== "note");
}

describe("calls that are taken up a connection retry later", () => {
  test("name the callee's accept queue, and what they would take without", async () => {
    const [first] = await found(refusing);
    expect(first).toMatchObject({ mechanism: "accept-queue", subject: { service: "back" }, severity: "critical" });
    expect(first!.why).toContain("10 of 300 calls");
    expect(first!.impact.now).toBeGreaterThan(1000);
    expect(first!.impact.predicted).toBeLessThan(20);
  });

  test("are new where the baseline had none, and nothing new where it had as many", async () => {
    expect(
      (
        await found(
          refusing,
          calls(() => undefined),
        )
      )[0],
    ).toMatchObject({
      mechanism: "accept-queue",
      kind: "regression",
    });
    expect(await found(refusing, refusing)).toEqual([]);
  });
});

test("some wait longer than a retry, for an acknowledgement that was dropped as well, or for a second burst", async () => {
  const [first] = await found(
    calls(every(15, (k) => [1006, 1012, 1234, 1020, 1467, 1031, 2046, 1003, 3012, 1009][k % 10]!)),
  );
  expect(first).toMatchObject({ mechanism: "accept-queue", subject: { service: "back" } });
});

test.each<[string, (i: number) => number | undefined]>([
  ["calls that take from one to two seconds", every(15, (k) => 1005 + 50 * k)],
  ["waits of any length up to two seconds", every(30, (k) => 700 + 130 * k)],
  ["a way that loses packets of existing connections too", (i) => every(30, () => 1010)(i) ?? every(20, () => 210)(i)],
  ["two calls are no pattern", (i) => (i === 50 || i === 200 ? 1010 : undefined)],
])("no accept queue: %s", async (_, way) => {
  const { findings } = await diagnose({ spans: calls(way) });
  expect(findings.map(({ mechanism }) => mechanism)).not.toContain("accept-queue");
});
