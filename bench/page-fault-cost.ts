// What counting page faults costs a program that does little else: it maps 250 pages, touches each and gives them back, a
// million times in all. In turns without the helper, watched as `longpole record` does it, and as the agent does; processor
// time by the program's own getrusage, so that others on the machine matter little. Needs a C compiler and the probes.
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { ServingHelper } from "../src/agent/continuous/serving-helper.ts";
import { checkHelper, helperPath, runHelper } from "../src/agent/probe-helper.ts";
import type { ProbeRecord } from "../src/agent/probe-stream.ts";

const PAGES = 250;
const MAPPINGS = 4000;
const TURNS = Number(process.env["LONGPOLE_BENCH_TURNS"] ?? 7);
const PROGRAM = `
#include <stdio.h>
#include <sys/mman.h>
#include <sys/resource.h>
int main(void)
{
	getchar();
	for (int i = 0; i < ${MAPPINGS}; i++) {
		char *at = mmap(0, ${PAGES} * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		for (long page = 0; page < ${PAGES}; page++) at[page * 4096] = 1;
		munmap(at, ${PAGES} * 4096);
	}
	struct rusage use;
	getrusage(RUSAGE_SELF, &use);
	printf("%f", use.ru_utime.tv_sec + use.ru_stime.tv_sec + (use.ru_utime.tv_usec + use.ru_stime.tv_usec) / 1e6);
}`;

const helper = helperPath(process.env);
const check = checkHelper(helper);
if (check.kind === "failed") {
  console.log(`no probes here: ${check.why}`);
  process.exit(0);
}
const folder = mkdtempSync(join(tmpdir(), "longpole-bench-faults-"));

type Watch = "nobody" | "record" | "agent";

/** Processor seconds of the program, and of the helper with its programs in the kernel, as far as those are counted. */
async function run(watch: Watch): Promise<{ readonly own: number; readonly helper: number }> {
  const child = spawn(join(folder, "toucher"), { stdio: ["pipe", "pipe", "inherit"] });
  let text = "";
  child.stdout.on("data", (piece: Buffer) => (text += piece.toString()));
  const ended = once(child, "close");
  while (!readFileSync(`/proc/${child.pid}/syscall`, "latin1").startsWith("0 ")) await sleep(10);
  let costNs = 0;
  const stop = await watching(watch, child.pid!, (record, beforeNs) => {
    if (record.type === "tick" || record.type === "end") costNs = record.ownNs - beforeNs + record.programsNs;
  });
  child.stdin.end("go\n");
  await ended;
  await stop();
  return { own: Number(text), helper: costNs / 1e9 };
}

/** take: a record, and what the helper had taken before the program began: loading its probes takes it a second. */
async function watching(
  watch: Watch,
  pid: number,
  take: (record: ProbeRecord, beforeNs: number) => void,
): Promise<() => Promise<void>> {
  if (watch === "nobody") return () => Promise.resolve();
  if (watch === "agent") {
    let beforeNs = 0;
    const options = { hz: 19, tickSeconds: 1, user: undefined };
    const serving = new ServingHelper(helper, options, (record) => take(record, beforeNs));
    await serving.ready;
    serving.target(pid);
    await serving.counts([pid]);
    beforeNs = serving.use().cpuNs;
    return async () => {
      serving.stop();
      await serving.ended;
    };
  }
  const options = { pids: [pid], hz: 49, seconds: 600, budgetPercent: 0, atExec: false };
  return new Promise((resolve) => {
    const recording = runHelper(helper, options, (record) => {
      // A recording's cost is told without that.
      take(record, 0);
      if (record.type === "hello")
        resolve(async () => {
          recording.stop();
          await recording.done;
        });
    });
  });
}

const median = (values: readonly number[]): number => values.toSorted((a, b) => a - b)[values.length >> 1]!;

try {
  const built = spawnSync("gcc", ["-O2", "-o", join(folder, "toucher"), "-x", "c", "-"], { input: PROGRAM });
  if (built.status !== 0) throw new Error(`no C compiler: ${built.stderr.toString()}`);
  const found: Record<Watch, { own: number[]; helper: number[] }> = {
    nobody: { own: [], helper: [] },
    record: { own: [], helper: [] },
    agent: { own: [], helper: [] },
  };
  const order: readonly Watch[] = ["nobody", "record", "agent"];
  for (let turn = 0; turn < TURNS; turn++) {
    // Each goes first by turns.
    for (let i = 0; i < order.length; i++) {
      const watch = order[(turn + i) % order.length]!;
      const { own, helper: cost } = await run(watch);
      found[watch].own.push(own);
      found[watch].helper.push(cost);
    }
  }
  const faults = PAGES * MAPPINGS;
  const alone = median(found.nobody.own);
  console.log(`alone: ${((1e9 * alone) / faults).toFixed(0)} ns of the processor a fault, median of ${TURNS}`);
  for (const watch of ["record", "agent"] as const) {
    const own = median(found[watch].own);
    const counted = (1e9 * median(found[watch].helper)) / faults;
    console.log(
      `${watch}: ${((1e9 * own) / faults).toFixed(0)} ns a fault, ${(100 * (own / alone - 1)).toFixed(1)} % more; the helper counts ${counted.toFixed(0)} ns a fault as its own cost`,
    );
  }
} finally {
  rmSync(folder, { recursive: true, force: true });
}
