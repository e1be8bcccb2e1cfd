import { fisherExact } from "../../analysis/hypothesis-tests.ts";
import { quantileOf } from "../../analysis/weighted-quantile.ts";
import { exampleTraces, spanRows, type Case } from "../case.ts";
import type { Explanation, HotSpot } from "../hot-spot.ts";
import { edgeKey, legsByEdge, serverOf } from "../legs.ts";
import type { Window } from "../window.ts";
import { count, ms, percent } from "../wording.ts";
import { calleeOf } from "./transit.ts";
import { mapToFloats } from "../../model/map-column.ts";

/**
 * When the kernel of a caller sends the first packet of a connection again: after the initial retransmission timeout
 * of a second (RFC 6298, 2.1), which doubles each time: 1, 1 + 2, 1 + 2 + 4, 1 + 2 + 4 + 8 seconds after the first.
 */
const TRIES_NS = [1e9, 3e9, 7e9, 15e9] as const;
/** A call is taken up this soon after the packet that got through, or it waited for something else as well. */
const SOON = 0.1;
/** Fewest such calls that make a pattern, where the ways of others end far below the first retry. */
const MIN_CALLS = 3;
const FAR_BELOW_NS = 0.5e9;
/**
 * Of the calls that took more than half a second on the way: nearly none is there before the first retry, and most come right
 * after one. Others wait longer: an acknowledgement that a full queue dropped costs 200 ms and more on top, the next burst another
 * retry.
 */
const NEARLY_ALL = 0.95;
const MOST = 0.5;
/**
 * The data of a connection that exists is sent again after 200 ms at the soonest (Linux TCP_RTO_MIN). On a way that
 * loses packets those are as usual as lost first packets; where nothing waits so, only connections are refused.
 */
const DATA_RETRY_NS = [195e6, 450e6] as const;

/**
 * Calls that reach their callee a second (or 3, 7, 15) after they were made, and hardly any in between: the first
 * packet of their connection was dropped, and sent again. A full accept queue drops them; a way that loses packets would
 * also lose those of connections that exist. The time lies on the way there, before the callee's span begins.
 */
export function explainConnectionRetry(theCase: Case, spot: HotSpot): Explanation | undefined {
  if (spot.timeKind !== "transit") return undefined;
  const { window, view, ownNs } = theCase;
  const rows = spanRows(window, spot.node);
  const [first] = rows;
  if (first === undefined) return undefined;
  const server = serverOf(window, first);
  const legs =
    server < 0
      ? undefined
      : legsByEdge(window).get(edgeKey(window.facts.service[first]!, window.facts.service[server]!));
  if (legs === undefined) return undefined;
  const retried = legs.client.filter((_, i) => isRetry(legs.requestNs[i]!));
  const long = legs.requestNs.filter((ns) => ns >= FAR_BELOW_NS).length;
  const dataRetries = legs.requestNs.filter((ns) => ns >= DATA_RETRY_NS[0] && ns < DATA_RETRY_NS[1]).length;
  const late = legs.requestNs.filter((ns) => ns >= TRIES_NS[0]).length;
  if (retried.length < MIN_CALLS || retried.length < MOST * long || late < NEARLY_ALL * long) return undefined;
  if (dataRetries >= retried.length) return undefined;
  const usual = quantileOf(legs.requestNs, 0.5);
  const retriedRows = new Set(retried);
  const here = rows.filter((row) => retriedRows.has(row) && ownNs[row]! > 0);
  if (here.length === 0) return undefined;
  const callee = calleeOf(theCase, spot);
  const lostNs = here.reduce((sum, row) => sum + ownNs[row]!, 0) / here.length;
  const share = retried.length / legs.client.length;
  const inSlow = shareOfSlow(theCase, here);
  const harmful = inSlow >= 0.1;
  return {
    mechanism: "accept-queue",
    kind: "latency",
    subject: { service: callee, resource: "accept-queue" },
    title: `${percent(share)} of the calls of ${spot.service} to ${callee} connect at the second try: its accept queue is full`,
    why: `${count(retried.length)} of ${count(legs.client.length)} calls reached ${callee} a retry of the connection's first packet late (1, 3 or 7 seconds, the kernel's timer), usually it takes ${ms(usual)}; ${count(long - retried.length)} others took more than half a second, ${count(dataRetries)} waited for a packet of a connection that existed. ${percent(inSlow)} of the slow requests of ${view.name} are among them.`,
    confidence: harmful ? 0.9 : 0.5,
    harmful,
    nodes: [spot.node],
    undo: [{ kind: "own-time", rows: here, ownNs: mapToFloats(here, (row) => Math.min(ownNs[row]!, usual)) }],
    chain: [
      { claim: `${view.name}: p99 ${ms(view.p99)}`, evidence: [] },
      { claim: `${ms(lostNs)} of such a request pass before ${callee} takes the call up`, evidence: [0] },
      { claim: "always the time after which a kernel sends the first packet of a connection again", evidence: [1] },
    ],
    evidence: [
      {
        kind: "trace",
        text: `requests with such a call: ${exampleTraces(theCase, [spot.node]).join(", ")}`,
        query: `start of the SERVER span minus start of the CLIENT span "${spot.operation}" of ${spot.service}`,
      },
      {
        kind: "statistic",
        text: `on the way there: median ${ms(usual)}, ${count(retried.length)} of ${count(legs.client.length)} after 1, 3 or 7 s, ${count(long - retried.length)} others above 500 ms`,
        query: `time on the way from ${spot.service} to ${callee}, all calls`,
      },
    ],
    counter: [
      "a way that loses packets looks alike where each call opens a connection of its own: the kernel's counter of overflown accept queues (ListenOverflows) settles it",
    ],
    refutedBy: `ListenOverflows and ListenDrops of ${callee}'s host that do not rise`,
    remedy: {
      text: `Give ${callee} a longer accept queue (its backlog and net.core.somaxconn), accept faster, and keep connections open instead of opening one for each call.`,
    },
  };
}

/** Fewer false ones among the services said to refuse connections anew: there are as many tests as services, a handful. */
const ALPHA = 1e-3;

/** Services of which a larger part of the calls than in the baseline had to be connected again (Fisher's exact test). */
export function newlyRefusing(window: Window, baseline: Window): Set<string> {
  const before = retriesByCallee(baseline);
  const refusing = new Set<string>();
  for (const [callee, { calls, retries }] of retriesByCallee(window)) {
    const then = before.get(callee);
    if (then === undefined || retries < MIN_CALLS) continue;
    if (fisherExact(retries, calls - retries, then.retries, then.calls - then.retries, "greater") <= ALPHA)
      refusing.add(callee);
  }
  return refusing;
}

function retriesByCallee(window: Window): Map<string, { calls: number; retries: number }> {
  const found = new Map<string, { calls: number; retries: number }>();
  for (const { callee, requestNs } of legsByEdge(window).values()) {
    const name = window.text(callee);
    const held = found.get(name) ?? { calls: 0, retries: 0 };
    held.calls += requestNs.length;
    held.retries += requestNs.filter(isRetry).length;
    found.set(name, held);
  }
  return found;
}

const isRetry = (ns: number): boolean => TRIES_NS.some((at) => ns >= at && ns <= at * (1 + SOON));

function shareOfSlow({ window, view }: Case, rows: ArrayLike<number>): number {
  const hit = new Set(Array.from(rows, (row) => window.forest.trace[row]!));
  return view.slow.filter((trace) => hit.has(trace)).length / Math.max(1, view.slow.length);
}
