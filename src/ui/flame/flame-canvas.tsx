import { type JSX, useEffect, useMemo, useRef, useState } from "react";
import type { FlameTree } from "../../model/flame-tree.ts";
import { percent } from "../parts/numbers.ts";
import { useCanvas } from "../parts/use-canvas.ts";
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
}

/** The flame graph itself: click zooms into a call, double click opens its function from both sides, 0 or Escape shows all. */
export function FlameCanvas({ tree, isUpright, isDifference, search, amount, open }: FlameCanvasProps): JSX.Element {
  const layout = useMemo(() => layOutFlame(tree), [tree]);
  const [range, setRange] = useState<readonly [number, number]>([0, 1]);
  const [hovered, setHovered] = useState(-1);
  const size = useRef({ width: 1, height: 1 });
  useEffect(() => setRange([0, 1]), [tree]);
  const matches = useMemo(() => matching(tree, search), [tree, search]);
  const canvas = useCanvas(
    (pen, look) => {
      size.current = look;
      drawFlame(pen, tree, layout, {
        ...look,
        from: range[0],
        to: range[1],
        isUpright,
        isDifference,
        matches,
        hovered,
      });
    },
    [tree, layout, range, hovered, isUpright, isDifference, matches],
  );
  const pan = (share: number): void => {
    const by = (range[1] - range[0]) * share;
    const step = Math.max(-range[0], Math.min(1 - range[1], by));
    setRange([range[0] + step, range[1] + step]);
  };
  useKeys({ "0": () => setRange([0, 1]), Escape: () => setRange([0, 1]), a: () => pan(-0.2), d: () => pan(0.2) });
  const under = (event: React.MouseEvent<HTMLCanvasElement>): number => {
    const { offsetX: x, offsetY: y } = event.nativeEvent;
    const { width, height } = size.current;
    const level = Math.floor((isUpright ? height - y : y) / LEVEL);
    return rowAt(layout, level, range[0] + (x / width) * (range[1] - range[0]));
  };
  const said = hovered < 0 ? "" : describe(tree, layout.self, hovered, amount);
  return (
    <>
      <canvas
        ref={canvas}
        style={{ height: Math.max(1, layout.levels) * LEVEL }}
        role="img"
        aria-label={`Flame graph of ${tree.title}; the table below has the same by function`}
        onMouseMove={(event) => setHovered(under(event))}
        onMouseLeave={() => setHovered(-1)}
        onClick={(event) => {
          const row = under(event);
          if (row >= 0) setRange([layout.left[row]!, layout.left[row]! + Math.max(layout.width[row]!, 1e-9)]);
        }}
        onDoubleClick={(event) => {
          const row = under(event);
          if (row >= 0) open(tree.function[row]!);
        }}
      />
      <div className={styles["said"]}>
        {said === "" ? (
          <span className={styles["muted"]}>click zooms, double click shows callers and callees, 0 shows all</span>
        ) : (
          said
        )}
      </div>
    </>
  );
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
