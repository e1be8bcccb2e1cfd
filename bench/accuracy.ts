/**
 * How often the engine finds the injected cause, and how well it predicts the fix.
 *
 *   npm run bench:accuracy -- [--seeds N] [--first-seed N] [--only NAME] [--skip-healthy] [--json]
 *
 * Per kind of fault and seed: a simulated system with the fault, its spans, and
 * the truth (src/testing/simulator, which knows nothing of the engine). Ranks are
 * strict and ordinal: rank 1 means that the first finding names the cause.
 * What-if errors are against the simulator's re-run with the fix. `--only` is a
 * fault or healthy kind. Exits with 1 when a case could not be run.
 */
import { parseArgs } from "node:util";
import type { Finding } from "../src/model/report.ts";
import type { SpanTable } from "../src/model/span-table.ts";
import { type FaultCase, faultCase, type Truth } from "../src/testing/accuracy/case.ts";
import { HEALTHY_KINDS, type HealthyKind, healthyCase } from "../src/testing/accuracy/healthy-case.ts";
import { alarms, score, type Score } from "../src/testing/accuracy/score.ts";
import type { Fault } from "../src/testing/simulator/faults/fault.ts";
import { FAULTS } from "../src/testing/simulator/faults/table.ts";
import { diagnoseTable, whatIfTable } from "./accuracy-adapter.ts";

interface WhatIfError {
  /** |predicted / re-run - 1| */
  readonly p50: number;
  readonly p99: number;
}

interface FaultResult {
  readonly fault: string;
  readonly seed: number;
  readonly truth: Truth | null;
  readonly score: Score | null;
  /** first finding, for reading what went wrong */
  readonly first: string;
  readonly whatIf: WhatIfError | string | null;
  readonly cpuSeconds: number;
  readonly failure: string | null;
}

interface HealthyResult {
  readonly kind: string;
  readonly seed: number;
  readonly alarms: readonly string[];
  readonly cpuSeconds: number;
  readonly failure: string | null;
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      seeds: { type: "string", default: "3" },
      "first-seed": { type: "string", default: "1" },
      only: { type: "string" },
      "skip-healthy": { type: "boolean", default: false },
      json: { type: "boolean", default: false },
    },
  });
  const seeds = Array.from({ length: Number(values.seeds) }, (_, i) => i + Number(values["first-seed"]));
  const wanted = ({ name }: { name: string }): boolean => values.only === undefined || name === values.only;
  const faults = FAULTS.filter(wanted);
  const kinds = values["skip-healthy"] ? [] : HEALTHY_KINDS.filter(wanted);
  if (faults.length + kinds.length === 0)
    throw new Error(`nothing is named ${values.only}; there are ${FAULTS.map(({ name }) => name).join(", ")}`);

  const faultResults: FaultResult[] = [];
  const healthyResults: HealthyResult[] = [];
  for (const fault of faults) {
    for (const seed of seeds) {
      faultResults.push(await runFault(fault, seed));
      progress(`${fault.name} ${seed}`);
    }
  }
  for (const kind of kinds) {
    for (const seed of seeds) {
      healthyResults.push(await runHealthy(kind, seed));
      progress(`healthy ${kind.name} ${seed}`);
    }
  }
  progress("");
  if (values.json) console.log(JSON.stringify({ faults: faultResults, healthy: healthyResults }, null, 1));
  else print(faultResults, healthyResults);
  if ([...faultResults, ...healthyResults].some(({ failure }) => failure !== null)) process.exitCode = 1;
}

async function runFault(fault: Fault, seed: number): Promise<FaultResult> {
  let found: FaultCase | null = null;
  const clock = new CpuClock();
  try {
    found = faultCase(fault, seed);
    const { truth, current, baseline } = found;
    clock.restart();
    const { findings } = await diagnoseTable(current, baseline);
    const cpuSeconds = clock.seconds();
    const whatIf = truth.whatIf === null ? null : await whatIfError(current, truth, truth.whatIf);
    return {
      fault: fault.name,
      seed,
      truth,
      score: score(findings, truth),
      first: describe(findings),
      whatIf,
      cpuSeconds,
      failure: null,
    };
  } catch (error) {
    return {
      fault: fault.name,
      seed,
      truth: found?.truth ?? null,
      score: null,
      first: "",
      whatIf: null,
      cpuSeconds: clock.seconds(),
      failure: messageOf(error),
    };
  }
}

async function runHealthy(kind: HealthyKind, seed: number): Promise<HealthyResult> {
  const clock = new CpuClock();
  try {
    const { current, baseline } = healthyCase(kind, seed);
    clock.restart();
    const { findings } = await diagnoseTable(current, baseline);
    const texts = alarms(findings).map(
      (finding) => `${finding.severity} ${finding.mechanism} ${finding.subject.service}: ${finding.title}`,
    );
    return { kind: kind.name, seed, alarms: texts, cpuSeconds: clock.seconds(), failure: null };
  } catch (error) {
    return { kind: kind.name, seed, alarms: [], cpuSeconds: clock.seconds(), failure: messageOf(error) };
  }
}

