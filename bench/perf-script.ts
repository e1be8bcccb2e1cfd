/**
 * `perf script` text into folded stacks: processor time and time on the clock of reading and folding, and peak of memory.
 *
 *     npm run build && npx tsx bench/perf-script.ts [--megabytes 200] [--file perf.txt] [--perl stackcollapse-perf.pl] [--rounds 5]
 *
 * Without a file the text is made: 40 % of the samples repeat callers seen before, as those of a busy server
 * do (in the public samples it is more), stacks are 12 to 60 frames deep, addresses of the innermost frames are
 * random. Two figures: the reader and the writer alone, in this process, and the whole of `longpole flame --folded`,
 * start included. With --perl the known collapser (of the FlameGraph repository, not part of this one) reads the same
 * text, in turns; its result is compared.
 */
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { Intake } from "../src/model/intake.ts";
import { PerfScript } from "../src/formats/perf-script.ts";
import { foldedText } from "../src/formats/write-folded.ts";

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
    const header = `node ${31900 + random(4)}/${31912 + random(8)} [00${random(8)}] ${100000 + i / 1000}: cpu-clock:ppp: \n`;
    const sample = `${header}${line(random(4000), hex())}${text}\n`;
    parts.push(sample);
    size += sample.length;
  }
  return Buffer.from(parts.join(""));
}

const text = values.file === undefined ? makeText(Number(values.megabytes) * 1e6) : readFileSync(values.file);

interface Run {
  /** of processor time, all threads together */
  readonly seconds: number;
  readonly clockSeconds: number;
  readonly megabytes: number;
  readonly text: string;
}

const secondsOf = ({ user, system }: NodeJS.CpuUsage): number => (user + system) / 1e6;

function fold(): Run {
  const began = performance.now();
  const before = process.cpuUsage();
  const intake = new Intake();
  const perf = new PerfScript(intake, "perf.txt");
  for (let at = 0; at < text.length; at += CHUNK) perf.push(text.subarray(at, at + CHUNK));
  const folded = Buffer.concat([...foldedText(perf.finish())]);
  const seconds = secondsOf(process.cpuUsage(before));
  const clockSeconds = (performance.now() - began) / 1000;
  if (intake.errors.length > 0) throw intake.errors[0]!;
  return { seconds, clockSeconds, megabytes: NaN, text: folded.toString() };
}

/** Runs a command that ends its stderr with `SECONDS KILOBYTES`. */
function run(command: string, args: readonly string[]): Run {
  const began = performance.now();
  const done = spawnSync(command, args, { encoding: "utf8", maxBuffer: 1 << 30 });
  const clockSeconds = (performance.now() - began) / 1000;
  if (done.status !== 0) throw new Error(`${command}: ${done.stderr}`);
  const [seconds, kilobytes] = done.stderr.trim().split("\n").at(-1)!.split(" ").map(Number) as [number, number];
  return { seconds, clockSeconds, megabytes: kilobytes / 1e3, text: done.stdout };
}

const TELL_NODE = `process.on("exit", () => { const u = process.resourceUsage();
  process.stderr.write("\\n" + (u.userCPUTime + u.systemCPUTime) / 1e6 + " " + u.maxRSS + "\\n"); })`;
const TELL_PERL = `END { my ($u, $s) = times; open my $f, "<", "/proc/self/status";
  my ($peak) = map { /VmHWM:\\s+(\\d+)/ } <$f>; print STDERR "\\n", $u + $s, " $peak\\n"; } do shift`;

const foldByCommand = (path: string): Run => {
  const main = join(import.meta.dirname, "../dist/cli/main.js");
  return run(process.execPath, [
    "--import",
    `data:text/javascript,${TELL_NODE}`,
    main,
    "flame",
    "--folded",
    "-q",
    path,
  ]);
};
const foldByPerl = (script: string, path: string): Run => run("perl", ["-e", TELL_PERL, script, path]);

const median = (runs: readonly Run[], pick: (run: Run) => number): number =>
  runs.map(pick).sort((a, b) => a - b)[runs.length >> 1]!;
const secondsIn = (runs: readonly Run[]): number => median(runs, ({ seconds }) => seconds);
const clockSecondsIn = (runs: readonly Run[]): number => median(runs, ({ clockSeconds }) => clockSeconds);
const megabytesIn = (seconds: number): string => (text.length / 1e6 / seconds).toFixed(0);
const rate = (runs: readonly Run[]): string =>
  `${megabytesIn(secondsIn(runs))} MB/s of processor time, ${megabytesIn(clockSecondsIn(runs))} on the clock`;
const peak = (runs: readonly Run[]): string => `peak ${median(runs, ({ megabytes }) => megabytes).toFixed(0)} MB`;
const sorted = ({ text: lines }: Run): string => lines.split("\n").sort().join("\n");

/** Numbers of folded stacks by stack. */
function numbersIn({ text: lines }: Run): Map<string, number> {
  const found = new Map<string, number>();
  for (const line of lines.split("\n").slice(0, -1)) {
    const at = line.lastIndexOf(" ");
    found.set(line.slice(0, at), Number(line.slice(at + 1)));
  }
  return found;
}

/**
 * Real recordings differ, each way known: the Perl counts every sample as one where the text has periods, whose sums ours
 * are; leaves a blank behind a name that it cuts at a parenthesis; calls frames of a deleted module "[unknown] " where ours
 * name the module; and takes the time for a part of the name where a process has the number -1.
 */
function comparison(mine: Run, other: Run): string {
  if (sorted(mine) === sorted(other)) return "same: true";
  const [a, b] = [numbersIn(mine), numbersIn(other)];
  const common = [...a].filter(([stack]) => b.has(stack));
  const equal = common.filter(([stack, number]) => b.get(stack) === number);
  return `same: false: ${a.size} stacks against ${b.size}, ${common.length} in both, ${equal.length} of them with the same number`;
}

const folder = mkdtempSync(join(tmpdir(), "longpole-bench-"));
const path = join(folder, "perf.txt");
writeFileSync(path, text);
const ours: Run[] = [];
const commands: Run[] = [];
const perls: Run[] = [];
// Warm.
fold();
for (let round = 0; round < Number(values.rounds); round++) {
  ours.push(fold());
  commands.push(foldByCommand(path));
  if (values.perl !== undefined) perls.push(foldByPerl(values.perl, path));
}
rmSync(folder, { recursive: true });
const stacks = ours[0]!.text.split("\n").length - 1;
console.log(`${(text.length / 1e6).toFixed(0)} MB, ${stacks} distinct stacks, ${ours.length} rounds:`);
console.log(`reading and folding: ${rate(ours)}`);
console.log(`longpole flame --folded: ${rate(commands)}, ${peak(commands)}; ${comparison(ours[0]!, commands[0]!)}`);
if (perls.length > 0) {
  const times = (runs: readonly Run[]): string =>
    `${(secondsIn(perls) / secondsIn(runs)).toFixed(1)}x (${(clockSecondsIn(perls) / clockSecondsIn(runs)).toFixed(1)}x)`;
  console.log(`the Perl collapser: ${rate(perls)}, ${peak(perls)}; ${comparison(ours[0]!, perls[0]!)}`);
  console.log(
    `against it, processor time (clock): ${times(ours)} reading and folding, ${times(commands)} the whole command`,
  );
} else
  console.log(
    `against the 17.8 MB/s that the Perl collapser was measured at elsewhere: ${(text.length / 1e6 / secondsIn(ours) / 17.8).toFixed(1)}x`,
  );
