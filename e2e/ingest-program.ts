import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/**
 * A small program as hungry as some real ones: it takes lines of metrics apart with a regular
 * expression, makes much garbage, and writes a point per system call with a sync behind each.
 * Line numbers matter: tests name the functions by them.
 */
const PROGRAM = `import { openSync, writeSync, fsyncSync } from "node:fs";
const fd = openSync(process.argv[2], "w");
const untilMs = performance.now() + Number(process.argv[3]);
const kept = [];
function parseLine(line) {
  const match = /^(\\w+)\\{((?:\\w+="[^"]*",?)*)\\} ([\\d.]+) (\\d+)$/.exec(line);
  return { name: match[1], tags: match[2].split(","), value: Number(match[3]), time: Number(match[4]) };
}
function keep(point) {
  kept.push(Array.from({ length: 6 }, (_, i) => ({ ...point, i })));
  if (kept.length > 20000) kept.length = 0;
}
function writePoint(point) {
  writeSync(fd, JSON.stringify(point) + "\\n");
  if (point.time % 20 === 0) fsyncSync(fd);
}
function takeBatch(size) {
  for (let i = 0; i < size; i++) {
    const point = parseLine('cpu_usage{host="h' + i + '",zone="eu-1",core="3",kind="user"} 12.5 17000' + i);
    for (let again = 0; again < 60; again++) parseLine('disk_io{host="h' + i + '",disk="sd' + again + '"} 7.25 1700');
    keep(point);
    writePoint(point);
  }
}
while (performance.now() < untilMs) takeBatch(100);
`;

/** Runs it for \`forMs\` and profiles it; returns the path of the .cpuprofile, which is named \`name\`. */
export function profileOfIngest(folder: string, name: string, forMs: number): string {
  const work = mkdtempSync(join(tmpdir(), "longpole-ingest-"));
  const program = join(work, "ingest.mjs");
  writeFileSync(program, PROGRAM);
  const args = [
    "--cpu-prof",
    `--cpu-prof-dir=${folder}`,
    `--cpu-prof-name=${name}`,
    program,
    join(work, "out"),
    `${forMs}`,
  ];
  const { status, stderr } = spawnSync(process.execPath, args, { encoding: "utf8" });
  rmSync(work, { recursive: true });
  if (status !== 0) throw new Error(`the program under test failed: ${stderr}`);
  return join(folder, name);
}

/** Line on which a function of the program begins. */
export function lineOf(name: string): number {
  return PROGRAM.split("\n").findIndex((line) => line.startsWith(`function ${name}(`)) + 1;
}
