import { quantileOf } from "../analysis/weighted-quantile.ts";
import { SpanRole } from "../model/span-facts.ts";
import { spanRows } from "./case.ts";
import { expectedNs, growthWithInFlight, inFlightCounts, isGrowth, withoutWaiting, type Growth } from "./contention.ts";
import { sampledRows } from "./sampled-rows.ts";
import type { Window } from "./window.ts";
import { mapToFloats } from "../model/map-column.ts";

/** A database or the processes of a service, in which work waits for other work. */
export interface SharedResource {
  readonly kind: "database" | "process";
  /** name of the database or service */
  readonly name: string;
  readonly members: readonly Member[];
  /** time at the loads that were met over time alone, mean over calls: 1 without any waiting */
  readonly stretch: number;
  /** the same without the heaviest kind of work: how the others suffer */
  readonly stretchOfOthers: number;
  /** median of what the other kinds of work take alone, by calls; 0 where there are none */
  readonly othersAloneNs: number;
  /** share of the members' calls that take longer the more others are in flight */
  readonly growingShare: number;
  /** largest part of what the members need alone: who uses it */
  readonly heaviest: Member;
  readonly heaviestShare: number;
}

/** One kind of work on the resource: a statement, or an operation's own code. */
export interface Member {
  readonly operation: string;
  /** normalised statement, "" for none */
  readonly statement: string;
  readonly nodes: readonly number[];
  /** calls on the critical path of their trace */
  readonly calls: number;
  /** those of them that were looked at: all, or a sample */
  readonly rows: Int32Array;
  /** against the count in flight on the whole resource */
  readonly shared: Growth | undefined;
  /** against the count of its own kind in flight */
  readonly own: Growth | undefined;
  /** what one call takes without others, nanoseconds */
  readonly aloneNs: number;
  readonly meanNs: number;
  /** mean over calls of the time expected at the count in flight, over the time alone */
  readonly stretch: number;
}

/** Rows that are looked at per kind of work: enough for a median in every bin. */
const MAX_ROWS = 5_000;

/**
 * Databases and services of a window with the work on them. Waiting for a shared
 * resource shows as time that grows with the number in flight on it, in most of
 * the work on it; what is needed *alone* tells who uses it up.
 */
export function sharedResources(window: Window, ownNs: Float64Array): SharedResource[] {
  return derived(window, ownNs).resources;
}

interface Derived {
  readonly resources: SharedResource[];
  /** per call-path node with a place on one of them */
  readonly ofNode: ReadonlyMap<number, { readonly resource: SharedResource; readonly member: Member }>;
}

/** Own times are those of the window's critical paths: the window is key enough. */
function derived(window: Window, ownNs: Float64Array): Derived {
  let known = derivedByWindow.get(window);
  if (known === undefined) {
    const resources = findResources(window, ownNs);
    const ofNode = new Map(
      resources.flatMap((resource) =>
        resource.members.flatMap((m) => m.nodes.map((node) => [node, { resource, member: m }] as const)),
      ),
    );
    derivedByWindow.set(window, (known = { resources, ofNode }));
  }
  return known;
}

const derivedByWindow = new WeakMap<Window, Derived>();

function findResources(window: Window, ownNs: Float64Array): SharedResource[] {
  const groups = new Map<string, { kind: "database" | "process"; name: number; nodes: Map<string, number[]> }>();
  const { paths } = window;
  for (let node = 0; node < paths.nodeCount; node++) {
    const place = placeOf(window, node);
    if (place === undefined) continue;
    const key = `${place.kind} ${place.name}`;
    let held = groups.get(key);
    if (held === undefined) groups.set(key, (held = { ...place, nodes: new Map() }));
    const work = `${paths.operation[node]} ${paths.statement[node]}`;
    const nodes = held.nodes.get(work);
    if (nodes === undefined) held.nodes.set(work, [node]);
    else nodes.push(node);
  }
  return [...groups.values()].flatMap(({ kind, name, nodes }) => {
    const members = [...nodes.values()]
      .map((list) => member(window, ownNs, kind, list))
      .filter((m) => m.rows.length >= 20);
    return members.length === 0 ? [] : [summary(kind, window.text(name), members)];
  });
}

function placeOf(window: Window, node: number): { kind: "database" | "process"; name: number } | undefined {
  const { paths } = window;
  switch (paths.role[node] as SpanRole) {
    case SpanRole.database:
      return paths.callee[node]! < 0 ? undefined : { kind: "database", name: paths.callee[node]! };
    case SpanRole.server:
    case SpanRole.internal:
    case SpanRole.consumer:
      return { kind: "process", name: paths.service[node]! };
    default:
      return undefined;
  }
}

