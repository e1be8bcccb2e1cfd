import { spawn, spawnSync, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, statfsSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ServingHelper } from "../src/agent/continuous/serving-helper.ts";
import { helperPath } from "../src/agent/probe-helper.ts";
import { CountKind, type CountRecord } from "../src/agent/probe-stream.ts";
import type { RecordReport } from "../src/model/record-report.ts";
import { longpole } from "./longpole.ts";

/*
 * Page faults, against what the kernel tells the program itself of them (getrusage).
 */

const { capabilities } = JSON.parse(longpole(["doctor", "--json"]).stdout) as {
  capabilities: { name: string; rung: string }[];
};
const hasProbes = capabilities.some(({ name, rung }) => name === "page fault times and stacks" && rung === "helper");
const hasCompiler = spawnSync("gcc", ["--version"]).status === 0;
/** ext4 and xfs give up pages of a file that were written; what lies in memory alone has no disk to be read from. */
const isOnDisk = [0xef53, 0x58465342].includes(statfsSync(tmpdir()).type);
const PATIENCE_MS = 60_000;

/**
 * reader FILE OUT ROUNDS: writes a file of 4,000 pages, has the kernel forget them and touches each.
 * churner - OUT ROUNDS: maps 250 pages, touches each and gives them back, over and over.
 * Either begins when a line comes, and tells its faults of both kinds in OUT.
 */
const PROGRAM = `
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>
static volatile char sink;
__attribute__((noinline)) void read_cold_pages(char *at, long pages) { for (long i = 0; i < pages; i++) sink += at[i * 4096]; sink++; }
__attribute__((noinline)) void build_and_drop(long pages)
{
	char *at = mmap(0, pages * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	for (long i = 0; i < pages; i++) at[i * 4096] = 1;
	munmap(at, pages * 4096);
	sink++;
}
static void read_round(int file)
{
	posix_fadvise(file, 0, 0, POSIX_FADV_DONTNEED);
	char *at = mmap(0, 4000 * 4096, PROT_READ, MAP_SHARED, file, 0);
	madvise(at, 4000 * 4096, MADV_RANDOM);
	read_cold_pages(at, 4000);
	munmap(at, 4000 * 4096);
}
int main(int count, char **words)
{
	int isReader = !strcmp(words[1], "reader"), file = -1;
	if (isReader) {
		static char block[4096 * 100];
		file = open(words[2], O_CREAT | O_RDWR | O_TRUNC, 0600);
		for (int i = 0; i < 40; i++) if (write(file, block, sizeof(block)) != sizeof(block)) return 1;
		fsync(file);
	}
	getchar();
	struct rusage before, after;
	getrusage(RUSAGE_SELF, &before);
	for (int i = 0; i < atoi(words[4]); i++)
		if (isReader) read_round(file); else build_and_drop(250);
	getrusage(RUSAGE_SELF, &after);
	FILE *out = fopen(words[3], "w");
	fprintf(out, "%ld %ld", after.ru_minflt - before.ru_minflt, after.ru_majflt - before.ru_majflt);
	fclose(out);
	return 0;
}`;

let folder = "";
let program = "";
const started: ChildProcess[] = [];
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "longpole-faults-"));
  program = join(folder, "toucher");
  if (!hasCompiler) return;
  const built = spawnSync("gcc", ["-O2", "-o", program, "-x", "c", "-"], { input: PROGRAM, encoding: "utf8" });
  if (built.status !== 0) throw new Error(`the program of this test does not build: ${built.stderr}`);
});
afterAll(() => {
  for (const child of started) child.kill("SIGKILL");
  rmSync(folder, { recursive: true, force: true });
});

interface Told {
  readonly minor: number;
  readonly major: number;
}

function toldIn(file: string): Told {
  const [minor, major] = readFileSync(file, "utf8").split(" ").map(Number);
  return { minor: minor!, major: major! };
}

/** Records a run of the program from its beginning to its end. */
function recorded(which: "reader" | "churner", rounds: number): { readonly found: RecordReport; readonly told: Told } {
  const out = join(folder, `${which}.told`);
  // Its input is at its end at once, which lets it begin.
  const words = [program, which, join(folder, "cold"), out, String(rounds)];
  const { code, stdout, stderr } = longpole(["record", "--json", "--seconds", "60", "--", ...words]);
  expect([code, stderr]).toEqual([0, expect.any(String)]);
  return { found: JSON.parse(stdout) as RecordReport, told: toldIn(out) };
}

const sumOf = ({ recording }: RecordReport, kind: "minor" | "major"): number =>
  recording.threads.reduce((all, { faults }) => all + faults![kind], 0);
const memoryFinding = ({ findings }: RecordReport): RecordReport["findings"][number] | undefined =>
  findings.find(({ subject: { resource } }) => resource !== undefined && resource !== "cpu");

