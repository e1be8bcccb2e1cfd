import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { MECHANISMS } from "../../model/report.ts";
import type { Truth } from "../faults/fault.ts";
import { LabError } from "../lab-error.ts";
import type { Latency, LoadPlan, LoadResult, Schedule } from "../load/load-plan.ts";
import { JsonMismatch, listOf, mapOf, number, objectOf, oneOf, text, truth, type Check } from "./json-check.ts";
import { isPhase, LAB_TRUTH_SCHEMA } from "./lab-truth.ts";
import type { LabTruth, MeasuredEndpoint, MeasuredPhase, Percentiles, PhaseName } from "./lab-truth.ts";

export interface ReadRecording {
  readonly truth: LabTruth;
  readonly load: Readonly<Partial<Record<PhaseName, LoadResult>>>;
}

const TRUTH_FILE = "truth.json";

/** Truth and loads of a recording. Throws a LabError with code `recording-unreadable` that names file and field. */
export async function readRecording(folder: string): Promise<ReadRecording> {
  const known = await readJson(join(folder, TRUTH_FILE), labTruth);
  const load: Partial<Record<PhaseName, LoadResult>> = {};
  for (const phase of Object.keys(known.phases) as PhaseName[])
    load[phase] = await readJson(join(folder, phase, "load.json"), loadResult);
  return { truth: known, load };
}

/** Whether it is a recording of whatever version, readable or not. */
export async function isRecording(folder: string): Promise<boolean> {
  try {
    const { schema } = await readJson(join(folder, TRUTH_FILE), objectOf({ schema: text }));
    return schema.startsWith("longpole.lab-truth/");
  } catch (error) {
    if (error instanceof LabError) return false;
    throw error;
  }
}

async function readJson<T>(path: string, check: Check<T>): Promise<T> {
  try {
    return check(JSON.parse(await readFile(path, "utf8")), "");
  } catch (error) {
    const isInput = error instanceof JsonMismatch || error instanceof SyntaxError || hasCode(error);
    if (!isInput) throw error;
    throw new LabError("recording-unreadable", `${path}: ${error.message}`, { cause: error });
  }
}

function hasCode(error: unknown): error is NodeJS.ErrnoException {
  return error instanceof Error && typeof (error as NodeJS.ErrnoException).code === "string";
}

const operationOf = objectOf({ service: text, operation: text });

const oneTruth: Check<Truth> = objectOf(
  { service: text, mechanism: oneOf(MECHANISMS), endpoint: operationOf },
  {
    alsoServices: listOf(text),
    alsoMechanisms: listOf(oneOf(MECHANISMS)),
    operation: text,
    statement: text,
    frame: text,
    alsoFrames: listOf(text),
    syscall: text,
    setting: text,
    limiter: objectOf({ service: text, resource: text }),
  },
);

const percentiles: Check<Percentiles> = objectOf({ completed: number, p50Ms: number, p95Ms: number, p99Ms: number });

const endpoint: Check<MeasuredEndpoint> = objectOf(
  { operation: text },
  { byLoad: percentiles, byRootSpans: percentiles },
);

const phase: Check<MeasuredPhase> = objectOf({
  telemetry: objectOf({ exportRequests: number, refused: number }),
  endpoints: listOf(endpoint),
});

const phases: Check<LabTruth["phases"]> = (value, path) => {
  const named = mapOf(phase)(value, path);
  // Names become folders: nothing else may pass for one.
  const stranger = Object.keys(named).find((name) => !isPhase(name));
  if (stranger !== undefined)
    throw new JsonMismatch(`${path}.${stranger}`, "before, fault, fixed or fixed-N", stranger);
  return named;
};

const labTruth: Check<LabTruth> = objectOf({
  schema: oneOf([LAB_TRUTH_SCHEMA]),
  fault: text,
  kind: oneOf(["story", "fault", "pair", "healthy", "red-herring"]),
  summary: text,
  truths: listOf(oneTruth),
  seenFrom: oneOf(["traces", "metrics", "profiles"]),
  needsBaseline: truth,
  whatIf: listOf(text),
  phases,
  machine: objectOf({ node: text, cores: number }),
  seed: number,
  recordedAt: text,
});

const latency: Check<Latency> = objectOf({
  operation: text,
  completed: number,
  meanMs: number,
  p50Ms: number,
  p95Ms: number,
  p99Ms: number,
  maxMs: number,
});

const SCHEDULES: { readonly [K in Schedule["kind"]]: Check<Extract<Schedule, { kind: K }>> } = {
  steady: objectOf({ kind: oneOf(["steady"]) }),
  ramp: objectOf({ kind: oneOf(["ramp"]), from: number, to: number }),
  step: objectOf({ kind: oneOf(["step"]), at: number, before: number, after: number }),
  burst: objectOf({ kind: oneOf(["burst"]), everySeconds: number, lengthSeconds: number, factor: number }),
  diurnal: objectOf({ kind: oneOf(["diurnal"]), periods: number, depth: number }),
};

const schedule: Check<Schedule> = (value, path) => {
  const { kind } = objectOf({ kind: oneOf(Object.keys(SCHEDULES) as Schedule["kind"][]) })(value, path);
  return SCHEDULES[kind](value, path);
};

const plan: Check<LoadPlan> = objectOf({
  perSecond: number,
  seconds: number,
  schedule,
  mix: objectOf<object, Required<LoadPlan["mix"]>>(
    {},
    { lookup: number, list: number, create: number, overview: number, points: number },
  ),
  seed: number,
  pointsPerBatch: number,
  missing: number,
});

const loadResult: Check<LoadResult> = objectOf({
  startedAtUnixMs: number,
  plan,
  sent: number,
  completed: number,
  errors: mapOf(number),
  lateMs: objectOf({ p50: number, p99: number, max: number }),
  endpoints: objectOf<object, Required<LoadResult["endpoints"]>>(
    {},
    { lookup: latency, list: latency, create: latency, overview: latency, points: latency },
  ),
  all: latency,
});
