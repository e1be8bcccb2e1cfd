import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { longpole, ROOT, shell } from "./longpole.ts";

const FAULT = "examples/missing-index/fault/traces.otlp.pb.gz";

let folder = "";
beforeAll(() => (folder = mkdtempSync(join(tmpdir(), "longpole-e2e-"))));
afterAll(() => rmSync(folder, { recursive: true }));

function file(name: string, content: string): string {
  writeFileSync(join(folder, name), content);
  return join(folder, name);
}

const COMMANDS = [
  "analyze",
  "compare",
  "what-if",
  "critical-path",
  "changepoints",
  "flame",
  "record",
  "trace",
  "doctor",
  "usl",
];

test.each([[], ...COMMANDS.map((command) => [command])])("longpole %s --help", (...command) => {
  const { code, stdout, stderr } = longpole([...command, "--help"]);
  expect([code, stderr]).toEqual([0, ""]);
  expect(stdout).toContain("longpole");
});

test("the examples of --help name files that exist", () => {
  for (const command of COMMANDS) {
    for (const [path] of longpole([command, "--help"]).stdout.matchAll(/examples\/[\w./-]+/g)) {
      expect(readdirSync(join(ROOT, path, "..")), path).toContain(path.split("/").at(-1));
    }
  }
});

test("--version is the version of the package", () => {
  expect(longpole(["--version"]).stdout).toMatch(/^\d+\.\d+\.\d+\n$/);
});

describe("wrong usage: one reason on stderr, nothing on stdout, 2", () => {
  test.each([
    ["no command", []],
    ["unknown command", ["analyse"]],
    ["unknown option", ["analyze", "x", "--fial-on", "note"]],
    ["no file", ["analyze"]],
    ["bad choice", ["critical-path", "x", "--rule", "best"]],
  ])("%s", (_, args) => {
    const { code, stdout, stderr } = longpole(args);
    expect([code, stdout]).toEqual([2, ""]);
    expect(stderr).not.toBe("");
    expect(stderr).not.toContain("    at ");
  });
});

describe("bad input: the file, what was expected and found, 2, never a stack", () => {
  test.each([
    ["absent", () => join(folder, "absent.json")],
    ["empty", () => file("empty", "")],
    ["garbage", () => file("garbage", "\u0000\u0001\u0002 what is this?")],
    ["half of a JSON", () => file("half.json", '{"resourceSpans":[{"scopeSpans":[')],
    ["a web page", () => file("page.html", "<!doctype html><title>502</title>")],
  ])("%s", (_, make) => {
    const path = make();
    const { code, stderr } = longpole(["analyze", path, "--json"]);
    expect(code).toBe(2);
    expect(stderr).toContain(`longpole: ${path}`);
    expect(stderr).toMatch(/expected .+, found /);
    expect(stderr).not.toMatch(/ {4}at |defect of Longpole/);
  });

  test("a series that is none", () => {
    const path = file("bad.csv", "time,value\n1,2\nx,y\n");
    expect(longpole(["changepoints", path])).toEqual({
      code: 2,
      stdout: "",
      stderr: `longpole: ${path} at byte 15: expected a row time,value with a number, found "x,y" in line 3\n`,
    });
  });
});

describe("analyze", () => {
  test("--json is exactly one report, whatever the exit code", () => {
    const { code, stdout } = longpole(["analyze", FAULT, "--json", "--fail-on", "warning"]);
    const report = JSON.parse(stdout) as { schema: string; findings: { mechanism: string }[]; healthy: boolean };
    expect([code, report.schema, report.healthy]).toEqual([1, "longpole.report/1", false]);
    expect(report.findings[0]?.mechanism).toBe("missing-index");
  });

  test("findings without --fail-on are no failure", () => {
    const { code, stdout } = longpole(["analyze", FAULT]);
    expect(code).toBe(0);
    expect(stdout).toContain("What to fix");
  });

  test("a fine recording beside a broken one is still analysed; 2 all the same", () => {
    const { code, stdout } = longpole(["analyze", FAULT, file("broken", "nothing known"), "--json"]);
    expect(code).toBe(2);
    expect((JSON.parse(stdout) as { findings: unknown[] }).findings.length).toBeGreaterThan(0);
  });

  test("an endpoint that is not there: said, 3", () => {
    const { code, stdout } = longpole(["analyze", FAULT, "--endpoint", "no such endpoint"]);
    expect(code).toBe(3);
    expect(stdout).toContain('No endpoint has "no such endpoint"');
  });

  test("the same data, the same report", () => {
    expect(longpole(["analyze", FAULT, "--json"]).stdout).toBe(longpole(["analyze", FAULT, "--json"]).stdout);
  });

  test("what a folder holds besides traces is said, and is no error", () => {
    const { code, stderr } = longpole(["analyze", "examples/missing-index/fault"]);
    expect(code).toBe(0);
    expect(stderr).toMatch(/longpole: not used: .*load\.json \(.+\)/);
  });

  test("--quiet says nothing on stderr", () => {
    expect(longpole(["analyze", FAULT, "--quiet"]).stderr).toBe("");
  });
});

