import { KIND_COUNT, kindOfKey, nodeOfKey } from "../../analysis/blame.ts";
import type { MapEdge, MapNode, ServiceMap } from "../../model/page.ts";
import type { ResourceRow } from "../../model/report.ts";
import { SpanRole } from "../../model/span-facts.ts";
import { TIME_KINDS } from "../../model/time-kind.ts";
import { NS_PER_MS } from "../../model/units.ts";
import type { EndpointView } from "../endpoint-view.ts";
import { answeringService, childNodes, subtree } from "../path-index.ts";
import type { Window } from "../window.ts";

/**
 * Services of an endpoint's call paths, and what they call without spans of its own: databases, queues and others.
 * Time in a callee without spans is the callee's; time on the way to one with spans is the edge's; the wait for a
 * connection stays its caller's.
 */
export function serviceMap(window: Window, view: EndpointView, resources: readonly ResourceRow[]): ServiceMap {
  const builder = new MapBuilder(window, view, resources);
  for (const root of rootsOf(window, view)) builder.add(root);
  return builder.map();
}

/** The call paths that are this endpoint itself. */
function rootsOf(window: Window, view: EndpointView): number[] {
  const { paths } = window;
  const roots: number[] = [];
  for (let node = 0; node < paths.nodeCount; node++) {
    if (paths.parent[node]! >= 0) continue;
    if (paths.service[node] === view.endpoint.service && paths.operation[node] === view.endpoint.operation)
      roots.push(node);
  }
  return roots;
}

interface OpenEdge {
  calls: number;
  p99Ns: number;
  waitNs: number;
  transitNs: number;
}

class MapBuilder {
  private readonly window: Window;
  private readonly view: EndpointView;
  private readonly busiest = new Map<string, ResourceRow>();
  private readonly nodes = new Map<string, { kind: MapNode["kind"]; p99Ns: number; p50Ns: number }>();
  private readonly edges = new Map<string, OpenEdge & { from: string; to: string }>();

  constructor(window: Window, view: EndpointView, resources: readonly ResourceRow[]) {
    this.window = window;
    this.view = view;
    for (const row of resources) {
      const held = this.busiest.get(row.service);
      if (held === undefined || row.utilisation > held.utilisation) this.busiest.set(row.service, row);
    }
  }

  add(root: number): void {
    const slow = this.sums(this.view.blameSlow);
    const order = subtree(this.window, root);
    const below = new Map<number, number>();
    for (const node of order.toReversed()) {
      const own = sumOf(slow.get(node));
      below.set(node, own + childNodes(this.window, node).reduce((sum, child) => sum + (below.get(child) ?? 0), 0));
    }
    const typical = this.sums(this.view.blameTypical);
    for (const node of order) this.place(node, slow.get(node), typical.get(node), below.get(node)!);
  }

  private place(node: number, slow: Kinds | undefined, typical: Kinds | undefined, belowNs: number): void {
    const { paths, text } = this.window;
    const own = text(paths.service[node]!);
    const remote = this.calleeOf(node);
    const answering = remote === undefined ? answeringService(this.window, node) : undefined;
    this.node(own, "service", sumOf(slow) - remoteOf(slow), sumOf(typical) - remoteOf(typical));
    if (answering !== undefined) {
      const edge = this.edge(own, answering);
      edge.transitNs += remoteOf(slow);
      edge.p99Ns += remoteOf(slow);
    }
    if (remote !== undefined) {
      this.node(remote.name, remote.kind, remoteOf(slow), remoteOf(typical));
      const edge = this.edge(own, remote.name);
      const isPool = paths.role[node] === SpanRole.pool;
      if (isPool) edge.waitNs += sumOf(slow);
      else {
        edge.calls += this.callsPerRequest(node);
        edge.p99Ns += belowNs;
      }
      return;
    }
    const up = paths.parent[node]!;
    const caller = up < 0 ? own : text(paths.service[up]!);
    if (caller !== own) {
      const edge = this.edge(caller, own);
      edge.calls += this.callsPerRequest(node);
      edge.p99Ns += belowNs;
    }
  }

