import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Report } from "../src/model/report.ts";
import { longpole } from "./longpole.ts";
import { replay, type Replayed } from "./replay.ts";
import { START_TIMEOUT_MS, startUp, type RunningUp } from "./running-up.ts";

const MS = 1_000_000n;
const SEED_TOKEN = "a-token-of-the-end-to-end-tests";

let folder = "";
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "longpole-up-"));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const nowUnixNs = (): bigint => BigInt(Date.now()) * MS;

describe("a server that received a recording", () => {
  let up: RunningUp;
  let sent: Replayed;
  let window: readonly string[];
  beforeAll(async () => {
    up = await startUp(join(folder, "data"));
    sent = await replay("examples/missing-index/fault", up.otlpUrl, nowUnixNs() - 1000n * MS);
    window = ["--from", String(sent.firstUnixNs - 1000n * MS), "--to", String(sent.lastUnixNs + 1000n * MS)];
  }, START_TIMEOUT_MS);
  afterAll(() => up.kill("SIGKILL"));

  const diagnose = (...args: string[]) => longpole(["diagnose", "--url", up.apiUrl, "-q", ...args]);

  test("diagnose names the cause of what came in the last quarter of an hour, and exits as --fail-on says", () => {
    const { code, stdout } = diagnose("--json", "--fail-on", "critical");
    expect(code).toBe(1);
    const report = JSON.parse(stdout) as Report;
    expect(report.dataQuality.spans).toBe(sent.spans);
    expect(report.findings[0]).toMatchObject({ mechanism: "missing-index", subject: { service: "shop" } });
    expect(report.live).toMatchObject({ traceShare: 1, spansInWindow: sent.spans });
    const text = diagnose();
    expect(text.code).toBe(0);
    expect(text.stdout).toContain("an index on");
    expect(text.stdout).toContain(`what-if --url ${up.apiUrl}`);
  });

  test("the report of a window is that of its export, to the last digit", async () => {
    const live = JSON.parse(diagnose("--json", ...window).stdout) as Report;
    const answer = await fetch(`${up.apiUrl}/api/v1/export?from=${window[1]}&to=${window[3]}`);
    const file = join(folder, "export.jsonl");
    writeFileSync(file, Buffer.from(await answer.arrayBuffer()));
    const { live: read, ...report } = live;
    expect(read?.fromUnixNs).toBe(window[1]);
    expect(JSON.parse(longpole(["analyze", file, "--json", "-q"]).stdout)).toEqual(report);
  });

  test("what-if asks the server", () => {
    const change = "service=orders,operation=pg.query:SELECT shop,time=0.016";
    const { code, stdout } = longpole(["what-if", "--url", up.apiUrl, ...window, "--change", change, "--json", "-q"]);
    expect(code).toBe(0);
    const { endpoints } = JSON.parse(stdout) as {
      endpoints: { operation: string; p99: { now: number; predicted: number } }[];
    };
    const slow = endpoints.find(({ operation }) => operation === "GET /api/customers/:id/orders")!;
    expect(slow.p99.predicted).toBeLessThan(slow.p99.now / 2);
    const wrong = longpole([
      "what-if",
      "--url",
      up.apiUrl,
      ...window,
      "--change",
      "service=nobody,operation=x,time=1",
      "-q",
    ]);
    expect(wrong.code).toBe(2);
    expect(wrong.stderr).toContain("nobody");
  });

  test("nothing that was acknowledged is lost when it is killed, and the finding is still known", async () => {
    up.kill("SIGKILL");
    await up.ended;
    up = await startUp(join(folder, "data"));
    const report = JSON.parse(diagnose("--json", ...window).stdout) as Report;
    expect(report.dataQuality.spans).toBe(sent.spans);
    const kept = (await (await fetch(`${up.apiUrl}/api/v1/findings?last=1h`)).json()) as {
      findings: { finding: { mechanism: string } }[];
    };
    expect(kept.findings.map(({ finding }) => finding.mechanism)).toContain("missing-index");
  });

  test("Ctrl-C ends it well", async () => {
    up.kill("SIGINT");
    expect(await up.ended).toBe(0);
  });
});

test("a server with tokens lets nobody in without one", async () => {
  const tokenFile = join(folder, "tokens");
  writeFileSync(tokenFile, `# of the tests\n${SEED_TOKEN}\n`, { mode: 0o600 });
  const up = await startUp(join(folder, "guarded"), ["--token-file", tokenFile]);
  try {
    for (const headers of [{}, { authorization: "Bearer wrong" }]) {
      expect((await fetch(`${up.apiUrl}/api/v1/status`, { headers })).status).toBe(401);
      const post = { method: "POST", headers: { ...headers, "content-type": "application/json" }, body: "{}" };
      expect((await fetch(`${up.otlpUrl}/v1/traces`, post)).status).toBe(401);
    }
    expect((await fetch(`${up.apiUrl}/healthz`)).status).toBe(200);
    const refused = longpole(["diagnose", "--url", up.apiUrl, "-q"]);
    expect([refused.code, refused.stdout]).toEqual([2, ""]);
    expect(refused.stderr).toContain("401");
    // Nothing was sent: too little to tell.
    expect(longpole(["diagnose", "--url", up.apiUrl, "--token-file", tokenFile, "-q"]).code).toBe(3);
  } finally {
    up.kill("SIGKILL");
    await up.ended;
  }
});

test.each([
  [["--host", "0.0.0.0"], /no token is set/],
  [["--config", "/nowhere/longpole.yaml"], /cannot be read/],
  [["--clickhouse", "http://127.0.0.1:1"], /does not answer|ECONNREFUSED/],
])("up %j says what is wrong and exits with 2", (args, message) => {
  const { code, stdout, stderr } = longpole(["up", "--data", join(folder, "refused"), ...args]);
  expect([code, stdout]).toEqual([2, ""]);
  expect(stderr).toMatch(message);
  expect(stderr).not.toContain("defect");
});

test("a port that is taken, and a data folder that is, are told with what mends it", async () => {
  const up = await startUp(join(folder, "first"));
  try {
    const apiPort = new URL(up.apiUrl).port;
    const taken = longpole([
      "up",
      "--data",
      join(folder, "second"),
      "--port",
      apiPort,
      "--grpc-port",
      "0",
      "--http-port",
      "0",
    ]);
    expect(taken.code).toBe(2);
    expect(taken.stderr).toMatch(new RegExp(`127\\.0\\.0\\.1:${apiPort} is in use.*--port`));
    const locked = longpole([
      "up",
      "--data",
      join(folder, "first"),
      "--port",
      "0",
      "--grpc-port",
      "0",
      "--http-port",
      "0",
    ]);
    expect(locked.code).toBe(2);
    expect(locked.stderr).toMatch(/in use by process \d+.*--data/);
  } finally {
    up.kill("SIGKILL");
    await up.ended;
  }
});

test("diagnose without a server says how to start one", () => {
  const { code, stdout, stderr } = longpole(["diagnose", "--url", "http://127.0.0.1:9"]);
  expect([code, stdout]).toEqual([2, ""]);
  expect(stderr).toContain("cannot reach http://127.0.0.1:9");
});
