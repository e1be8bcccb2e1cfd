import { expect, test } from "vitest";
import { diagnose } from "./diagnose.ts";
import { faultCase } from "../testing/accuracy/case.ts";
import { HEALTHY_KINDS, healthyCase } from "../testing/accuracy/healthy-case.ts";
import { alarms, score } from "../testing/accuracy/score.ts";
import { usually } from "../testing/long-tests.ts";
import { FAULTS } from "../testing/simulator/faults/table.ts";

/*
 * A short form of `npm run bench:accuracy`: one seed of each kind. The simulator knows nothing of the engine and its
 * truth is what was injected; the seeds are none that the engine was developed on. Every case is told in the output
 * of a failure, so that a fall of the share says where.
 */
const SEED = 31;
const TRACES = 1000;
const faults = usually(
  FAULTS.filter((_, i) => i % 4 === 1),
  FAULTS,
);
const healthyKinds = usually(
  HEALTHY_KINDS.filter((_, i) => i % 4 === 1),
  HEALTHY_KINDS,
);

test("the injected cause is named first in nine of ten kinds of fault", { timeout: 600_000 }, async () => {
  const missed: string[] = [];
  for (const fault of faults) {
    const { truth, current, baseline } = faultCase(fault, SEED, TRACES);
    const report = await diagnose({ spans: current, ...(baseline === undefined ? {} : { baseline }) });
    const { byService } = score(report.findings, truth);
    if (byService !== 1)
      missed.push(`${fault.name}: ${truth.service} has rank ${byService}, first: ${report.findings[0]?.title}`);
  }
  expect(missed.length, missed.join("\n")).toBeLessThanOrEqual(Math.ceil(0.1 * faults.length));
});

test("healthy systems of every kind raise no alarm", { timeout: 600_000 }, async () => {
  const raised: string[] = [];
  for (const kind of healthyKinds) {
    const { current, baseline } = healthyCase(kind, SEED, TRACES);
    const report = await diagnose({ spans: current, ...(baseline === undefined ? {} : { baseline }) });
    for (const finding of alarms(report.findings)) raised.push(`${kind.name}: ${finding.title}`);
  }
  expect(raised).toEqual([]);
});
