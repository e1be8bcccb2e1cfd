import { expect, it } from "vitest";
import { DurationHistogram } from "./duration-histogram.ts";

it("counts durations below each bound, as Prometheus wants them: with all below, the bound included", () => {
  const histogram = new DurationHistogram();
  for (const ms of [0, 0.5, 0.6, 25, 25.1, 10_000, 10_001]) histogram.addMs(ms);
  const lines = histogram.text("x_seconds", 'phase="sync"').trimEnd().split("\n");
  const below = lines.map((line) => /le="(.+)"} (\d+)$/.exec(line)).filter((match) => match !== null);
  expect(below.map(([, bound, count]) => [bound, Number(count)])).toEqual([
    ["0.0005", 2],
    ["0.001", 3],
    ["0.0025", 3],
    ["0.005", 3],
    ["0.01", 3],
    ["0.025", 4],
    ["0.05", 5],
    ["0.1", 5],
    ["0.25", 5],
    ["0.5", 5],
    ["1", 5],
    ["2.5", 5],
    ["5", 5],
    ["10", 6],
    ["+Inf", 7],
  ]);
  const [, sum] = /^x_seconds_sum\{phase="sync"\} (.+)$/.exec(lines.at(-2)!)!;
  expect(Number(sum)).toBeCloseTo(20.0522, 9);
  expect(lines.at(-1)).toBe('x_seconds_count{phase="sync"} 7');
});
