import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { Intake } from "../model/intake.ts";
import { assertStackTable, FRAME_KINDS, labelText, type StackTable } from "../model/stack-table.ts";
import { encodePprof, parsePprof } from "../testing/pprof-sample.ts";
import { anyStacks } from "../testing/random-stacks.ts";
import { stacksFromText } from "../testing/stacks-from-text.ts";
import { decodePprof } from "./pprof.ts";
import { foldedLines } from "./write-folded.ts";
import { writePprof } from "./write-pprof.ts";

function read(bytes: Uint8Array): { stacks: StackTable; errors: string[] } {
  const intake = new Intake();
  const stacks = decodePprof(bytes, intake, "x.pb");
  assertStackTable(stacks);
  return { stacks, errors: intake.errors.map(({ code }) => code) };
}

const STRINGS = ["", "samples", "count", "cpu", "nanoseconds", "main.main", "main.go", "runtime.gcBgMarkWorker"];
const MORE = [
  "/usr/local/go/src/runtime/mgc.go",
  "parse",
  "trim",
  "/lib/libc.so.6",
  "[kernel.kallsyms]",
  "sys_write",
  "span_id",
  "ab12",
  "bytes",
];
const stringTable = [...STRINGS, ...MORE];
const at = (text: string): number => stringTable.indexOf(text);

const PROFILE = {
  sampleType: [
    { type: at("samples"), unit: at("count") },
    { type: at("cpu"), unit: at("nanoseconds") },
  ],
  sample: [
    // trim was inlined into parse: one location, two frames.
    {
      locationId: [3, 1],
      value: [2, 20],
      label: [
        { key: at("span_id"), str: at("ab12") },
        { key: at("bytes"), num: -5 },
      ],
    },
    { locationId: [2], value: [1, 10] },
    { locationId: [5, 4, 1], value: [-1, 2 ** 40] },
    { locationId: [], value: [1, 1] },
  ],
  mapping: [
    { id: 1, filename: at("/lib/libc.so.6") },
    { id: 2, filename: at("[kernel.kallsyms]") },
  ],
  location: [
    { id: 1, line: [{ functionId: 1, line: 7 }] },
    { id: 2, line: [{ functionId: 2, line: 99 }] },
    {
      id: 3,
      line: [
        { functionId: 4, line: 3 },
        { functionId: 3, line: 12 },
      ],
    },
    { id: 4, mappingId: 1, address: 0x1234 },
    { id: 5, mappingId: 2, line: [{ functionId: 5 }] },
  ],
  function: [
    { id: 1, name: at("main.main"), filename: at("main.go") },
    { id: 2, name: at("runtime.gcBgMarkWorker"), filename: at("/usr/local/go/src/runtime/mgc.go") },
    { id: 3, name: at("parse"), filename: at("main.go"), startLine: 10 },
    { id: 4, name: at("trim"), filename: at("main.go") },
    { id: 5, name: at("sys_write") },
  ],
  stringTable,
  timeNanos: 1_790_000_000_000_000_000n.toString(),
  durationNanos: 5e9,
};

