import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { isLoopback, parseAddress, settingsOf } from "./settings.ts";

let folder = "";
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "longpole-settings-"));
});
afterAll(() => rmSync(folder, { recursive: true }));

const TOKEN = "0123456789abcdef0123";

function file(name: string, text: string): string {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
}

test("without anything it listens on this machine only and keeps its data here", () => {
  const settings = settingsOf({}, {});
  expect(settings.api).toEqual({ host: "127.0.0.1", port: 7077 });
  expect(settings.grpc).toEqual({ host: "127.0.0.1", port: 4317 });
  expect(settings.http).toEqual({ host: "127.0.0.1", port: 4318 });
  expect(settings.dataDir).toBe("longpole-data");
  expect(settings.tokens).toEqual([]);
  expect(settings.clickhouse).toBeUndefined();
});

test("a flag beats the environment, which beats the file", () => {
  const config = file("order.yaml", "data: in-file\nlisten: { api: '127.0.0.1:1', http: '127.0.0.1:2' }\n");
  expect(settingsOf({ config }, {}).dataDir).toBe("in-file");
  const environment = { LONGPOLE_CONFIG: config, LONGPOLE_DATA: "in-env", LONGPOLE_LISTEN: "127.0.0.1:3" };
  expect(settingsOf({}, environment)).toMatchObject({ dataDir: "in-env", api: { port: 3 }, http: { port: 2 } });
  const flags = { data: "in-flag", port: 4, httpPort: 0 };
  expect(settingsOf(flags, environment)).toMatchObject({ dataDir: "in-flag", api: { port: 4 }, http: { port: 0 } });
});

test.each([
  [{ host: "0.0.0.0" }, {}],
  [{}, { LONGPOLE_LISTEN: "192.0.2.1:7077" }],
  [{}, { LONGPOLE_LISTEN_GRPC: "[::]:4317" }],
  [{}, { LONGPOLE_LISTEN_HTTP: "longpole.example.org:4318" }],
])("%j with %j is refused without a token, and taken with one", (flags, environment) => {
  expect(() => settingsOf(flags, environment)).toThrow(/other machines reach, and no token is set/);
  expect(settingsOf(flags, { ...environment, LONGPOLE_TOKENS: TOKEN }).tokens).toEqual([TOKEN]);
});

test("tokens come from a file, remarks and empty lines left out; an empty file opens nothing", () => {
  const tokens = file("tokens", `# for the dashboards\n${TOKEN}\n\n  ${TOKEN}x\n`);
  expect(settingsOf({ tokenFile: tokens }, {}).tokens).toEqual([TOKEN, `${TOKEN}x`]);
  expect(() => settingsOf({ tokenFile: file("none", "# none yet\n") }, {})).toThrow("holds no token");
  expect(() => settingsOf({ tokenFile: join(folder, "absent") }, {})).toThrow("cannot be read");
  expect(() => settingsOf({}, { LONGPOLE_TOKENS: "short" })).toThrow("16 characters");
});

test("durations, sizes and objectives are read into numbers", () => {
  const config = file(
    "numbers.yaml",
    `retention: { traces: 7d, size: 1.5GiB }
objectives: ["GET /orders p99 < 300ms"]
scrape: [{ url: "http://127.0.0.1:9/metrics", job: node, every: 5s }]
limits: { queryTimeout: 250ms, requestBytes: 2MB }
`,
  );
  const settings = settingsOf({ config }, { LONGPOLE_RETENTION_METRICS: "12h" });
  expect(settings.retention).toEqual({ tracesMs: 604_800_000, metricsMs: 43_200_000, sizeBytes: 1_610_612_736 });
  expect(settings.objectives[0]).toMatchObject({ endpoint: "GET /orders", metric: "p99", limitMs: 300 });
  expect(settings.scrape[0]).toMatchObject({ job: "node", intervalMs: 5000, timeoutMs: 5000 });
  expect(settings.limits).toEqual({ analysisSpans: 250_000, queryTimeoutMs: 250, requestBytes: 2_000_000 });
});

