import { type JSX, useEffect, useMemo, useRef, useState } from "react";
import type { FlameTree } from "../../model/flame-tree.ts";
import { percent } from "../parts/numbers.ts";
import { useCanvas } from "../parts/use-canvas.ts";
import type { Range } from "../state/page-state.ts";
import { useKeys } from "../state/keys.ts";
import { drawFlame, LEVEL } from "./draw-flame.ts";
import { layOutFlame, rowAt } from "./flame-layout.ts";
import styles from "./flame.module.css";

export interface FlameCanvasProps {
  readonly tree: FlameTree;
  readonly isUpright: boolean;
  readonly isDifference: boolean;
  readonly search: string;
  readonly amount: (value: number) => string;
  /** shows the callers and callees of a function */
  readonly open: (of: number) => void;
  /** what is to be seen, the whole if absent; whoever keeps it is told what is */
  readonly range?: Range | undefined;
  readonly keepRange?: (range: Range | undefined) => void;
}

const WHOLE: Range = [0, 1];
/** Pixels that a pointer may move within a click. */
const CLICK = 4;

/**
 * The flame graph itself: click zooms into a call, dragging and a and d pan, the wheel with Ctrl and w and s
 * zoom, double click opens the function from both sides, 0 or Escape shows all. Panning only draws: nothing of it
 * passes through React.
 */
export function FlameCanvas(props: FlameCanvasProps): JSX.Element {
  const { tree, isUpright, isDifference, search, amount, open, keepRange } = props;
  const layout = useMemo(() => layOutFlame(tree), [tree]);
  const range = useRef<Range>(props.range ?? WHOLE);
  const [hovered, setHovered] = useState(-1);
  const size = useRef({ width: 1, height: 1 });
  const drag = useRef<{ x: number; range: Range; moved: boolean }>(undefined);
  const matches = useMemo(() => matching(tree, search), [tree, search]);
  const { canvas, redraw } = useCanvas(
    (pen, look) => {
      size.current = look;
      const [from, to] = range.current;
      drawFlame(pen, tree, layout, { ...look, from, to, isUpright, isDifference, matches });
    },
    [tree, layout, isUpright, isDifference, matches],
  );
  const show = (next: Range): void => {
    range.current = next;
    setHovered(-1);
    redraw();
    keepRange?.(next[0] <= 0 && next[1] >= 1 ? undefined : next);
  };
  const [wantedFrom, wantedTo] = props.range ?? WHOLE;
  useEffect(() => {
    // Steps of the history change it from outside.
    if (keepRange === undefined || (range.current[0] === wantedFrom && range.current[1] === wantedTo)) return;
    range.current = [wantedFrom, wantedTo];
    redraw();
  }, [wantedFrom, wantedTo]);
  const pan = (by: number, [from, to] = range.current): void => {
    const step = Math.max(-from, Math.min(1 - to, by));
    show([from + step, to + step]);
  };
  const zoom = (factor: number, at = 0.5): void => {
    const [from, to] = range.current;
    const width = Math.min(1, Math.max(1e-9, (to - from) * factor));
    const start = Math.max(0, Math.min(1 - width, from + (to - from) * at - width * at));
    show([start, start + width]);
  };
  const wide = (): number => range.current[1] - range.current[0];
  useKeys({
    "0": () => show(WHOLE),
    Escape: () => show(WHOLE),
    a: () => pan(-0.2 * wide()),
    d: () => pan(0.2 * wide()),
    w: () => zoom(0.5),
    s: () => zoom(2),
  });
  const under = ({ offsetX: x, offsetY: y }: MouseEvent): number => {
    const { width, height } = size.current;
    return rowAt(layout, Math.floor((isUpright ? height - y : y) / LEVEL), range.current[0] + (x / width) * wide());
  };
  const moved = (event: PointerEvent): void => {
    const from = drag.current;
    if (from === undefined) return setHovered(under(event));
    const by = event.offsetX - from.x;
    from.moved ||= Math.abs(by) > CLICK;
    if (from.moved) pan((-by / size.current.width) * (from.range[1] - from.range[0]), from.range);
  };
  useWheelZoom(canvas, (factor, at) => zoom(factor, at / size.current.width));
  const said = hovered < 0 ? "" : describe(tree, layout.self, hovered, amount);
  return (
    <>
      <div className={styles["canvas"]}>
        <canvas
          ref={canvas}
          style={{ height: Math.max(1, layout.levels) * LEVEL }}
          role="img"
          aria-label={`Flame graph of ${tree.title}; the table below has the same by function`}
          onPointerDown={(event) => {
            event.currentTarget.setPointerCapture(event.pointerId);
            drag.current = { x: event.nativeEvent.offsetX, range: range.current, moved: false };
          }}
          onPointerMove={(event) => moved(event.nativeEvent)}
          onPointerLeave={() => setHovered(-1)}
          onPointerUp={(event) => {
            const isClick = drag.current?.moved === false;
            drag.current = undefined;
            const row = isClick ? under(event.nativeEvent) : -1;
            if (row >= 0) show([layout.left[row]!, layout.left[row]! + Math.max(layout.width[row]!, 1e-9)]);
          }}
          onDoubleClick={(event) => {
            const row = under(event.nativeEvent);
            if (row >= 0) open(tree.function[row]!);
          }}
        />
        {hovered >= 0 && (
          <div
            className={styles["hovered"]}
            style={{
              left: `${clamped((100 * (layout.left[hovered]! - range.current[0])) / wide())}%`,
              right: `${clamped(100 - (100 * (layout.left[hovered]! + layout.width[hovered]! - range.current[0])) / wide())}%`,
              [isUpright ? "bottom" : "top"]: layout.depth[hovered]! * LEVEL,
              height: LEVEL - 1,
            }}
          />
        )}
      </div>
      <div className={styles["said"]}>
        {said === "" ? (
          <span className={styles["muted"]}>
            click zooms, dragging pans, double click shows callers and callees, 0 shows all
          </span>
        ) : (
          said
        )}
      </div>
    </>
  );
}

