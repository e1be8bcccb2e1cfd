import type { Pen } from "./pen.ts";

export interface BarPart {
  readonly value: number;
  readonly timeKind: string;
  /** number of its texture, where a legend gives one; else its place in the bar */
  readonly texture?: number;
}

/**
 * One bar of `width` columns, split in proportion to the values. Each part that is not
 * zero has at least one column while there are enough, and the columns add up to the width.
 * Parts alternate in texture, so that neighbours of one hue stay apart and nothing is lost without colour.
 */
export function stackedBar(parts: readonly BarPart[], width: number, pen: Pen): string {
  const widths = shares(
    parts.map((part) => part.value),
    width,
  );
  return parts.map((part, i) => pen.kind(part.timeKind, texture(part.texture ?? i, pen).repeat(widths[i]!))).join("");
}

/** The character that part number `i` of a stacked bar is drawn with; the legend shows it. */
export function texture(i: number, pen: Pen): string {
  const textures = pen.look.colour ? "█▓" : "█▒▓░";
  return textures[i % textures.length]!;
}

/** `total` columns dealt out in proportion to the values by largest remainders. */
export function shares(values: readonly number[], total: number): number[] {
  const sum = values.reduce((a, b) => a + b, 0);
  if (sum <= 0) return values.map(() => 0);
  const exact = values.map((value) => (value / sum) * total);
  const dealt = exact.map((value) => Math.floor(value));
  const shown = values.filter((value) => value > 0).length <= total;
  for (let i = 0; i < dealt.length; i++) if (shown && values[i]! > 0 && dealt[i] === 0) dealt[i] = 1;
  let left = total - dealt.reduce((a, b) => a + b, 0);
  const byRemainder = exact
    .map((value, i) => ({ i, rest: value - dealt[i]! }))
    .sort((a, b) => b.rest - a.rest || a.i - b.i);
  for (const { i } of byRemainder) {
    if (left <= 0) break;
    dealt[i]!++;
    left--;
  }
  for (; left < 0; left++) dealt[dealt.indexOf(Math.max(...dealt))]!--;
  return dealt;
}

/** A bar of a ratio between 0 and 1, exact to an eighth of a column, padded to `width` columns. */
export function ratioBar(ratio: number, width: number): string {
  const eighths = Math.round(Math.min(1, Math.max(0, ratio)) * width * 8);
  const full = "█".repeat(Math.floor(eighths / 8));
  const rest = eighths % 8 === 0 ? "" : " ▏▎▍▌▋▊▉"[eighths % 8]!;
  return (full + rest).padEnd(width);
}
