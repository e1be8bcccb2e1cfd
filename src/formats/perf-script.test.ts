import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { Intake } from "../model/intake.ts";
import { assertStackTable, FRAME_KINDS, type StackTable } from "../model/stack-table.ts";
import { plainStacks } from "../testing/stacks-from-text.ts";
import { PerfScript } from "./perf-script.ts";
import { foldedLines } from "./write-folded.ts";

function read(text: string, chunk = text.length): { stacks: StackTable; errors: string[]; isCut: boolean } {
  const intake = new Intake();
  const perf = new PerfScript(intake, "perf.txt");
  const bytes = Buffer.from(text);
  for (let at = 0; at < bytes.length; at += chunk) perf.push(bytes.subarray(at, at + chunk));
  const stacks = perf.finish();
  assertStackTable(stacks);
  return { stacks, errors: intake.errors.map((error) => error.message), isCut: perf.isCut };
}

const folded = (stacks: StackTable, annotate = false): string[] => [...foldedLines(stacks, { annotate })];

const JAVA = `# captured on: a day
#
java 11008/11010 [001] 30143.481555:    250000 cpu-clock:ppp:
\tffffffff81001408 xen_hypercall+0x1c ([kernel.kallsyms])
\t     7f0c1f2a3b4c Lorg/x/Y;::run(Ljava/lang/String;)V (/tmp/perf-11008.map)
\t     7f0c1f2a3b00 [unknown] (/tmp/perf-11008.map)

VM Thread 9/10 [000] 30143.481655:    250000 cpu-clock:ppp:
\t     7f0c1f2a3b4c foo::bar(int, "x") (/usr/lib/libjvm.so (deleted))
\t                0 [unknown] ([unknown])

`;

describe("a sample", () => {
  test("command, process, thread, time, period and event; names as people read them", () => {
    const { stacks, errors } = read(JAVA);
    expect(errors).toEqual([]);
    expect(stacks.valueTypes).toEqual([{ type: "cpu-clock:ppp", unit: "nanoseconds" }]);
    expect(folded(stacks, true)).toEqual([
      "VM_Thread;[unknown];foo::bar 250000",
      "java;[perf-11008.map]_[j];org/x/Y:::run_[j];xen_hypercall_[k] 250000",
    ]);
    expect(Array.from(stacks.threads.tid)).toEqual([11010, 10]);
    expect(Array.from(stacks.processes.pid)).toEqual([11008, 9]);
    // 30143.481655 - 30143.481555 s
    expect(Array.from(stacks.samples.timeOffsetNs, Math.round)).toEqual([0, 100_000]);
    expect(Array.from(stacks.processes.durationNs, Math.round)).toEqual([100_000, 100_000]);
  });

  test.each([
    // No time, no period, no processor.
    ["whole 1/2 [000] 100000:   5 cycles: \n\t 1 a (/bin/x)\n\n", "whole;a 5"],
    ["node-v011 31912 cpu-clock: \n\t 1 a (/bin/x)\n\n", "node-v011;a 1"],
    // Flags of the scheduler between processor and time; a kernel module; an inlined frame.
    ["ksoftirqd/0 3 [000] d..2. 5.000001: cycles: \n\t 2 b (inlined)\n\t 1 a ([ext4])\n\n", "ksoftirqd/0;a;b 1"],
    // An event of a tracepoint with arguments behind it; without a chain there is no stack.
    ["swapper 0 [001] 12.5: sched:sched_switch: prev_comm=x ==> next\n\t 1 a ([k])\n\n", "swapper;a 1"],
    // Without -g the frame stands on the line of its sample.
    ["perf 12 [000] 1.25:    7 cycles:  ffff native_write_msr ([kernel.kallsyms])\n", "perf;native_write_msr 7"],
    // Places of the source between frames.
    ["a 1 1.0: cycles: \n\t 2 f (/bin/x)\n  f.c:12\n\t 1 g (/bin/x)\n  ??:0\n\n", "a;g;f 1"],
    // Calls inlined by a JIT, the outer one first; a C++ operator is none.
    [
      "j 1 1.0: cycles: \n\t 2 run->go->at (/tmp/perf-1.map)\n\t 1 x::operator->(y) (/bin/x)\n\n",
      "j;x::operator->;run;go;at 1",
    ],
    // Methods of Go keep their receiver, anonymous namespaces their name.
    [
      "g 1 1.0: cycles: \n\t 2 main.(*T).M (/bin/g)\n\t 1 (anonymous namespace)::f(int) (/bin/g)\n\n",
      "g;(anonymous namespace)::f;main.(*T).M 1",
    ],
    ["g 1 1.0: cycles: \n\t 2 f\n\t 1 g+0xf\n\n", "g;g;f 1"],
    // Only the last offset is one; a file that is gone; parentheses within a name.
    [
      "o 1 1.0: cycles: \n\t 4 f+0x1+0x2 (/x)\n\t 3 f+0x1 (/x)\n\t 2 f (/x (deleted))\n\t 1 f+0xg (/x)\n\n",
      "o;f+0xg;f;f;f+0x1 1",
    ],
    ["o 1 1.0: cycles: \n\t 2 m (a)+0x2 (/x)\n\t 1 m (a) (/x (deleted))\n\t 1 m (/x)\n\n", "o;m;m;m 1"],
    ["crlf 1 1.0: cycles: \r\n\t 2 f (/bin/x)\r\n\t 1 g (/bin/x)\r\n\r\n", "crlf;g;f 1"],
  ])("%j", (text, want) => {
    const { stacks, errors } = read(text);
    expect([folded(stacks), errors]).toEqual([[want], []]);
  });

  test("events are values of their own; the first one is looked at", () => {
    const sample = (event: string, frame: string): string => `a 1 1.0: ${event}: \n\t 1 ${frame} (/bin/a)\n\n`;
    const { stacks } = read(sample("cycles", "f") + sample("faults", "g") + sample("cycles", "f"));
    expect(stacks.valueTypes.map(({ type }) => type)).toEqual(["cycles", "faults"]);
    expect([...foldedLines(stacks)]).toEqual(["a;f 2"]);
    expect([...foldedLines(stacks, { value: 1 })]).toEqual(["a;g 1"]);
  });

  test("a function that V8 compiled has its place", () => {
    const { stacks } = read("n 1 1.0: cycles: \n\t 1 JS:*parse file:///srv/a.js:39:12 (/tmp/perf-7.map)\n\n");
    expect(stacks.strings.get(stacks.frames.file[0]!)).toBe("/srv/a.js");
    expect([stacks.frames.line[0], FRAME_KINDS[stacks.frames.kind[0]!]]).toEqual([39, "jit"]);
  });
});