async function whatIfError(table: SpanTable, truth: Truth, changes: readonly string[]): Promise<WhatIfError | string> {
  const answer = await whatIfTable(table, changes);
  if (answer.kind === "cannot-tell") return answer.reason;
  const { service, operation } = truth.endpoint;
  const endpoint = answer.endpoints.find(
    (candidate) => candidate.service === service && candidate.operation === operation,
  );
  if (endpoint === undefined) return `no prediction for ${service} ${operation}`;
  return {
    p50: Math.abs(endpoint.p50Ms / truth.fixed.p50Ms - 1),
    p99: Math.abs(endpoint.p99Ms / truth.fixed.p99Ms - 1),
  };
}

function print(faults: readonly FaultResult[], healthy: readonly HealthyResult[]): void {
  const rows = [["fault", "cases", "service", "+mechanism", "what-if p50", "what-if p99", "cpu s"]];
  for (const name of new Set(faults.map(({ fault }) => fault)))
    rows.push(
      summary(
        name,
        faults.filter(({ fault }) => fault === name),
      ),
    );
  if (faults.length > 0) rows.push(summary("all", faults));
  printTable(rows);
  for (const result of faults) {
    if (result.failure !== null) console.log(`failed: ${result.fault} ${result.seed}: ${result.failure}`);
    else if (result.score!.byServiceAndMechanism !== 1) {
      const { service, mechanism, system } = result.truth!;
      console.log(
        `missed: ${result.fault} ${result.seed} (${system}): ${mechanism} ${service} has rank ${result.score!.byServiceAndMechanism}; first: ${result.first}`,
      );
    }
    if (typeof result.whatIf === "string")
      console.log(`no prediction: ${result.fault} ${result.seed}: ${result.whatIf}`);
  }
  if (healthy.length === 0) return;
  console.log("");
  const kinds = [["healthy", "cases", "with alarms", "alarms", "cpu s"]];
  for (const name of [...new Set(healthy.map(({ kind }) => kind)), "all"]) {
    const own = healthy.filter(({ kind }) => name === "all" || kind === name);
    const ran = own.filter(({ failure }) => failure === null);
    const count = ran.reduce((sum, result) => sum + result.alarms.length, 0);
    kinds.push([
      name,
      `${ran.length}/${own.length}`,
      String(ran.filter((result) => result.alarms.length > 0).length),
      String(count),
      median(ran.map(({ cpuSeconds }) => cpuSeconds)).toFixed(2),
    ]);
  }
  printTable(kinds);
  for (const result of healthy) {
    if (result.failure !== null) console.log(`failed: healthy ${result.kind} ${result.seed}: ${result.failure}`);
    for (const text of result.alarms) console.log(`false alarm: ${result.kind} ${result.seed}: ${text}`);
  }
}

/** Shares are of the cases that ran; how many did not is told in the second column. */
function summary(name: string, results: readonly FaultResult[]): string[] {
  const ran = results.filter(({ failure }) => failure === null);
  const errors = ran.map(({ whatIf }) => whatIf).filter((whatIf) => whatIf !== null && typeof whatIf === "object");
  const first = (of: (own: Score) => number): string =>
    percent(ran.filter((result) => of(result.score!) === 1).length / ran.length);
  return [
    name,
    `${ran.length}/${results.length}`,
    first(({ byService }) => byService),
    first(({ byServiceAndMechanism }) => byServiceAndMechanism),
    percent(median(errors.map(({ p50 }) => p50)), errors.length),
    percent(median(errors.map(({ p99 }) => p99)), errors.length),
    median(ran.map(({ cpuSeconds }) => cpuSeconds)).toFixed(2),
  ];
}

function printTable(rows: readonly string[][]): void {
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)));
  for (const row of rows)
    console.log(row.map((cell, i) => (i === 0 ? cell.padEnd(widths[i]!) : cell.padStart(widths[i]! + 2))).join(""));
}

const percent = (share: number, of?: number): string =>
  Number.isNaN(share)
    ? "-"
    : `${(100 * share).toFixed(of === undefined ? 0 : 1)} %${of === undefined ? "" : ` (${of})`}`;

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length === 0
    ? NaN
    : sorted.length % 2 === 1
      ? sorted[middle]!
      : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

function describe(findings: readonly Finding[]): string {
  const first = findings.toSorted((a, b) => a.rank - b.rank)[0];
  return first === undefined ? "no finding" : `${first.mechanism} ${first.subject.service} (${first.severity})`;
}

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

function progress(text: string): void {
  if (process.stderr.isTTY) process.stderr.write(`\r\x1b[K${text}`);
}

/** Processor time of this process since the last restart. */
class CpuClock {
  private since = process.cpuUsage();

  restart(): void {
    this.since = process.cpuUsage();
  }

  seconds(): number {
    const { user, system } = process.cpuUsage(this.since);
    return (user + system) / 1e6;
  }
}

await main();
