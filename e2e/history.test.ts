import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { otlpTraceLines } from "../src/formats/write-otlp-traces-json.ts";
import type { Report } from "../src/model/report.ts";
import { SpanKind } from "../src/model/span-table.ts";
import { unixNs } from "../src/model/units.ts";
import { spansFromRows, type SpanRow } from "../src/testing/spans-from-rows.ts";
import { START_TIMEOUT_MS, startUp, type RunningUp } from "./running-up.ts";

const MS = 1_000_000;
const S = 1_000_000_000;
const MINUTE = 60 * S;
/** Requests a minute; each calls another service once. */
const PER_MINUTE = 90;

/** When the history begins: whole minutes, an hour ago. */
const T0 = (BigInt(Math.floor(Date.now() / 60_000)) - 60n) * BigInt(MINUTE);
const at = (minute: number): bigint => T0 + BigInt(minute * MINUTE);

/** Median time of the called service in each minute: a change at minute 20, and the fix of it at minute 40. */
const callMs = (minute: number): number => (minute >= 20 && minute < 40 ? 80 : 8);

function traffic(): SpanRow[] {
  const rows: SpanRow[] = [];
  for (let i = 0; i < 60 * PER_MINUTE; i++) {
    const start = i * (MINUTE / PER_MINUTE);
    // Skewed to the right, the same in each minute: 0.7 to 2.7 times the median.
    const draw = ((i * 37) % 89) / 89;
    const call = callMs(Math.floor(start / MINUTE)) * (0.7 + 0.6 * draw + 1.4 * draw ** 8) * MS;
    const own = (2 + draw) * MS;
    const trace = Math.imul(i + 1, 0x9e3779b1) >>> 0;
    const common = { trace, host: "h" };
    rows.push(
      {
        ...common,
        id: 3 * i + 1,
        parent: 0,
        startNs: start,
        endNs: start + own + call + 2 * MS,
        service: "shop",
        name: "GET /cart",
        kind: SpanKind.server,
      },
      {
        ...common,
        id: 3 * i + 2,
        parent: 3 * i + 1,
        startNs: start + own,
        endNs: start + own + call + MS,
        service: "shop",
        name: "GET /stock",
        kind: SpanKind.client,
      },
      {
        ...common,
        id: 3 * i + 3,
        parent: 3 * i + 2,
        startNs: start + own + 0.4 * MS,
        endNs: start + own + call + 0.6 * MS,
        service: "stock",
        name: "GET /stock",
        kind: SpanKind.server,
      },
    );
  }
  return rows;
}

let folder = "";
let up: RunningUp;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "longpole-history-"));
  up = await startUp(join(folder, "data"));
  for (const line of otlpTraceLines({ ...spansFromRows(traffic()), baseUnixNs: unixNs(T0) })) {
    const sent = await fetch(`${up.otlpUrl}/v1/traces`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: line,
    });
    if (!sent.ok) throw new Error(`${sent.status} ${await sent.text()}`);
  }
}, START_TIMEOUT_MS);
afterAll(async () => {
  up.kill("SIGKILL");
  await up.ended;
  rmSync(folder, { recursive: true, force: true });
});

async function report(from: number, to: number, more = ""): Promise<Report> {
  const answer = await fetch(`${up.apiUrl}/api/v1/report?from=${at(from)}&to=${at(to)}${more}`);
  expect(answer.status).toBe(200);
  return (await answer.json()) as Report;
}

test("a window after a rise is held against the time before it, without being asked", async () => {
  const { live, endpoints, findings } = await report(25, 38);
  expect(live?.baseline).toMatchObject({ fromUnixNs: String(at(7)), toUnixNs: String(at(20)), traceShare: 1 });
  expect(live?.baseline?.why).toMatch(/^before the (mean|p99) of shop GET \/cart rose from/);
  const cart = endpoints.find(({ operation }) => operation === "GET /cart")!;
  expect(cart.baseline!.p50Ms).toBeLessThan(20);
  expect(cart.p50Ms).toBeGreaterThan(60);
  expect(findings.some(({ severity, subject }) => severity !== "note" && subject.service === "stock")).toBe(true);
});

test("a window before the rise, and one that is asked to, is compared with nothing", async () => {
  expect((await report(5, 18)).live?.baseline).toBeUndefined();
  expect((await report(25, 38, "&baseline=none")).live?.baseline).toBeUndefined();
  const asked = await report(25, 38, "&baseline=15m");
  expect(asked.live?.baseline).toMatchObject({ fromUnixNs: String(at(10)), toUnixNs: String(at(23)), why: "as asked" });
});

test("when the fix has come, the predictions of what was found are held against what is measured", async () => {
  await report(25, 38);
  const mended = await report(42, 59);
  expect(mended.live?.baseline).toBeUndefined();
  const answer = await fetch(`${up.apiUrl}/api/v1/findings?from=${at(0)}&to=${at(60)}`);
  const { findings } = (await answer.json()) as {
    findings: { finding: { subject: { service: string } }; score: null | Record<string, number | boolean | string> }[];
  };
  const scored = findings.filter(({ score }) => score !== null);
  expect(scored.length).toBeGreaterThan(0);
  for (const { score } of scored) {
    expect(score!["changedUnixNs"]).toBe(String(at(40)));
    expect(score!["measured"]).toBeLessThan(Number(score!["before"]) / 3);
    expect(score!["within"]).toBe(
      Number(score!["low"]) <= Number(score!["measured"]) && Number(score!["measured"]) <= Number(score!["high"]),
    );
  }
});