describe("what is not whole", () => {
  test("a last chain without an empty line may be cut, and is left out", () => {
    const whole = "a 1 1.0: cycles: \n\t 1 f (/bin/a)\n\n";
    const { stacks, errors, isCut } = read(`${whole}a 1 1.1: cycles: \n\t 1 g (/bin/a)\n`);
    expect([folded(stacks), errors, isCut]).toEqual([["a;f 1"], [], true]);
    expect(read(whole).isCut).toBe(false);
  });

  test("samples without empty lines between, and a damaged header: told with its byte, the rest is kept", () => {
    const text =
      "a 1 1.0: cycles: \n\t 1 f (/bin/a)\nthis is no header\n\t 1 g (/bin/a)\na 1 1.0: cycles: \n\t 1 h (/bin/a)\n\n";
    const { stacks, errors } = read(text);
    expect(folded(stacks)).toEqual(["a;f 1", "a;h 1"]);
    expect(errors).toEqual([
      'perf.txt at byte 33: expected a header of a sample: command, process, event, found "this is no header"',
    ]);
  });

  test("many damaged lines are told as a number", () => {
    const { errors } = read("what?\n\n".repeat(10));
    expect(errors).toHaveLength(4);
    expect(errors.at(-1)).toContain("damage in 7 more lines");
  });

  test("in chunks of any size it is the same", () => {
    const text = JAVA + "swapper 0 [001] 12.5: cycles: \n\t 1 a ([k])\n\t 2 b ([k])\n\n" + JAVA;
    const want = plainStacks(read(text).stacks);
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 200 }), (chunk) => {
        expect(plainStacks(read(text, chunk).stacks)).toEqual(want);
      }),
      { numRuns: 40, seed: 2 },
    );
  });

  test("samples longer than what completes a chunk's last one, in chunks that end anywhere in them", () => {
    // 1,500 lines of some 40 bytes: 60 kB, of which a chunk's end is completed 16 KiB at a time.
    const long = `a 1 1.0: cycles: \n${Array.from({ length: 1500 }, (_, i) => `\t          ${(4096 + i).toString(16)} f${i} (/bin/a)\n`).join("")}\n`;
    const text = JAVA + long + JAVA + long + "swapper 0 [001] 12.5: cycles: \n\t 1 a ([k])\n\n";
    const want = read(text);
    expect(want.stacks.samples.rowCount).toBe(7);
    for (const chunk of [1000, 5003, 20_011, 61_000, text.length - 1]) {
      const { stacks, errors } = read(text, chunk);
      expect([plainStacks(stacks), errors]).toEqual([plainStacks(want.stacks), []]);
    }
  });

  test("any bytes: no exception, and a table that holds together", () => {
    fc.assert(
      fc.property(
        fc.array(fc.constantFrom("a 1 1.0: cycles:", "\n", "\n\n", "\t 1 f (x)", " ", "#", "1/2", ":")),
        (parts) => {
          expect(read(parts.join("")).errors.length).toBeLessThanOrEqual(4);
        },
      ),
      { numRuns: 300, seed: 4 },
    );
  });
});

