/**
 * The ceiling predicted from half load against the measured one, on the real sample system with the fault of a story.
 *
 *   npm run bench:ceiling -- [--only database-doubled,hungry-ingest] [--seed 1] [--start 8] [--step-seconds 8] [--seconds 30]
 *
 * The system is brought into the state of the fault, as it is once the trouble has come. A ramp finds the rate at which it
 * is full: the measured ceiling. Then it runs at half of the highest rate that was sustained, and is recorded; the prediction
 * is what `analyze` says of that recording alone. The same kinds of requests in the same mix in both, drawn from two seeds.
 * What came out: docs/ramp.md.
 */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { bracketOf, rampCeiling, type RampCeiling } from "../src/analysis/knee.ts";
import { diagnose } from "../src/engine/diagnose.ts";
import { loadInputs } from "../src/formats/load-inputs.ts";
import type { Fault } from "../src/lab/faults/fault.ts";
import { faultNamed } from "../src/lab/faults/table.ts";
import { drawRequests } from "../src/lab/load/draw-requests.ts";
import { USUAL_LOAD, type LoadPlan } from "../src/lab/load/load-plan.ts";
import { requestWriter } from "../src/lab/load/request-text.ts";
import { settingsOf } from "../src/lab/run/experiment.ts";
import { runPhase } from "../src/lab/run/phase.ts";
import type { SystemSettings } from "../src/lab/settings.ts";
import { startSystem } from "../src/lab/system/start-system.ts";
import { judgedOf, runRamp, type RampRun } from "../src/load/run-ramp.ts";
import { startStepGenerator, type TargetRequest } from "../src/load/step-generator.ts";
import { startSink, type TelemetrySink, type TelemetryWindow } from "../src/load/telemetry-sink.ts";
import type { ThroughputReport } from "../src/model/report.ts";

const { values } = parseArgs({
  options: {
    only: { type: "string", default: "database-doubled,hungry-ingest" },
    seed: { type: "string", default: "1" },
    start: { type: "string" },
    "step-seconds": { type: "string", default: "8" },
    seconds: { type: "string", default: "30" },
  },
});
const seed = Number(values.seed);
const abort = new AbortController();
process.once("SIGINT", () => abort.abort(new Error("stopped by Ctrl-C")));

/** What statements that run during a story add to the table of records, for the system that is left afterwards. */
function grown({ during = [] }: Fault, settings: SystemSettings): SystemSettings {
  const added = during
    .map(({ sql }) => /generate_series\(1, (\d+)\)/.exec(sql)?.[1])
    .reduce((sum, rows) => sum + Number(rows ?? 0), 0);
  const { postgres } = settings;
  return { ...settings, postgres: { ...postgres, records: postgres.records + added } };
}

/** Bodies of all requests pass to the generator's process once. */
const MOST_BODY_BYTES = 40e6;
const MOST_REQUESTS = 20_000;

/** Requests of the story's mix, to be sent in turn: so many that no create is sent twice, as far as their bodies are small. */
function requestsOf(plan: LoadPlan, records: number): TargetRequest[] {
  const drawn = drawRequests({ ...plan, perSecond: 100, seconds: MOST_REQUESTS / 100, schedule: { kind: "steady" } });
  const write = requestWriter(drawn, { records, pointsPerBatch: plan.pointsPerBatch, seed: plan.seed });
  const requests: TargetRequest[] = [];
  let bytes = 0;
  for (let row = 0; row < drawn.count && bytes < MOST_BODY_BYTES; row++) {
    const request = write(row, Date.now());
    bytes += request.body?.length ?? 0;
    requests.push({ ...request, weight: 1 });
  }
  return requests;
}