const clamped = (share: number): number => Math.max(0, Math.min(100, share));

/** Zooms at the pointer by the wheel with Ctrl, or by pinching, which browsers tell as the same; plain wheels scroll the page. */
function useWheelZoom(
  canvas: React.RefObject<HTMLCanvasElement | null>,
  zoom: (factor: number, atX: number) => void,
): void {
  const latest = useRef(zoom);
  latest.current = zoom;
  useEffect(() => {
    const element = canvas.current;
    // React listens passively, and so cannot keep the browser from zooming the page.
    const turned = (event: WheelEvent): void => {
      if (!event.ctrlKey) return;
      event.preventDefault();
      latest.current(2 ** (event.deltaY / 200), event.offsetX);
    };
    element?.addEventListener("wheel", turned, { passive: false });
    return () => element?.removeEventListener("wheel", turned);
  }, [canvas]);
}

function describe(tree: FlameTree, self: Float64Array, row: number, amount: (value: number) => string): string {
  const [name, place] = tree.functions[tree.function[row]!]!;
  const all = tree.value[0] ?? 0;
  const before = tree.before === undefined ? "" : `; before ${amount(tree.before[row]!)}`;
  return `${name}${place === "" ? "" : ` (${place})`}: ${amount(tree.value[row]!)}, ${percent(all > 0 ? tree.value[row]! / all : 0)}; in itself ${amount(Math.max(0, self[row]!))}${before}`;
}

function matching(tree: FlameTree, search: string): Uint8Array | undefined {
  const words = search.toLowerCase().split(/\s+/).filter(Boolean);
  if (words.length === 0) return undefined;
  return Uint8Array.from(tree.functions, (of) =>
    words.every((word) => of.join(" ").toLowerCase().includes(word)) ? 1 : 0,
  );
}
