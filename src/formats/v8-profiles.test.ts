import { describe, expect, test } from "vitest";
import { Intake } from "../model/intake.ts";
import { assertStackTable, FRAME_KINDS, type StackTable } from "../model/stack-table.ts";
import { decodeCpuProfile } from "./cpuprofile.ts";
import { decodeHeapProfile } from "./heapprofile.ts";
import { foldedLines } from "./write-folded.ts";

type Decode = typeof decodeCpuProfile;

function read(decode: Decode, content: string): { stacks: StackTable; errors: string[] } {
  const intake = new Intake();
  const stacks = decode(Buffer.from(content), intake, "x");
  assertStackTable(stacks);
  return { stacks, errors: intake.errors.map(({ code, byteOffset }) => `${code} ${byteOffset}`) };
}

const frame = (functionName: string, url = "", lineNumber = -1): object => ({
  callFrame: { functionName, scriptId: "0", url, lineNumber, columnNumber: 0 },
});

const NODES = [
  { id: 1, ...frame("(root)"), hitCount: 0, children: [2, 3, 4, 7] },
  { id: 2, ...frame("(idle)"), hitCount: 1 },
  { id: 3, ...frame("(garbage collector)"), hitCount: 1 },
  { id: 4, ...frame("handle", "file:///srv/in%20gest.ts", 9), hitCount: 2, children: [5] },
  { id: 5, ...frame("writeSync", "node:fs", 900), hitCount: 4, children: [6] },
  { id: 6, ...frame("writeString"), hitCount: 0 },
  { id: 7, ...frame("", "/srv/x.js", 4), hitCount: 0 },
];

describe(".cpuprofile", () => {
  // At 1010, 1020, 1050, 1060 and 1100 µs: each stands for the time to the next, the last for the 20 µs to the end.
  const profile = {
    nodes: NODES,
    startTime: 1000,
    endTime: 1120,
    samples: [4, 6, 2, 3, 7],
    timeDeltas: [10, 10, 30, 10, 40],
  };

  test("a sample stands for the time up to the next one; idle and collector are frames", () => {
    const { stacks, errors } = read(decodeCpuProfile, JSON.stringify(profile));
    expect(errors).toEqual([]);
    expect(stacks.valueTypes).toEqual([
      { type: "samples", unit: "count" },
      { type: "wall", unit: "nanoseconds" },
    ]);
    expect([...foldedLines(stacks)]).toEqual([
      "(anonymous) x.js:5 20000",
      "(garbage collector) 40000",
      "(idle) 10000",
      "handle 10000",
      "handle;writeSync;writeString 30000",
    ]);
    expect(Array.from(stacks.samples.timeOffsetNs)).toEqual([10_000, 20_000, 50_000, 60_000, 100_000]);
    expect(stacks.processes.durationNs[0]).toBe(120_000);
    const described = Array.from(stacks.frames.function, (name, row) => {
      const place = `${stacks.strings.get(stacks.frames.file[row]!)}:${stacks.frames.line[row]!}`;
      return `${stacks.strings.get(name)} ${place} ${FRAME_KINDS[stacks.frames.kind[row]!]}`;
    });
    expect(described).toEqual([
      "(idle) :-1 idle",
      "(garbage collector) :-1 gc",
      "handle /srv/in gest.ts:10 user",
      "writeSync node:fs:901 runtime",
      "writeString :-1 native",
      "(anonymous) /srv/x.js:5 user",
    ]);
  });

  test("samples that V8 handed out late are put in order", () => {
    // Times 1010, 1030, 1020: the second of them stands for 1030 to the end.
    const late = { ...profile, samples: [4, 2, 3], timeDeltas: [10, 20, -10] };
    const { stacks } = read(decodeCpuProfile, JSON.stringify(late));
    expect([...foldedLines(stacks)]).toEqual(["(garbage collector) 10000", "(idle) 90000", "handle 10000"]);
  });

  test("without samples the time is dealt out by hits; parents told by the children work, too", () => {
    const nodes = [
      { id: 1, ...frame("(root)") },
      { id: 2, ...frame("a"), hitCount: 1, parent: 1 },
      { id: 3, ...frame("b"), hitCount: 3, parent: 2 },
    ];
    const { stacks } = read(decodeCpuProfile, JSON.stringify({ nodes, startTime: 0, endTime: 40 }));
    expect([...foldedLines(stacks)]).toEqual(["a 10000", "a;b 30000"]);
  });

  test("cut anywhere: an error, no exception, and what came before is kept", () => {
    const text = JSON.stringify(profile);
    for (let size = 1; size < text.length; size += 7) {
      const { errors } = read(decodeCpuProfile, text.slice(0, size));
      expect(errors).toHaveLength(1);
      expect(errors[0]).toMatch(/^truncated /);
    }
    const { stacks } = read(decodeCpuProfile, text.slice(0, text.indexOf('"timeDeltas":[') + 20));
    expect(stacks.samples.rowCount).toBe(2);
  });

  test.each([
    [
      "a circle of nodes",
      { ...profile, nodes: [{ id: 4, ...frame("a"), children: [4] }], samples: [4], timeDeltas: [1] },
    ],
    ["samples of nodes that are not there", { ...profile, samples: [99], timeDeltas: [1] }],
    ["no nodes", { samples: [1], timeDeltas: [1] }],
    ["nothing", {}],
  ])("%s", (_, content) => {
    expect(read(decodeCpuProfile, JSON.stringify(content)).errors).toEqual([]);
  });

  test("a value of another kind is an error with its byte", () => {
    expect(read(decodeCpuProfile, '{"nodes":[7]}').errors).toEqual(["malformed 10"]);
  });
});

describe(".heapprofile", () => {
  const head = {
    ...frame("(root)"),
    selfSize: 0,
    id: 1,
    children: [
      // The keys of a node in another order.
      { children: [{ ...frame("inner", "/a.js", 3), selfSize: 50, children: [] }], selfSize: 10, ...frame("outer") },
      { ...frame("other"), selfSize: 7, children: [] },
    ],
  };

  test("bytes still alive, by where they were allocated", () => {
    const { stacks, errors } = read(decodeHeapProfile, JSON.stringify({ head, samples: [] }));
    expect(errors).toEqual([]);
    expect(stacks.valueTypes).toEqual([{ type: "inuse_space", unit: "bytes" }]);
    expect([...foldedLines(stacks)]).toEqual(["other 7", "outer 10", "outer;inner 50"]);
  });

  test("cut anywhere, and nested a thousand deep", () => {
    const text = JSON.stringify({ head });
    for (let size = 1; size < text.length; size += 5)
      expect(read(decodeHeapProfile, text.slice(0, size)).errors).toHaveLength(1);
    let deep: object = { ...frame("leaf"), selfSize: 1, children: [] };
    for (let i = 0; i < 1000; i++) deep = { ...frame("f"), selfSize: 0, children: [deep] };
    expect(read(decodeHeapProfile, JSON.stringify({ head: deep })).stacks.stacks.rowCount).toBe(1001);
  });
});
