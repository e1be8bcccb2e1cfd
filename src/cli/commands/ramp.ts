import { readFile } from "node:fs/promises";
import { buffer } from "node:stream/consumers";
import { setTimeout as pause } from "node:timers/promises";
import { GeneratorError, startStepGenerator, type Arrivals, type LoadTarget } from "../../load/step-generator.ts";
import { probe, TargetError, targetOf } from "../../load/load-target.ts";
import { runRamp, type RampRun, type RampStep } from "../../load/run-ramp.ts";
import { startSink, type TelemetrySink, type TelemetryWindow } from "../../load/telemetry-sink.ts";
import type { RampPlan } from "../../analysis/knee.ts";
import { InputError } from "../../model/intake.ts";
import { EXIT } from "../exit-code.ts";
import { jsonDocument } from "../json-document.ts";
import { progressOn } from "../progress.ts";
import { isAnswered, rampDocument, type RampDocument, type RampLimiter, type RampRequest } from "../ramp-document.ts";
import { keepRamp, rampFolder } from "../ramp-recording.ts";
import { readText } from "../read-text.ts";
import { duration, percent, rate } from "../render/numbers.ts";
import { renderRamp, VERDICTS } from "../render/ramp.ts";
import { safeText } from "../render/safe-text.ts";
import { lookOf, type LookOptions, type Terminal } from "../terminal.ts";

export interface RampCommandOptions extends LookOptions {
  readonly method?: string;
  readonly header?: readonly string[];
  readonly body?: string;
  readonly urls?: string;
  readonly start: number;
  readonly step: RampPlan["step"];
  readonly max?: number;
  readonly stepSeconds: number;
  readonly warmup: number;
  readonly connections: number;
  readonly timeout: number;
  readonly objective?: RampObjective;
  readonly maxErrors: number;
  readonly budget: number;
  readonly arrivals: Arrivals;
  readonly seed: number;
  readonly allowRemote?: string;
  /** port for what the services send */
  readonly receive?: number;
  readonly record?: string;
  readonly json?: boolean;
  readonly quiet?: boolean;
}

/** "p99 < 300ms" */
export interface RampObjective {
  readonly text: string;
  readonly metric: "p50" | "p95" | "p99";
  readonly limitMs: number;
}

/** Share of the requests that may be slower than a percentile's limit. */
const SHARE_BEYOND = { p50: 0.5, p95: 0.05, p99: 0.01 } as const;

/** `longpole ramp`: load in steps until the knee → the highest rate that is sustained, the ceiling, and what limits. */
export async function ramp(url: string, options: RampCommandOptions, terminal: Terminal): Promise<number> {
  const progress = progressOn(terminal, options.quiet === true);
  const say = (line: string): void => {
    progress.clear();
    if (options.quiet !== true) terminal.err(`${safeText(line)}\n`);
  };
  const abort = new AbortController();
  const stopListening = terminal.onInterrupt(() => {
    say("longpole: stopping; what is known by now follows (Ctrl-C again to leave at once)");
    abort.abort();
  });
  let sink: TelemetrySink | undefined;
  try {
    const folder = options.record === undefined ? undefined : await rampFolder(options.record);
    if (folder !== undefined && options.receive === undefined)
      throw new TargetError("--record keeps the telemetry that is received: --receive has to be given, too");
    const target = await targetFrom(url, options);
    await probe(target.origin, target.requests, target.timeoutMs);
    sink = options.receive === undefined ? undefined : await receiveOn(options.receive, say);
    // A log gets a line for each step, and no more.
    const report = (text: string): void => (terminal.errIsTty ? progress.report(text) : undefined);
    const run = await loadInSteps(target, options, abort.signal, { say, report });
    progress.clear();
    if (run.stop === "interrupted" && run.steps.length === 0) return EXIT.interrupted;
    const request = requestOf(target, options);
    if (sink === undefined) return print(rampDocument(request, run, NO_TELEMETRY, null), options, terminal);
    if (run.stop !== "interrupted") await exportersCatchUp(abort.signal, report);
    const telemetry = sink.endWindow();
    return await printWithLimiter(request, run, telemetry, folder, options, terminal);
  } catch (error) {
    progress.clear();
    if (abort.signal.aborted) return EXIT.interrupted;
    if (!(error instanceof TargetError || error instanceof GeneratorError)) throw error;
    terminal.err(`longpole: ${safeText(error.message)}\n`);
    return EXIT.unusable;
  } finally {
    await sink?.close();
    stopListening();
  }
}

/** SDKs export spans every five seconds. */
const CATCH_UP_SECONDS = 6;

async function exportersCatchUp(signal: AbortSignal, report: (text: string) => void): Promise<void> {
  for (let left = CATCH_UP_SECONDS; left > 0 && !signal.aborted; left--) {
    report(`waiting ${left} s for the last spans and metrics`);
    await pause(1000, undefined, { signal }).catch(() => {});
  }
}

async function receiveOn(port: number, say: (line: string) => void): Promise<TelemetrySink> {
  try {
    const sink = await startSink({ port, windowCapBytes: TELEMETRY_BYTES });
    say(`receiving traces and metrics (OTLP over HTTP) on ${sink.url}`);
    return sink;
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    const why = code === "EADDRINUSE" ? "is in use by another process" : `cannot be listened on: ${message}`;
    throw new TargetError(`--receive: port ${port} ${why}`, { cause: error });
  }
}