/** A second reader: pattern by pattern, of what `anySample` makes. Sorted lines of folded stacks. */
function foldedPlainly(text: string): string[] {
  const sums = new Map<string, number>();
  for (const sample of text.split(/\r?\n\r?\n/)) {
    const [header = "", ...lines] = sample.split(/\r?\n/);
    if (lines.length === 0) continue;
    const names = lines.reverse().map((line) => {
      const [, symbol = "", module = ""] = /^\s+[\da-f]+ (.+?)(?:\+0x[\da-f]+)? \((.*)\)$/.exec(line)!;
      return symbol === "[unknown]" ? `[${module.slice(module.lastIndexOf("/") + 1)}]` : symbol.split("->").join(";");
    });
    const stack = [/^(.+?)\s+\d+\//.exec(header)![1]!.replaceAll(" ", "_"), ...names].join(";");
    sums.set(stack, (sums.get(stack) ?? 0) + 1);
  }
  return Array.from(sums, ([stack, sum]) => `${stack} ${sum}`).sort();
}

/** Few addresses for many symbols, some of which begin alike or are the beginning of others. */
const anyLine = fc
  .tuple(
    fc.constantFrom("414b3b", "ffffffff81001408", "ffffffff81001409", "7f0c1f2a3b4c"),
    fc.constantFrom("handle_request", "handle_request_one", "handle_request_two", "f", "a->b->c", "[unknown]"),
    fc.constantFrom("", "+0x1c", "+0x1d"),
    fc.constantFrom("/bin/server", "/bin/serves", "[kernel.kallsyms]"),
  )
  .map(([address, symbol, offset, module]) => `\t${address.padStart(16)} ${symbol}${offset} (${module})`);

const anySample = fc
  .tuple(
    fc.constantFrom("server 1/1", "server 1/2", "VM Thread 2/3", "java 4/4"),
    fc.array(anyLine, { minLength: 1, maxLength: 9 }),
  )
  .map(([thread, lines]) => [`${thread} [000] 1.5: cycles: `, ...lines, "", ""]);

test("what a plain reader makes of it, whatever lines and threads come again", () => {
  fc.assert(
    fc.property(
      fc.array(anySample, { minLength: 1, maxLength: 60 }),
      fc.constantFrom("\n", "\r\n"),
      fc.integer({ min: 1, max: 5000 }),
      (samples, end, chunk) => {
        const text = samples.map((lines) => lines.join(end)).join("");
        const { stacks, errors } = read(text, chunk);
        expect([folded(stacks).sort(), errors]).toEqual([foldedPlainly(text), []]);
      },
    ),
    { numRuns: 60, seed: 12 },
  );
});

test("damaged lines within a chain are told each time, and the sample goes on without them", () => {
  const sample = "a 1 1.0: cycles: \n\t 2 f (/bin/a)\n\tthis is no frame, and it is long enough\n\t 1 g (/bin/a)\n\n";
  const { stacks, errors } = read(sample.repeat(2));
  expect(folded(stacks)).toEqual(["a;g;f 2"]);
  const found = JSON.stringify("\tthis is no frame, and it is long enough");
  expect(errors).toEqual(
    // 18 bytes of the header and 15 of the first frame are before it; a sample has 90.
    [33, 123].map((byte) => `perf.txt at byte ${byte}: expected a frame: address, symbol, (module), found ${found}`),
  );
});

/** Public samples with the stacks that the well-known collapser makes of them; not part of this repository. */
const SAMPLES =
  process.env["LONGPOLE_PERF_SCRIPTS"] ?? join(import.meta.dirname, "../../../shared/data/profiles/perf-script");

describe.skipIf(!existsSync(SAMPLES))("real output of perf script folds as it is known to", () => {
  const names = existsSync(SAMPLES) ? readdirSync(SAMPLES).filter((name) => name.endsWith(".txt")) : [];
  test.each(names)("%s", (name) => {
    const { stacks, errors } = read(readFileSync(join(SAMPLES, name), "utf8"), 10_000);
    const known = readFileSync(join(SAMPLES, name.replace(".txt", ".folded")), "utf8");
    const plain = known
      .trim()
      .split("\n")
      .map((line) => line.replace(/_\[[kji]\](?=;| \d+$)/g, ""));
    expect(errors).toEqual([]);
    expect(folded(stacks).sort()).toEqual(plain.sort());
  });
});
