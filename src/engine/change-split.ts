import { compareWindows, type TraceWindow } from "../analysis/two-windows.ts";
import { nodeOfKey } from "../analysis/blame.ts";
import type { MeanChange, PathChange } from "../model/compare-report.ts";
import { NS_PER_MS } from "../model/units.ts";
import type { Slice } from "./regression/operations.ts";
import type { Window } from "./window.ts";
import { mapToFloats } from "../model/map-column.ts";

/** Traces of a slice by endpoint; the same numbers of endpoints on both sides, some of them empty. */
export interface GroupedTraces {
  readonly slice: Slice;
  readonly groups: readonly (readonly number[])[];
}

export interface ChangeSplit {
  readonly mean: MeanChange | null;
  /** per group: its means and its part of mix and slowdown */
  readonly groups: readonly {
    readonly mean: { readonly beforeMs: number; readonly nowMs: number };
    readonly mixMs: number;
    readonly slowdownMs: number;
  }[];
  readonly paths: readonly PathChange[];
  readonly otherPaths: { readonly count: number; readonly slowdownMs: number };
}

/** Share of false ones among the call paths that are called changed. */
const FALSE_DISCOVERIES = 0.01;

/**
 * The change of the mean duration, split exactly into mix and slowdown over the groups and, the slowdown, over call
 * paths: those that changed significantly one by one, the others as a sum.
 */
export function splitChange(before: GroupedTraces, now: GroupedTraces): ChangeSplit {
  const columns = new PathColumns();
  const a = traceWindow(before, columns);
  const b = traceWindow(now, columns);
  const result = compareWindows(
    { ...a, blame: { ...a.blame, columnCount: columns.count } },
    { ...b, blame: { ...b.blame, columnCount: columns.count } },
  );
  const groups = before.groups.map(() => ({ mean: { beforeMs: 0, nowMs: 0 }, mixMs: 0, slowdownMs: 0 }));
  if (result.kind === "insufficient-data") {
    return { mean: null, groups: meansAlone(a, b, groups.length), paths: [], otherPaths: { count: 0, slowdownMs: 0 } };
  }
  for (const { group, meanA, meanB, mix, slowdown } of result.groups) {
    groups[group] = {
      mean: { beforeMs: orZero(inMs(meanA)), nowMs: orZero(inMs(meanB)) },
      mixMs: inMs(mix),
      slowdownMs: inMs(slowdown),
    };
  }
  const changed = result.columns.filter(({ slowdown, qValue }) => qValue <= FALSE_DISCOVERIES && slowdown !== 0);
  const others = result.columns.filter((column) => !changed.includes(column));
  return {
    mean: {
      beforeMs: inMs(result.meanA),
      nowMs: inMs(result.meanB),
      changeMs: inMs(result.change),
      mixMs: inMs(result.mix),
      slowdownMs: inMs(result.slowdown),
    },
    groups,
    paths: changed.map(({ column, slowdown, qValue }) => ({
      ...columns.describe(column),
      slowdownMs: inMs(slowdown),
      qValue,
    })),
    otherPaths: { count: others.length, slowdownMs: inMs(others.reduce((sum, { slowdown }) => sum + slowdown, 0)) },
  };
}

/** Without the sign that a zero may have. */
const inMs = (ns: number): number => ns / NS_PER_MS + 0;

/** NaN is what a mean of no requests comes out as; JSON has no word for it. */
const orZero = (value: number): number => (Number.isNaN(value) ? 0 : value);

function meansAlone(a: TraceWindow, b: TraceWindow, groups: number): ChangeSplit["groups"] {
  const mean = ({ group: groupOf, blame, weights }: TraceWindow, group: number): number => {
    let total = 0;
    let weight = 0;
    groupOf.forEach((own, t) => {
      if (own !== group) return;
      weight += weights![t]!;
      for (let i = blame.rowStart[t]!; i < blame.rowStart[t + 1]!; i++) total += weights![t]! * blame.value[i]!;
    });
    return weight === 0 ? 0 : inMs(total / weight);
  };
  return Array.from({ length: groups }, (_, group) => ({
    mean: { beforeMs: mean(a, group), nowMs: mean(b, group) },
    mixMs: 0,
    slowdownMs: 0,
  }));
}

function traceWindow({ slice: { window }, groups }: GroupedTraces, columns: PathColumns): TraceWindow {
  const { blame, forest } = window;
  const columnOfNode = columns.of(window);
  const traces = groups.flat();
  const rowStart = new Int32Array(traces.length + 1);
  const column: number[] = [];
  const value: number[] = [];
  traces.forEach((trace, t) => {
    for (let i = blame.traceStart[trace]!; i < blame.traceStart[trace + 1]!; i++) {
      column.push(columnOfNode[nodeOfKey(blame.key[i]!)]!);
      value.push(blame.ns[i]!);
    }
    rowStart[t + 1] = column.length;
  });
  return {
    group: Int32Array.from(groups.flatMap((members, group) => members.map(() => group))),
    weights: mapToFloats(traces, (trace) => forest.weight[trace]!),
    blame: { rowStart, column: Int32Array.from(column), value: Float64Array.from(value), columnCount: columns.count },
  };
}

interface PathName {
  /** column of the caller's path, -1 for endpoints */
  readonly above: number;
  readonly service: string;
  readonly operation: string;
  readonly statement: string | undefined;
}

/** Gives the same call path the same column in both windows, whose own numbers differ. */
class PathColumns {
  private readonly ids = new Map<string, number>();
  private readonly names: PathName[] = [];

  get count(): number {
    return this.names.length;
  }

  /** Walks up from the span: only what is told is spelt out, as paths may be as deep as traces. */
  describe(column: number): Omit<PathChange, "slowdownMs" | "qValue"> {
    const { service, operation, statement } = this.names[column]!;
    const path: string[] = [];
    for (let at = column; at >= 0; at = this.names[at]!.above) {
      path.push(`${this.names[at]!.service} ${this.names[at]!.operation}`);
    }
    return { path: path.reverse(), service, operation, ...(statement === undefined ? {} : { statement }) };
  }

  /** Column of every node of the window; parents come before children. */
  of({ paths, text }: Window): Int32Array {
    const columns = new Int32Array(paths.nodeCount);
    for (let node = 0; node < paths.nodeCount; node++) {
      const above = paths.parent[node]! < 0 ? -1 : columns[paths.parent[node]!]!;
      const service = text(paths.service[node]!);
      const operation = text(paths.operation[node]!);
      const callee = paths.callee[node]! < 0 ? "" : text(paths.callee[node]!);
      const statement = paths.statement[node]! < 0 ? undefined : text(paths.statement[node]!);
      const key = JSON.stringify([above, service, operation, paths.role[node], callee, statement]);
      let column = this.ids.get(key);
      if (column === undefined) {
        this.ids.set(key, (column = this.names.length));
        this.names.push({ above, service, operation, statement });
      }
      columns[node] = column;
    }
    return columns;
  }
}
