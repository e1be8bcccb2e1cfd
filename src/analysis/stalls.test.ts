import { describe, expect, test } from "vitest";
import { Random } from "./random.ts";
import { findStalls, type Stall } from "./stalls.ts";

const MS = 1e6;

interface Spans {
  readonly start: number[];
  readonly end: number[];
  readonly entry: number[];
}

/**
 * `open` requests for 2 s, and calls at random times, one a millisecond, each 0 to 100 ms long, so that what starts and what ends
 * know nothing of each other: progress is a Poisson process, two events a millisecond. While the process stands still nothing
 * starts or ends; what was due then happens right afterwards.
 */
function busyProcess(open: number, still: readonly (readonly [number, number])[], seed: number): Spans {
  const random = new Random(seed);
  const spans: Spans = { start: [], end: [], entry: [] };
  const awake = (at: number): number => still.find(([from, to]) => at >= from && at < to)?.[1] ?? at;
  for (let request = 0; request < open; request++) {
    spans.start.push(0);
    spans.end.push(2000 * MS);
    spans.entry.push(1);
  }
  // From 100 ms before: calls that are still running at time zero, so that ends are as frequent from the first.
  for (let at = -100 * MS; at < 2000 * MS; at -= Math.log(1 - random.uniform()) * MS) {
    const end = at + random.uniform() * 100 * MS;
    if (end < 0) continue;
    spans.start.push(awake(Math.max(0, at)));
    spans.end.push(Math.min(2000 * MS, awake(end)));
    spans.entry.push(0);
  }
  return spans;
}

const find = ({ start, end, entry }: Spans, minStallNs = 5 * MS): Stall[] =>
  findStalls(
    Array.from(start.keys()),
    Float64Array.from(start),
    Float64Array.from(end),
    Uint8Array.from(entry),
    minStallNs,
  );

describe("a process that stands still", () => {
  test("is found where it does, with the requests that were open", () => {
    const stalls = find(
      busyProcess(
        6,
        [
          [400 * MS, 460 * MS],
          [1500 * MS, 1580 * MS],
        ],
        1,
      ),
    );
    expect(stalls).toHaveLength(2);
    // from the last progress before it, with about one event per 0.5 ms
    expect(stalls[0]!.fromNs / MS).toBeGreaterThan(395);
    expect(stalls[0]!.fromNs / MS).toBeLessThanOrEqual(400);
    expect(stalls[0]!.toNs).toBe(460 * MS);
    expect(stalls[1]!.toNs).toBe(1580 * MS);
    expect(stalls[0]!.open).toBeGreaterThanOrEqual(6);
  });

  test("requests that arrive meanwhile are no progress", () => {
    const spans = busyProcess(6, [[400 * MS, 460 * MS]], 2);
    for (const at of [410, 425, 440, 455]) {
      spans.start.push(at * MS);
      spans.end.push(1900 * MS);
      spans.entry.push(1);
    }
    expect(find(spans).map(({ toNs }) => toNs / MS)).toEqual([460]);
  });

  test("calls that are made meanwhile are", () => {
    const spans = busyProcess(6, [[400 * MS, 460 * MS]], 2);
    for (let at = 400; at < 460; at += 2) {
      spans.start.push(at * MS);
      spans.end.push(1900 * MS);
      spans.entry.push(0);
    }
    expect(find(spans)).toEqual([]);
  });
});

describe("no stall", () => {
  test("one in a hundred processes that are merely busy seems to have one", () => {
    // FALSE_ALARMS = 0.01 per process: of 100 one is expected; five or more would have a chance of 0.4 %
    const alarms = Array.from({ length: 100 }, (_, seed) => find(busyProcess(6, [], 100 + seed), 0).length);
    expect(alarms.reduce((sum, count) => sum + count, 0)).toBeLessThan(5);
  });

  test("with one request at a time: its call may simply take long", () => {
    const spans: Spans = { start: [0], end: [2000 * MS], entry: [1] };
    for (let i = 0; i < 500; i++) {
      spans.start.push(i * MS);
      spans.end.push(i * MS + 0.9 * MS);
      spans.entry.push(0);
    }
    spans.start.push(500 * MS);
    spans.end.push(1900 * MS);
    spans.entry.push(0);
    expect(find(spans)).toEqual([]);
  });

  test("in fewer than 50 spans", () => {
    const few = busyProcess(6, [[400 * MS, 460 * MS]], 1);
    expect(find({ start: few.start.slice(0, 49), end: few.end.slice(0, 49), entry: few.entry.slice(0, 49) })).toEqual(
      [],
    );
  });
});
