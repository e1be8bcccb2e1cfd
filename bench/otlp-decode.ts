/**
 * OTLP protobuf → columns, against protobufjs decoding the same bytes to its objects
 * (reflection: its decoder is generated code, the same as a static module's; 64-bit
 * integers as Long, its default), interleaved in one run.
 *
 *   npx tsx bench/otlp-decode.ts [rounds = 9] [requests of 100 spans = 1000]
 *
 * CPU time of the process, medians over the rounds; the first two rounds warm up.
 * What tsx makes of the sources takes some 15 % longer than what `npm run build` makes of them.
 */
import { Reader } from "protobufjs";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { Intake } from "../src/model/intake.ts";
import { SpanTableBuilder } from "../src/model/span-table-builder.ts";
import { OtlpTraceDecoder } from "../src/formats/otlp-protobuf.ts";
import { encodeRequest, RequestType, sampleRequests } from "../src/testing/otlp-sample.ts";

const WARM_UP_ROUNDS = 2;
const rounds = Number(process.argv[2] ?? 9);
const batches = Number(process.argv[3] ?? 1000);

/** One behind the other, as in a file: scattered ones cost the faster decoder more. */
const bodies = inOnePiece(sampleRequests(batches, 7).map(encodeRequest));
const bytes = bodies.reduce((sum, body) => sum + body.length, 0);
const spans = batches * 100;

/**
 * Objects of the warm-up of both, kept: with the last object of a class V8 throws away the code
 * compiled for it, which in a program that reads a large file happens never, and here in every round.
 */
const kept: unknown[] = [];

function inOnePiece(parts: readonly Uint8Array[]): Uint8Array[] {
  const whole = Buffer.concat(parts);
  let at = 0;
  return parts.map((part) => whole.subarray(at, (at += part.length)));
}

function longpole(): void {
  const intake = new Intake();
  const decoder = new OtlpTraceDecoder(new SpanTableBuilder(), intake, "bench");
  if (kept.length < WARM_UP_ROUNDS) kept.push(decoder);
  for (const body of bodies) decoder.request(body, 0, body.length, 0);
  if (intake.accepted !== spans) throw new Error(`${intake.accepted} spans of ${spans}`);
}

function protobufjs(): void {
  let seen = 0;
  if (kept.length < 2 * WARM_UP_ROUNDS) {
    const reader = Reader.create(bodies[0]!);
    kept.push(reader, RequestType.decode(reader));
  }
  for (const body of bodies) {
    const request = RequestType.decode(body) as unknown as { resourceSpans: { scopeSpans: { spans: unknown[] }[] }[] };
    for (const resource of request.resourceSpans) for (const scope of resource.scopeSpans) seen += scope.spans.length;
  }
  if (seen !== spans) throw new Error(`${seen} spans of ${spans}`);
}

/** Garbage of the one must not be collected on the other's time. */
setFlagsFromString("--expose-gc");
const collectGarbage = runInNewContext("gc") as () => void;

function cpuSeconds(run: () => void): number {
  collectGarbage();
  const before = process.cpuUsage();
  run();
  const used = process.cpuUsage(before);
  return (used.user + used.system) / 1e6;
}

const median = (values: number[]): number => values.toSorted((a, b) => a - b)[values.length >> 1]!;

const ours: number[] = [];
const theirs: number[] = [];
for (let round = 0; round < WARM_UP_ROUNDS + rounds; round++) {
  const own = cpuSeconds(longpole);
  const other = cpuSeconds(protobufjs);
  if (round < WARM_UP_ROUNDS) continue;
  ours.push(own);
  theirs.push(other);
}

const row = (name: string, seconds: number): string =>
  `${name.padEnd(12)}${((seconds / spans) * 1e6).toFixed(2).padStart(14)}${(bytes / seconds / 1e6).toFixed(0).padStart(8)}${(spans / seconds / 1e6).toFixed(2).padStart(12)}`;
console.log(`${spans} spans in ${batches} requests, ${(bytes / spans).toFixed(0)} bytes per span, ${rounds} rounds`);
console.log(`${"".padEnd(12)}${"CPU-s/1M spans".padStart(14)}${"MB/s".padStart(8)}${"M spans/s".padStart(12)}`);
console.log(row("longpole", median(ours)));
console.log(row("protobufjs", median(theirs)));
console.log(`ratio ${median(theirs.map((seconds, i) => seconds / ours[i]!)).toFixed(1)}`);