describe("analyze --objective", () => {
  test("is in the report and in the headline", () => {
    const objective = ["--objective", "GET /api/customers/:id/orders p99 < 1ms"];
    const { code, stdout } = longpole(["analyze", FAULT, ...objective, "--json"]);
    const { objectives } = JSON.parse(stdout) as { objectives: { met: boolean; limitMs: number; nowMs: number }[] };
    expect([code, objectives.length]).toEqual([0, 1]);
    expect(objectives[0]).toMatchObject({ limitMs: 1, met: false });
    expect(objectives[0]!.nowMs).toBeGreaterThan(1);
    expect(longpole(["analyze", FAULT, ...objective]).stdout).toContain("objective missed: GET /api/customers");
  });

  test("that is none: 2, and what was expected", () => {
    const { code, stdout, stderr } = longpole(["analyze", FAULT, "--objective", "GET /orders p99 < 300"]);
    expect([code, stdout]).toEqual([2, ""]);
    expect(stderr).toContain(
      'Expected a time above zero with its unit (us, ms, s, min), for example 300ms, found "300"',
    );
  });
});

describe("compare", () => {
  const FIXED = "examples/missing-index/fixed/traces.otlp.pb.gz";

  test("a regression: one document, and 1 only where it was asked for", () => {
    const { code, stdout } = longpole(["compare", FIXED, FAULT, "--json", "--fail-on", "regression"]);
    const report = JSON.parse(stdout) as {
      schema: string;
      verdict: string;
      endpoints: { operation: string; verdict: string }[];
      mean: { changeMs: number; mixMs: number; slowdownMs: number };
      paths: { slowdownMs: number; statement?: string }[];
    };
    expect([code, report.schema, report.verdict]).toEqual([1, "longpole.compare/1", "worse"]);
    const worse = report.endpoints.filter(({ verdict }) => verdict === "worse");
    expect(worse.map(({ operation }) => operation)).toEqual(["GET /api/customers/:id/orders"]);
    expect(report.mean.mixMs + report.mean.slowdownMs).toBeCloseTo(report.mean.changeMs, 9);
    // the statement without its index brings the most
    expect(report.paths[0]!.statement).toMatch(/^SELECT .* FROM orders WHERE customer_id/i);
    expect(longpole(["compare", FIXED, FAULT, "--json"]).code).toBe(0);
  });

  test("a recording and itself: nothing", () => {
    const { code, stdout } = longpole(["compare", FAULT, FAULT, "--fail-on", "regression"]);
    expect(code).toBe(0);
    expect(stdout).toContain("No regression. 3 endpoints: 3 same.");
    expect(stdout).not.toContain("Where that comes from");
  });

  test("a threshold above all changes: no regression", () => {
    const { code, stdout } = longpole([
      "compare",
      FAULT,
      FIXED,
      "--threshold",
      "99%",
      "--fail-on",
      "regression",
      "--json",
    ]);
    expect([code, (JSON.parse(stdout) as { threshold: number }).threshold]).toEqual([0, 0.99]);
  });

  test.each([
    ["one recording only", ["compare", FAULT], "missing required argument 'new'"],
    [
      "a threshold that is none",
      ["compare", FAULT, FAULT, "--threshold", "5"],
      "Expected a share below 1, as 5% or 0.05",
    ],
    ["a baseline that is not there", ["compare", "absent", FAULT], "longpole: absent"],
  ])("%s: 2", (_, args, reason) => {
    const { code, stderr } = longpole(args);
    expect(code).toBe(2);
    expect(stderr).toContain(reason);
  });
});

describe("what-if", () => {
  const CHANGE = "service=orders,operation=pg.query:SELECT shop,time=0.1";

  test("--json is one prediction; the endpoint that waits for the statement gains most", () => {
    const { code, stdout } = longpole(["what-if", FAULT, "--change", CHANGE, "--json"]);
    const prediction = JSON.parse(stdout) as {
      schema: string;
      endpoints: { operation: string; p99: { now: number; predicted: number; low: number; high: number } }[];
    };
    expect([code, prediction.schema]).toEqual([0, "longpole.what-if/1"]);
    const { p99 } = prediction.endpoints.find((endpoint) => endpoint.operation === "GET /api/customers/:id/orders")!;
    expect(p99.predicted).toBeLessThan(p99.now / 2);
    expect(p99.low).toBeLessThanOrEqual(p99.predicted);
    expect(p99.high).toBeGreaterThanOrEqual(p99.predicted);
  });

  test.each([
    ["a word it does not know", "service=orders,operatin=x", "did you mean"],
    ["an operation that is not there", "service=orders,operation=pg.query:SELECT shp,time=0.1", "nearest"],
  ])("%s: 2, and what was meant", (_, change, hint) => {
    const { code, stdout, stderr } = longpole(["what-if", FAULT, "--change", change]);
    expect([code, stdout]).toEqual([2, ""]);
    expect(stderr).toContain(hint);
  });
});