describe("reading", () => {
  test("frames, inlined ones among them, several values, labels, time", () => {
    const { stacks, errors } = read(encodePprof(PROFILE));
    expect(errors).toEqual([]);
    // Without a default it is the last value.
    expect(stacks.valueTypes[stacks.defaultValue]).toEqual({ type: "cpu", unit: "nanoseconds" });
    expect([...foldedLines(stacks, { annotate: true })]).toEqual([
      "main.main;[libc.so.6];sys_write_[k] 1099511627776",
      "main.main;parse;trim 20",
      "runtime.gcBgMarkWorker 10",
    ]);
    expect(Array.from(stacks.samples.values[0]!)).toEqual([2, 1, -1, 1]);
    expect(labelText(stacks, stacks.samples.labelSet[0]!, "span_id")).toBe("ab12");
    expect(labelText(stacks, stacks.samples.labelSet[0]!, "bytes")).toBe("-5");
    expect([stacks.processes.startUnixNs[0], stacks.processes.durationNs[0]]).toEqual([
      1_790_000_000_000_000_000n,
      5e9,
    ]);
    const kinds = Array.from(stacks.frames.function, (name, row) => {
      return `${stacks.strings.get(name)}:${stacks.frames.line[row]!} ${FRAME_KINDS[stacks.frames.kind[row]!]}`;
    });
    expect(kinds).toEqual([
      "main.main:7 user",
      "runtime.gcBgMarkWorker:99 gc",
      "trim:3 user",
      "parse:12 user",
      "[libc.so.6]:-1 native",
      "sys_write:-1 kernel",
    ]);
  });

  test("the default value that the profile names", () => {
    const { stacks } = read(encodePprof({ ...PROFILE, defaultSampleType: at("samples") }));
    expect(stacks.valueTypes[stacks.defaultValue]!.type).toBe("samples");
  });

  test("numbers that are not packed, and references to nothing", () => {
    // sample { location_id: 9; location_id: 1; value: 5 }, one number per tag.
    const sample = [0x08, 9, 0x08, 1, 0x10, 5];
    const bytes = Buffer.concat([
      encodePprof({ ...PROFILE, sample: [] }),
      Buffer.from([0x12, sample.length, ...sample]),
    ]);
    const { stacks, errors } = read(bytes);
    expect(errors).toEqual([]);
    expect([...foldedLines(stacks, { value: 0 })]).toEqual(["main.main 5"]);
  });

  test("cut anywhere, or with a byte changed: at most coded errors, and a table that holds together", () => {
    const bytes = encodePprof(PROFILE);
    for (let size = 1; size < bytes.length; size++) read(bytes.slice(0, size));
    fc.assert(
      fc.property(fc.nat(bytes.length - 1), fc.nat(255), (where, value) => {
        const damaged = Uint8Array.from(bytes);
        damaged[where] = value;
        for (const error of read(damaged).errors) expect(["truncated", "malformed"]).toContain(error);
      }),
      { numRuns: 500, seed: 9 },
    );
    const { stacks, errors } = read(bytes.slice(0, -3));
    expect([stacks.samples.rowCount, errors]).toEqual([4, ["truncated"]]);
  });
});

describe("writing", () => {
  test("what protobufjs reads of it", () => {
    const table = stacksFromText("main@a.ts:3;parse@b.ts:9 30\nmain@a.ts:3;parse@b.ts:9 12", {
      service: "ingest",
      durationNs: 7e9,
    });
    const profile = parsePprof(writePprof(table)) as {
      [key: string]: unknown;
      stringTable: string[];
      sample: { locationId: number[]; value: number[] }[];
    };
    expect(profile.sample).toMatchObject([{ locationId: [2, 1], value: [42] }]);
    expect(profile["location"]).toMatchObject([
      { id: 1, line: [{ functionId: 1, line: 3 }] },
      { id: 2, line: [{ functionId: 2, line: 9 }] },
    ]);
    expect(profile["durationNanos"]).toBe(7e9);
    expect(profile.stringTable[0]).toBe("");
    expect(profile.stringTable).toEqual(expect.arrayContaining(["main", "parse", "b.ts", "service.name", "ingest"]));
  });

  test("reads back as the same stacks, values, lines and labels", () => {
    fc.assert(
      fc.property(anyStacks, (table) => {
        const back = read(writePprof(table));
        expect(back.errors).toEqual([]);
        for (const [value, type] of table.valueTypes.entries()) {
          const same = back.stacks.valueTypes.findIndex((held) => held.type === type.type);
          expect(withoutProcess(back.stacks, same)).toEqual(withoutProcess(table, value));
        }
      }),
      { numRuns: 100, seed: 8 },
    );
  });
});

/** Folded, without the name of a process, which pprof tells in a label. */
function withoutProcess(table: StackTable, value: number): string[] {
  const processes = { ...table.processes, name: new Int32Array(table.processes.rowCount) };
  return [...foldedLines({ ...table, processes }, { value })];
}
