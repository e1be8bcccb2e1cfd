/**
 * pprof into folded stacks: our decoder and folding against pprof-format's decoder and a walk of its
 * objects, in turns, processor time of this process.
 *
 *     npx tsx bench/pprof.ts [--samples 60000] [--file profile.pb.gz] [--rounds 7]
 *
 * The results are compared first. Decompression is no part of it: both would use zlib.
 */
import { readFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { gunzipSync } from "node:zlib";
import { Profile } from "pprof-format";
import { Intake } from "../src/model/intake.ts";
import { decodePprof } from "../src/formats/pprof.ts";
import { foldedLines } from "../src/formats/write-folded.ts";
import { writePprof } from "../src/formats/write-pprof.ts";
import { StackTableBuilder } from "../src/model/stack-table-builder.ts";
import { FrameKind } from "../src/model/stack-table.ts";

const { values } = parseArgs({
  options: {
    samples: { type: "string", default: "60000" },
    file: { type: "string" },
    rounds: { type: "string", default: "7" },
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

function ours(): Map<string, number> {
  const intake = new Intake();
  const lines = foldedLines(decodePprof(bytes, intake, "x"));
  if (intake.errors.length > 0) throw intake.errors[0]!;
  return new Map(
    Array.from(lines, (line) => [line.slice(0, line.lastIndexOf(" ")), Number(line.slice(line.lastIndexOf(" ") + 1))]),
  );
}

function theirs(): Map<string, number> {
  const profile = Profile.decode(bytes);
  const { strings } = profile.stringTable;
  const functions = new Map(profile.function.map((one) => [one.id, strings[Number(one.name)]!]));
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

const [a, b] = [ours(), theirs()];
const isSame = a.size === b.size && [...b].every(([stack, value]) => a.get(stack) === value);
const times: { ours: number; theirs: number }[] = [];
for (let round = 0; round < Number(values.rounds); round++)
  times.push({ ours: seconds(ours), theirs: seconds(theirs) });
const median = (pick: (one: (typeof times)[number]) => number): number =>
  times.map(pick).sort((x, y) => x - y)[times.length >> 1]!;
const rate = (time: number): string => `${(bytes.length / 1e6 / time).toFixed(0)} MB/s`;
console.log(`${(bytes.length / 1e6).toFixed(1)} MB, ${a.size} stacks, same result: ${isSame}`);
console.log(
  `ours ${rate(median((t) => t.ours))}, pprof-format ${rate(median((t) => t.theirs))}: ${(median((t) => t.theirs) / median((t) => t.ours)).toFixed(1)}x`,
);
