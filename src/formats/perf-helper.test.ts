import { setTimeout as pause } from "node:timers/promises";
import fc from "fast-check";
import { expect, test } from "vitest";
import { Intake } from "../model/intake.ts";
import { assertStackTable, type StackTable } from "../model/stack-table.ts";
import { plainStacks } from "../testing/stacks-from-text.ts";
import { packStacks, startPerfHelper, unpackStacks, type HelperResult, type PerfHelper } from "./perf-helper.ts";
import { PerfSamples } from "./perf-samples.ts";
import { PerfScript } from "./perf-script.ts";
import { ToldLines } from "./told-lines.ts";

/** A helper that reads at once, and has room when `rooms` says so, again and again: any way in which two threads may share a text. */
class HelperByPlan implements PerfHelper {
  readonly pieceBytes: number;
  given = 0;
  private asked = 0;
  private readonly rooms: readonly boolean[];
  private readonly intake = new Intake();
  private readonly told = new ToldLines(this.intake, "perf.txt");
  private readonly samples = new PerfSamples(this.told, "perf.txt");
  private readonly samplesRead: number[] = [];

  constructor(pieceBytes: number, rooms: readonly boolean[]) {
    this.pieceBytes = pieceBytes;
    this.rooms = rooms;
  }

  get hasRoom(): boolean {
    return this.rooms[this.asked++ % this.rooms.length]!;
  }

  takePiece(): Buffer {
    return Buffer.alloc(this.pieceBytes);
  }

  give(piece: Buffer, length: number, base: number, firstNs: number): void {
    this.given++;
    this.samples.firstNs = firstNs;
    this.samples.read(piece.subarray(0, length), base);
    this.samplesRead.push(this.samples.sampleCount);
    piece.fill(0);
  }

  finish(): Promise<HelperResult | undefined> {
    const stacks = unpackStacks(structuredClone(packStacks(this.samples.finish())));
    const { lastNs } = this.samples;
    const { errors } = this.intake;
    return Promise.resolve({ stacks, samplesRead: this.samplesRead, lastNs, damaged: this.told.count, errors });
  }
}

/** All that a table holds, row by row. */
const rowsOf = (table: StackTable): unknown => ({
  ...table,
  strings: Array.from({ length: table.strings.size }, (_, id) => table.strings.get(id)),
});

async function read(text: Buffer, chunk: number, helper?: PerfHelper): Promise<{ stacks: StackTable; told: unknown }> {
  const intake = new Intake();
  const perf = new PerfScript(intake, "perf.txt");
  for (let at = 0; at < text.length; at += chunk) {
    perf.push(text.subarray(at, at + chunk));
    // The first sample is read here, whose time both need.
    if (at === 0 && helper !== undefined) perf.help(helper);
  }
  await perf.settle();
  const stacks = perf.finish();
  assertStackTable(stacks);
  return { stacks, told: [intake.errors.map(({ message }) => message), perf.isCut] };
}

const anyLine = fc
  .tuple(
    fc.constantFrom("414b3b", "ffffffff81001408", "7f0c1f2a3b4c"),
    fc.constantFrom("handle_request", "handle_request_one", "a->b->c", "[unknown]", "f"),
    fc.constantFrom("/bin/server", "[kernel.kallsyms]", "/tmp/perf-4.map"),
  )
  .map(([address, symbol, module]) => `\t${address.padStart(16)} ${symbol}+0x1c (${module})\n`);

const anySample = fc
  .tuple(
    fc.constantFrom("server 1/1", "server 1/2", "VM Thread 2/3", "java 4/4", "server"),
    fc.nat(9_999_999),
    fc.constantFrom("cycles:", "     250 cpu-clock:ppp:", "faults:"),
    fc.array(anyLine, { minLength: 1, maxLength: 9 }),
  )
  .map(([thread, time, event, lines]) => `${thread} [000] 15.${time}: ${event} \n${lines.join("")}\n`);

const FIRST = "server 1/1 [000] 15.5: cycles: \n\t          414b3b handle_request (/bin/server)\n\n";

test("however a text is shared out between two readers, the table is the one of a single reader, to the last row", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(anySample, { minLength: 1, maxLength: 60 }),
      fc.integer({ min: FIRST.length, max: 2000 }),
      fc.integer({ min: 10, max: 3000 }),
      fc.array(fc.boolean(), { minLength: 1, maxLength: 7 }),
      fc.constantFrom("", "server 1/1 [000] 19.5: cycles: \n\t 1 f (/bin/server)\n"),
      async (samples, chunk, pieceBytes, rooms, end) => {
        const text = Buffer.from(FIRST + samples.join("") + end);
        const alone = await read(text, chunk);
        const both = await read(text, chunk, new HelperByPlan(pieceBytes, rooms));
        expect(both.told).toEqual(alone.told);
        expect(plainStacks(both.stacks)).toEqual(plainStacks(alone.stacks));
        // A sample that may be cut leaves its frames in the table of a single reader, where nothing refers to them.
        if (end === "") expect(rowsOf(both.stacks)).toEqual(rowsOf(alone.stacks));
      },
    ),
    { numRuns: 150, seed: 8 },
  );
});

test("the second thread: it takes pieces, and the table and what is told are the same", async () => {
  const sample = (i: number): string =>
    `server 1/${1 + (i % 3)} [000] 15.${String(i).padStart(6, "0")}: ${i % 5 === 0 ? "faults" : "cycles"}: \n` +
    `\t          414b3b handle_${i % 501} (/bin/server)\n\t          414c3b main (/bin/server)\n\n`;
  const samples = Array.from({ length: 20_000 }, (_, i) => (i % 7000 === 6000 ? "what?\n\n" : sample(i)));
  const text = Buffer.from(samples.join(""));
  const alone = await read(text, 256 * 1024);
  const helper = startPerfHelper("perf.txt");
  for (let waited = 0; !helper.hasRoom && waited < 2000; waited++) await pause(10);
  expect(helper.hasRoom).toBe(true);
  const reading = read(text, 256 * 1024, helper);
  // All was pushed in one turn: it has two pieces in hand, and could not say that it read them.
  expect(helper.hasRoom).toBe(false);
  const both = await reading;
  expect(both.told).toEqual(alone.told);
  expect(rowsOf(both.stacks)).toEqual(rowsOf(alone.stacks));
});

test("a thread that was given nothing has no result", async () => {
  expect(await startPerfHelper("perf.txt").finish()).toBeUndefined();
});
