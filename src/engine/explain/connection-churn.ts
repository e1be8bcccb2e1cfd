import { SpanRole } from "../../model/span-facts.ts";
import { exampleTraces, spanDuration, spanRows, type Case } from "../case.ts";
import type { Explanation, HotSpot } from "../hot-spot.ts";
import { siblingNodes } from "../path-index.ts";
import { shareOfTime } from "../share-of-time.ts";
import { medianOf } from "../sibling-calls.ts";
import { ms, percent } from "../wording.ts";

/** A pool opens a connection once and hands it out a thousand times; opened for every second request, there is none. */
const MIN_SHARE = 0.5;

/**
 * Opening a connection of a database, as a driver's own span ("pg.connect") shows it: not one that a pool hands out.
 */
export const isConnect = (role: SpanRole, operation: string, statement: string): boolean =>
  role === SpanRole.database && statement === "" && /(?:^|[^a-z])connect$/i.test(operation);

/** A connection is opened for most of the requests that ask a database, instead of being kept. */
export function explainConnectionChurn(theCase: Case, spot: HotSpot): Explanation | undefined {
  if (spot.timeKind !== "callee" || !isConnect(spot.role, spot.operation, spot.statement)) return undefined;
  const { window, view } = theCase;
  const { paths, forest } = window;
  const rows = Array.from(spanRows(window, spot.node));
  const parentsOf = (node: number): number[] => Array.from(spanRows(window, node), (row) => forest.parent[row]!);
  const asking = new Set(
    [...siblingNodes(window, spot.node)].filter((node) => paths.role[node] === SpanRole.database).flatMap(parentsOf),
  );
  const share = new Set(parentsOf(spot.node)).size / Math.max(1, asking.size);
  if (rows.length < 20 || share < MIN_SHARE) return undefined;
  const each = medianOf(rows.map((row) => spanDuration(window, row)));
  const database = spot.callee === "" ? "its database" : spot.callee;
  const harmful = shareOfTime(view, spot.slowNs, spot.typicalNs) >= 0.1;
  return {
    mechanism: "connection-churn",
    kind: "latency",
    subject: { service: spot.service, operation: spot.operation, resource: `pool:${database}` },
    title: `${spot.service} opens a connection to ${database} for ${percent(share)} of the requests that need one: ${ms(each)} each`,
    why: `${rows.length} connections were opened in this window, and most are used for one request only: ${ms(spot.typicalNs)} of a typical request and ${ms(spot.slowNs)} of a slow one. A pool opens as many as are used at once, and keeps them.`,
    confidence: harmful ? 0.88 : 0.3,
    harmful,
    nodes: [spot.node],
    undo: [
      {
        kind: "change",
        change: { kind: "remove", service: spot.service, operation: spot.operation },
        nodes: [spot.node],
      },
    ],
    whatIf: `service=${spot.service},operation=${spot.operation},remove`,
    chain: [
      { claim: `${view.name}: p99 ${ms(view.p99)}`, evidence: [] },
      { claim: `${spot.service} waits ${ms(spot.slowNs)} of it for a new connection to ${database}`, evidence: [0, 1] },
    ],
    evidence: [
      {
        kind: "trace",
        text: `slow requests that open one: ${exampleTraces(theCase, [spot.node]).join(", ")}`,
        query: `spans "${spot.operation}" of ${spot.service}`,
      },
      {
        kind: "statistic",
        text: `${rows.length} spans "${spot.operation}", below ${percent(share)} of the spans that ask ${database}`,
        query: `parents with "${spot.operation}" among those with a call of ${database}`,
      },
    ],
    counter: [],
    refutedBy: "the same connections (backend process ids, ports) serve many requests",
    remedy: {
      text: "Make one pool when the process starts and take connections from it; keep idle ones longer than the pauses between requests.",
    },
  };
}
