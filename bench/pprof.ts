/**
 * pprof into folded stacks: our decoder and folding against pprof-format's decoder and a walk of its objects, in
 * turns, processor time of this process. With --go also the whole of `longpole flame` against Go's `pprof -top`.
 *
 *     npm run build && npx tsx bench/pprof.ts [--samples 60000] [--file profile.pb.gz] [--rounds 7] [--go]
 *
 * The results are compared first. Of the first two, decompression is no part: both would use zlib.
 */
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { gunzipSync, gzipSync } from "node:zlib";
import { Profile } from "pprof-format";
import { Intake } from "../src/model/intake.ts";
import { decodePprof } from "../src/formats/pprof.ts";
import { foldedText } from "../src/formats/write-folded.ts";
import { writePprof } from "../src/formats/write-pprof.ts";
import { StackTableBuilder } from "../src/model/stack-table-builder.ts";
import { FrameKind } from "../src/model/stack-table.ts";

const { values } = parseArgs({
  options: {
    samples: { type: "string", default: "60000" },
    file: { type: "string" },
    rounds: { type: "string", default: "7" },
    go: { type: "boolean", default: false },
  },
});

let seed = 0x2545f491;
/** xorshift32, 0 <= x < below. */
function random(below: number): number {
  seed ^= seed << 13;
  seed ^= seed >>> 17;
  seed ^= seed << 5;
  return (seed >>> 0) % below;
}

/** Samples 8 to 40 frames deep of 4,000 functions, each of which calls three others, with a label in one of four. */
function made(samples: number): Uint8Array {
  const into = new StackTableBuilder();
  const count = into.valueType("samples", "count");
  const cpu = into.valueType("cpu", "nanoseconds");
  into.defaultValue = cpu;
  const text = (value: string): number => into.strings.intern(value);
  const frames = Array.from({ length: 4000 }, (_, i) =>
    into.frame(
      text(`github.com/org/service/pkg${i % 97}.(*Server).handle${i}`),
      text(`/src/service/pkg${i % 97}/file${i % 411}.go`),
      1 + (i % 900),
      FrameKind.user,
    ),
  );
  const thread = into.thread(into.process({}));
  const key = text("endpoint");
  for (let i = 0; i < samples; i++) {
    let stack = -1;
    const depth = 8 + random(33);
    for (let level = 0; level < depth; level++)
      stack = into.stack(stack, frames[level < 6 ? random(1 + level) : random(4000)]!);
    const set = i % 4 === 0 ? into.labelSet([{ key, value: text(`GET /route/${random(40)}`), isText: true }]) : 0;
    const row = into.sample(stack, thread, -1, set);
    into.setValue(row, count, 1);
    into.setValue(row, cpu, 1e7);
  }
  return writePprof(into.finish());
}

function unpacked(path: string): Uint8Array {
  const bytes = readFileSync(path);
  return bytes[0] === 0x1f ? gunzipSync(bytes) : bytes;
}

const bytes = values.file === undefined ? made(Number(values.samples)) : unpacked(values.file);

function ours(): Uint8Array[] {
  const intake = new Intake();
  const folded = [...foldedText(decodePprof(bytes, intake, "x"))];
  if (intake.errors.length > 0) throw intake.errors[0]!;
  return folded;
}

function theirs(): Map<string, number> {
  const profile = Profile.decode(bytes);
  const { strings } = profile.stringTable;
  const fit = (name: string): string => name.replaceAll(";", ":").replace(/\s+/g, " ").trim();
  const functions = new Map(profile.function.map((one) => [one.id, fit(strings[Number(one.name)]!)]));
  const locations = new Map(
    profile.location.map((one) => [one.id, one.line.map((line) => functions.get(line.functionId)!).reverse()]),
  );
  const folded = new Map<string, number>();
  for (const sample of profile.sample) {
    const names: string[] = [];
    for (let i = sample.locationId.length - 1; i >= 0; i--) names.push(...locations.get(sample.locationId[i]!)!);
    const stack = names.join(";");
    folded.set(stack, (folded.get(stack) ?? 0) + Number(sample.value.at(-1)!));
  }
  return folded;
}

function seconds(work: () => unknown): number {
  const before = process.cpuUsage();
  work();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1e6;
}

/** Processor time of a whole command, by bash. */
function commandSeconds(command: string): number {
  const done = spawnSync("bash", ["-c", `TIMEFORMAT='%U %S'; time ${command} >/dev/null`], { encoding: "utf8" });
  if (done.status !== 0) throw new Error(`${command}: ${done.stderr}`);
  const [user, system] = done.stderr.trim().split("\n").at(-1)!.split(" ").map(Number) as [number, number];
  return user + system;
}

const [a, b] = [ours(), theirs()];
// Samples without a stack, which folded ones cannot hold.
const stackless = b.get("") ?? 0;
b.delete("");
const lines = Buffer.concat(a).toString().split("\n").slice(0, -1);
const isSame =
  // Stacks whose values are zero are left out of folded ones.
  lines.length === Array.from(b.values()).filter((value) => value !== 0).length &&
  lines.every((line) => b.get(line.slice(0, line.lastIndexOf(" "))) === Number(line.slice(line.lastIndexOf(" ") + 1)));
const rounds = Number(values.rounds);
const median = (times: readonly number[]): number => [...times].sort((x, y) => x - y)[times.length >> 1]!;
const [our, their]: [number[], number[]] = [[], []];
for (let round = 0; round < rounds; round++) {
  our.push(seconds(ours));
  their.push(seconds(theirs));
}
const rate = (times: readonly number[]): string => `${(bytes.length / 1e6 / median(times)).toFixed(0)} MB/s`;
const times = (theirOnes: readonly number[], ourOnes: readonly number[]): string =>
  `${(median(theirOnes) / median(ourOnes)).toFixed(2)}x`;
console.log(
  `${(bytes.length / 1e6).toFixed(1)} MB, ${lines.length} stacks, same result: ${isSame}; of no stack, and so left out: ${stackless}`,
);
console.log(`ours ${rate(our)}, pprof-format ${rate(their)}: ${times(their, our)}`);

if (values.go) {
  const folder = mkdtempSync(join(tmpdir(), "longpole-bench-"));
  const path = join(folder, "profile.pb.gz");
  writeFileSync(path, gzipSync(bytes));
  const tool = spawnSync("go", ["tool", "-n", "pprof"], { encoding: "utf8" }).stdout.trim();
  const commands = {
    go: `"${tool}" -top "${path}"`,
    top: `"${process.execPath}" dist/cli/main.js flame "${path}"`,
    folded: `"${process.execPath}" dist/cli/main.js flame --folded "${path}"`,
  };
  const [go, top, folded]: [number[], number[], number[]] = [[], [], []];
  for (let round = 0; round < rounds; round++) {
    go.push(commandSeconds(commands.go));
    top.push(commandSeconds(commands.top));
    folded.push(commandSeconds(commands.folded));
  }
  rmSync(folder, { recursive: true });
  const told = (one: readonly number[]): string => `${median(one).toFixed(2)} s`;
  console.log(
    `go tool pprof -top ${told(go)}, longpole flame ${told(top)} (${times(top, go)}), --folded ${told(folded)}`,
  );
  console.log(`reading and folding alone ${told(our)}: ${times(our, go)} of Go's`);
}
