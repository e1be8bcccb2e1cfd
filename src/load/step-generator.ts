import type { ChildProcess } from "node:child_process";
import type { StepRecord } from "../analysis/load-step.ts";
import { forkSibling } from "./sibling-module.ts";
import type { OutgoingRequest } from "./send-open-loop.ts";

/** What is asked for, and by which means. */
export interface LoadTarget {
  /** scheme, host and port */
  readonly origin: string;
  readonly requests: readonly TargetRequest[];
  /** "by-weight": each draws its request; "in-turn": one after the other, then from the first again */
  readonly order: "by-weight" | "in-turn";
  /** most connections at the same time */
  readonly connections: number;
  readonly timeoutMs: number;
}

export interface TargetRequest extends OutgoingRequest {
  readonly weight: number;
}

/** "poisson": users who know nothing of each other; "constant": a metronome. */
export type Arrivals = "poisson" | "constant";

export interface LoadStep {
  readonly perSecond: number;
  readonly seconds: number;
  readonly arrivals: Arrivals;
  readonly seed: number;
}

export interface StepProgress {
  readonly elapsedSeconds: number;
  readonly sent: number;
  readonly inFlight: number;
  readonly failed: number;
}

/** What goes to the process of `step-process.ts`. */
export type StepTask =
  | { readonly kind: "target"; readonly target: LoadTarget }
  | { readonly kind: "step"; readonly step: LoadStep };

/** What comes back from it. */
export type StepMessage =
  | { readonly kind: "progress"; readonly progress: StepProgress }
  | { readonly kind: "record"; readonly record: StepRecord };

/** The generator died, in one sentence for the user. */
export class GeneratorError extends Error {
  override readonly name: string = "GeneratorError";
}

/** A process that sends open-loop load, step after step, over connections that it keeps. */
export interface StepGenerator {
  /**
   * Runs a step to its end and to the last answer or its time limit. Throws GeneratorError where the process dies, and the
   * signal's reason once that has ended it; the generator is of no more use then.
   */
  run(step: LoadStep, progress?: (progress: StepProgress) => void): Promise<StepRecord>;
  close(): Promise<void>;
}

const KEPT_OUTPUT = 2000;

/** Starts the process. It ends with `close`, with the signal, and with this process. */
export function startStepGenerator(target: LoadTarget, signal: AbortSignal): StepGenerator {
  signal.throwIfAborted();
  const child = forkSibling(import.meta.url, "step-process", {
    env: plainEnvironment(),
    stdio: ["ignore", "ignore", "pipe", "ipc"],
    // Columns go as they are, not as JSON.
    serialization: "advanced",
  });
  const stop = (): void => void child.kill("SIGKILL");
  signal.addEventListener("abort", stop, { once: true });
  const ended = endOf(child);
  const tell = (task: StepTask): void => void child.send(task, () => {});
  tell({ kind: "target", target });
  return {
    run: async (step, progress) => {
      const hear = new AbortController();
      const record = new Promise<StepRecord>((resolve) => {
        const listener = (message: StepMessage): void => {
          if (message.kind === "progress") progress?.(message.progress);
          else resolve(message.record);
        };
        child.on("message", listener);
        hear.signal.addEventListener("abort", () => child.off("message", listener), { once: true });
      });
      try {
        signal.throwIfAborted();
        tell({ kind: "step", step });
        return await Promise.race([record, ended.then(died)]);
      } catch (error) {
        signal.throwIfAborted();
        throw error;
      } finally {
        hear.abort();
      }
    },
    close: async () => {
      stop();
      await ended;
      signal.removeEventListener("abort", stop);
    },
  };
}

/** Without what would instrument or slow the generator. */
export function plainEnvironment(): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !/^(OTEL_|NODE_OPTIONS$)/.test(name)));
}

/** How the process ended, in words. */
function endOf(child: ChildProcess): Promise<string> {
  let output = "";
  child.stderr?.on("data", (text) => (output = (output + String(text)).slice(-KEPT_OUTPUT)));
  return new Promise((resolve) => {
    child.once("error", (cause) => resolve(`could not be run: ${cause.message}`));
    child.once("close", (code, signal) => {
      const said = output.trim() === "" ? "" : `: ${output.trim()}`;
      resolve(`ended early (${signal ?? `exit code ${code}`})${said}`);
    });
  });
}

function died(how: string): never {
  throw new GeneratorError(`the load generator ${how}`);
}