  /** What a span calls, unless that sends spans itself; then the edge goes to those. */
  private calleeOf(node: number): { name: string; kind: MapNode["kind"] } | undefined {
    const { paths, text } = this.window;
    const role = paths.role[node]!;
    const isCall = role === SpanRole.client || role === SpanRole.database || role === SpanRole.pool;
    if (!isCall && role !== SpanRole.producer) return undefined;
    if (paths.callee[node]! < 0) return undefined;
    if (answeringService(this.window, node) !== undefined) return undefined;
    const name = text(paths.callee[node]!);
    if (role === SpanRole.producer) return { name, kind: "messages" };
    return { name, kind: role === SpanRole.client ? "external" : "database" };
  }

  private callsPerRequest(node: number): number {
    const { rows, forest } = this.window;
    let calls = 0;
    for (let i = rows.start[node]!; i < rows.start[node + 1]!; i++)
      calls += forest.weight[forest.trace[rows.rows[i]!]!]!;
    return calls / this.view.endpoint.totalWeight;
  }

  private sums(blame: ReadonlyMap<number, number>): Map<number, Kinds> {
    const sums = new Map<number, Kinds>();
    for (const [key, ns] of blame) {
      const node = nodeOfKey(key);
      const kinds = sums.get(node) ?? new Float64Array(KIND_COUNT);
      kinds[kindOfKey(key)]! += ns;
      sums.set(node, kinds);
    }
    return sums;
  }

  private node(name: string, kind: MapNode["kind"], p99Ns: number, p50Ns: number): void {
    const held = this.nodes.get(name) ?? { kind, p99Ns: 0, p50Ns: 0 };
    this.nodes.set(name, {
      kind: held.kind === "service" ? held.kind : kind,
      p99Ns: held.p99Ns + p99Ns,
      p50Ns: held.p50Ns + p50Ns,
    });
  }

  private edge(from: string, to: string): OpenEdge {
    const key = JSON.stringify([from, to]);
    const held = this.edges.get(key) ?? { from, to, calls: 0, p99Ns: 0, waitNs: 0, transitNs: 0 };
    this.edges.set(key, held);
    return held;
  }

  map(): ServiceMap {
    const names = [...this.nodes.keys()];
    const edges: MapEdge[] = [...this.edges.values()].map(({ from, to, calls, p99Ns, waitNs, transitNs }) => ({
      from: names.indexOf(from),
      to: names.indexOf(to),
      calls: Math.round(calls * 1000) / 1000,
      p99Ms: inMs(p99Ns),
      waitMs: inMs(waitNs),
      transitMs: inMs(transitNs),
    }));
    const nodes: MapNode[] = [...this.nodes].map(([name, { kind, p99Ns, p50Ns }]) => {
      const used = this.busiest.get(name);
      return {
        name,
        kind,
        p99Ms: inMs(p99Ns),
        p50Ms: inMs(p50Ns),
        ...(used === undefined ? {} : { utilisation: used.utilisation, resource: used.resource }),
      };
    });
    return { nodes, edges };
  }
}

/** nanoseconds by time kind */
type Kinds = Float64Array;

const REMOTE = ["callee", "transit", "network"].map((kind) => TIME_KINDS.findIndex((known) => known === kind));
const sumOf = (kinds: Kinds | undefined): number => kinds?.reduce((sum, ns) => sum + ns, 0) ?? 0;
const remoteOf = (kinds: Kinds | undefined): number =>
  kinds === undefined ? 0 : REMOTE.reduce((sum, kind) => sum + kinds[kind]!, 0);
const inMs = (ns: number): number => Math.round(ns / 1e3) / (NS_PER_MS / 1e3);