test("databases come from the file, or one from the environment, whose URL may hold a password", () => {
  const url = "postgres://reader@db/shop";
  const config = file(
    "databases.yaml",
    `postgres:\n  - url: ${url}\n    every: 30s\n    plans: true\n  - url: ${url}2\n`,
  );
  expect(settingsOf({ config }, {}).postgres).toEqual([{ url, intervalMs: 30_000, plans: true }, { url: `${url}2` }]);
  expect(settingsOf({ config }, { LONGPOLE_POSTGRES: `${url}3` }).postgres).toEqual([{ url: `${url}3` }]);
  const wrong = file("wrong.yaml", "postgres:\n  - url: host=db\n");
  expect(() => settingsOf({ config: wrong }, {})).toThrow(/postgres:\/\/ URL/);
});

test("a user and password in ClickHouse's address are used and not shown", () => {
  const { clickhouse } = settingsOf(
    { clickhouse: ["https://me:p%40ss%25@ch1:8443/x", "https://me:p%40ss%25@ch2"] },
    {},
  );
  expect(clickhouse).toEqual({ urls: ["https://ch1:8443/x", "https://ch2/"], user: "me", password: "p@ss%" });
  expect(settingsOf({ clickhouse: ["http://ch:8123"] }, { LONGPOLE_CLICKHOUSE_USER: "me" }).clickhouse).toEqual({
    urls: ["http://ch:8123"],
    user: "me",
  });
});

test.each([
  ["clickhouse://me:s3cret@ch:9000", 'found "clickhouse://ch:9000"'],
  // No URL, as the slash ends the host.
  ["http://me:s3cret/x@ch:8123", 'found "http://ch:8123"'],
  ["me:s3cret@ch:8123", 'found "ch:8123"'],
  ["http://me:s3cret%@ch:8123", "of http://ch:8123/ are not percent-encoded"],
  ["http://me:s3cret@ch,http://you:s3cret@ch2", "that of http://ch2/ is not that of http://ch/"],
])("ClickHouse at %s is refused, and no password told", (text, message) => {
  const refused = (): unknown => settingsOf({}, { LONGPOLE_CLICKHOUSE: text });
  expect(refused).toThrow(message);
  expect(refused).not.toThrow("s3cret");
});

test.each([
  [{ LONGPOLE_LISTEN: "7077" }, /LONGPOLE_LISTEN: expected HOST:PORT/],
  [{ LONGPOLE_LISTEN: "127.0.0.1:70000" }, /HOST:PORT/],
  [{ LONGPOLE_CLICKHOUSE: "ftp://x" }, /expected an http or https URL/],
  [{ LONGPOLE_SIZE: "20 apples" }, /LONGPOLE_SIZE: expected a size/],
  [{ LONGPOLE_RETENTION_TRACES: "soon" }, /LONGPOLE_RETENTION_TRACES: expected a duration/],
  [{ LONGPOLE_ANALYSIS_SPANS: "many" }, /LONGPOLE_ANALYSIS_SPANS/],
  [{ LONGPOLE_TLS_CERT: "/x" }, /TLS needs both/],
  [{ LONGPOLE_CONFIG: "/nowhere/longpole.yaml" }, /cannot be read/],
])("%j is refused", (environment, message) => {
  expect(() => settingsOf({}, environment)).toThrow(message);
});

test("an address is a host and a port, and which hosts are of this machine", () => {
  expect(parseAddress("[::1]:0", "x")).toEqual({ host: "::1", port: 0 });
  expect(["127.0.0.1", "127.8.9.1", "::1", "localhost"].every(isLoopback)).toBe(true);
  expect(["0.0.0.0", "::", "10.0.0.1", "127.0.0.1.example.org", "localhost.example.org"].some(isLoopback)).toBe(false);
});
