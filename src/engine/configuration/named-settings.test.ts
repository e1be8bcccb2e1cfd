import { expect, test } from "vitest";
import type { Finding, Subject } from "../../model/report.ts";
import { SpanKind } from "../../model/span-table.ts";
import { sampleReport } from "../../testing/sample-report.ts";
import { spansFromRows, type SpanRow } from "../../testing/spans-from-rows.ts";
import { buildWindow } from "../window.ts";
import { nameSettings } from "./named-settings.ts";

const MS = 1e6;
const { server, client } = SpanKind;
const [sample] = sampleReport().findings;

async function named(mechanism: Finding["mechanism"], subject: Subject, rows: readonly SpanRow[]): Promise<Finding> {
  const window = await buildWindow(spansFromRows(rows), async () => {});
  const finding: Finding = { ...sample!, mechanism, subject, severity: "warning", remedy: { text: "Look." } };
  return nameSettings([finding], window)[0]!;
}

interface Call {
  readonly ms: number;
  readonly isError?: boolean;
}
/** A request of the gateway every 50 ms, with these calls of the shop one after the other. */
const calling = (n: number, calls: (i: number) => readonly Call[], more: Partial<SpanRow> = {}): SpanRow[] =>
  Array.from({ length: n }, (_, i) => {
    const startNs = 50 * i * MS;
    let atMs = 1;
    const below = calls(i).map((call, k): SpanRow => {
      const from = atMs;
      atMs += call.ms + 1;
      return {
        trace: i + 1,
        id: 2 + k,
        parent: 1,
        service: "gateway",
        kind: client,
        name: "GET",
        isError: call.isError === true,
        startNs: startNs + from * MS,
        endNs: startNs + (from + call.ms) * MS,
        ...more,
      };
    });
    const root = { trace: i + 1, id: 1, parent: 0, service: "gateway", kind: server, name: "GET /" };
    return [{ ...root, startNs, endNs: startNs + atMs * MS }, ...below];
  }).flat();

const gateway = { service: "gateway", operation: "GET" };

test("a timer that everybody's kernel has, by its name; another by its length", async () => {
  const slow = (delayMs: number) => (i: number) => [{ ms: 4 + (i % 7) * 0.3 + (i % 5 === 0 ? delayMs : 0) }];
  const ack = await named("fixed-delay", gateway, calling(400, slow(40)));
  expect(ack).toMatchObject({ subject: { setting: "TCP_NODELAY" }, remedy: { change: "TCP_NODELAY: off -> on" } });
  expect(ack.evidence.at(-1)!.text).toContain("40.0 ms above the rest: delayed ACK");
  const poll = await named("fixed-delay", gateway, calling(400, slow(100)));
  expect(poll.remedy.change).toBe("wait: 100 ms -> 0 ms");
});

test("a timeout is what nearly all answers take, and half as long again", async () => {
  // 1 of 10 is waited for 500 ms; the others take 10 to 19 ms, p99 19: × 1.5 = 28.5, as people write it 29.
  const rows = calling(200, (i) => (i % 10 === 0 ? [{ ms: 501, isError: true }] : [{ ms: 10 + (i % 10) }]));
  const { remedy } = await named("timeout", gateway, rows);
  expect(remedy.change).toBe("timeout: 500 ms -> 29 ms");
});

test("retries: the load they make, and that of one", async () => {
  // Half of the requests fail three times before they pass: 100 × 4 + 100 × 1 = 500 calls for 200, 300 of them failures.
  const rows = calling(200, (i) => [
    ...(i % 2 === 0 ? Array.from({ length: 3 }, () => ({ ms: 1, isError: true })) : []),
    { ms: 1 },
  ]);
  const found = await named("retries", gateway, rows);
  expect(found.remedy.change).toBe("retries: 3 -> 1");
  expect(found.evidence.at(-1)!.text).toContain("60 % fail: 2.50 times the load; with one retry 1.60 times");
});

test("how many connections a pool would keep", async () => {
  const attributes = { "db.system.name": "postgresql", "db.namespace": "shop" };
  const rows = [
    ...calling(200, () => [{ ms: 4 }], { name: "pg.connect", attributes }),
    ...calling(200, () => [{ ms: 10 }], {
      name: "SELECT",
      attributes: { ...attributes, "db.query.text": "SELECT 1" },
    }).map((span) => ({ ...span, trace: span.trace + 1000 })),
  ];
  // 10 ms every 50 ms: 0.2 in use, C(2, 0.2) = 0.02.
  const found = await named("connection-churn", { service: "gateway", operation: "pg.connect" }, rows);
  expect(found.remedy.change).toBe("pool.max: none -> 2");
});

test("a setting that is named already stays, and a note names none", async () => {
  const window = await buildWindow(spansFromRows([]), async () => {});
  const note: Finding = { ...sample!, mechanism: "accept-queue", severity: "note", remedy: { text: "" } };
  const known: Finding = { ...note, severity: "warning", remedy: { text: "", change: "backlog: 1 -> 2" } };
  expect(nameSettings([note, known], window)).toEqual([note, known]);
  const [open] = nameSettings([{ ...note, severity: "warning" }], window);
  expect(open!.remedy.change).toBe("backlog: -> 511, net.core.somaxconn: -> 4096");
});
