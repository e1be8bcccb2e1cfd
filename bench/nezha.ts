/**
 * Rank of the service at fault in the public Nezha set (FSE '23): two microservice systems with injected faults.
 *
 *   npx tsx bench/nezha.ts [--data DIR] [--regressions] [--only TEXT]
 *
 * Per case: the traces of the fault against the day's fault-free traces, as `longpole analyze T --baseline N` does it;
 * `--regressions` ranks the comparison's claims alone. The rank is strict and ordinal among the distinct services of
 * the findings. Traces only, no metrics, no logs. Published at rank 1, without logs: 64.3 % of Online Boutique,
 * 42.2 % of Train Ticket. Cases without recorded traces are misses, and told apart.
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
import type { SpanTable } from "../src/model/span-table.ts";
import { readTable } from "./read-table.ts";

interface Truth {
  readonly system: string;
  readonly service: string;
  readonly fault: string;
  readonly baselineTraces: string;
}

interface Result {
  readonly name: string;
  readonly truth: Truth;
  /** 1-based; 0 when the service is in no finding; -1 without traces */
  readonly rank: number;
  readonly first: string;
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      data: { type: "string", default: "../shared/data/rca/nezha" },
      regressions: { type: "boolean", default: false },
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
  for (const name of readdirSync(values.data).sort()) {
    if (!existsSync(`${values.data}/${name}/truth.json`) || !name.includes(values.only)) continue;
    results.push(await runCase(values.data, name, values.regressions ? compareOnly : analyze));
  }
  printTable(results);
  printMisses(results);
}

type Diagnose = (now: SpanTable, before: SpanTable) => Promise<readonly Finding[]>;

const analyze: Diagnose = async (spans, baseline) => (await diagnose({ spans, baseline })).findings;

const compareOnly: Diagnose = async (spans, baseline) => {
  const now = await buildWindow(spans, async () => {});
  const before = await buildWindow(baseline, async () => {});
  const views = now.endpoints.map((_, index) => viewEndpoint(now, index));
  const { claims } = explainRegressions({ window: now }, { window: before }, views);
  return rankFindings(claims, replayPredictor(now, ownTime(now.segments, now.spans.rowCount), 1));
};

async function runCase(data: string, name: string, find: Diagnose): Promise<Result> {
  const truth = JSON.parse(readFileSync(`${data}/${name}/truth.json`, "utf8")) as Truth;
  const traces = `${data}/${name}/traces.jsonl.gz`;
  if (!existsSync(traces)) return { name, truth, rank: -1, first: "no traces" };
  const findings = await find(await readTable([traces]), await readTable([`${data}/${name}/${truth.baselineTraces}`]));
  const services = [...new Set(findings.map((finding) => finding.subject.service))];
  const first = findings[0];
  return {
    name,
    truth,
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
    const none = held.filter(({ rank }) => rank < 0).length;
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
  for (const { name, truth, rank, first } of results.filter((result) => result.rank !== 1)) {
    const where = rank < 0 ? "no traces" : rank === 0 ? "absent" : `rank ${rank}`;
    console.log(`  ${name.padEnd(40)} ${truth.service.padEnd(28)} ${where.padEnd(10)} first: ${first}`);
  }
}

await main();
