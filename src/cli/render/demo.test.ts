import { describe, expect, it } from "vitest";
import { renderFaultList, renderFixes, renderTruth, type ShownDiagnosis } from "./demo.ts";

const LOOK = { width: 100, colour: false, ascii: false };
const load = { all: { p50Ms: 25, p99Ms: 310 }, sent: 1000 };
const diagnosis = (byService: number, byServiceAndMechanism: number): ShownDiagnosis => ({
  ranks: [{ byService, byServiceAndMechanism }],
  load,
  analysisSeconds: 1.5,
  report: { findings: [{ severity: "warning", remedy: { whatIf: "service=dns,operation=look-up,time=0.1" } }] },
});
const FAULT = { summary: "look-ups are slow", truths: [{ service: "dns", mechanism: "missing-index" }] };

describe("the truth", () => {
  it.each([
    [1, 1, "dns · missing-index: found, as the first finding"],
    [1, 2, "dns · missing-index: found, as finding 2"],
    [3, 0, "dns · missing-index: missed; finding 3 names the service for another reason"],
    [0, 0, "dns · missing-index: missed"],
  ])("ranks %i and %i", (service, cause, line) => {
    expect(renderTruth(FAULT, diagnosis(service, cause), true, LOOK)).toContain(`  ${line}`);
  });
  it("calls an alarm about nothing a false one", () => {
    const healthy = { summary: "nothing is wrong", truths: [] };
    expect(renderTruth(healthy, { ...diagnosis(0, 0), ranks: [] }, true, LOOK)).toContain(
      "  Nothing was wrong: 1 false alarm.",
    );
    const quiet = { ...diagnosis(0, 0), ranks: [], report: { findings: [{ severity: "note", remedy: {} }] } };
    expect(renderTruth(healthy, quiet, true, LOOK)).toContain(
      "  Nothing was wrong, and nothing above a note was found.",
    );
  });
});

it("tells that the commands need a recording that was not kept", () => {
  expect(renderTruth(FAULT, diagnosis(1, 1), false, LOOK).at(-1)).toContain("with --record FOLDER");
  expect(renderTruth(FAULT, diagnosis(1, 1), true, LOOK).at(-1)).not.toContain("--record");
  const withoutCommand = { ...diagnosis(1, 1), report: { findings: [{ severity: "warning", remedy: {} }] } };
  expect(renderTruth(FAULT, withoutCommand, false, LOOK).join("\n")).not.toContain("--record");
});

it("holds predictions against measurements", () => {
  const error = { by: "what-if", metric: "p99", nowMs: 310, predictedMs: 15, lowMs: 12, highMs: 18, measuredMs: 16, error: -0.0625 } as const; // prettier-ignore
  const fix = { title: "with the fix", load: { all: { p50Ms: 4, p99Ms: 17 } }, errors: [error] };
  expect(renderFixes("GET /x", diagnosis(1, 1), [fix], LOOK).join("\n")).toMatchInlineSnapshot(`
    "
    What the fix brought  root spans of GET /x, the same requests again ────────────────────────────────
                               with the fault   predicted          interval    measured     error
      with the fix
        p99, what-if                   310 ms     15.0 ms      12.0–18.0 ms     16.0 ms    −6.3 %
      All requests, by the load generator: p50 25.0 ms → 4.00 ms, p99 310 ms → 17.0 ms."
  `);
});

it("lists every fault under its kind", () => {
  const faults = [
    { name: "a-fault", kind: "fault", summary: "something is slow" },
    { name: "a-story", kind: "story", summary: "a long story" },
  ];
  const lines = renderFaultList(faults, "npx longpole", LOOK);
  expect(lines[0]).toMatch(/^Stories/);
  expect(lines.join("\n")).toContain("  a-fault  something is slow");
  expect(lines.at(-1)).toBe("Start one: npx longpole demo --fault a-fault --fix");
});
