import { mkdir, mkdtemp, readdir, readFile, realpath, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { promisify } from "node:util";
import { gzip } from "node:zlib";
import { bracketOf } from "../analysis/knee.ts";
import { diagnose } from "../engine/diagnose.ts";
import {
  addTraceBegins,
  addTraceBeginsJson,
  cutMetrics,
  cutMetricsJson,
  cutTraces,
  cutTracesJson,
  type TraceBegins,
} from "../formats/otlp-cut.ts";
import { judgedOf, type RampStep } from "../load/run-ramp.ts";
import type { TelemetryWindow } from "../load/telemetry-sink.ts";
import { writeToDisk, writeWholeFolder } from "../load/whole-folder.ts";
import { InputError } from "../model/intake.ts";
import { RAMP_SCHEMA, unixNs, type RampDocument, type RampLimiter } from "./ramp-document.ts";
import { readInputs } from "./read-inputs.ts";

const compress = promisify(gzip);

/** The file beside the windows, by which a folder is known as a ramp's. */
const DOCUMENT = "ramp.json";

/** Steps whose telemetry tells of the knee: the highest sustained rate, and one at about half of it to compare with. */
export interface KneeSteps {
  readonly knee: RampStep;
  readonly below?: RampStep;
}

/** Nearer to the knee than this a step is no other state of the system. */
const FAR_BELOW = 0.75;

export function kneeSteps(steps: readonly RampStep[]): KneeSteps | undefined {
  const { low } = bracketOf(steps.map(judgedOf));
  const steady = steps.filter(({ judgement }) => judgement.verdict === "steady");
  // The longest: what was confirmed.
  const knee = steady
    .filter(({ planned }) => planned.perSecond === low)
    .toSorted((a, b) => a.observation.requests - b.observation.requests)
    .at(-1);
  if (knee === undefined || low === null) return undefined;
  const fromHalf = ({ planned }: RampStep): number => Math.abs(Math.log(planned.perSecond / (low / 2)));
  const [below] = steady
    .filter(({ planned }) => planned.perSecond < FAR_BELOW * low)
    .toSorted((a, b) => fromHalf(a) - fromHalf(b));
  return below === undefined ? { knee } : { knee, below };
}

/** Where a ramp may be kept. Throws InputError where something else is. */
export async function rampFolder(folder: string): Promise<string> {
  const path = resolve(folder);
  const found = await stat(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return undefined;
    throw unusable(folder, error.message);
  });
  if (found === undefined) return path;
  if (!found.isDirectory()) throw unusable(folder, "a file");
  const target = await realpath(path);
  if ((await readdir(target)).length === 0) return target;
  const document = await readFile(join(target, DOCUMENT), "utf8").catch(() => "");
  if (!document.includes(`"schema": "${RAMP_SCHEMA}"`)) throw unusable(folder, "other files, and no ramp");
  return target;
}

const unusable = (file: string, found: string): InputError =>
  new InputError("unreadable", {
    file,
    byteOffset: -1,
    expected: "an empty folder, an earlier ramp's, or none",
    found,
  });

/**
 * Keeps the telemetry at the knee, and below it, in `folder` (`knee/`, `below/` and `ramp.json`, whole or not at all), or only
 * for as long as it takes to look into it. `document` makes the document once it is known what limits.
 */
export async function keepRamp(
  folder: string | undefined,
  steps: readonly RampStep[],
  telemetry: TelemetryWindow,
  document: (limiter: RampLimiter) => RampDocument,
): Promise<RampDocument> {
  const temporary = folder === undefined ? await mkdtemp(join(tmpdir(), "longpole-ramp-")) : undefined;
  let made: RampDocument | undefined;
  try {
    await writeWholeFolder(folder ?? join(temporary!, "ramp"), async (partial) => {
      const windows = kneeSteps(steps);
      if (windows !== undefined) await writeWindows(partial, windows, telemetry);
      made = document(await limiterAt(partial, windows, telemetry));
      await writeToDisk(join(partial, DOCUMENT), `${JSON.stringify(made, null, 2)}\n`);
    });
    return made!;
  } catch (error) {
    if (isDiskError(error)) throw unusable(folder ?? tmpdir(), error.message);
    throw error;
  } finally {
    if (temporary !== undefined) await rm(temporary, { recursive: true, force: true });
  }
}

