/**
 * Rank of the service at fault in the public Nezha set (FSE '23): two microservice systems with injected faults.
 *
 *   npx tsx bench/nezha.ts [--data DIR] [--traces-only] [--regressions] [--half 0|1] [--only TEXT]
 *
 * Per case: traces and metrics of the fault against the day's fault-free traces and the half hour of metrics before,
 * as `longpole analyze T M --baseline N B` does it; `--traces-only` leaves the metrics out, `--regressions` ranks the
 * comparison's claims alone. The rank is strict and ordinal among the distinct services of the findings. No logs.
 * Published at rank 1, without logs: 64.3 % of Online Boutique, 42.2 % of Train Ticket. `--half`: every second case only
 * (0 is the half to develop on). Cases without recorded traces are told apart: there the metrics are all there is.
 */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { ownTime } from "../src/engine/case.ts";
import { diagnose } from "../src/engine/diagnose.ts";
import { viewEndpoint } from "../src/engine/endpoint-view.ts";
import { rankFindings } from "../src/engine/findings.ts";
import { explainRegressions } from "../src/engine/regression/explain-regressions.ts";
import { replayPredictor } from "../src/engine/replay-predictor.ts";
import { buildWindow } from "../src/engine/window.ts";
import type { Finding } from "../src/model/report.ts";
import { readRecording, type Recording } from "./read-table.ts";

interface Truth {
  readonly system: string;
  readonly service: string;
  readonly fault: string;
  readonly baselineTraces: string;
}

interface Result {
  readonly name: string;
  readonly truth: Truth;
  readonly hasTraces: boolean;
  /** 1-based; 0 when the service is in no finding */
  readonly rank: number;
  readonly first: string;
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      data: { type: "string", default: "../shared/data/rca/nezha" },
      regressions: { type: "boolean", default: false },
      "traces-only": { type: "boolean", default: false },
      half: { type: "string", default: "" },
      only: { type: "string", default: "" },
    },
  });
  if (!existsSync(values.data)) {
    console.log(
      `No data in ${values.data}: nothing measured. The set is public (Nezha, FSE '23); --data names another folder.`,
    );
    return;
  }
  const results: Result[] = [];
  const find = values.regressions ? compareOnly : values["traces-only"] ? tracesOnly : analyze;
  const names = readdirSync(values.data)
    .filter((name) => existsSync(`${values.data}/${name}/truth.json`))
    .sort();
  for (const [i, name] of names.entries()) {
    if (!name.includes(values.only) || (values.half !== "" && i % 2 !== Number(values.half))) continue;
    results.push(await runCase(values.data, name, find));
  }
  printTable(results);
  printMisses(results);
}

type Diagnose = (now: Recording, before: Recording) => Promise<readonly Finding[]>;

const analyze: Diagnose = async (now, before) =>
  (
    await diagnose({
      spans: now.spans,
      metrics: now.metrics,
      baseline: before.spans,
      baselineMetrics: before.metrics,
    })
  ).findings;

const tracesOnly: Diagnose = async ({ spans }, { spans: baseline }) => (await diagnose({ spans, baseline })).findings;

const compareOnly: Diagnose = async (recording, baseline) => {
  const now = await buildWindow(recording.spans, async () => {});
  const before = await buildWindow(baseline.spans, async () => {});
  const views = now.endpoints.map((_, index) => viewEndpoint(now, index));
  const { claims } = explainRegressions({ window: now }, { window: before }, views);
  return rankFindings(claims, replayPredictor(now, ownTime(now.segments, now.spans.rowCount), 1));
};

async function runCase(data: string, name: string, find: Diagnose): Promise<Result> {
  const truth = JSON.parse(readFileSync(`${data}/${name}/truth.json`, "utf8")) as Truth;
  const file = (path: string): string[] => (existsSync(`${data}/${name}/${path}`) ? [`${data}/${name}/${path}`] : []);
  const traces = file("traces.jsonl.gz");
  const findings = await find(
    await readRecording([...traces, ...file("metrics.jsonl.gz")]),
    await readRecording([...file(truth.baselineTraces), ...file("baseline-metrics.jsonl.gz")]),
  );
  const services = [...new Set(findings.map((finding) => finding.subject.service))];
  const first = findings[0];
  return {
    name,
    truth,
    hasTraces: traces.length > 0,
    rank: services.indexOf(truth.service) + 1,
    first: first === undefined ? "no finding" : `${first.severity}: ${first.title}`,
  };
}

function printTable(results: readonly Result[]): void {
  const groups = new Map<string, Result[]>();
  for (const result of results) {
    for (const key of [`${result.truth.system} ${result.truth.fault}`, `${result.truth.system} (all)`]) {
      groups.set(key, [...(groups.get(key) ?? []), result]);
    }
  }
  console.log("system and fault".padEnd(32), "cases", "no traces", "rank 1", "top 3", "  rank 1 of all");
  for (const [key, held] of [...groups].sort(([a], [b]) => (a < b ? -1 : 1))) {
    const within = (most: number): number => held.filter(({ rank }) => rank >= 1 && rank <= most).length;
    const none = held.filter(({ hasTraces }) => !hasTraces).length;
    const share = `${((100 * within(1)) / held.length).toFixed(1)} %`;
    console.log(
      key.padEnd(32),
      String(held.length).padStart(5),
      String(none).padStart(9),
      String(within(1)).padStart(6),
      String(within(3)).padStart(5),
      share.padStart(15),
    );
  }
}

function printMisses(results: readonly Result[]): void {
  console.log("\nnot at rank 1:");
  for (const { name, truth, rank, first, hasTraces } of results.filter((result) => result.rank !== 1)) {
    const where = `${rank === 0 ? "absent" : `rank ${rank}`}${hasTraces ? "" : ", no traces"}`;
    console.log(`  ${name.padEnd(40)} ${truth.service.padEnd(28)} ${where.padEnd(18)} first: ${first}`);
  }
}

await main();
