import type { HeatMap } from "../../model/page.ts";
import { clock } from "../parts/clock.ts";
import { ms } from "../parts/numbers.ts";
import type { Box } from "../state/page-state.ts";

/** Places in the canvas, in CSS pixels: the cells without the axes. */
export interface HeatFrame {
  readonly left: number;
  readonly top: number;
  readonly width: number;
  readonly height: number;
}

export const frameOf = (width: number, height: number): HeatFrame => ({
  left: 52,
  top: 8,
  width: Math.max(10, width - 62),
  height: Math.max(10, height - 30),
});

/** Milliseconds since 1970 and of duration at a point of the canvas, and the other way round. */
export const timeAt = (heat: HeatMap, frame: HeatFrame, x: number): number =>
  heat.startUnixMs + clamp((x - frame.left) / frame.width) * heat.columns * heat.columnMs;
export const durationAt = (heat: HeatMap, frame: HeatFrame, y: number): number =>
  heat.lowestMs * heat.ratio ** (clamp((frame.top + frame.height - y) / frame.height) * heat.rows);
export const xOf = (heat: HeatMap, frame: HeatFrame, unixMs: number): number =>
  frame.left + clamp((unixMs - heat.startUnixMs) / (heat.columns * heat.columnMs)) * frame.width;
export const yOf = (heat: HeatMap, frame: HeatFrame, durationMs: number): number =>
  frame.top +
  frame.height -
  clamp(Math.log(durationMs / heat.lowestMs) / Math.log(heat.ratio) / heat.rows) * frame.height;

const clamp = (share: number): number => Math.max(0, Math.min(1, share));

export interface HeatLook {
  readonly width: number;
  readonly height: number;
  readonly objectiveMs: number | undefined;
  readonly box: Box | undefined;
  /** value of a custom property */
  color(name: string): string;
}

/** Cells in greys by the root of their count, so that single slow requests are seen beside thousands. */
export function drawHeat(pen: CanvasRenderingContext2D, heat: HeatMap, look: HeatLook): void {
  const frame = frameOf(look.width, look.height);
  pen.clearRect(0, 0, look.width, look.height);
  const most = heat.requests.reduce((max, value) => Math.max(max, value), 1);
  const low = rgb(look.color("--count-0"));
  const high = rgb(look.color("--count-1"));
  const cellWidth = frame.width / heat.columns;
  const cellHeight = frame.height / heat.rows;
  for (let row = 0; row < heat.rows; row++) {
    for (let column = 0; column < heat.columns; column++) {
      const value = heat.requests[row * heat.columns + column]!;
      if (value === 0) continue;
      const share = 0.12 + 0.88 * Math.sqrt(value / most);
      pen.fillStyle = `rgb(${low.map((from, i) => Math.round(from + (high[i]! - from) * share)).join(" ")})`;
      pen.fillRect(
        frame.left + column * cellWidth,
        frame.top + (heat.rows - 1 - row) * cellHeight,
        Math.max(0.5, cellWidth - 0.6),
        Math.max(0.5, cellHeight - 0.6),
      );
    }
  }
  drawAxes(pen, heat, frame, look);
  if (look.objectiveMs !== undefined) drawObjective(pen, heat, frame, look, look.objectiveMs);
  if (look.box !== undefined) drawBox(pen, heat, frame, look, look.box);
}

function drawAxes(pen: CanvasRenderingContext2D, heat: HeatMap, frame: HeatFrame, look: HeatLook): void {
  pen.fillStyle = look.color("--muted");
  pen.font = "10px system-ui, sans-serif";
  pen.textAlign = "right";
  pen.textBaseline = "middle";
  for (let i = 0; i <= 4; i++) {
    const y = frame.top + frame.height - (i / 4) * frame.height;
    pen.fillText(ms(durationAt(heat, frame, y)), frame.left - 5, Math.min(y, look.height - 24));
  }
  pen.textBaseline = "alphabetic";
  const ticks = Math.max(2, Math.min(7, Math.floor(frame.width / 110)));
  for (let i = 0; i <= ticks; i++) {
    const x = frame.left + (i / ticks) * frame.width;
    pen.textAlign = i === 0 ? "left" : i === ticks ? "right" : "center";
    pen.fillText(clock(timeAt(heat, frame, x)), x, look.height - 6);
  }
}

function drawObjective(
  pen: CanvasRenderingContext2D,
  heat: HeatMap,
  frame: HeatFrame,
  look: HeatLook,
  limitMs: number,
): void {
  const y = yOf(heat, frame, limitMs);
  pen.strokeStyle = look.color("--text");
  pen.setLineDash([4, 3]);
  pen.lineWidth = 1;
  pen.beginPath();
  pen.moveTo(frame.left, y);
  pen.lineTo(frame.left + frame.width, y);
  pen.stroke();
  pen.setLineDash([]);
  pen.fillStyle = look.color("--text");
  pen.textAlign = "left";
  pen.fillText(`objective ${ms(limitMs)}`, frame.left + 4, y - 3);
}

function drawBox(pen: CanvasRenderingContext2D, heat: HeatMap, frame: HeatFrame, look: HeatLook, box: Box): void {
  const left = xOf(heat, frame, box.fromMs);
  const right = xOf(heat, frame, box.toMs);
  const top = yOf(heat, frame, box.longestMs);
  const bottom = yOf(heat, frame, box.shortestMs);
  pen.strokeStyle = look.color("--accent");
  pen.lineWidth = 2;
  pen.strokeRect(left, top, right - left, bottom - top);
}

/** "#e8ecf1" → three numbers. */
function rgb(color: string): number[] {
  const hex = color.trim().replace("#", "");
  const full = hex.length === 3 ? hex.replace(/./g, "$&$&") : hex;
  return [0, 2, 4].map((at) => Number.parseInt(full.slice(at, at + 2), 16) || 0);
}
