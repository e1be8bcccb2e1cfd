import { type JSX, type KeyboardEvent, useEffect, useMemo, useRef, useState } from "react";
import type { PageTrace } from "../../model/page.ts";
import { ms } from "../parts/numbers.ts";
import { colorOf } from "../parts/time-kinds.ts";
import type { Range } from "../state/page-state.ts";
import { useKeys } from "../state/keys.ts";
import { Minimap } from "./minimap.tsx";
import { drawnRows, type TraceShape, traceShape } from "./trace-rows.ts";
import styles from "./trace.module.css";

const ROW = 22;

export interface WaterfallProps {
  readonly trace: PageTrace;
  /** row of the span that is chosen */
  readonly span: number;
  /** rows that match a search; absent while nothing is searched */
  readonly found: ReadonlySet<number> | undefined;
  readonly choose: (row: number) => void;
  /** which part is seen, in shares of the whole; the whole if absent */
  readonly seen: Range | undefined;
  readonly keepSeen: (seen: Range | undefined) => void;
}

/** Spans of a trace over time, the critical path in the colours of its kinds. Only the rows in sight are in the document. */
export function Waterfall({ trace, span, found, choose, seen, keepSeen }: WaterfallProps): JSX.Element {
  const [collapsed, setCollapsed] = useState<ReadonlySet<number>>(new Set());
  const whole = Math.max(trace.durationMs, 0.001);
  const [shares, setShares] = useState<Range>(seen ?? [0, 1]);
  const [wantedFrom, wantedTo] = seen ?? [0, 1];
  // Steps of the history change it from outside.
  useEffect(() => setShares([wantedFrom, wantedTo]), [wantedFrom, wantedTo]);
  const range = [shares[0] * whole, shares[1] * whole] as const;
  const setRange = ([from, to]: Range): void => {
    const next: Range = [Math.max(0, from / whole), Math.min(1, to / whole)];
    if (next[0] >= next[1]) return;
    setShares(next);
    keepSeen(next[0] <= 0 && next[1] >= 1 ? undefined : next);
  };
  const shape = useMemo(() => traceShape(trace), [trace]);
  const order = useMemo(() => drawnRows(shape, collapsed), [shape, collapsed]);
  const toggle = (row: number): void => {
    const next = new Set(collapsed);
    if (!next.delete(row)) next.add(row);
    setCollapsed(next);
  };
  const zoom = (factor: number): void => {
    const middle = (range[0] + range[1]) / 2;
    const half = ((range[1] - range[0]) / 2) * factor;
    setRange([Math.max(0, middle - half), Math.min(whole, middle + half)]);
  };
  const pan = (share: number): void => {
    const by = (range[1] - range[0]) * share;
    const step = Math.max(-range[0], Math.min(whole - range[1], by));
    setRange([range[0] + step, range[1] + step]);
  };
  const move = (by: number): void => {
    const at = order.indexOf(span);
    choose(order[Math.max(0, Math.min(order.length - 1, at + by))]!);
  };
  useKeys({
    f: () => move(1),
    b: () => move(-1),
    a: () => pan(-0.2),
    d: () => pan(0.2),
    ArrowUp: () => zoom(0.5),
    ArrowDown: () => zoom(2),
    "[": () => shape.below[span]! > 0 && !collapsed.has(span) && toggle(span),
    "]": () => collapsed.has(span) && toggle(span),
    "0": () => setRange([0, whole]),
    Escape: () => setRange([0, whole]),
  });
  return (
    <>
      <Minimap trace={trace} order={order} range={range} setRange={setRange} />
      <Ruler range={range} />
      <Rows
        trace={trace}
        shape={shape}
        order={order}
        range={range}
        span={span}
        found={found}
        choose={choose}
        toggle={toggle}
        collapsed={collapsed}
      />
    </>
  );
}

/** Times at five places of what is seen. */
function Ruler({ range: [from, to] }: { range: readonly [number, number] }): JSX.Element {
  return (
    <div className={styles["ruler"]} aria-hidden="true">
      <span />
      <span className={styles["ticks"]}>
        {[0, 0.25, 0.5, 0.75, 1].map((share) => (
          <span key={share} style={share === 1 ? { right: 4 } : { left: `${100 * share}%` }}>
            {ms(Number((from + (to - from) * share).toPrecision(4)))}
          </span>
        ))}
      </span>
    </div>
  );
}

interface RowsProps extends Omit<WaterfallProps, "seen" | "keepSeen"> {
  readonly shape: TraceShape;
  readonly order: Int32Array;
  readonly range: readonly [number, number];
  readonly collapsed: ReadonlySet<number>;
  readonly toggle: (row: number) => void;
}

