import { expect, test } from "vitest";
import { sampleReport } from "../../testing/sample-report.ts";
import type { ObjectiveResult } from "../../model/report.ts";
import { penFor } from "./pen.ts";
import { renderObjectives } from "./objectives.ts";
import { renderReport } from "./report.ts";

const missed: ObjectiveResult = {
  text: "GET /orders p99 < 300ms",
  endpoint: { service: "gateway", operation: "GET /orders" },
  metric: "p99",
  limitMs: 300,
  nowMs: 450,
  met: false,
};
const results: readonly ObjectiveResult[] = [
  missed,
  { ...missed, nowMs: 303 },
  { ...missed, nowMs: 88, met: true, detail: "only 12 traces" },
  { ...missed, endpoint: null, nowMs: null, met: null, detail: "no endpoint of this report is named GET /orders" },
];
const look = { width: 80, colour: false, ascii: false };

test("met, missed and not to be told", () => {
  expect(renderObjectives(results, penFor(look)).join("\n")).toMatchInlineSnapshot(`
    "■ objective missed: GET /orders p99 < 300ms · 450 ms at gateway, 1.5 times the
      limit
    ■ objective missed: GET /orders p99 < 300ms · 303 ms at gateway, 1.0 % over
      the limit
    ✓ objective met: GET /orders p99 < 300ms · 88.0 ms at gateway; only 12 traces
    ▲ objective cannot be told: GET /orders p99 < 300ms · no endpoint of this
      report is named GET /orders"
  `);
});

test("what is missed is red, what is met is not", () => {
  const pen = penFor({ ...look, colour: true });
  const isRed = (line: string): boolean => line === pen.error(line.replace(/\x1b\[[\d;]*m/g, ""));
  const lines = renderObjectives(results, pen);
  expect(lines.filter((line) => line.includes("missed")).every(isRed)).toBe(true);
  expect(lines.filter((line) => line.includes("met:") || line.includes("cannot")).some(isRed)).toBe(false);
});

test("they stand in the headline of the report", () => {
  const report = { ...sampleReport(), objectives: [missed] };
  const lines = renderReport(report, { files: ["a"], baseline: [], command: "longpole" }, look);
  expect(lines.slice(0, 5).join("\n")).toContain("■ objective missed: GET /orders p99 < 300ms");
});
