import { selfTimes } from "../../analysis/self-time.ts";
import { SpanRole } from "../../model/span-facts.ts";
import type { Window } from "../window.ts";

/** A part of a window: only the marked traces count; all of them without a mask. */
export interface Slice {
  readonly window: Window;
  /** per trace: 1 counts */
  readonly traces?: Uint8Array;
}

/** One operation in both windows, over all its call paths. */
export interface Operation {
  readonly id: number;
  readonly service: string;
  readonly operation: string;
  readonly role: SpanRole;
  /** the service on the other side of a call: of its SERVER span, else as the caller names it; "" for none */
  readonly callee: string;
  /** whether the other side sends spans: then the self time of the call is transit */
  readonly calleeTraced: boolean;
  readonly statement: string;
}

/** Operations of two slices with the same numbers in both. */
export interface Operations {
  readonly list: readonly Operation[];
  readonly now: SliceRows;
  readonly before: SliceRows;
}

export interface SliceRows {
  readonly slice: Slice;
  /** per span row: operation, -1 for rows that don't count */
  readonly operation: Int32Array;
  /** per operation: its rows */
  readonly rows: readonly Int32Array[];
  readonly selfNs: Float64Array;
  /** traces that count */
  readonly traces: number;
}

/** Tells the operations of both slices apart by (service, operation, role, callee, statement). */
export function operationsOf(now: Slice, before: Slice): Operations {
  const ids = new Map<string, number>();
  const list: Operation[] = [];
  const current = sliceRows(now, ids, list);
  const ofNow = list.length;
  const earlier = sliceRows(before, ids, list);
  const sides = { now: current(list.length), before: earlier(list.length) };
  const moved = movedCallees(list, ofNow, sides.now.rows, sides.before.rows);
  return moved.size === 0 ? { list, ...sides } : { list, now: sides.now, before: renumbered(sides.before, moved) };
}

/** An address instead of a name: who has it may have another one after a restart. */
const ADDRESS = /^(?:\d{1,3}(?:\.\d{1,3}){3}|\[?[0-9a-f]*:[0-9a-f:]+\]?|localhost)(?::\d+)?$/i;

/**
 * Calls of something without spans, told apart by its address only, that exist in one slice each and are alike in all
 * else: the callee has moved. Only where just one call of either slice can be meant. Operation of `before` -> of `now`.
 */
function movedCallees(
  list: readonly Operation[],
  ofNow: number,
  now: readonly Int32Array[],
  before: readonly Int32Array[],
): Map<number, number> {
  const groups = new Map<string, { now: number[]; before: number[] }>();
  for (const { id, service, operation, role, callee, calleeTraced, statement } of list) {
    if (calleeTraced || !ADDRESS.test(callee)) continue;
    const key = JSON.stringify([service, operation, role, statement]);
    const held = groups.get(key) ?? { now: [], before: [] };
    if (now[id]!.length > 0) held.now.push(id);
    if (before[id]!.length > 0) held.before.push(id);
    groups.set(key, held);
  }
  const moved = new Map<number, number>();
  for (const group of groups.values()) {
    const [to, from] = [group.now[0], group.before[0]];
    const isOne = group.now.length === 1 && group.before.length === 1;
    if (isOne && to !== from && to! < ofNow) moved.set(from!, to!);
  }
  return moved;
}

function renumbered(side: SliceRows, moved: ReadonlyMap<number, number>): SliceRows {
  const rows = [...side.rows];
  for (const [from, to] of moved) {
    rows[to] = side.rows[from]!;
    rows[from] = new Int32Array(0);
  }
  return { ...side, rows, operation: side.operation.map((id) => moved.get(id) ?? id) };
}

/** Whether a trace counts: complete, and marked where there is a mask. */
export function countsIn(slice: Slice, trace: number): boolean {
  return (
    trace >= 0 && slice.window.forest.complete[trace] === 1 && (slice.traces === undefined || slice.traces[trace] === 1)
  );
}

/** Rows of both slices have to be numbered before their tables are laid out: the second step gets the count. */
function sliceRows(slice: Slice, ids: Map<string, number>, list: Operation[]): (operations: number) => SliceRows {
  const { forest, paths, spans } = slice.window;
  const operation = new Int32Array(spans.rowCount).fill(-1);
  const known = new Map<number, number>();
  const services = spans.strings.size + 1;
  let traces = 0;
  for (let trace = 0; trace < forest.traceCount; trace++) if (countsIn(slice, trace)) traces++;
  for (const row of forest.rows) {
    if (!countsIn(slice, forest.trace[row]!)) continue;
    const node = paths.nodeOfRow[row]!;
    const peer = tracedCallee(slice.window, row);
    const key = node * services + peer + 1;
    let id = known.get(key);
    if (id === undefined) known.set(key, (id = operationId(slice.window, node, peer, ids, list)));
    operation[row] = id;
  }
  return (operations) => ({
    slice,
    operation,
    rows: groupRows(forest.rows, operation, operations),
    selfNs: selfTimes(forest),
    traces,
  });
}

function groupRows(rows: Int32Array, operation: Int32Array, operations: number): Int32Array[] {
  const count = new Int32Array(operations);
  for (const row of rows) if (operation[row]! >= 0) count[operation[row]!]!++;
  const grouped = Array.from(count, (n) => new Int32Array(n));
  count.fill(0);
  for (const row of rows) {
    const id = operation[row]!;
    if (id >= 0) grouped[id]![count[id]!++] = row;
  }
  return grouped;
}

/** String id of the service that answered the call of `row`, -1 where no span of it is there. */
function tracedCallee({ forest, facts }: Window, row: number): number {
  const role = facts.role[row];
  if (role !== SpanRole.client && role !== SpanRole.database) return -1;
  for (let i = forest.childStart[row]!; i < forest.childStart[row + 1]!; i++) {
    const other = forest.child[i]!;
    if (facts.role[other] === SpanRole.server || facts.service[other] !== facts.service[row])
      return facts.service[other]!;
  }
  return -1;
}

function operationId(
  { paths, text }: Window,
  node: number,
  peer: number,
  ids: Map<string, number>,
  list: Operation[],
): number {
  const nameOf = (id: number): string => (id < 0 ? "" : text(id));
  const entry: Omit<Operation, "id"> = {
    service: nameOf(paths.service[node]!),
    operation: nameOf(paths.operation[node]!),
    role: paths.role[node] as SpanRole,
    callee: peer >= 0 ? text(peer) : nameOf(paths.callee[node]!),
    calleeTraced: peer >= 0,
    statement: nameOf(paths.statement[node]!),
  };
  const key = JSON.stringify(Object.values(entry));
  let id = ids.get(key);
  if (id === undefined) {
    ids.set(key, (id = list.length));
    list.push({ id, ...entry });
  }
  return id;
}
