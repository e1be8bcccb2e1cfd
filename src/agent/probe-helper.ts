import { spawn, spawnSync } from "node:child_process";
import { accessSync, constants, existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { ProbeStreamReader, type ProbeRecord } from "./probe-stream.ts";

/** Where the helper stands: in dist/native, of the sources as of the package, unless LONGPOLE_PROBE says otherwise. */
export function helperPath(environment: Readonly<Record<string, string | undefined>>): string {
  return environment["LONGPOLE_PROBE"] ?? fileURLToPath(new URL("../../dist/native/longpole-probe", import.meta.url));
}

export interface HelperRun {
  /** Asks it to end; it sends its totals first. */
  stop(): void;
  /** Resolves when it has ended and all it sent was read; rejects where it failed, with its own words. */
  readonly done: Promise<void>;
}

/** Runs the helper on processes and hands out what it sees. seconds: after which it ends by itself. */
export function runHelper(
  helper: string,
  options: {
    readonly pids: readonly number[];
    readonly hz: number;
    readonly seconds: number;
    readonly budgetPercent: number;
    /** nothing counts before the process runs another program */
    readonly atExec: boolean;
  },
  onRecord: (record: ProbeRecord) => void,
): HelperRun {
  const words = ["--pid", options.pids.join(","), "--hz", String(options.hz), "--seconds", String(options.seconds)];
  const child = spawn(
    helper,
    [...words, "--budget", String(options.budgetPercent), ...(options.atExec ? ["--at-exec"] : [])],
    {
      stdio: ["pipe", "pipe", "pipe"],
    },
  );
  let complaint = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => (complaint += text));
  child.stdin.on("error", () => {});
  const reader = new ProbeStreamReader(onRecord);
  const done = new Promise<void>((resolve, reject) => {
    child.stdout.on("data", (piece: Buffer) => {
      try {
        reader.push(piece);
      } catch (error) {
        child.kill("SIGTERM");
        reject(error instanceof Error ? error : new Error(String(error)));
      }
    });
    child.once("error", (error) => reject(new Error(`the helper cannot be started: ${error.message}`)));
    child.once("close", (code, signal) => {
      if (code === 0 && reader.isWhole) resolve();
      else reject(new Error(complaint.trim() || `the helper ended with ${signal ?? `code ${code}`}`));
    });
  });
  return { stop: () => void child.stdin.end(), done };
}

/** What the helper can attach on this host, or why it can do nothing. */
export function checkHelper(
  helper: string,
):
  | { readonly kind: "probes"; readonly probes: readonly { name: string; rung: string; reason: string }[] }
  | { readonly kind: "failed"; readonly why: string; readonly isBuilt: boolean } {
  if (!existsSync(helper)) return { kind: "failed", why: "the helper is not built", isBuilt: false };
  try {
    accessSync(helper, constants.X_OK);
  } catch {
    return { kind: "failed", why: `${helper} is not executable`, isBuilt: true };
  }
  const run = spawnSync(helper, ["--check"], { timeout: 10_000, maxBuffer: 1 << 24 });
  if (run.status !== 0) {
    const why = run.stderr?.toString().trim() || run.error?.message || `it ended with ${run.signal ?? run.status}`;
    return { kind: "failed", why: why.replace(/^longpole-probe: /, ""), isBuilt: true };
  }
  const probes: { name: string; rung: string; reason: string }[] = [];
  const reader = new ProbeStreamReader((record) => {
    if (record.type === "probe") probes.push({ name: record.name, rung: record.rung, reason: record.reason });
  });
  try {
    reader.push(run.stdout);
  } catch (error) {
    return { kind: "failed", why: error instanceof Error ? error.message : String(error), isBuilt: true };
  }
  return { kind: "probes", probes };
}
