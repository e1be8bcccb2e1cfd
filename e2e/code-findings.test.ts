import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { lineOf, profileOfIngest } from "./ingest-program.ts";
import { longpole } from "./longpole.ts";

let folder = "";
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "longpole-code-"));
  mkdirSync(join(folder, "profiles"));
  profileOfIngest(join(folder, "profiles"), "ingest-0.cpuprofile", 1500);
  writeFileSync(join(folder, "traces.jsonl"), traces());
});
afterAll(() => rmSync(folder, { recursive: true }));

/** 1,000 requests to a service with one thread that is busy for nine tenths of the time: 9 ms of work, one arrives each 10 ms in pairs. */
function traces(): string {
  const hex = (value: number, digits: number): string => value.toString(16).padStart(digits, "0");
  let freeAt = 0;
  const spans = Array.from({ length: 1000 }, (_, i) => {
    const start = 1_790_000_000_000 + (i - (i % 2)) * 10;
    freeAt = Math.max(start, freeAt) + 6 + ((i * 7) % 7);
    const [from, to] = [BigInt(start) * 1_000_000n, BigInt(freeAt) * 1_000_000n];
    return {
      traceId: hex(i + 1, 32),
      spanId: hex(i + 1, 16),
      name: "POST /points",
      kind: 2,
      startTimeUnixNano: `${from}`,
      endTimeUnixNano: `${to}`,
    };
  });
  const resource = { attributes: [{ key: "service.name", value: { stringValue: "ingest" } }] };
  return JSON.stringify({ resourceSpans: [{ resource, scopeSpans: [{ spans }] }] });
}

interface Told {
  findings: {
    kind: string;
    severity: string;
    mechanism: string;
    subject: { service: string; frame?: string };
    evidence: { kind: string }[];
    impact: { now: number; predicted: number };
  }[];
}

test("analyze joins a real profile with the traces of its folder: function with file and line, its share, what it is worth", () => {
  const { code, stdout } = longpole(["analyze", folder, "--json", "-q"]);
  expect(code).toBe(0);
  const { findings } = JSON.parse(stdout) as Told;
  const named = findings.filter(({ subject, severity }) => subject.frame !== undefined && severity !== "note");
  expect(named.map(({ subject }) => subject.service)).toEqual(named.map(() => "ingest"));
  // Which of the program's sins is the largest depends on the disk; that it parses, on nothing.
  const parse = findings.find(({ mechanism }) => mechanism === "slow-code");
  expect(parse?.subject.frame).toBe(`parseLine (ingest.mjs:${lineOf("parseLine")})`);
  for (const finding of named) {
    expect([
      "slow-code",
      "garbage-collection",
      "fsync",
      "excessive-syscalls",
      "cpu-saturated",
      "event-loop-blocked",
    ]).toContain(finding.mechanism);
    expect(finding.evidence.some(({ kind }) => kind === "stack")).toBe(true);
    expect(finding.impact.predicted).toBeLessThan(finding.impact.now);
  }
  const text = longpole(["analyze", folder, "-q"]).stdout;
  expect(text).toMatch(/parseLine \(ingest\.mjs:\d+\) takes \d+ % of the busy time of ingest/);
  expect(text).toContain("longpole flame");
});

test("--service says whose a profile is; without it, one of nobody is told and not used", () => {
  const other = mkdtempSync(join(folder, "other-"));
  writeFileSync(
    join(other, "traces.jsonl"),
    traces().replace('"ingest"', '"points"') +
      "\n" +
      traces().replace('"ingest"', '"other"').replaceAll('"traceId":"0', '"traceId":"1'),
  );
  writeFileSync(join(other, "x.folded"), "main;parse 800\nmain;write 200\n");
  expect(longpole(["analyze", other, "-q"]).stdout).toContain(
    "profiles of no service in these traces, which are not used: x.folded",
  );
  expect(longpole(["analyze", other, "-q", "--service", "points"]).stdout).not.toContain("profiles of no service");
});
