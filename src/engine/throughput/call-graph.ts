import { selfTimes } from "../../analysis/self-time.ts";
import type { Flow } from "../../analysis/forced-flow.ts";
import { SpanRole } from "../../model/span-facts.ts";
import { NS_PER_S } from "../../model/units.ts";
import { oncePerWindow } from "../once-per-window.ts";
import type { Window } from "../window.ts";

/** What requests make services do: counts per request of any endpoint, weighted, of complete traces. */
export interface CallGraph {
  readonly services: ReadonlyMap<string, ServiceWork>;
  /** by caller and database, as spans name it */
  readonly databases: ReadonlyMap<string, DatabaseWork>;
  /** services as both ends of their calls show them */
  readonly flows: readonly Flow[];
}

export interface ServiceWork {
  readonly name: string;
  /** invocations per request, by whoever calls */
  readonly visits: number;
  /** those that nobody waits for, or that nobody in these traces called: roots, messages */
  readonly fromOutside: number;
  readonly calledBy: ReadonlyMap<string, number>;
  readonly meanDurationS: number;
  /** per request: time in which the service, and nothing that it called, was running */
  readonly ownS: number;
  readonly instances: number;
}

export interface DatabaseWork {
  readonly service: string;
  readonly database: string;
  /** calls, and their time, per request */
  readonly calls: number;
  readonly timeS: number;
  /** acquisitions of a connection, per request, as spans show them */
  readonly acquisitions: number;
}

interface Counting {
  visits: number;
  fromOutside: number;
  durationNs: number;
  ownNs: number;
  readonly calledBy: Map<string, number>;
  readonly instances: Set<number>;
}

/** One pass over all spans of complete traces. */
export const callGraph: (window: Window) => CallGraph = oncePerWindow((window) => {
  const { forest, text } = window;
  const { facts } = forest;
  const own = selfTimes(forest);
  const services = new Map<number, Counting>();
  const databases = new Map<string, { -readonly [K in keyof DatabaseWork]: DatabaseWork[K] }>();
  let requests = 0;
  for (let trace = 0; trace < forest.traceCount; trace++) {
    if (forest.complete[trace] !== 1) continue;
    const weight = forest.weight[trace]!;
    const isMessage = facts.role[forest.root[trace]!] === SpanRole.consumer;
    if (!isMessage) requests += weight;
    for (let i = forest.traceStart[trace]!; i < forest.traceStart[trace + 1]!; i++) {
      const row = forest.rows[i]!;
      const role = facts.role[row]!;
      if (role === SpanRole.database || role === SpanRole.pool) addDatabase(window, databases, row, weight);
      else if (role !== SpanRole.client && role !== SpanRole.producer)
        addService(window, services, row, weight, own[row]!);
    }
  }
  const per = (value: number): number => (requests > 0 ? value / requests : 0);
  return {
    services: new Map(
      [...services].map(([id, of]) => [
        text(id),
        {
          name: text(id),
          visits: per(of.visits),
          fromOutside: per(of.fromOutside),
          calledBy: new Map([...of.calledBy].map(([name, calls]) => [name, per(calls)])),
          meanDurationS: of.visits > 0 ? of.durationNs / of.visits / NS_PER_S : 0,
          ownS: per(of.ownNs) / NS_PER_S,
          instances: of.instances.size,
        },
      ]),
    ),
    databases: new Map(
      [...databases].map(([key, of]) => [
        key,
        { ...of, calls: per(of.calls), timeS: per(of.timeS), acquisitions: per(of.acquisitions) },
      ]),
    ),
    flows: flowsOf(window),
  };
});

function addService(window: Window, services: Map<number, Counting>, row: number, weight: number, ownNs: number): void {
  const { forest, text } = window;
  const { facts, parent, startNs, endNs } = forest;
  const service = facts.service[row]!;
  let of = services.get(service);
  if (of === undefined) {
    of = { visits: 0, fromOutside: 0, durationNs: 0, ownNs: 0, calledBy: new Map(), instances: new Set() };
    services.set(service, of);
  }
  of.ownNs += weight * ownNs;
  of.instances.add(facts.instance[row]!);
  const up = parent[row]!;
  const isEntry =
    up < 0 ||
    facts.role[row] === SpanRole.consumer ||
    facts.service[up] !== service ||
    facts.role[up] === SpanRole.client;
  if (!isEntry) return;
  of.visits += weight;
  of.durationNs += weight * (endNs[row]! - startNs[row]!);
  if (up < 0 || facts.role[row] === SpanRole.consumer) of.fromOutside += weight;
  else {
    const caller = text(facts.service[up]!);
    of.calledBy.set(caller, (of.calledBy.get(caller) ?? 0) + weight);
  }
}

function addDatabase(
  window: Window,
  databases: Map<string, { -readonly [K in keyof DatabaseWork]: DatabaseWork[K] }>,
  row: number,
  weight: number,
): void {
  const { forest, text } = window;
  const { facts, startNs, endNs } = forest;
  const service = text(facts.service[row]!);
  const database = facts.callee[row]! < 0 ? "" : text(facts.callee[row]!);
  const key = databaseKey(service, database);
  let of = databases.get(key);
  if (of === undefined) databases.set(key, (of = { service, database, calls: 0, timeS: 0, acquisitions: 0 }));
  if (facts.role[row] === SpanRole.pool) of.acquisitions += weight;
  else {
    of.calls += weight;
    of.timeS += (weight * (endNs[row]! - startNs[row]!)) / NS_PER_S;
  }
}

export const databaseKey = (service: string, database: string): string => `${service}\u0000${database}`;

/** A call path that usually has a SERVER span below should always have one; calls that failed may never have arrived. */
function flowsOf(window: Window): Flow[] {
  const { forest, paths, text } = window;
  const { facts, childStart, child } = forest;
  const ofNode = new Map<number, { called: number; served: number; service: number }>();
  for (const row of forest.rows) {
    if (facts.role[row] !== SpanRole.client || facts.error[row] === 1) continue;
    const node = paths.nodeOfRow[row]!;
    let of = ofNode.get(node);
    if (of === undefined) ofNode.set(node, (of = { called: 0, served: 0, service: -1 }));
    of.called++;
    for (let i = childStart[row]!; i < childStart[row + 1]!; i++) {
      if (facts.role[child[i]!] !== SpanRole.server) continue;
      of.served++;
      of.service = facts.service[child[i]!]!;
      break;
    }
  }
  const flows = new Map<number, { called: number; served: number }>();
  for (const { called, served, service } of ofNode.values()) {
    if (served < 0.5 * called) continue;
    const of = flows.get(service) ?? { called: 0, served: 0 };
    flows.set(service, { called: of.called + called, served: of.served + served });
  }
  return [...flows].map(([service, of]) => ({ service: text(service), ...of }));
}