function Rows({ trace, shape, order, range, span, found, choose, collapsed, toggle }: RowsProps): JSX.Element {
  const scroller = useRef<HTMLDivElement>(null);
  const [seen, setSeen] = useState({ from: 0, to: 60 });
  const look = (): void => {
    const element = scroller.current;
    if (element === null) return;
    const from = Math.max(0, Math.floor(element.scrollTop / ROW) - 8);
    setSeen({ from, to: from + Math.ceil(element.clientHeight / ROW) + 16 });
  };
  useEffect(() => {
    look();
    addEventListener("resize", look);
    return () => removeEventListener("resize", look);
  }, []);
  useEffect(() => {
    const element = scroller.current;
    const at = order.indexOf(span) * ROW;
    if (element === null || at < 0) return;
    if (at < element.scrollTop || at + ROW > element.scrollTop + element.clientHeight)
      element.scrollTop = at - element.clientHeight / 2;
  }, [span, order]);
  const segments = useMemo(() => segmentsByRow(trace), [trace]);
  return (
    <div className={styles["rows"]} ref={scroller} onScroll={look} role="tree" aria-label="Spans" tabIndex={0}>
      <div style={{ height: order.length * ROW }} />
      {Array.from(order.subarray(seen.from, seen.to), (row, i) => (
        <Row
          key={row}
          trace={trace}
          row={row}
          top={(seen.from + i) * ROW}
          depth={shape.depth[row]!}
          below={shape.below[row]!}
          range={range}
          segments={segments.get(row) ?? []}
          isChosen={row === span}
          isFound={found === undefined || found.has(row)}
          isCollapsed={collapsed.has(row)}
          choose={choose}
          toggle={toggle}
        />
      ))}
    </div>
  );
}

interface RowProps {
  readonly trace: PageTrace;
  readonly row: number;
  readonly top: number;
  readonly depth: number;
  readonly below: number;
  readonly range: readonly [number, number];
  readonly segments: PageTrace["path"];
  readonly isChosen: boolean;
  readonly isFound: boolean;
  readonly isCollapsed: boolean;
  readonly choose: (row: number) => void;
  readonly toggle: (row: number) => void;
}

function Row(props: RowProps): JSX.Element {
  const { trace, row, top, depth, below, range, segments, isChosen, isFound, isCollapsed, choose, toggle } = props;
  const width = Math.max(range[1] - range[0], 1e-6);
  const share = (at: number): number => (100 * (at - range[0])) / width;
  const start = share(trace.startMs[row]!);
  const end = share(trace.startMs[row]! + trace.durationsMs[row]!);
  const isError = trace.error[row] === 1;
  const keys = (event: KeyboardEvent): void => {
    if (event.key === "Enter" || event.key === " ") choose(row);
  };
  return (
    <div
      className={styles["row"]}
      style={{ top, opacity: isFound ? 1 : 0.35 }}
      role="treeitem"
      aria-level={depth + 1}
      aria-selected={isChosen}
      aria-expanded={below > 0 ? !isCollapsed : undefined}
      tabIndex={isChosen ? 0 : -1}
      onClick={() => choose(row)}
      onDoubleClick={() => below > 0 && toggle(row)}
      onKeyDown={keys}
    >
      <span className={styles["name"]} style={{ paddingLeft: 4 + Math.min(depth, 24) * 10 }}>
        {below > 0 && (isCollapsed ? "▸ " : "▾ ")}
        {isError && <span className={styles["error"]}>! </span>}
        <span className={styles["service"]}>{trace.strings[trace.service[row]!]}</span>{" "}
        {trace.strings[trace.operation[row]!]}
        {isCollapsed && <span className={styles["service"]}> +{below}</span>}
      </span>
      <span className={styles["lane"]}>
        <span className={styles["bar"]} style={{ left: `${start}%`, width: `${Math.max(0, end - start)}%` }} />
        {segments.map(([, from, to, kind]) => (
          <span
            key={from}
            className={styles["path"]}
            style={{ left: `${share(from)}%`, width: `${share(to) - share(from)}%`, background: colorOf(kind) }}
          />
        ))}
        <span
          className={styles["time"]}
          data-inside={(start <= 78 && end > 88) || undefined}
          style={labelPlace(start, end)}
        >
          {ms(trace.durationsMs[row]!)}
        </span>
      </span>
    </div>
  );
}

/** Right of the bar; inside at its end where there is no room, left of it where it begins late. In percent of the lane. */
function labelPlace(start: number, end: number): { left?: string; right?: string } {
  if (start > 78) return { right: `${Math.min(100, 100 - start) + 0.5}%` };
  if (end > 88) return { right: `${Math.max(0, 100 - end) + 0.5}%` };
  return { left: `${Math.max(0, end) + 0.5}%` };
}

function segmentsByRow(trace: PageTrace): ReadonlyMap<number, PageTrace["path"]> {
  const found = new Map<number, PageTrace["path"][number][]>();
  for (const segment of trace.path) {
    const held = found.get(segment[0]);
    if (held === undefined) found.set(segment[0], [segment]);
    else held.push(segment);
  }
  return found;
}
