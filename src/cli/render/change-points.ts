import { padStart } from "./layout.ts";
import { plural } from "./numbers.ts";
import { penFor, type Look } from "./pen.ts";
import { finish } from "./frame.ts";
import { safeText } from "./safe-text.ts";

export interface ShownChange {
  readonly index: number;
  readonly time: string;
  readonly before: number;
  readonly after: number;
  readonly pValue: number;
}

const LEVELS = "▁▂▃▄▅▆▇█";

/** The series as one line of blocks (means of equal stretches), and one line per change. */
export function renderChangePoints(changes: readonly ShownChange[], values: Float64Array, look: Look): string[] {
  const pen = penFor(look);
  const lines = [sparkline(values, Math.min(look.width - 4, values.length, 96))];
  if (changes.length === 0) lines.push(`No change of level found in ${plural(values.length, "value")}.`);
  for (const { index, time, before, after, pValue } of changes) {
    const change =
      before === 0 ? "" : ` (${after > before ? "+" : "−"}${Math.abs((after / before - 1) * 100).toFixed(0)} %)`;
    const levels = `${padStart(short(before), 10)} → ${short(after)}${change}`;
    const chance = pValue < 0.001 ? "p < 0.001" : `p ${pValue.toFixed(3)}`;
    lines.push(
      `${pen.strong(safeText(time))}  ${levels}  ${pen.faint(`value ${index + 1} of ${values.length}, ${chance}`)}`,
    );
  }
  return finish(lines, look);
}

const short = (value: number): string =>
  Number(value.toPrecision(4)).toLocaleString("en", { maximumFractionDigits: 6 });

function sparkline(values: Float64Array, width: number): string {
  const means: number[] = [];
  for (let i = 0; i < width; i++) {
    const part = values.subarray(
      Math.floor((i * values.length) / width),
      Math.floor(((i + 1) * values.length) / width),
    );
    means.push(part.reduce((a, b) => a + b, 0) / part.length);
  }
  const low = Math.min(...means);
  const step = (Math.max(...means) - low) / (LEVELS.length - 1) || 1;
  return means.map((mean) => LEVELS[Math.round((mean - low) / step)]!).join("");
}