function member(window: Window, ownNs: Float64Array, kind: "database" | "process", nodes: readonly number[]): Member {
  const all = nodes.map((node) => spanRows(window, node).filter((row) => ownNs[row]! > 0));
  const calls = all.reduce((sum, some) => sum + some.length, 0);
  const joined = new Int32Array(calls);
  all.reduce((at, some) => (joined.set(some, at), at + some.length), 0);
  const rows = sampledRows(window, joined, MAX_ROWS);
  const counts = inFlightCounts(window);
  const own = mapToFloats(rows, (row) => ownNs[row]!);
  const against = (column: Int32Array): Growth | undefined =>
    growthWithInFlight(
      own,
      mapToFloats(rows, (row) => column[row]!),
    );
  const shared = against(kind === "database" ? counts.callee : counts.process);
  const byOwn = against(kind === "database" ? counts.statement : counts.operation);
  const meanNs = own.length === 0 ? 0 : own.reduce((sum, ns) => sum + ns, 0) / own.length;
  // Where the load never varies enough, the faster quarter stands for "alone".
  const aloneNs = shared?.aloneNs ?? byOwn?.aloneNs ?? (own.length === 0 ? 0 : quantileOf(own, 0.25));
  const column = kind === "database" ? counts.callee : counts.process;
  const stretch =
    shared === undefined || shared.aloneNs <= 0 || rows.length === 0
      ? 1
      : rows.reduce((sum, row) => sum + expectedNs(column[row]!, shared), 0) / rows.length / shared.aloneNs;
  const first = nodes[0]!;
  return {
    stretch,
    operation: window.text(window.paths.operation[first]!),
    statement: window.paths.statement[first]! < 0 ? "" : window.text(window.paths.statement[first]!),
    nodes,
    calls,
    rows,
    shared,
    own: byOwn,
    aloneNs,
    meanNs,
  };
}

function summary(kind: "database" | "process", name: string, members: Member[]): SharedResource {
  const sum = (f: (m: Member) => number): number => members.reduce((total, m) => total + f(m), 0);
  const calls = sum((m) => m.calls);
  const alone = sum((m) => m.calls * m.aloneNs);
  const heaviest = members.reduce((a, b) => (b.calls * b.aloneNs > a.calls * a.aloneNs ? b : a));
  const others = members.filter((m) => m !== heaviest);
  const otherCalls = calls - heaviest.calls;
  return {
    kind,
    name,
    members,
    stretch: calls > 0 ? sum((m) => m.calls * m.stretch) / calls : 1,
    stretchOfOthers: otherCalls > 0 ? others.reduce((total, m) => total + m.calls * m.stretch, 0) / otherCalls : 1,
    othersAloneNs: medianByCalls(others),
    growingShare: calls > 0 ? sum((m) => (m.shared !== undefined && isGrowth(m.shared) ? m.calls : 0)) / calls : 0,
    heaviest,
    heaviestShare: alone > 0 ? (heaviest.calls * heaviest.aloneNs) / alone : 0,
  };
}

/** Median of the time alone over the calls of some kinds of work. */
function medianByCalls(members: readonly Member[]): number {
  const half = members.reduce((total, m) => total + m.calls, 0) / 2;
  let passed = 0;
  for (const m of members.toSorted((a, b) => a.aloneNs - b.aloneNs)) {
    passed += m.calls;
    if (passed >= half) return m.aloneNs;
  }
  return 0;
}

/**
 * Whether work on the resource mostly waits: most of it grows with the load, and
 * a call takes more than `CONGESTED` times as long as alone. In a queue with one
 * server that is a utilisation of 1 − 1/CONGESTED; with several it is higher still.
 * Where one kind of work is most of the use, the others waiting at all is enough.
 */
export function isCongested(resource: SharedResource): boolean {
  if (resource.growingShare < 0.5) return false;
  return resource.stretch >= CONGESTED || (isHog(resource) && resource.stretchOfOthers >= 2);
}
/** 1 − 1/4: above 75 % of one server. Below that, waiting is what any busy and healthy system does. */
const CONGESTED = 4;

/** Work of a few milliseconds is ordinary, however much of it there is. */
const MIN_HOG_NS = 10e6;

/** Whether one kind of work uses most of the resource, because each call of it needs much more than the others. */
export function isHog(resource: SharedResource): boolean {
  // Operations of a service differ in size by nature; statements that read by an index hardly do.
  const factor = resource.kind === "database" ? 3 : 6;
  if (resource.heaviest.aloneNs < MIN_HOG_NS) return false;
  return (
    resource.heaviestShare >= 0.35 &&
    resource.othersAloneNs > 0 &&
    resource.heaviest.aloneNs >= factor * resource.othersAloneNs
  );
}

/**
 * Own time of rows of a node with the waiting for others taken out, by the growth of
 * that kind of work with the load: what each of them needs by itself. As it is
 * where nothing grows.
 */
export function workOf(window: Window, ownNs: Float64Array, node: number, rows: ArrayLike<number>): Float64Array {
  const found = resourceOfNode(window, ownNs, node);
  const growth = found?.member.shared;
  if (found === undefined || growth === undefined || !isGrowth(growth)) return mapToFloats(rows, (row) => ownNs[row]!);
  const counts = inFlightCounts(window);
  const column = found.resource.kind === "database" ? counts.callee : counts.process;
  return mapToFloats(rows, (row) => withoutWaiting(ownNs[row]!, column[row]!, growth));
}

/** The resource and the kind of work of a call-path node. */
export function resourceOfNode(
  window: Window,
  ownNs: Float64Array,
  node: number,
): { resource: SharedResource; member: Member } | undefined {
  return derived(window, ownNs).ofNode.get(node);
}
