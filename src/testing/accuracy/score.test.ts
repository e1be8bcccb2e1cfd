import { expect, it } from "vitest";
import type { Finding, Mechanism, Severity } from "../../model/report.ts";
import type { Truth } from "./case.ts";
import { alarms, score } from "./score.ts";

const finding = (rank: number, service: string, mechanism: Mechanism, severity: Severity = "warning"): Finding =>
  ({ rank, severity, mechanism, subject: { service } }) as Finding;
const truth = {
  service: "orders",
  acceptableServices: ["caller"],
  mechanism: "slow-query",
  acceptableMechanisms: ["missing-index"],
} as unknown as Truth;

it.each([
  { of: "the cause itself", findings: [finding(1, "orders", "slow-query")], expected: [1, 1] },
  { of: "an equivalent", findings: [finding(1, "caller", "missing-index")], expected: [1, 1] },
  {
    of: "the service with another mechanism first",
    findings: [finding(2, "orders", "slow-query"), finding(1, "orders", "slow-code")],
    expected: [1, 2],
  },
  {
    of: "another service first",
    findings: [finding(1, "users", "slow-query"), finding(2, "orders", "retries")],
    expected: [2, 0],
  },
  { of: "nothing", findings: [], expected: [0, 0] },
])("ranks $of", ({ findings, expected }) => {
  expect(score(findings, truth)).toEqual({ byService: expected[0], byServiceAndMechanism: expected[1] });
});

it("counts all findings above a note as alarms", () => {
  expect(
    alarms([finding(1, "a", "retries", "critical"), finding(2, "a", "retries"), finding(3, "a", "retries", "note")]),
  ).toHaveLength(2);
});
