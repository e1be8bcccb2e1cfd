import type { ProcessRecording } from "../model/process-recording.ts";
import { recordByHelper, type RecordOptions } from "./helper-recording.ts";
import { profileByPerf } from "./perf-profile.ts";
import { checkHelper } from "./probe-helper.ts";
import { recordByProcfs } from "./procfs-recording.ts";
import { RecordError, readProcess, type TargetProcess } from "./target-process.ts";

export interface Recorded {
  readonly recording: ProcessRecording;
  /** what the user has to know: why a better way was not taken, what happened to the process */
  readonly remarks: readonly string[];
}

/**
 * Records a process by the best way that this host allows: the helper, perf, the files of /proc alone. Throws a
 * RecordError where there is nothing to record. helper: its path.
 */
export async function recordProcess(target: TargetProcess, options: RecordOptions, helper: string): Promise<Recorded> {
  const remarks: string[] = [];
  if (/[Tt]/.test(target.state) && target.begin === undefined)
    remarks.push(
      `process ${target.pid} is stopped (by a signal or a debugger): kill -CONT ${target.pid} lets it go on`,
    );
  const recording = await byBestWay(target, options, helper, remarks);
  if (target.begin === undefined) remarks.push(...whatBecame(target));
  if (recording.durationNs <= 0 || recording.threads.length === 0)
    throw new RecordError(`nothing was recorded: ${target.command} ended at once`);
  return { recording, remarks };
}

async function byBestWay(
  target: TargetProcess,
  options: RecordOptions,
  helper: string,
  remarks: string[],
): Promise<ProcessRecording> {
  const check = checkHelper(helper);
  let why = check.kind === "failed" ? check.why : "";
  if (check.kind === "probes") {
    try {
      return await recordByHelper(helper, target, options);
    } catch (error) {
      if (readProcess(target.pid) === undefined)
        throw new RecordError(`process ${target.pid} ended while the probes were attached`);
      why = error instanceof Error ? error.message : String(error);
    }
  }
  remarks.push(`no probes in the kernel: ${why} (longpole doctor says how to mend it)`);
  const notObserved = [
    { what: "off-cpu stacks", why },
    { what: "exact waits", why },
  ];
  let perfFailed = "";
  const enough = new AbortController();
  const stop = (): void => enough.abort();
  options.signal.addEventListener("abort", stop, { once: true });
  void target.ended?.then(stop);
  const profile = profileByPerf(target.pid, { ...options, signal: enough.signal }).catch((error: unknown) => {
    perfFailed = error instanceof Error ? error.message : String(error);
    return undefined;
  });
  const recording = await recordByProcfs(target, options, notObserved, profile);
  if (recording.collector === "perf") return recording;
  remarks.push(
    `no functions: perf record does not work here either${perfFailed === "" ? "" : `: ${perfFailed}`}; times are from /proc alone`,
  );
  const missing = { what: "on-cpu stacks", why: perfFailed || "perf saw no sample" };
  return { ...recording, quality: { ...recording.quality, notObserved: [...notObserved, missing] } };
}

/** That the process has ended, or that its number belongs to another one by now. */
function whatBecame(target: TargetProcess): string[] {
  const now = readProcess(target.pid);
  if (now === undefined || now.state === "Z")
    return [`process ${target.pid} ended while it was recorded: what was seen until then follows`];
  if (now.startTicks !== target.startTicks)
    return [
      `process ${target.pid} ended and its number was given to another one (${now.name}): only the first was meant`,
    ];
  return [];
}
