import type { Point } from "./parse-points.ts";

/** All points of a series within a minute. */
export interface Rollup {
  readonly series: string;
  readonly minuteUnixMs: number;
  readonly points: number;
  readonly sum: number;
  readonly min: number;
  readonly max: number;
}

const MINUTE_MS = 60_000;

/** Ordered by series and minute, so that all writers take locks on rows in the same order. */
export function rollUp(points: readonly Point[]): Rollup[] {
  const rollups = new Map<string, Rollup>();
  for (const { series, value, timeUnixMs } of points) {
    const minuteUnixMs = timeUnixMs - (timeUnixMs % MINUTE_MS);
    const key = `${series} ${minuteUnixMs}`;
    const before = rollups.get(key);
    if (before === undefined) rollups.set(key, { series, minuteUnixMs, points: 1, sum: value, min: value, max: value });
    else {
      rollups.set(key, {
        ...before,
        points: before.points + 1,
        sum: before.sum + value,
        min: Math.min(before.min, value),
        max: Math.max(before.max, value),
      });
    }
  }
  return [...rollups.keys()].sort().flatMap((key) => rollups.get(key) ?? []);
}
