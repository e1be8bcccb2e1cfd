import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { expect, onTestFinished, test } from "vitest";
import type { Verdict } from "../analysis/judge-step.ts";
import type { Purpose } from "../analysis/knee.ts";
import { observeStep } from "../analysis/load-step.ts";
import type { RampRun, RampStep } from "../load/run-ramp.ts";
import type { TelemetryWindow } from "../load/telemetry-sink.ts";
import { InputError } from "../model/intake.ts";
import { isAnswered, rampDocument, type RampDocument, type RampLimiter } from "./ramp-document.ts";
import { keepRamp, kneeSteps, rampFolder } from "./ramp-recording.ts";

/** A step of ten seconds that began at `startMs`; its window is the last eight of them. */
function step(perSecond: number, verdict: Verdict, startMs = 0, purpose: Purpose = "up", seconds = 10): RampStep {
  const count = perSecond * seconds;
  const dueMs = Float64Array.from({ length: count }, (_, i) => (i * 1000) / perSecond);
  const observation = observeStep({
    perSecond,
    startUnixMs: startMs,
    lengthMs: seconds * 1000,
    dueMs,
    lateMs: new Float64Array(count),
    connectedMs: dueMs,
    endedMs: dueMs.map((due) => due + 5),
    outcome: new Uint8Array(count),
    errors: {},
    connections: 100,
    generatorBusy: 0.1,
  });
  const planned = { perSecond, seconds, purpose };
  return { planned, observation, judgement: { verdict, detail: "" }, after: "recovered" };
}

const NOTHING: TelemetryWindow = {
  traces: Buffer.alloc(0),
  metrics: Buffer.alloc(0),
  tracesJson: Buffer.alloc(0),
  metricsJson: Buffer.alloc(0),
  exportRequests: 0,
  refused: 0,
};

const REQUEST = {
  target: "http://127.0.0.1/",
  requests: 1,
  arrivals: "poisson",
  seed: 1,
  objective: null,
  maxErrors: 0.01,
  connections: 100,
} as const;

const documentOf =
  (steps: readonly RampStep[], stop: RampRun["stop"] = "knee") =>
  (limiter: RampLimiter): RampDocument =>
    rampDocument(REQUEST, { steps, stop, seconds: 1 }, limiter, null);

async function temporary(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "longpole-test-"));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

test("the knee is the longest step at the highest sustained rate, and below it the steady one nearest to half", () => {
  const confirmed = step(80, "steady", 50_000, "confirm", 20);
  const steps = [step(10, "steady"), step(30, "steady"), step(70, "steady"), step(80, "steady"), step(160, "errors")];
  const found = kneeSteps([...steps, confirmed])!;
  expect(found.knee).toBe(confirmed);
  // 30 / 40 and 70 / 40: 30 is nearer on the logarithmic axis, and 70 would be no other state.
  expect(found.below?.planned.perSecond).toBe(30);
  expect(kneeSteps([step(80, "steady"), step(160, "errors")])).toEqual({ knee: expect.anything() as RampStep });
  expect(kneeSteps([step(80, "errors")])).toBeUndefined();
  expect(kneeSteps([])).toBeUndefined();
});

test("traces of the knee's window are kept, whole, and nothing of before and after", async () => {
  const folder = join(await temporary(), "kept");
  const steps = [step(10, "steady", 0), step(20, "steady", 20_000), step(40, "errors", 40_000)];
  // The window of 20/s is from 22 s to 30 s. The second span of trace b begins after its end, the trace within it.
  const span = (trace: string, startS: number): object => ({
    traceId: trace.repeat(32),
    spanId: `${trace.repeat(14)}${startS}`,
    startTimeUnixNano: `${startS}000000000`,
    endTimeUnixNano: `${startS}500000000`,
  });
  const spans = [span("a", 21), span("b", 22), span("b", 30), span("c", 30)];
  const point = (s: number): object => ({ timeUnixNano: `${s}000000000`, asDouble: s });
  const telemetry = {
    ...NOTHING,
    exportRequests: 2,
    tracesJson: Buffer.from(`${JSON.stringify({ resourceSpans: [{ scopeSpans: [{ spans }] }] })}\n`),
    metricsJson: Buffer.from(
      `${JSON.stringify({ resourceMetrics: [{ scopeMetrics: [{ metrics: [{ name: "m", gauge: { dataPoints: [point(21), point(29), point(30)] } }] }] }] })}\n`,
    ),
  };
  const document = await keepRamp(folder, steps, telemetry, documentOf(steps));
  expect((await readdir(folder)).toSorted()).toEqual(["below", "knee", "ramp.json"]);
  expect((await readdir(join(folder, "knee"))).toSorted()).toEqual(["metrics.otlp.jsonl.gz", "traces.otlp.jsonl.gz"]);
  expect(await readdir(join(folder, "below"))).toEqual([]);
  const kept = async (file: string): Promise<string> =>
    gunzipSync(await readFile(join(folder, "knee", file))).toString();
  const traces = await kept("traces.otlp.jsonl.gz");
  expect([...traces.matchAll(/"traceId":"(.)/g)].map(([, trace]) => trace)).toEqual(["b", "b"]);
  const metrics = await kept("metrics.otlp.jsonl.gz");
  expect([...metrics.matchAll(/"asDouble":(\d+)/g)].map(([, value]) => value)).toEqual(["29"]);
  expect(JSON.parse(await readFile(join(folder, "ramp.json"), "utf8"))).toEqual(document);
  // A ramp may take the place of a ramp.
  expect(await rampFolder(folder)).toBe(folder);
});

test("damaged telemetry is told, and leaves no folder behind", async () => {
  const folder = await temporary();
  const telemetry = { ...NOTHING, exportRequests: 1, traces: Buffer.from([0x0a, 0x7f, 1]) };
  const steps = [step(10, "steady"), step(20, "errors")];
  const keeping = keepRamp(join(folder, "kept"), steps, telemetry, documentOf(steps));
  await expect(keeping).rejects.toBeInstanceOf(InputError);
  expect(await readdir(folder)).toEqual([]);
});

test("nothing received is said, with what would send it", async () => {
  const steps = [step(10, "steady"), step(20, "errors")];
  const { limiter } = await keepRamp(undefined, steps, NOTHING, documentOf(steps));
  expect(limiter.status).toBe("no-telemetry");
  expect(limiter.detail).toContain("OTEL_EXPORTER_OTLP_ENDPOINT");
});

test("a folder of other things is left alone", async () => {
  const folder = await temporary();
  expect(await rampFolder(folder)).toBe(folder);
  await writeFile(join(folder, "mine"), "");
  await expect(rampFolder(folder)).rejects.toThrow("no ramp");
  await expect(rampFolder(join(folder, "mine"))).rejects.toThrow("a file");
});

test.each<[string, RampStep[], RampRun["stop"], boolean]>([
  ["both ends", [step(10, "steady"), step(20, "queue-grows")], "knee", true],
  ["the largest that was wanted", [step(10, "steady")], "max-rate", true],
  ["no upper end", [step(10, "steady")], "budget", false],
  ["no lower end", [step(10, "errors")], "no-steady-rate", false],
  ["nothing", [], "interrupted", false],
])("%s: whether that is an answer", (_, steps, stop, expected) => {
  expect(isAnswered(documentOf(steps, stop)({ status: "no-telemetry", detail: "" }))).toBe(expected);
});