describe("critical-path", () => {
  test("--json is one object per line; segments touch and sum to the duration", () => {
    const { code, stdout } = longpole(["critical-path", FAULT, "--json"]);
    expect(code).toBe(0);
    const lines = stdout.trimEnd().split("\n");
    expect(lines.length).toBeGreaterThan(1000);
    for (const line of lines) {
      const path = JSON.parse(line) as { durationNs: number; segments: { startUnixNs: string; endUnixNs: string }[] };
      let sum = 0n;
      for (const [i, { startUnixNs, endUnixNs }] of path.segments.entries()) {
        sum += BigInt(endUnixNs) - BigInt(startUnixNs);
        if (i > 0) expect(startUnixNs).toBe(path.segments[i - 1]!.endUnixNs);
      }
      expect(Number(sum)).toBe(path.durationNs);
    }
  });

  test("into head: ends quietly when nobody reads any more", () => {
    const { code, stdout, stderr } = shell(
      `longpole critical-path ${FAULT} --json --quiet | head -1; exit \${PIPESTATUS[0]}`,
    );
    expect([code, stderr]).toEqual([0, ""]);
    expect(stdout.trimEnd().split("\n").length).toBe(1);
  });
});

test("changepoints reads standard input and finds the step", () => {
  const input = `t,v\n${[10, 11, 10, 11, 10, 11, 10, 20, 21, 20, 21, 20, 21, 20].map((v, i) => `${i},${v}`).join("\n")}\n`;
  const { code, stdout } = longpole(["changepoints", "-", "--json"], { input });
  expect(code).toBe(0);
  const { changePoints } = JSON.parse(stdout) as { changePoints: { index: number; time: string }[] };
  expect(changePoints.map(({ index, time }) => [index, time])).toEqual([[7, "7"]]);
});

describe("what is printed for pasting runs as it stands", () => {
  /** The examples of a --help: lines below the heading, a backslash joins two. */
  const examples = COMMANDS.flatMap((command) => {
    const below = longpole([command, "--help"]).stdout.split(/\nExamples?:\n/)[1] ?? "";
    return below
      .replaceAll("\\\n", "")
      .split("\n")
      .map((line) => line.trim());
  }).filter((line) => line !== "");

  test.each(examples)("%s", (line) => {
    expect(line).toMatch(/(^|\| )node dist\/cli\/main\.js /);
    const { code, stdout, stderr } = shell(line);
    // What a host lets be seen, and whether anything happens there meanwhile, is not the example's: then a line says so.
    if (/main\.js (trace|record) /.test(line) && code !== 0) {
      expect([2, 3]).toContain(code);
      expect(`${stdout}${stderr}`.trim()).not.toBe("");
      expect(stderr).not.toMatch(/^ +at /m);
      return;
    }
    // A gate that finds what it looks for ends with 1.
    expect(code).toBeLessThanOrEqual(line.includes("--fail-on") ? 1 : 0);
  });

  test("the try line of a finding", () => {
    const lines = longpole(["analyze", FAULT, "--quiet"]).stdout.split("\n");
    const at = lines.findIndex((line) => line.trimStart().startsWith("try "));
    const pasted = lines
      .slice(at, at + 2)
      .join("\n")
      .replace("try", "");
    const { code, stdout } = shell(pasted.trim());
    expect(code).toBe(0);
    expect(stdout).toContain("What if");
  });
});

test("critical-path draws the slowest 10 and says how many it leaves out", () => {
  const { stdout } = longpole(["critical-path", FAULT, "--quiet"]);
  expect(stdout.match(/^ *[\d.]+ m?s {2}[\da-f]{32}$/gm)!.length).toBe(10);
  expect(stdout).toMatch(/\n[\d,]+ faster traces: --limit \d+ draws them/);
  expect(longpole(["critical-path", FAULT, "--json", "--limit", "2"]).stdout.trimEnd().split("\n").length).toBe(2);
});

test("too short a series is said", () => {
  const { code, stderr } = longpole(["changepoints", "-"], { input: "1,10\n2,11\n" });
  expect([code, stderr]).toEqual([3, "longpole: 2 values: too few to tell, 6 at least are needed\n"]);
});

test.each([
  ["1,20\n4,78\n8,130\n", 3, "throughput at 3 different loads, 4 at least are needed"],
  ["load,throughput\n10,1\n11,1\n12,2\n13,2\n", 3, "a range of 3 times at least is needed"],
])("usl says what is missing: %j", (input, exitCode, detail) => {
  const { code, stdout } = longpole(["usl", "-", "--json"], { input });
  expect(code).toBe(exitCode);
  expect(JSON.parse(stdout)).toMatchObject({ status: "insufficient-data", peakLoad: null, intervals: null });
  expect(stdout).toContain(detail);
});

test("usl names the line that is no row", () => {
  const { code, stderr } = longpole(["usl", "-"], { input: "load,throughput\n1,20\n4,many\n" });
  expect(code).toBe(2);
  expect(stderr).toContain('found "4,many" in line 3');
});
