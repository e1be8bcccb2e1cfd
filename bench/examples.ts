/**
 * What the diagnosis says of the recordings in examples/, and how its prediction of each fix compares with the
 * recording of the fixed system; writes docs/examples-accuracy.md.
 *
 *   npm run bench:examples
 *
 * The fixed system was recorded under the same load, from the same seed: the measured gain is of the same requests.
 */
import { existsSync, readFileSync, readdirSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { diagnose } from "../src/engine/diagnose.ts";
import { whatIf } from "../src/engine/what-if.ts";
import type { Finding } from "../src/model/report.ts";
import type { SpanTable } from "../src/model/span-table.ts";
import { readTable } from "./read-table.ts";

const ROOT: string = resolve(import.meta.dirname, "..");
const PAGE: string = join(ROOT, "docs", "examples-accuracy.md");

interface Truth {
  readonly endpoint: { readonly service: string; readonly operation: string };
  /** absent where nothing is wrong */
  readonly service?: string;
  readonly mechanism: string;
  readonly whatIf?: string;
  readonly measured: Readonly<Record<string, { readonly p50Ms: number; readonly p99Ms: number }>>;
}

async function main(): Promise<void> {
  const found: string[][] = [];
  const predicted: string[][] = [];
  for (const scenario of readdirSync(join(ROOT, "examples")).sort()) {
    const truthFile = join(ROOT, "examples", scenario, "truth.json");
    if (!existsSync(truthFile)) continue;
    const truth = JSON.parse(readFileSync(truthFile, "utf8")) as Truth;
    for (const recording of Object.keys(truth.measured)) {
      const name = `${scenario}/${recording}`;
      const spans = await readTable([join(ROOT, "examples", name)]);
      const { findings } = await diagnose({ spans });
      const isFault = recording.startsWith("fault");
      found.push([name, isFault ? `${truth.mechanism}, ${truth.service}` : "nothing", ...verdict(findings)]);
      if (recording === "fault") predicted.push(...(await predictions(name, truth, spans, findings)));
    }
  }
  writeFileSync(PAGE, page(found, predicted));
  console.log(readFileSync(PAGE, "utf8"));
}

/** The first finding and how many alarm. */
function verdict(findings: readonly Finding[]): string[] {
  const alarms = findings.filter(({ severity }) => severity !== "note");
  const [first] = alarms;
  return [first === undefined ? "nothing" : `${first.mechanism}, ${first.subject.service}`, String(alarms.length)];
}

/** The first finding's own prediction, and that of the change that truth.json names, against the fixed recording. */
async function predictions(
  name: string,
  truth: Truth,
  spans: SpanTable,
  findings: readonly Finding[],
): Promise<string[][]> {
  const { fault, fixed } = truth.measured as { fault: { p50Ms: number; p99Ms: number }; fixed: typeof fault };
  const row = (by: string, metric: "p50" | "p99", value: number): string[] => {
    const [before, after] = metric === "p50" ? [fault.p50Ms, fixed.p50Ms] : [fault.p99Ms, fixed.p99Ms];
    const error = (100 * (value - after)) / after;
    const gain = (100 * (before - value)) / (before - after);
    return [
      name,
      by,
      metric,
      ms(before),
      ms(value),
      ms(after),
      `${error > 0 ? "+" : ""}${error.toFixed(0)} %`,
      `${gain.toFixed(0)} %`,
    ];
  };
  const rows: string[][] = [];
  const [first] = findings;
  if (first !== undefined && first.impact.endpoint.operation === truth.endpoint.operation) {
    const { metric, predicted } = first.impact;
    if (metric === "p50" || metric === "p99") rows.push(row("analyze", metric, predicted));
  }
  if (truth.whatIf === undefined) return rows;
  const report = await whatIf(spans, [truth.whatIf]);
  const endpoint = report.endpoints.find(
    ({ service, operation }) => service === truth.endpoint.service && operation === truth.endpoint.operation,
  );
  if (endpoint === undefined) throw new Error(`${name}: what-if says nothing of ${truth.endpoint.operation}`);
  rows.push(row("what-if", "p50", endpoint.p50.predicted), row("what-if", "p99", endpoint.p99.predicted));
  return rows;
}

const ms = (value: number): string => value.toFixed(1);

function page(found: readonly string[][], predicted: readonly string[][]): string {
  return `# The examples, diagnosed

Made by \`npm run bench:examples\`; the recordings are described in [examples/README.md](../examples/README.md).

## Found

What is wrong, what \`longpole analyze\` names first, and how many findings it puts above a note.

${table(["Recording", "Wrong", "Found", "Alarms"], found)}

## Predicted

Milliseconds of the endpoint's root spans: with the fault, predicted without it, and measured in the recording of the fixed system.
\`analyze\` is the first finding's prediction. \`what-if\` is the change in \`truth.json\`.
The error is against the measured value; the gain is the part of the measured improvement that was predicted.

${table(["Recording", "By", "Metric", "Fault", "Predicted", "Measured", "Error", "Gain"], predicted)}
`;
}

function table(head: readonly string[], rows: readonly string[][]): string {
  const line = (cells: readonly string[]): string => `| ${cells.join(" | ")} |`;
  return [line(head), line(head.map(() => "---")), ...rows.map(line)].join("\n");
}

await main();
