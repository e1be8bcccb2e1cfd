import { expect, test } from "vitest";
import { sampleReport, healthyReport } from "../testing/sample-report.ts";
import { exitCodeOf } from "./exit-code.ts";
import { progressOn } from "./progress.ts";
import { runCommandLine } from "./run.ts";
import { lookOf, type Terminal } from "./terminal.ts";
import { parseTimeSeries } from "./time-series.ts";

/** A terminal that remembers what was written to it. */
function fakeTerminal(given: Partial<Terminal> = {}): Terminal & { stdout: string; stderr: string } {
  const terminal = {
    command: "longpole",
    stdout: "",
    stderr: "",
    out: (data: string | Uint8Array) => void (terminal.stdout += Buffer.from(data as string).toString()),
    err: (text: string) => void (terminal.stderr += text),
    outIsTty: false,
    errIsTty: false,
    columns: 0,
    environment: {},
    onInterrupt: () => () => {},
    keepWithoutReader: () => {},
    ...given,
  };
  return terminal;
}

test.each([
  [["--help"], 0],
  [["--version"], 0],
  [["analyze", "--help"], 0],
  [[], 2],
  [["analyze"], 2],
  [["analyze", "x", "--fail-on", "panic"], 2],
  [["analyze", "x", "--width", "12"], 2],
  [["changepoints", "x", "--p", "2"], 2],
])("longpole %j exits with %i", async (args, code) => {
  expect(await runCommandLine(args, fakeTerminal())).toBe(code);
});

test.each([
  [["analyse", "x"], "(Did you mean analyze?)"],
  [["analyze", "x", "--jsn"], "(Did you mean --json?)"],
])("%j suggests what was meant", async (args, hint) => {
  const terminal = fakeTerminal();
  expect(await runCommandLine(args, terminal)).toBe(2);
  expect(terminal.stderr).toContain(hint);
  expect(terminal.stderr).toMatch(/^longpole: /);
});

test.each([
  [sampleReport(), undefined, false, 0],
  [sampleReport(), "note", false, 1],
  [sampleReport(), "critical", false, 1],
  [{ ...sampleReport(), findings: sampleReport().findings.slice(1) }, "critical", false, 0],
  [sampleReport(), "critical", true, 2],
  [healthyReport(), "note", false, 0],
  [{ ...healthyReport(), endpoints: [] }, undefined, false, 3],
] as const)("exit code of case %#", (report, failOn, unreadable, code) => {
  expect(exitCodeOf(report, failOn, unreadable)).toBe(code);
});

test.each([
  ["piped", {}, { colour: false, width: 100, ascii: false }],
  ["on a terminal", { outIsTty: true, columns: 80 }, { colour: true, width: 80, ascii: false }],
  [
    "NO_COLOR",
    { outIsTty: true, columns: 80, environment: { NO_COLOR: "1" } },
    { colour: false, width: 80, ascii: false },
  ],
  ["forced", { environment: { FORCE_COLOR: "1" } }, { colour: true, width: 100, ascii: false }],
  ["very wide", { outIsTty: true, columns: 300 }, { colour: true, width: 140, ascii: false }],
  ["locale C", { environment: { LC_ALL: "C" } }, { colour: false, width: 100, ascii: true }],
])("look when %s", (_, terminal, look) => {
  expect(lookOf({ color: true }, fakeTerminal(terminal))).toEqual(look);
});

test("progress: silent at first, then lines ever further apart, one rewritten line on a terminal", () => {
  let now = 0;
  const log = fakeTerminal();
  const inLog = progressOn(log, false, () => now);
  for (now = 0; now < 100_000; now += 50) inLog.report(`at ${now}`);
  expect(log.stderr).toBe([300, 1300, 3300, 7300, 15_300, 31_300, 61_300, 91_300].map((at) => `at ${at}\n`).join(""));
  const tty = fakeTerminal({ errIsTty: true });
  now = 0;
  const onTty = progressOn(tty, false, () => now);
  now = 400;
  onTty.report("half");
  onTty.clear();
  expect(tty.stderr).toBe("\r\x1b[Khalf\r\x1b[K");
});

test.each([
  ["1,10\n2,11\n", ["1", "2"], [10, 11]],
  ["time,value\n1,10\n", ["1"], [10]],
  ["\ufefft;v\r\n2026-01-01;1e3\r\n\r\n# end\r\n", ["2026-01-01"], [1000]],
])("series %j", (text, time, value) => {
  const series = parseTimeSeries(text, "f");
  expect([series.time, [...series.value]]).toEqual([time, value]);
});

test.each([
  ["", "f at byte 0: expected rows time,value, found none"],
  ["1,2\n3,x\n", 'f at byte 4: expected a row time,value with a number, found "3,x"'],
  ["just text\n", 'f at byte 0: expected a row time,value with a number, found "just text"'],
])("bad series %j", (text, message) => {
  expect(() => parseTimeSeries(text, "f")).toThrow(message);
});

test("pprof is not sent to a terminal", async () => {
  const terminal = fakeTerminal({ outIsTty: true });
  expect(await runCommandLine(["flame", "x.cpuprofile", "--pprof"], terminal)).toBe(2);
  expect([terminal.stdout, terminal.stderr]).toEqual([
    "",
    "longpole: pprof is binary; send it to a file: --pprof > profile.pb.gz\n",
  ]);
});
