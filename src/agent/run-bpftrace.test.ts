import { expect, test } from "vitest";
import { readBpftraceLine } from "./run-bpftrace.ts";

// Lines of bpftrace 0.17 as it printed them.
test.each([
  ["", undefined],
  ['{"type": "attached_probes", "data": {"probes": 3}}', { type: "attached", probes: 3 }],
  ['{"type": "printf", "data": "hits 55954\\n"}', { type: "text", text: "hits 55954\n" }],
  [
    '{"type": "hist", "data": {"@ns": [{"min": 1024, "max": 2047, "count": 4}]}}',
    { type: "histogram", map: "@ns", rows: [{ key: "", buckets: [{ low: 1024, high: 2048, count: 4 }] }] },
  ],
  [
    '{"type": "hist", "data": {"@ns": {"WSM": [{"max": -1, "count": 1}, {"min": 2, "max": 3, "count": 7}]}}}',
    {
      type: "histogram",
      map: "@ns",
      rows: [
        {
          key: "WSM",
          buckets: [
            { low: 0, high: 0, count: 1 },
            { low: 2, high: 4, count: 7 },
          ],
        },
      ],
    },
  ],
  ['{"type": "map", "data": {"@ns": {"bash": 8}}}', { type: "counts", map: "@ns", rows: [{ key: "bash", count: 8 }] }],
  ['{"type": "map", "data": {"@hits": 5}}', { type: "counts", map: "@hits", rows: [{ key: "", count: 5 }] }],
])("%s", (line, read) => {
  expect(readBpftraceLine(line)).toEqual(read);
});

test("what is no JSON is a SyntaxError", () => {
  expect(() => readBpftraceLine("Attaching 3 probes...")).toThrow(SyntaxError);
});