/** A million spans of half a kilobyte. */
const TELEMETRY_BYTES = 512 * 2 ** 20;

async function targetFrom(url: string, options: RampCommandOptions): Promise<LoadTarget> {
  const { method, header, body, urls, allowRemote } = options;
  const { origin, requests } = targetOf(url, {
    ...(method === undefined ? {} : { method }),
    ...(header === undefined ? {} : { headers: header }),
    ...(body === undefined ? {} : { body: await bodyFrom(body) }),
    ...(urls === undefined ? {} : { list: { text: await readText(urls), file: urls } }),
    ...(allowRemote === undefined ? {} : { allowRemote }),
  });
  const { connections, timeout } = options;
  return { origin, requests, order: "by-weight", connections, timeoutMs: timeout * 1000 };
}

async function bodyFrom(file: string): Promise<Uint8Array> {
  try {
    return await (file === "-" ? buffer(process.stdin) : readFile(file));
  } catch (error) {
    throw new TargetError(`--body: ${file} cannot be read: ${(error as Error).message}`, { cause: error });
  }
}

interface Voice {
  readonly say: (line: string) => void;
  readonly report: (text: string) => void;
}

async function loadInSteps(
  target: LoadTarget,
  options: RampCommandOptions,
  signal: AbortSignal,
  { say, report }: Voice,
): Promise<RampRun> {
  const { objective, maxErrors, start, step, max = Infinity, stepSeconds } = options;
  const generator = startStepGenerator(target, signal);
  try {
    return await runRamp(
      generator,
      {
        plan: { startPerSecond: start, step, maxPerSecond: max, stepSeconds },
        limits: {
          maxErrors,
          ...(objective === undefined
            ? {}
            : { objective: { share: SHARE_BEYOND[objective.metric], limitMs: objective.limitMs } }),
        },
        arrivals: options.arrivals,
        seed: options.seed,
        warmUpSeconds: options.warmup,
        budgetSeconds: options.budget,
        signal,
      },
      {
        progress: (planned, { elapsedSeconds, sent, inFlight, failed }) => {
          const what = typeof planned === "string" ? planned : rate(planned.perSecond);
          report(`${what}: ${elapsedSeconds.toFixed(0)} s, ${sent} sent, ${inFlight} in flight, ${failed} failed`);
        },
        stepEnded: (ended) => say(stepLine(ended)),
      },
    );
  } finally {
    await generator.close();
  }
}

function stepLine({ planned, observation, judgement, after }: RampStep): string {
  const { p50Ms, p99Ms, failures, requests, throughput } = observation;
  const time = (ms: number): string => (Number.isFinite(ms) ? duration(ms) : "–");
  const errors = failures === 0 ? "" : `, ${percent(failures / requests)} failed`;
  const back = after === "not-recovered" ? "; it did not recover within ten seconds of light load" : "";
  const figures = `answered ${rate(throughput.value)}, p50 ${time(p50Ms)}, p99 ${time(p99Ms)}${errors}`;
  return `${rate(planned.perSecond)} offered: ${figures}: ${VERDICTS[judgement.verdict]}${back}`;
}

const NO_TELEMETRY: RampLimiter = {
  status: "no-telemetry",
  detail:
    "no telemetry was received; --receive takes the traces and metrics that the services send (OTLP over HTTP), which name the resource that limits",
};

function requestOf(target: LoadTarget, options: RampCommandOptions): RampRequest {
  return {
    target: target.origin + target.requests[0]!.path,
    requests: target.requests.length,
    arrivals: options.arrivals,
    seed: options.seed,
    objective: options.objective?.text ?? null,
    maxErrors: options.maxErrors,
    connections: options.connections,
  };
}

/** What was measured under load is not lost where the telemetry or the disk fails it. */
async function printWithLimiter(
  request: RampRequest,
  run: RampRun,
  telemetry: TelemetryWindow,
  folder: string | undefined,
  options: RampCommandOptions,
  terminal: Terminal,
): Promise<number> {
  try {
    const document = (limiter: RampLimiter): RampDocument =>
      rampDocument(request, run, limiter, options.record ?? null);
    // Also where it was interrupted: what is known is still looked into, and the second Ctrl-C leaves at once.
    return print(await keepRamp(folder, run.steps, telemetry, document), options, terminal);
  } catch (error) {
    if (!(error instanceof InputError)) throw error;
    terminal.err(`longpole: ${safeText(error.message)}\n`);
    const detail = `what was received could not be used: ${error.message}`;
    print(rampDocument(request, run, { status: "no-telemetry", detail }, null), options, terminal);
    return EXIT.unusable;
  }
}

function print(document: RampDocument, options: RampCommandOptions, terminal: Terminal): number {
  if (options.json === true) for (const piece of jsonDocument(document)) terminal.out(piece);
  else terminal.out(`${renderRamp(document, lookOf(options, terminal), terminal.command).join("\n")}\n`);
  return isAnswered(document) ? EXIT.ok : EXIT.insufficientData;
}
