import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { ConfigError } from "./config-error.ts";
import { parseConfig } from "./read-config.ts";

const faultOf = (text: string): string => {
  try {
    parseConfig(text, "longpole.yaml");
  } catch (error) {
    expect(error).toBeInstanceOf(ConfigError);
    return (error as Error).message;
  }
  throw new Error("no fault was found");
};

test("an empty file is an empty configuration, a full one is what it says", () => {
  expect(parseConfig("", "f")).toEqual({});
  expect(parseConfig("# only a remark\n", "f")).toEqual({});
  const full = parseConfig(
    `
listen: { api: "127.0.0.1:7077", grpc: "[::1]:4317", http: "127.0.0.1:4318" }
data: /var/lib/longpole
clickhouse: { urls: [http://a:8123, http://b:8123], user: u, password: p, database: d, cluster: c }
retention: { traces: 7d, metrics: 30d, size: 20GB }
auth: { tokens: [0123456789abcdef] }
tls: { cert: c.pem, key: k.pem }
hosts: [longpole.example.org]
objectives: ["GET /orders p99 < 300ms"]
scrape: [{ url: "http://127.0.0.1:9100/metrics", job: node, every: 15s }]
operations: [{ service: shop, match: "^GET /users/\\\\d+$", name: "GET /users/:id" }]
limits: { analysisSpans: 100000, queryTimeout: 10s, requestBytes: 20MiB, memory: 1GiB, wal: 4GiB }
`,
    "f",
  );
  expect(full.listen?.grpc).toBe("[::1]:4317");
  expect(full.operations?.[0]?.match).toBe("^GET /users/\\d+$");
});

test.each([
  ["retention:\n  trces: 7d\n", 'longpole.yaml:2:3: unknown key "retention.trces"; did you mean "traces"?'],
  ["listen:\n  api: 127.0.0.1:7077\ndta: x\n", 'longpole.yaml:3:1: unknown key "dta"; did you mean "data"?'],
  [
    "tls:\n  cert: a\n  key: b\n  certificateAuthority: c\n",
    'longpole.yaml:4:3: unknown key "tls.certificateAuthority"; known: cert, key',
  ],
  [
    "scrape:\n  - url: http://a/metrics\n    evry: 1s\n",
    'longpole.yaml:3:5: unknown key "scrape.0.evry"; did you mean "every"?',
  ],
  [
    "retention:\n  traces: seven days\n",
    'longpole.yaml:2:11: retention.traces: expected a duration as 90s, 15m, 12h or 7d, found "seven days"',
  ],
  [
    "limits:\n  analysisSpans: 1.5\n",
    "longpole.yaml:2:18: limits.analysisSpans: expected a whole number above zero, found 1.5",
  ],
  ["objectives: fast\n", 'longpole.yaml:1:13: objectives: expected a list of objectives, found "fast"'],
  [
    "auth:\n  tokens:\n    - short\n",
    "longpole.yaml:3:7: auth.tokens.0: expected a token of 16 characters or more, found something else, which is not repeated",
  ],
  [
    "postgres:\n  - url: postgress://u:hunter2@h/d\n",
    'longpole.yaml:2:10: postgres.0.url: expected a postgres:// URL, found "postgress://…@h/d"',
  ],
  [
    "operations:\n  - match: '('\n    name: x\n",
    'longpole.yaml:2:12: operations.0.match: expected a regular expression, found "("',
  ],
  ["tls:\n  cert: a\n", "longpole.yaml:2:3: missing key in tls: key"],
  ["- a\n", 'longpole.yaml:1:1: the file: expected a mapping, found ["a"]'],
])("%j is refused with its place", (text, message) => {
  expect(faultOf(text)).toBe(message);
});

test("what is no YAML is told with its line", () => {
  expect(faultOf("data: x\nlisten: [\n")).toMatch(/^longpole\.yaml:\d+:\d+: /);
  expect(faultOf("data: a\ndata: b\n")).toMatch(/^longpole\.yaml:2:1: .*unique/);
});

test("the file that is shown as an example is right, and so is each line of it that is a remark", () => {
  const text = readFileSync("deploy/longpole.yaml", "utf8");
  expect(parseConfig(text, "f").retention).toEqual({ traces: "7d", metrics: "30d" });
  // Remarks in sentences end with a full stop or a colon and a file; the others are settings.
  const uncommented = text
    .split("\n")
    .map((line) => (/^# ?(?:[A-Z].*|$)/.test(line) ? "" : line.replace(/^# ?/, "")))
    .join("\n");
  const { tokens, ...auth } = { tokens: 0, ...parseConfig(uncommented, "f").auth };
  expect([tokens, auth]).toEqual([0, { tokenFile: "/etc/longpole/tokens" }]);
});

test("aliases that would grow without end are refused", () => {
  const bomb = [
    "a: &a [x]",
    ...Array.from({ length: 9 }, (_, i) => {
      const [name, before] = ["bcdefghij"[i]!, "abcdefghi"[i]!];
      return `${name}: &${name} [${Array.from({ length: 9 }, () => `*${before}`).join()}]`;
    }),
  ].join("\n");
  expect(faultOf(bomb)).toMatch(/alias/);
});
