/**
 * `perf script` text into folded stacks: rate of reading and folding, in processor time of this process.
 *
 *     npx tsx bench/perf-script.ts [--megabytes 200] [--file perf.txt] [--perl stackcollapse-perf.pl] [--rounds 5]
 *
 * Without a file the text is made: 40 % of the samples repeat callers seen before, as those of a busy server
 * do (in the public samples it is more), stacks are 12 to 60 frames deep, addresses of the innermost frames are
 * random. With --perl the known collapser reads the same text, in turns; its result is compared.
 */
import { spawnSync } from "node:child_process";
import { readFileSync, writeFileSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { Intake } from "../src/model/intake.ts";
import { PerfScript } from "../src/formats/perf-script.ts";
import { foldedLines } from "../src/formats/write-folded.ts";

const { values } = parseArgs({
  options: {
    megabytes: { type: "string", default: "200" },
    file: { type: "string" },
    perl: { type: "string" },
    rounds: { type: "string", default: "5" },
  },
});
const CHUNK = 256 * 1024;

let seed = 0x2545f491;
/** xorshift32, 0 <= x < below. */
function random(below: number): number {
  seed ^= seed << 13;
  seed ^= seed >>> 17;
  seed ^= seed << 5;
  return (seed >>> 0) % below;
}

const NAMES = [
  "tcp_sendmsg",
  "vfs_write",
  "std::_Hashtable<int, std::pair<int const, Row>>::find",
  "v8::internal::Execution::Call(v8::internal::Isolate*, int)",
  "LazyCompile:*parseLine /srv/ingest.js:42",
  "entry_SYSCALL_64_after_hwframe",
  "uv__io_poll",
  "[unknown]",
];
const MODULES = [
  "([kernel.kallsyms])",
  "([kernel.kallsyms])",
  "(/usr/bin/server)",
  "(/usr/bin/node)",
  "(/tmp/perf-31912.map)",
  "([kernel.kallsyms])",
  "(/usr/bin/node)",
  "(/usr/lib/x86_64-linux-gnu/libc.so.6)",
];

const hex = (): string => (0x7f0000000000 + random(1 << 30)).toString(16);

function line(frame: number, address = (0x560000000000 + frame * 64).toString(16)): string {
  const kind = frame % NAMES.length;
  const name = NAMES[kind]!.startsWith("[") ? NAMES[kind]! : NAMES[kind]!.replace(/(?=\(|$)/, `_${frame}`);
  return `\t${address.padStart(16)} ${name}+0x${(frame * 16).toString(16)} ${MODULES[kind]!}\n`;
}

function makeText(bytes: number): Buffer {
  const callers: string[] = [];
  const parts: string[] = [];
  let size = 0;
  for (let i = 0; size < bytes; i++) {
    const isKnown = callers.length > 100 && random(10) < 4;
    const text = isKnown
      ? callers[random(callers.length)]!
      : Array.from({ length: 11 + random(49) }, () => line(random(4000))).join("");
    if (!isKnown && callers.length < 3000) callers.push(text);
    const header = `node ${31900 + random(4)}/${31912 + random(8)} [00${random(8)}] ${100000 + i / 1000}:     250000 cpu-clock:ppp: \n`;
    const sample = `${header}${line(random(4000), hex())}${text}\n`;
    parts.push(sample);
    size += sample.length;
  }
  return Buffer.from(parts.join(""));
}

const text = values.file === undefined ? makeText(Number(values.megabytes) * 1e6) : readFileSync(values.file);

function fold(): { seconds: number; lines: string[] } {
  const before = process.cpuUsage();
  const intake = new Intake();
  const perf = new PerfScript(intake, "perf.txt");
  for (let at = 0; at < text.length; at += CHUNK) perf.push(text.subarray(at, at + CHUNK));
  const lines = [...foldedLines(perf.finish())].sort();
  const { user, system } = process.cpuUsage(before);
  if (intake.errors.length > 0) throw intake.errors[0]!;
  return { seconds: (user + system) / 1e6, lines };
}

function foldByPerl(script: string, path: string): { seconds: number; lines: string[] } {
  const done = spawnSync("bash", ["-c", `TIMEFORMAT='%U %S'; time perl "${script}" "${path}"`], {
    encoding: "utf8",
    maxBuffer: 1 << 30,
  });
  const [user, system] = done.stderr.trim().split("\n").at(-1)!.split(" ").map(Number) as [number, number];
  return { seconds: user + system, lines: done.stdout.trim().split("\n").sort() };
}

const median = (numbers: readonly number[]): number => [...numbers].sort((a, b) => a - b)[numbers.length >> 1]!;
const rate = (seconds: number): string => `${(text.length / 1e6 / seconds).toFixed(0)} MB/s`;

const folder = mkdtempSync(join(tmpdir(), "longpole-bench-"));
const ours: number[] = [];
const perls: number[] = [];
let lines: string[] = [];
let theirs: string[] = [];
if (values.perl !== undefined) writeFileSync(join(folder, "perf.txt"), text);
fold();
for (let round = 0; round < Number(values.rounds); round++) {
  const run = fold();
  ours.push(run.seconds);
  lines = run.lines;
  if (values.perl === undefined) continue;
  const other = foldByPerl(values.perl, join(folder, "perf.txt"));
  perls.push(other.seconds);
  theirs = other.lines;
}
rmSync(folder, { recursive: true });
console.log(
  `${(text.length / 1e6).toFixed(0)} MB, ${lines.length} distinct stacks: ${rate(median(ours))} of processor time (median of ${ours.length})`,
);
if (perls.length > 0) {
  const isSame = JSON.stringify(lines) === JSON.stringify(theirs);
  console.log(
    `the Perl collapser: ${rate(median(perls))}; ${(median(perls) / median(ours)).toFixed(1)}x; same result: ${isSame}`,
  );
} else
  console.log(
    `against the 17.8 MB/s that the Perl collapser was measured at elsewhere: ${(text.length / 1e6 / median(ours) / 17.8).toFixed(1)}x`,
  );