async function measure(origin: string, plan: LoadPlan, records: number, sink: TelemetrySink): Promise<RampRun> {
  const requests = requestsOf({ ...plan, seed: seed + 5000 }, records);
  const target = { origin, requests, order: "in-turn", connections: 1000, timeoutMs: 10_000 } as const;
  const generator = startStepGenerator(target, abort.signal);
  try {
    return await runRamp(
      generator,
      {
        plan: {
          startPerSecond: values.start === undefined ? plan.perSecond / 4 : Number(values.start),
          step: { kind: "times", by: 2 },
          maxPerSecond: 5000,
          stepSeconds: Number(values["step-seconds"]),
        },
        limits: { maxErrors: 0.02 },
        arrivals: "poisson",
        seed,
        warmUpSeconds: 5,
        budgetSeconds: 600,
        signal: abort.signal,
      },
      {
        progress: () => {},
        stepEnded: ({ planned, observation, judgement }) => {
          // What was exported meanwhile is not looked at; it must not fill the memory.
          sink.beginWindow();
          console.log(
            `  ${planned.purpose} ${planned.perSecond}/s: answered ${observation.throughput.value.toFixed(1)}/s, p50 ${observation.p50Ms.toFixed(0)} ms, p99 ${observation.p99Ms.toFixed(0)} ms, ${observation.failures} failed: ${judgement.verdict}, ${judgement.detail}`,
          );
        },
      },
    );
  } finally {
    await generator.close();
  }
}

async function throughputOf(telemetry: TelemetryWindow): Promise<ThroughputReport> {
  const folder = await mkdtemp(join(tmpdir(), "longpole-ceiling-"));
  try {
    await writeFile(join(folder, "traces.otlp.pb"), telemetry.traces);
    await writeFile(join(folder, "metrics.otlp.pb"), telemetry.metrics);
    if (telemetry.metricsJson.length > 0) await writeFile(join(folder, "metrics.otlp.jsonl"), telemetry.metricsJson);
    const loading = loadInputs([folder]);
    for (;;) {
      const step = await loading.next();
      if (step.done !== true) continue;
      const { spans, metrics, intake } = step.value;
      return (await diagnose({ spans, metrics, intake })).throughput;
    }
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

interface Outcome {
  readonly measured: RampCeiling;
  readonly predicted: ThroughputReport;
  readonly half: number;
}

async function outcomeOf(fault: Fault): Promise<Outcome | string> {
  const folder = await mkdtemp(join(tmpdir(), "longpole-lab-"));
  const sink = await startSink({ windowCapBytes: 2 ** 30 });
  try {
    const settings = grown(fault, settingsOf(fault, "fault"));
    const system = await startSystem({
      settings,
      telemetryUrl: sink.url,
      folder,
      removeAtEnd: [folder],
      signal: abort.signal,
    });
    try {
      const plan: LoadPlan = { ...USUAL_LOAD, ...fault.load, ...fault.brokenLoad, seed, missing: 0 };
      const run = await measure(system.gatewayUrl, plan, settings.postgres.records, sink);
      const steps = run.steps.map((step) => ({ observation: step.observation, judged: judgedOf(step) }));
      const { low } = bracketOf(steps.map(({ judged }) => judged));
      const measured = rampCeiling(steps);
      if (low === null || measured === undefined) return `no ceiling was measured: ${run.stop}`;
      const load: LoadPlan = {
        ...plan,
        perSecond: low / 2,
        seconds: Number(values.seconds),
        schedule: { kind: "steady" },
      };
      const signal = AbortSignal.any([abort.signal, system.failure]);
      const record = await runPhase(
        { system, sink, folder },
        { settings, load, during: [], profile: false },
        { signal, progress: () => {} },
      );
      return { measured, half: low / 2, predicted: await throughputOf(record.telemetry) };
    } finally {
      await system.stop();
    }
  } finally {
    await sink.close();
    await rm(folder, { recursive: true, force: true });
  }
}

for (const name of values.only.split(",")) {
  console.log(`${name}:`);
  const outcome = await outcomeOf(faultNamed(name));
  if (typeof outcome === "string") {
    console.log(`  ${outcome}`);
    continue;
  }
  const { measured, predicted, half } = outcome;
  const interval = `${measured.low.toFixed(1)}-${measured.high.toFixed(1)}`;
  console.log(`  measured ceiling ${measured.value.toFixed(1)}/s (${interval}), from ${measured.from}`);
  const { limiter } = predicted;
  if (limiter === undefined) {
    console.log(`  from ${half.toFixed(1)}/s nothing is predicted: ${predicted.status}: ${predicted.detail}`);
    continue;
  }
  const error = limiter.ceilingPerSecond / measured.value - 1;
  console.log(
    `  predicted from ${half.toFixed(1)}/s: ${limiter.ceilingPerSecond}/s (${limiter.lowPerSecond}-${limiter.highPerSecond}) by ${limiter.service} ${limiter.resource}: ${(100 * error).toFixed(1)} %`,
  );
}
