import type { HeatMap } from "../../model/page.ts";

/** What a stretch of time of a heat map holds. Durations are those of cells: to a row's height. */
export interface HeatStretch {
  readonly fromUnixMs: number;
  readonly toUnixMs: number;
  readonly requests: number;
  /** middle of the cell in which the median, the p99 and the slowest lie; 0 without requests */
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly slowestMs: number;
}

/** The heat map in numbers, `count` stretches of columns at most: what it shows to those who do not see it. */
export function heatStretches(heat: HeatMap, count: number): HeatStretch[] {
  const { columns, rows, startUnixMs, columnMs, requests } = heat;
  const wide = Math.max(1, Math.ceil(columns / count));
  const stretches: HeatStretch[] = [];
  for (let from = 0; from < columns; from += wide) {
    const to = Math.min(columns, from + wide);
    const byRow = Array.from({ length: rows }, (_, row) => {
      let sum = 0;
      for (let column = from; column < to; column++) sum += requests[row * columns + column]!;
      return sum;
    });
    const total = byRow.reduce((sum, value) => sum + value, 0);
    stretches.push({
      fromUnixMs: startUnixMs + from * columnMs,
      toUnixMs: startUnixMs + to * columnMs,
      requests: total,
      p50Ms: quantileMs(heat, byRow, total * 0.5),
      p99Ms: quantileMs(heat, byRow, total * 0.99),
      slowestMs: quantileMs(heat, byRow, total),
    });
  }
  return stretches;
}

function quantileMs({ lowestMs, ratio }: HeatMap, byRow: readonly number[], rank: number): number {
  let passed = 0;
  for (const [row, value] of byRow.entries()) {
    passed += value;
    // Sums of weights are off by a rounding.
    if (value > 0 && passed >= rank * (1 - 1e-9)) return lowestMs * ratio ** (row + 0.5);
  }
  return 0;
}