describe.runIf(hasProbes && hasCompiler)("a recording", { retry: 2 }, () => {
  test.runIf(isOnDisk)(
    "a mapped file whose pages are not in memory: their number, time, file and function",
    { timeout: PATIENCE_MS },
    () => {
      const { found, told } = recorded("reader", 4);
      expect(told.major).toBeGreaterThan(10_000);
      const major = found.recording.pageFaults.major!;
      // Its own start and end have a few more.
      expect(Math.abs(sumOf(found, "major") / told.major - 1)).toBeLessThan(0.02);
      expect(Math.abs(major.count / told.major - 1)).toBeLessThan(0.02);
      const cold = join(folder, "cold");
      expect(major.places[0]).toMatchObject({ memory: cold, frame: expect.stringContaining("read_cold_pages") });
      const finding = memoryFinding(found)!;
      expect(finding).toMatchObject({
        mechanism: "memory-pressure",
        subject: { frame: expect.stringContaining("read_cold_pages"), resource: cold },
      });
      expect(finding.title).toMatch(
        /^[\d,]+ major page faults a second, .* of .* of thread toucher, reading .*cold from/,
      );
      // A fault waits for its page: what the switches say of waits outside of system calls is no more than the faults took.
      const disk = found.ledger.find(({ timeKind }) => timeKind === "disk")!;
      const waited = disk.parts.find(({ what }) => what === "page fault")!;
      expect(waited.ms).toBeLessThanOrEqual(major.ms! * 1.05);
      expect(waited.ms).toBeGreaterThan(major.ms! * 0.3);
    },
  );

  test(
    "memory that is taken and given back: number, share of the processor, and the function",
    { timeout: PATIENCE_MS },
    () => {
      const { found, told } = recorded("churner", 4000);
      expect(told.minor).toBeGreaterThanOrEqual(1_000_000);
      const minor = found.recording.pageFaults.minor!;
      expect(Math.abs(minor.count / told.minor - 1)).toBeLessThan(0.02);
      const isShed = found.recording.quality.notObserved.some(({ what }) => what === "page-faults");
      if (!isShed) expect(Math.abs(sumOf(found, "minor") / told.minor - 1)).toBeLessThan(0.02);
      expect(minor.places[0]).toMatchObject({
        memory: expect.stringMatching(/^(?:\[anonymous\]|)$/),
        frame: expect.stringContaining("build_and_drop"),
      });
      const finding = memoryFinding(found)!;
      expect(finding.title).toMatch(
        /^allocation churn: [\d,]+ minor page faults a second cost \d+ % of the processor time/,
      );
      expect(finding.subject.frame).toContain("build_and_drop");
      const cpu = found.ledger.find(({ timeKind }) => timeKind === "cpu")!;
      expect(cpu.parts[0]!.what).toBe("minor page faults");
      expect(cpu.parts[0]!.ms).toBeGreaterThan(0.05 * cpu.ms);
      expect(cpu.parts[0]!.ms).toBeLessThanOrEqual(cpu.ms);
    },
  );
});

describe.runIf(hasProbes && hasCompiler)("what the helper counts for the agent", { retry: 2 }, () => {
  async function counted(
    which: "reader" | "churner",
    rounds: number,
  ): Promise<{ readonly told: Told; readonly counts: ReadonlyMap<number, CountRecord> }> {
    const counts = new Map<number, CountRecord>();
    const out = join(folder, `${which}.served`);
    const child = spawn(program, [which, join(folder, "cold-served"), out, String(rounds)], {
      stdio: ["pipe", "ignore", "inherit"],
    });
    started.push(child);
    await once(child, "spawn");
    const { pid } = child;
    const helper = new ServingHelper(
      helperPath(process.env),
      { hz: 19, tickSeconds: 0.5, user: undefined },
      (record) => {
        if (record.type === "count" && record.tgid === pid) counts.set(record.kind, record);
      },
    );
    await helper.ready;
    helper.target(pid!);
    await helper.counts([pid!]);
    // What writes the file first is over when it reads its input.
    while (!readFileSync(`/proc/${pid}/syscall`, "latin1").startsWith("0 ")) await sleep(20);
    child.stdin.end("go\n");
    await once(child, "exit");
    helper.stop();
    await helper.ended;
    return { told: toldIn(out), counts };
  }

  test.runIf(isOnDisk)("major faults, each with its time", { timeout: PATIENCE_MS }, async () => {
    const { told, counts } = await counted("reader", 2);
    const major = counts.get(CountKind.majorFault)!;
    expect(Math.abs(major.count / told.major - 1)).toBeLessThan(0.02);
    expect(major.slots.reduce((sum, count) => sum + count, 0)).toBe(major.count);
    // No disk reads a page in less than a microsecond, and none of a test takes a second.
    expect(major.ns / major.count).toBeGreaterThan(1000);
    expect(major.ns / major.count).toBeLessThan(1e9);
  });

  test("minor faults, estimated by those that are timed", { timeout: PATIENCE_MS }, async () => {
    const { told, counts } = await counted("churner", 1000);
    const minor = counts.get(CountKind.minorFault)!;
    // A sixty-first of 250,000 faults are timed: 4,100, which is known to 2 % or better.
    expect(Math.abs(minor.count / told.minor - 1)).toBeLessThan(0.1);
    expect(minor.ns / minor.count).toBeGreaterThan(50);
  });
});
