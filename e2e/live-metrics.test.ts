import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { Report } from "../src/model/report.ts";
import { longpole } from "./longpole.ts";
import { replay, type Replayed } from "./replay.ts";
import { START_TIMEOUT_MS, startUp, type RunningUp } from "./running-up.ts";

const S = 1_000_000_000n;
/** Metrics come in every second or so: those around the first and the last request belong to it. */
const AROUND = 5n * S;

let folder = "";
let up: RunningUp;
let windows: { readonly fault: readonly bigint[]; readonly before: readonly bigint[] };
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "longpole-metrics-"));
  up = await startUp(join(folder, "data"));
  const now = BigInt(Date.now()) * 1_000_000n;
  const around = ({ firstUnixNs, lastUnixNs }: Replayed): bigint[] => [firstUnixNs - AROUND, lastUnixNs + AROUND];
  const recording = "examples/lab/database-doubled";
  windows = {
    before: around(await replay(`${recording}/before`, up.otlpUrl, now - 600n * S)),
    fault: around(await replay(`${recording}/fault`, up.otlpUrl, now - 2n * S)),
  };
}, START_TIMEOUT_MS);
afterAll(async () => {
  up.kill("SIGKILL");
  await up.ended;
  rmSync(folder, { recursive: true, force: true });
});

async function exported(name: string, [from, to]: readonly bigint[]): Promise<string> {
  const file = join(folder, `${name}.jsonl`);
  const answer = await fetch(`${up.apiUrl}/api/v1/export?from=${from}&to=${to}`);
  writeFileSync(file, Buffer.from(await answer.arrayBuffer()));
  return file;
}

test("with metrics and a baseline, too, a window's report is that of the exports to the last digit", async () => {
  const { fault, before } = windows;
  const window = ["--from", String(fault[0]), "--to", String(fault[1]), "--baseline", before.join("/")];
  const live = longpole(["diagnose", "--url", up.apiUrl, ...window, "--json", "-q"]);
  expect([live.code, live.stderr]).toEqual([0, ""]);
  const { live: read, ...report } = JSON.parse(live.stdout) as Report;
  expect(read?.baseline).toMatchObject({ fromUnixNs: String(before[0]), why: "as asked" });
  expect(report.dataQuality.metricPoints?.analysed).toBeGreaterThan(1000);
  // The growth of the table is known from metrics only.
  expect(report.findings[0]).toMatchObject({ mechanism: "missing-index", subject: { service: "zones_db" } });
  expect(report.findings[0]?.title).toMatch(/grew|doubled/);
  const files = [await exported("fault", fault), "--baseline", await exported("before", before)];
  expect(JSON.parse(longpole(["analyze", ...files, "--json", "-q"]).stdout)).toEqual(report);
});
