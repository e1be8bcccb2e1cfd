import { spawn } from "node:child_process";
import { createWriteStream } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { loadProfiles } from "../formats/load-profiles.ts";
import { mergeStackTables } from "../model/merge-stack-tables.ts";
import type { RecordOptions } from "./helper-recording.ts";
import type { OtherProfile } from "./procfs-recording.ts";

/**
 * Samples a process by `perf record` with frame pointers, and reads what `perf script` tells. Undefined where perf recorded
 * nothing. Rejects with perf's own words where it cannot.
 */
export async function profileByPerf(
  pid: number,
  { seconds, hz, signal }: RecordOptions,
): Promise<OtherProfile | undefined> {
  const folder = await mkdtemp(join(tmpdir(), "longpole-perf-"));
  try {
    const data = join(folder, "perf.data");
    const event = ["-e", "cpu-clock", "-F", String(hz), "-g", "-p", String(pid), "-o", data];
    await run("perf", ["record", "-q", ...event, "--", "sleep", String(seconds)], { signal });
    const script = join(folder, "perf.script");
    await run("perf", ["script", "-i", data], { output: script });
    const { profiles } = await loadProfiles([script], { others: "pass-over", signal: new AbortController().signal });
    const tables = profiles.map(({ stacks }) => stacks);
    return tables.length === 0 ? undefined : { stacks: mergeStackTables(tables), name: "perf" };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** Runs a command to its end; `output`: a file for its standard output; `signal`: asks it to end early, with what it has. */
function run(
  command: string,
  words: readonly string[],
  { output, signal }: { readonly output?: string; readonly signal?: AbortSignal },
): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, words, { stdio: ["ignore", output === undefined ? "ignore" : "pipe", "pipe"] });
    let complaint = "";
    child.stderr!.setEncoding("utf8").on("data", (text: string) => (complaint += text));
    if (output !== undefined) child.stdout!.pipe(createWriteStream(output));
    const stop = (): void => void child.kill("SIGINT");
    signal?.addEventListener("abort", stop, { once: true });
    child.once("error", (error) => reject(new Error(`${command} cannot be started: ${error.message}`)));
    child.once("close", (code, ended) => {
      signal?.removeEventListener("abort", stop);
      if (code === 0 || (signal?.aborted === true && ended !== "SIGKILL")) resolve();
      else reject(new Error(complaint.trim().split("\n")[0] || `${command} ended with ${code}`));
    });
  });
}
