import { expect, test } from "vitest";
import { assertStackTable } from "../model/stack-table.ts";
import { plainStacks } from "../testing/stacks-from-text.ts";
import { allocationTable, cpuTable, isBusy } from "./profile-table.ts";
import { SpanSwitches } from "./span-switches.ts";

const frame = (
  functionName: string,
  url = "",
  lineNumber = -1,
): { functionName: string; url: string; lineNumber: number } => ({
  functionName,
  url,
  lineNumber,
});

const NODES = [
  { id: 1, callFrame: frame("(root)"), children: [2, 3] },
  { id: 2, callFrame: frame("(idle)") },
  { id: 3, callFrame: frame("handle", "file:///srv/a.js", 9), children: [4] },
  { id: 4, callFrame: frame("parse", "file:///srv/a.js", 41) },
];
const WINDOW = {
  startUnixNs: 1_790_000_000_000_000_000n,
  durationNs: 1e6,
  pid: 7,
  tid: 9,
  threadName: "worker 2 resize.js",
};
const SPAN = { traceId: "0af7651916cd43dd8448eb211c80319c", spanId: "b7ad6b7169203331" };

test("each sample counts until the next one and has the span of its moment; idle time is one sample", () => {
  const switches = new SpanSwitches();
  switches.note(SPAN, 1150);
  switches.note(undefined, 1250);
  // At 1100 in parse, 1200 in parse, 1300 idle, 1350 in handle, 1400 idle; until 1500.
  const profile = {
    nodes: NODES,
    startTime: 1000,
    endTime: 1500,
    samples: [4, 4, 2, 3, 2],
    timeDeltas: [100, 100, 100, 50, 50],
  };
  const table = cpuTable(profile, WINDOW, switches);
  assertStackTable(table);
  const { samples } = plainStacks(table) as {
    samples: { stack: string[]; values: number[]; time: number; labels: unknown[] }[];
  };
  const parse = ["handle@/srv/a.js:10 user", "parse@/srv/a.js:42 user"];
  expect(samples.map(({ stack, values, time, labels }) => [stack, values, time, labels])).toEqual([
    [parse, [100_000], 100_000, []],
    [
      parse,
      [100_000],
      200_000,
      [
        ["trace_id", SPAN.traceId],
        ["span_id", SPAN.spanId],
      ],
    ],
    [parse.slice(0, 1), [50_000], 350_000, []],
    [["(idle)@:-1 idle"], [150_000], -1, []],
  ]);
  expect(isBusy(table)).toBe(true);
});

test("samples that V8 hands out late are put in order; a window without work is not busy", () => {
  const late = { nodes: NODES, startTime: 0, endTime: 400, samples: [4, 2, 3], timeDeltas: [300, -200, 100] };
  // Idle from 100, handle from 200, parse from 300.
  expect(Array.from(cpuTable(late, WINDOW, undefined).samples.values[0]!)).toEqual([100_000, 100_000, 100_000]);
  const idle = { nodes: NODES, startTime: 0, endTime: 400, samples: [2], timeDeltas: [10] };
  expect(isBusy(cpuTable(idle, WINDOW, undefined))).toBe(false);
});

test("allocations by where they were made", () => {
  const leaf = { callFrame: frame("parse", "file:///srv/a.js", 41), selfSize: 4096, children: [] };
  const head = {
    callFrame: frame("(root)"),
    selfSize: 0,
    children: [{ callFrame: frame("handle", "file:///srv/a.js", 9), selfSize: 0, children: [leaf] }],
  };
  const table = allocationTable(head, WINDOW);
  assertStackTable(table);
  expect(plainStacks(table)).toMatchObject({
    types: [{ type: "alloc_space", unit: "bytes" }],
    samples: [{ stack: ["handle@/srv/a.js:10 user", "parse@/srv/a.js:42 user"], values: [4096] }],
  });
});
