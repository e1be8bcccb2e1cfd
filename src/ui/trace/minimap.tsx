import { type JSX, useRef, useState } from "react";
import type { PageTrace } from "../../model/page.ts";
import { hueOf } from "../parts/time-kinds.ts";
import { type CanvasLook, useCanvas } from "../parts/use-canvas.ts";
import styles from "./trace.module.css";

export interface MinimapProps {
  readonly trace: PageTrace;
  /** rows in the order of drawing */
  readonly order: Int32Array;
  readonly range: readonly [number, number];
  readonly setRange: (range: readonly [number, number]) => void;
}

/** The whole trace, small: drag over a part to see only that, click for the whole. What is seen is marked above it, so that zooming draws nothing anew. */
export function Minimap({ trace, order, range, setRange }: MinimapProps): JSX.Element {
  const from = useRef<number>(undefined);
  const [dragged, setDragged] = useState<readonly [number, number]>();
  const whole = Math.max(trace.durationMs, 0.001);
  const { canvas } = useCanvas((pen, look) => drawMinimap(pen, trace, order, look), [trace, order]);
  const at = (event: React.PointerEvent<HTMLCanvasElement>): number =>
    Math.max(0, Math.min(1, event.nativeEvent.offsetX / event.currentTarget.clientWidth)) * whole;
  const spanTo = (end: number): readonly [number, number] => {
    const start = from.current ?? end;
    return [Math.min(start, end), Math.max(start, end)];
  };
  const [start, end] = dragged ?? range;
  return (
    <div className={styles["minimap"]}>
      <canvas
        ref={canvas}
        role="img"
        aria-label="The whole trace; arrow keys zoom, a and d pan"
        onPointerDown={(event) => {
          event.currentTarget.setPointerCapture(event.pointerId);
          from.current = at(event);
        }}
        onPointerMove={(event) => {
          if (from.current !== undefined) setDragged(spanTo(at(event)));
        }}
        onPointerUp={(event) => {
          const [left, right] = spanTo(at(event));
          from.current = undefined;
          setDragged(undefined);
          setRange(right - left > whole * 0.01 ? [left, right] : [0, whole]);
        }}
      />
      <span className={styles["unseen"]} style={{ left: 0, width: `${(100 * start) / whole}%` }} />
      <span className={styles["unseen"]} style={{ right: 0, width: `${100 - (100 * end) / whole}%` }} />
    </div>
  );
}

/**
 * Spans as grey bars, darker where many lie over each other, and above them the critical path. Lines of pixels are
 * fewer than spans: what begins and ends is counted for each, so that the cost is that of the pixels.
 */
function drawMinimap(pen: CanvasRenderingContext2D, trace: PageTrace, order: Int32Array, look: CanvasLook): void {
  const { width, height, color } = look;
  const wide = Math.max(1, Math.round(width));
  const lines = Math.max(1, Math.min(Math.round(height), order.length));
  const scale = wide / Math.max(trace.durationMs, 0.001);
  const step = height / lines;
  const lineOf = new Int32Array(trace.parent.length).fill(-1);
  const changes = new Int32Array(lines * (wide + 1));
  const clamp = (x: number): number => Math.max(0, Math.min(wide - 1, x));
  for (let i = 0; i < order.length; i++) {
    const row = order[i]!;
    const line = Math.floor((i * lines) / order.length);
    lineOf[row] = line;
    const start = clamp(Math.floor(trace.startMs[row]! * scale));
    const end = Math.max(start, clamp(Math.ceil((trace.startMs[row]! + trace.durationsMs[row]!) * scale) - 1));
    changes[line * (wide + 1) + start]!++;
    changes[line * (wide + 1) + end + 1]!--;
  }
  pen.clearRect(0, 0, width, height);
  pen.fillStyle = color("--rest");
  const tall = Math.max(0.5, step * 0.8);
  for (let line = 0; line < lines; line++)
    drawLine(pen, changes.subarray(line * (wide + 1), (line + 1) * (wide + 1)), line * step, tall);
  pen.globalAlpha = 1;
  for (const [row, start, end, kind] of trace.path) {
    if (lineOf[row]! < 0) continue;
    pen.fillStyle = color(hueOf(kind).color);
    pen.fillRect(start * scale, lineOf[row]! * step, Math.max(0.5, (end - start) * scale), Math.max(1, tall));
  }
}

/** Stretches of one line that equally many spans cover. */
function drawLine(pen: CanvasRenderingContext2D, changes: Int32Array, y: number, tall: number): void {
  let covered = 0;
  let from = 0;
  for (let x = 0; x < changes.length; x++) {
    const change = changes[x]!;
    if (change === 0) continue;
    if (covered > 0) {
      pen.globalAlpha = Math.min(1, 0.55 + 0.15 * covered);
      pen.fillRect(from, y, x - from, tall);
    }
    covered += change;
    from = x;
  }
}
