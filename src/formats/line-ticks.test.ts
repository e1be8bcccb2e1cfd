import { expect, test } from "vitest";
import { readLineTicks } from "./line-ticks.ts";

const bytes = (profile: unknown): Uint8Array => Buffer.from(JSON.stringify(profile));
const frame = (functionName: string, url: string, lineNumber: number): object => ({ functionName, url, lineNumber });

test("lines of a function are summed over where it is called from; what is no file is left out", () => {
  const nodes = [
    { callFrame: frame("rank", "file:///srv/a%20b.mjs", 9), positionTicks: [{ line: 11, ticks: 3 }] },
    {
      callFrame: frame("rank", "file:///srv/a%20b.mjs", 9),
      positionTicks: [
        { line: 11, ticks: 2 },
        { line: 12, ticks: 1 },
      ],
    },
    // Another function of the same name.
    { callFrame: frame("rank", "/srv/old.cjs", 4), positionTicks: [{ line: 5, ticks: 7 }] },
    { callFrame: frame("read", "node:fs", 4), positionTicks: [{ line: 5, ticks: 9 }] },
    { callFrame: frame("(idle)", "", -1), positionTicks: [{ line: 0, ticks: 90 }] },
    { callFrame: frame("odd", "/srv/old.cjs", 40), positionTicks: [{ line: "x", ticks: null }] },
  ];
  expect(readLineTicks(bytes({ nodes }))).toEqual([
    { name: "rank", file: "/srv/old.cjs", samples: 7, lines: new Map([[5, 7]]) },
    {
      name: "rank",
      file: "/srv/a b.mjs",
      samples: 6,
      lines: new Map([
        [11, 5],
        [12, 1],
      ]),
    },
  ]);
  expect(readLineTicks(bytes({}))).toEqual([]);
});
