import { SpanRole } from "../../model/span-facts.ts";
import type { OperationGrowth } from "./growth.ts";

/** A service that explains growth: in its own operations, and on the edges of which it is one end. */
export interface Culprit {
  /** an inferred name where it sends no spans (a database, a partner) */
  readonly service: string;
  readonly traced: boolean;
  /** its own operations that grew */
  readonly own: readonly OperationGrowth[];
  /** calls from or to it that grew, as far as it is the likelier end */
  readonly calls: readonly OperationGrowth[];
  /** waits for connections that these calls hold longer than before */
  readonly waits: readonly OperationGrowth[];
  /** share of its edges that grew alike (with its own work as one more), 0 .. 1, drawn towards 1/2 where there are few */
  readonly support: number;
  /** the other end's support, of the edges attributed to this one */
  readonly otherSupport: number;
  readonly perTraceNs: number;
  /** share of its operations with own work, by time, that grew */
  readonly ownShare: number;
  /** false where the growth is only suspected */
  readonly proven: boolean;
}

interface Edge {
  readonly caller: string;
  readonly callee: string;
  readonly traced: boolean;
  readonly operations: OperationGrowth[];
  spans: number;
  excessNs: number;
  grown: boolean;
}

/** Growth of another edge or of own work counts as "alike" from this part of the growth in question. */
const ALIKE = 0.25;

/**
 * Who is to blame for growth between a caller and a callee: a call's self time shows only that one of the two
 * ends, or the way between, became slower. The end is taken whose other edges (and own work) grew as well;
 * on a tie, and with nothing else to go by, the callee. Growth of own work belongs to its service.
 */
export function attributeGrowth(growths: readonly OperationGrowth[]): Culprit[] {
  const proven = culpritsOf(growths, true);
  const known = new Set(proven.map((culprit) => culprit.service));
  const suspected = growths.map((growth) => ({ ...growth, grown: growth.grown || growth.suspected }));
  return [...proven, ...culpritsOf(suspected, false).filter((culprit) => !known.has(culprit.service))];
}

function culpritsOf(growths: readonly OperationGrowth[], proven: boolean): Culprit[] {
  const edges = edgesOf(growths);
  const own = ownWork(growths);
  const byEnd = new Map<string, Edge[]>();
  for (const edge of edges) for (const end of [edge.caller, edge.callee]) push(byEnd, end, edge);
  const blamed = new Map<string, { edges: Edge[]; support: number; other: number }>();
  for (const edge of edges) {
    if (!edge.grown) continue;
    const callee = supportOf(edge.callee, edge, byEnd, own);
    const caller = supportOf(edge.caller, edge, byEnd, own);
    const isCaller = caller > callee;
    const name = isCaller ? edge.caller : edge.callee;
    const held = blamed.get(name) ?? { edges: [], support: 0, other: 0 };
    const larger = held.edges.every((known) => known.excessNs <= edge.excessNs);
    held.edges.push(edge);
    if (larger) [held.support, held.other] = isCaller ? [caller, callee] : [callee, caller];
    blamed.set(name, held);
  }
  const names = new Set([
    ...blamed.keys(),
    ...[...own].filter(([, work]) => work.grown.length > 0).map(([name]) => name),
  ]);
  const culprits = [...names].map((service): Culprit => {
    const held = blamed.get(service);
    const work = own.get(service);
    const calls = held?.edges.flatMap((edge) => edge.operations.filter((operation) => operation.grown)) ?? [];
    const mine = work?.grown ?? [];
    return {
      service,
      traced: work !== undefined || edges.some((edge) => edge.callee === service && edge.traced),
      own: mine,
      calls,
      waits: [],
      support: held?.support ?? 0.5,
      otherSupport: held?.other ?? 0,
      perTraceNs: [...mine, ...calls].reduce((sum, growth) => sum + growth.perTraceNs, 0),
      ownShare: work === undefined ? 0 : work.grownNs / Math.max(1, work.totalNs),
      proven,
    };
  });
  return culprits.sort((a, b) => b.perTraceNs - a.perTraceNs || (a.service < b.service ? -1 : 1));
}

export const isCall = (role: SpanRole): boolean => role === SpanRole.client || role === SpanRole.database;

function edgesOf(growths: readonly OperationGrowth[]): Edge[] {
  const edges = new Map<string, Edge>();
  for (const growth of growths) {
    const { service, callee, calleeTraced, role } = growth.operation;
    if (!isCall(role)) continue;
    const end = callee === "" ? growth.operation.operation : callee;
    const key = `${service}\u0000${end}\u0000${calleeTraced}`;
    let edge = edges.get(key);
    if (edge === undefined) {
      edge = {
        caller: service,
        callee: end,
        traced: calleeTraced,
        operations: [],
        spans: 0,
        excessNs: 0,
        grown: false,
      };
      edges.set(key, edge);
    }
    edge.operations.push(growth);
    edge.spans += growth.spansNow;
    edge.excessNs += growth.growth.excess;
    if (growth.grown) edge.grown = true;
  }
  return [...edges.values()];
}

interface OwnWork {
  readonly grown: OperationGrowth[];
  grownNs: number;
  totalNs: number;
  /** largest mean growth of an operation */
  perSpanNs: number;
}

function ownWork(growths: readonly OperationGrowth[]): Map<string, OwnWork> {
  const works = new Map<string, OwnWork>();
  for (const growth of growths) {
    if (isCall(growth.operation.role)) continue;
    const { service } = growth.operation;
    let work = works.get(service);
    if (work === undefined) works.set(service, (work = { grown: [], grownNs: 0, totalNs: 0, perSpanNs: 0 }));
    // Weighted by what the operations take now, so that a crowd of empty spans does not outvote the one that works.
    const ns = growth.growth.now.p50 * growth.spansNow + growth.growth.excess;
    work.totalNs += ns;
    if (!growth.grown) continue;
    work.grown.push(growth);
    work.grownNs += ns;
    work.perSpanNs = Math.max(work.perSpanNs, growth.perSpanNs);
  }
  return works;
}

/** (edges of `end` that grew alike + 1/2) / (its edges + 1), its own work counting as one of them. */
function supportOf(
  end: string,
  edge: Edge,
  byEnd: ReadonlyMap<string, readonly Edge[]>,
  own: ReadonlyMap<string, OwnWork>,
): number {
  const growth = edge.excessNs / edge.spans;
  const others = byEnd.get(end)!.filter((other) => other !== edge);
  const alike = others.filter((other) => other.grown && other.excessNs / other.spans >= ALIKE * growth).length;
  const work = own.get(end);
  const works = work === undefined ? 0 : 1;
  const worksAlike = work !== undefined && work.perSpanNs >= ALIKE * growth ? 1 : 0;
  return (alike + worksAlike + 0.5) / (others.length + works + 1);
}

function push<K, V>(map: Map<K, V[]>, key: K, value: V): void {
  const held = map.get(key);
  if (held === undefined) map.set(key, [value]);
  else held.push(value);
}