const isDiskError = (error: unknown): error is Error => error instanceof Error && "syscall" in error;

async function writeWindows(folder: string, { knee, below }: KneeSteps, telemetry: TelemetryWindow): Promise<void> {
  const jsonOf = (lines: Buffer): unknown[] =>
    lines
      .toString("utf8")
      .split("\n")
      .filter((line) => line !== "")
      .map((line) => JSON.parse(line) as unknown);
  const traces = jsonOf(telemetry.tracesJson);
  const metrics = jsonOf(telemetry.metricsJson);
  const begins: TraceBegins = new Map();
  addTraceBegins(begins, telemetry.traces);
  for (const request of traces) addTraceBeginsJson(begins, request);
  for (const [name, step] of [
    ["knee", knee],
    ["below", below],
  ] as const) {
    if (step === undefined) continue;
    const { startUnixMs, fromMs, toMs } = step.observation;
    const [from, to] = [BigInt(unixNs(startUnixMs + fromMs)), BigInt(unixNs(startUnixMs + toMs))];
    const isWithin = (traceId: string): boolean => {
      const begin = begins.get(traceId);
      return begin !== undefined && begin >= from && begin < to;
    };
    await mkdir(join(folder, name));
    const keep = async (file: string, content: string | Uint8Array): Promise<void> => {
      // Nothing received is no file: an empty one would be a damaged one.
      if (content.length > 0) await writeToDisk(join(folder, name, file), await compress(content));
    };
    await keep("traces.otlp.pb.gz", cutTraces(telemetry.traces, isWithin));
    await keep("metrics.otlp.pb.gz", cutMetrics(telemetry.metrics, from, to));
    await keep("traces.otlp.jsonl.gz", linesOf(traces.map((request) => cutTracesJson(request, isWithin))));
    await keep("metrics.otlp.jsonl.gz", linesOf(metrics.map((request) => cutMetricsJson(request, from, to))));
  }
}

function linesOf(requests: readonly unknown[]): string {
  return requests
    .filter((request) => request !== undefined)
    .map((request) => `${JSON.stringify(request)}\n`)
    .join("");
}

const NEVER = new AbortController().signal;

/** What the telemetry at the knee says of the limit, as `longpole analyze` would. */
async function limiterAt(
  folder: string,
  windows: KneeSteps | undefined,
  telemetry: TelemetryWindow,
): Promise<RampLimiter> {
  if (windows === undefined)
    return { status: "insufficient-data", detail: "no rate was sustained, so there is no time at which to look" };
  const { exportRequests, refused } = telemetry;
  if (exportRequests === 0)
    return {
      status: "no-telemetry",
      detail:
        "nothing was received: services send to this port with OTEL_EXPORTER_OTLP_ENDPOINT and OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf, and every second with OTEL_METRIC_EXPORT_INTERVAL=1000",
    };
  const files = [join(folder, "knee"), ...(windows.below === undefined ? [] : [join(folder, "below")])];
  const [now, before] = await Promise.all(files.map((file) => readInputs([file], () => {}, NEVER)));
  const { throughput, findings } = await diagnose({
    spans: now!.spans,
    metrics: now!.metrics,
    intake: now!.intake,
    ...(before === undefined ? {} : { baseline: before.spans, baselineMetrics: before.metrics }),
  });
  const lost = refused === 0 ? "" : `; ${refused} exports were not taken, so that telemetry is missing`;
  const finding = findings.find(({ severity }) => severity !== "note")?.title;
  return {
    status: throughput.status,
    detail: `${throughput.detail}${lost}`,
    ...(throughput.limiter === undefined ? {} : { limiter: throughput.limiter }),
    ...(throughput.next === undefined ? {} : { next: throughput.next }),
    ...(finding === undefined ? {} : { finding }),
  };
}
