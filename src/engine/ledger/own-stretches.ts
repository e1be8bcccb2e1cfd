import type { OwnStretches } from "../../analysis/sample-owners.ts";
import { UNEXPLAINED } from "../../analysis/time-kinds.ts";
import { attributeText, findAttribute } from "../../model/attribute-table.ts";
import { mapToFloats, mapToInts } from "../../model/map-column.ts";
import { SpanFlag } from "../../model/trace-forest.ts";
import { oncePerWindow } from "../once-per-window.ts";
import type { Window } from "../window.ts";

export interface Stretches {
  readonly stretches: OwnStretches;
  /** by `thread.name` and by `thread.id`, as far as the spans name them */
  readonly byThread: ReadonlyMap<string, OwnStretches>;
}

export interface ServiceStretches {
  readonly all: Stretches;
  readonly byPid: ReadonlyMap<number, Stretches>;
}

/** By service: when its spans were at work of their own, on the critical path or not. */
export const ownStretches: (window: Window) => ReadonlyMap<string, ServiceStretches> = oncePerWindow((window) => {
  const { forest, facts, kinds, spans, text } = window;
  const found = new Map<number, { all: Gathered; byPid: Map<number, Gathered> }>();
  const pidKey = spans.strings.intern("process.pid");
  const threadKeys = ["thread.name", "thread.id"].map((key) => spans.strings.intern(key));
  for (const row of forest.rows) {
    if (kinds[row] !== UNEXPLAINED) continue;
    const service = facts.service[row]!;
    let held = found.get(service);
    if (held === undefined) found.set(service, (held = { all: new Gathered(), byPid: new Map() }));
    const pidAt = findAttribute(spans.resources, spans.resource[row]!, pidKey);
    const into = [held.all];
    if (pidAt >= 0) {
      const pid = Number(attributeText(spans.resources, spans.strings, pidAt));
      let process = held.byPid.get(pid);
      if (process === undefined) held.byPid.set(pid, (process = new Gathered()));
      into.push(process);
    }
    const threads = threadKeys.flatMap((key) => {
      const at = findAttribute(spans.attributes, row, key);
      return at < 0 ? [] : [attributeText(spans.attributes, spans.strings, at)];
    });
    for (const [from, to] of stretchesOf(window, row)) for (const one of into) one.add(row, from, to, threads);
  }
  return new Map(
    [...found].map(([service, { all, byPid }]) => [
      text(service),
      { all: all.finish(), byPid: new Map([...byPid].map(([pid, one]) => [pid, one.finish()])) },
    ]),
  );
});

/** Stretches of spans, in all and by thread. */
class Gathered {
  private readonly all: [row: number, from: number, to: number][] = [];
  private readonly byThread = new Map<string, [row: number, from: number, to: number][]>();

  add(row: number, from: number, to: number, threads: readonly string[]): void {
    this.all.push([row, from, to]);
    for (const thread of new Set(threads)) {
      const held = this.byThread.get(thread);
      if (held === undefined) this.byThread.set(thread, [[row, from, to]]);
      else held.push([row, from, to]);
    }
  }

  finish(): Stretches {
    const columns = (rows: readonly (readonly [number, number, number])[]): OwnStretches => ({
      row: mapToInts(rows, ([row]) => row),
      startNs: mapToFloats(rows, ([, from]) => from),
      endNs: mapToFloats(rows, ([, , to]) => to),
    });
    return {
      stretches: columns(this.all),
      byThread: new Map([...this.byThread].map(([thread, rows]) => [thread, columns(rows)])),
    };
  }
}

/** The span without the time of the children that it waits for. */
export function* stretchesOf({ forest }: Window, row: number): Generator<[from: number, to: number]> {
  const { childStart, child, startNs, endNs, flags } = forest;
  let reached = startNs[row]!;
  for (let i = childStart[row]!; i < childStart[row + 1]!; i++) {
    const other = child[i]!;
    if ((flags[other]! & SpanFlag.asynchronous) !== 0) continue;
    if (startNs[other]! > reached) yield [reached, Math.min(startNs[other]!, endNs[row]!)];
    reached = Math.max(reached, endNs[other]!);
    if (reached >= endNs[row]!) return;
  }
  if (reached < endNs[row]!) yield [reached, endNs[row]!];
}
