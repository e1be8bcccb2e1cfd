import type { ChildProcess } from "node:child_process";
import { LabError } from "../lab-error.ts";
import { HEALTHY } from "../settings.ts";
import type { LoadPlan, LoadResult } from "./load-plan.ts";
import { plainEnvironment } from "../../load/step-generator.ts";
import { forkSibling } from "../../load/sibling-module.ts";
import { validatePlan } from "./validate-plan.ts";

export interface LoadOptions {
  readonly signal?: AbortSignal;
  /** about once a second */
  readonly progress?: (progress: LoadProgress) => void;
  /** records that can be looked up; those of the healthy system where absent */
  readonly records?: number;
}

export interface LoadProgress {
  readonly elapsedSeconds: number;
  readonly seconds: number;
  readonly sent: number;
  readonly completed: number;
  readonly errors: number;
  readonly lastSecond: { readonly completed: number; readonly p50Ms: number; readonly p99Ms: number };
}

/** What goes to the process of `generator.ts`. */
export interface GeneratorTask {
  readonly baseUrl: string;
  readonly plan: LoadPlan;
  readonly records: number;
}

/** What comes back from it. */
export type GeneratorMessage =
  | { readonly kind: "progress"; readonly progress: LoadProgress }
  | { readonly kind: "result"; readonly result: LoadResult };

/** Requests time out after 30 s; the rest is for starting, drawing and telling. */
const GRACE_SECONDS = 60;
const KEPT_OUTPUT = 2000;

/**
 * Runs the plan against `baseUrl`, from a process of its own, so that its latencies are nobody else's.
 * Ends by itself, some 30 s after the plan's end at the latest.
 * Rejects with an AbortError once the signal has ended it, with a LabError for a plan that cannot be (`load-plan`), an
 * address that is not of this machine (`load-target`) or a generator that dies (`load-generator`).
 */
export async function runLoad(baseUrl: string, plan: LoadPlan, options: LoadOptions = {}): Promise<LoadResult> {
  const { signal, progress, records = HEALTHY.postgres.records } = options;
  const task: GeneratorTask = { baseUrl: loopbackOrigin(baseUrl), plan, records };
  validatePlan(plan);
  signal?.throwIfAborted();
  const child = forkSibling(import.meta.url, "generator", {
    env: plainEnvironment(),
    stdio: ["ignore", "ignore", "pipe", "ipc"],
  });
  const watchdog = setTimeout(() => child.kill("SIGKILL"), (plan.seconds + GRACE_SECONDS) * 1000);
  const stop = (): void => void child.kill("SIGKILL");
  signal?.addEventListener("abort", stop, { once: true });
  try {
    child.send(task);
    const result = await resultOf(child, progress);
    signal?.throwIfAborted();
    return result;
  } catch (error) {
    signal?.throwIfAborted();
    throw error;
  } finally {
    clearTimeout(watchdog);
    signal?.removeEventListener("abort", stop);
  }
}

/** Load goes to this machine only: a sample of a fault is not to become an attack by a mistyped address. */
function loopbackOrigin(baseUrl: string): string {
  const url = URL.canParse(baseUrl) ? new URL(baseUrl) : undefined;
  const isLoopback = url !== undefined && /^(127(\.\d+){3}|\[::1\]|localhost)$/.test(url.hostname);
  if (!isLoopback || url.protocol !== "http:")
    throw new LabError(
      "load-target",
      `load goes to http on this machine only, e.g. http://127.0.0.1:8080, not ${baseUrl}`,
    );
  return url.origin;
}

/** Settles when the process has ended, and not before. */
function resultOf(child: ChildProcess, progress: LoadOptions["progress"]): Promise<LoadResult> {
  let result: LoadResult | undefined;
  let output = "";
  child.stderr?.on("data", (text) => (output = (output + String(text)).slice(-KEPT_OUTPUT)));
  return new Promise((resolve, reject) => {
    child.on("message", (message: GeneratorMessage) => {
      if (message.kind === "result") result = message.result;
      else progress?.(message.progress);
    });
    child.once("error", (cause) => {
      reject(new LabError("load-generator", `the load generator could not be run: ${cause.message}`, { cause }));
    });
    child.once("close", (code, signal) => {
      if (result !== undefined) return resolve(result);
      const how = `the load generator ended early (${signal ?? `exit code ${code}`})`;
      reject(new LabError("load-generator", output.trim() === "" ? how : `${how}: ${output.trim()}`));
    });
  });
}
