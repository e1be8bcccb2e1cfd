import { selfTimes } from "../../analysis/self-time.ts";
import { quantileOf } from "../../analysis/weighted-quantile.ts";
import { SpanRole } from "../../model/span-facts.ts";
import { admissionLimit, type Admission } from "../admission.ts";
import { exampleTraces, type Case } from "../case.ts";
import { growthWithInFlight, inFlightCounts, isGrowth, withoutWaiting, type Growth } from "../contention.ts";
import type { ConnectionUse } from "../connections.ts";
import type { Explanation, HotSpot } from "../hot-spot.ts";
import { edgeKey, legsByEdge, legsOf, type Legs } from "../legs.ts";
import { oncePerWindow } from "../once-per-window.ts";
import { shareOfTime } from "../share-of-time.ts";
import { medianOf } from "../sibling-calls.ts";
import type { Window } from "../window.ts";
import { count, ms, percent, times } from "../wording.ts";
import { mapToFloats } from "../../model/map-column.ts";

/**
 * Time between two services that grows with the calls in flight is no property of the network: something on the way
 * is waited for. Three things tell what.
 * - Requests that waited begin just when another ends: a fixed number of places (workers, connections of the caller).
 * - The way there is long: the callee is late to take up requests. The way back: the caller is late to take up answers.
 * - A process that is busy by itself is late far more than the others; on a busy host all of them are.
 */
export function explainTransitQueue(theCase: Case, spot: HotSpot, rows: Int32Array): Explanation | undefined {
  const { window, ownNs } = theCase;
  const { facts } = window;
  const legs = legsOf(window, rows);
  if (legs.client.length === 0) return undefined;
  const caller = facts.service[rows[0]!]!;
  const callee = facts.service[legs.server[0]!]!;
  const edge = legsByEdge(window).get(edgeKey(caller, callee)) ?? legs;
  const own = mapToFloats(rows, (row) => ownNs[row]!);
  // Where this call path has too few calls to tell, all calls from the one service to the other have to.
  const growth = growthOf(window, rows, own) ?? growthOfEdge(window, edge);
  if (growth === undefined) return undefined;
  const queue = { ...growth, rows, meanNs: own.reduce((sum, ns) => sum + ns, 0) / own.length };
  const halfWay = (queue.g.aloneNs + queue.g.crowdedNs) / 2;
  const admission = admissionLimit(window, edge, (i) => edge.requestNs[i]! >= halfWay, queue.g.aloneNs);
  if (admission !== undefined)
    return admissionExplanation(theCase, spot, queue, admission, window.text(caller), window.text(callee));
  const atCallee = excess(legs.requestNs) >= excess(legs.responseNs);
  return latenessExplanation(theCase, spot, queue, atCallee ? callee : caller, atCallee);
}

/** Against the calls of the same callee, or of the same kind, in flight: whichever goes closer with it. */
function growthOf(window: Window, rows: Int32Array, ns: Float64Array): { g: Growth; column: Int32Array } | undefined {
  const { callee, operation } = inFlightCounts(window);
  const growths = [callee, operation].flatMap((column) => {
    const g = growthWithInFlight(
      ns,
      mapToFloats(rows, (row) => column[row]!),
    );
    return g !== undefined && isGrowth(g) && g.crowdedNs >= 3 * g.aloneNs ? [{ g, column }] : [];
  });
  return growths.sort((a, b) => b.g.correlation - a.g.correlation)[0];
}

/** That of all calls of an edge, worked out once for all call paths that go over it. */
function growthOfEdge(window: Window, edge: Legs): ReturnType<typeof growthOf> {
  const known = growthsOfEdges(window);
  let held = known.get(edge);
  if (held === undefined) {
    const bothNs = edge.requestNs.map((ns, i) => ns + edge.responseNs[i]!);
    known.set(edge, (held = { growth: growthOf(window, edge.client, bothNs) }));
  }
  return held.growth;
}

const growthsOfEdges = oncePerWindow(() => new Map<Legs, { readonly growth: ReturnType<typeof growthOf> }>());

interface Queue {
  readonly rows: Int32Array;
  readonly g: Growth;
  readonly column: Int32Array;
  readonly meanNs: number;
}

/** Mean above the quickest quarter: what it waited. */
const excess = (ns: Float64Array): number => ns.reduce((sum, x) => sum + x, 0) / ns.length - quantileOf(ns, 0.25);

function admissionExplanation(
  theCase: Case,
  spot: HotSpot,
  queue: Queue,
  { limit, by, atLimit, connections }: Admission,
  caller: string,
  callee: string,
): Explanation {
  const { view } = theCase;
  const { g, meanNs } = queue;
  const harmful = meanNs >= 3 * g.aloneNs && shareOfTime(view, spot.slowNs, spot.typicalNs) >= 0.15;
  const byCallee = by === "callee";
  const counted = limit === 1 ? "one request" : `${limit} requests`;
  return {
    ...common(theCase, spot, queue),
    mechanism: byCallee ? "thread-starvation" : "pool-exhausted",
    subject: byCallee ? { service: callee, resource: "threads" } : { service: caller, resource: `pool:${callee}` },
    title: byCallee
      ? `requests queue before ${callee} takes them up: ${counted} at a time; ${ms(g.aloneNs)} alone, ${ms(g.crowdedNs)} with ${Math.round(g.many)} in flight`
      : `${caller} sends ${counted} at a time to ${callee}, and the others wait: ${ms(g.aloneNs)} alone, ${ms(g.crowdedNs)} with ${Math.round(g.many)} in flight`,
    why: `A call takes ${ms(meanNs)} on average to get from one service into the other and back, and longer when more calls are in flight (rank correlation ${g.correlation.toFixed(2)}). ${percent(atLimit)} of those that waited began when another had just ended, with ${counted} inside: never more than that get in.${connections === undefined ? "" : connectionsText(connections, caller, callee)}`,
    confidence: harmful ? Math.min(0.92, 0.6 + 0.4 * g.correlation) : 0.28,
    harmful,
    chain: [
      { claim: `${view.name}: p99 ${ms(view.p99)}`, evidence: [] },
      { claim: `${ms(spot.slowNs)} of it pass before ${callee} starts to work`, evidence: [0] },
      {
        claim: byCallee
          ? `${callee} has too few workers for the calls in flight`
          : `${caller} allows itself too few connections to ${callee}`,
        evidence: [1],
      },
    ],
    counter: [`a proxy between the two with a limit of its own looks the same`],
    refutedBy: byCallee ? `idle workers in ${callee} while calls wait` : `free connections while calls wait`,
    remedy: {
      text: byCallee
        ? `More workers, threads or instances of ${callee}, or a shorter hold of each: see its thread pool and listen backlog.`
        : `Let the HTTP client of ${caller} open more connections to ${callee} (maxSockets, pool size per host), or send several requests over one (HTTP/2).`,
    },
  };
}

const connectionsText = ({ requests, atOnce, callsAtOnce }: ConnectionUse, caller: string, callee: string): string =>
  ` ${count(requests)} requests of ${caller} came to ${callee} by ${atOnce === 1 ? "one connection" : `at most ${atOnce} connections`} at once, while up to ${callsAtOnce} calls were open.`;

/** 1 - 1/4, as in `congestion.ts`: waits of three times the work are those of a server that is busy for 75 % of the time. */
const WAIT_OVER_WORK = 3;
/** A process that is late by itself is so by this many times as much as the others of its window. */
const APART = 3;

function latenessExplanation(theCase: Case, spot: HotSpot, queue: Queue, late: number, atCallee: boolean): Explanation {
  const { window, view } = theCase;
  const { g, meanNs } = queue;
  const service = window.text(late);
  const processes = lateness(window);
  const { lateNs, workNs } = processes.get(late)!;
  const others = [...processes].filter(([other]) => other !== late).map(([, process]) => process.lateNs);
  const usual = medianOf(others);
  const isBusy = lateNs >= WAIT_OVER_WORK * workNs && lateNs >= APART * usual;
  const harmful = isBusy && meanNs >= 3 * g.aloneNs && shareOfTime(view, spot.slowNs, spot.typicalNs) >= 0.15;
  const what = atCallee ? "requests" : "answers";
  return {
    ...common(theCase, spot, queue),
    mechanism: "cpu-saturated",
    subject: { service, resource: "cpu" },
    title: `${service} is late to take up ${what}: ${ms(g.aloneNs)} on the way alone, ${ms(g.crowdedNs)} with ${Math.round(g.many)} in flight`,
    why: `What is sent to ${service} waits ${ms(lateNs)} on average until it is taken up, ${times(lateNs / Math.max(1, workNs))} its own work of ${ms(workNs)} per request; at the other services of this window it is ${ms(usual)} (median). No fixed number of requests is let in at once: it is busy, not out of workers.`,
    confidence: harmful ? Math.min(0.85, 0.5 + 0.4 * g.correlation) : 0.26,
    harmful,
    chain: [
      { claim: `${view.name}: p99 ${ms(view.p99)}`, evidence: [] },
      { claim: `${ms(spot.slowNs)} of it pass between two services`, evidence: [0] },
      { claim: `${service} is late to take up ${what}`, evidence: [1] },
    ],
    counter: [
      isBusy
        ? "that it is out of processor is read from what waits for it; its CPU and event-loop metrics would settle it"
        : "what waits there waits for little more than at the other services, or for less than it works: a host with much to do, or bursts",
    ],
    refutedBy: `${service} is idle (CPU, event loop, run queue) while messages wait for it`,
    remedy: {
      text: `See what uses the processor of ${service} and of its host (event-loop utilisation, run queue, CPU profile); more instances, or less work per request.`,
    },
  };
}

function common(
  theCase: Case,
  spot: HotSpot,
  { rows, g, column }: Queue,
): Pick<Explanation, "kind" | "nodes" | "undo" | "evidence" | "waitsInTransit"> {
  const { ownNs } = theCase;
  return {
    kind: "resource",
    waitsInTransit: true,
    nodes: [spot.node],
    undo: [{ kind: "own-time", rows, ownNs: mapToFloats(rows, (row) => withoutWaiting(ownNs[row]!, column[row]!, g)) }],
    evidence: [
      {
        kind: "trace",
        text: `slow requests that queue: ${exampleTraces(theCase, [spot.node]).join(", ")}`,
        query: `CLIENT spans "${spot.operation}" of ${spot.service} minus their SERVER child`,
      },
      {
        kind: "statistic",
        text: `median ${ms(g.aloneNs)} with up to ${Math.round(g.few)} in flight, ${ms(g.crowdedNs)} with ${Math.round(g.many)} and more`,
        query: `transit of "${spot.operation}" of ${spot.service} against the count in flight`,
      },
    ],
  };
}

/** Per service: how long what is sent to it waits until it is taken up, and its own work per request; means, nanoseconds. */
const lateness = oncePerWindow((window): ReadonlyMap<number, { lateNs: number; workNs: number }> => {
  const { facts, forest } = window;
  const self = selfTimes(forest);
  const sums = new Map<number, { late: number; messages: number; work: number; requests: number }>();
  const of = (service: number): { late: number; messages: number; work: number; requests: number } => {
    let held = sums.get(service);
    if (held === undefined) sums.set(service, (held = { late: 0, messages: 0, work: 0, requests: 0 }));
    return held;
  };
  for (const { caller, callee, requestNs, responseNs } of legsByEdge(window).values()) {
    for (const [service, ns] of [
      [callee, requestNs],
      [caller, responseNs],
    ] as const) {
      const held = of(service);
      // What the quickest take is the way; clocks that differ are in it, too.
      held.late += ns.length * (ns.reduce((sum, x) => sum + x, 0) / ns.length - quantileOf(ns, 0.1));
      held.messages += ns.length;
    }
  }
  for (const row of forest.rows) {
    const role = facts.role[row];
    if (role !== SpanRole.server && role !== SpanRole.internal && role !== SpanRole.consumer) continue;
    const held = of(facts.service[row]!);
    held.work += self[row]!;
    if (role !== SpanRole.internal) held.requests++;
  }
  return new Map(
    [...sums].map(([service, { late, messages, work, requests }]) => [
      service,
      { lateNs: messages === 0 ? 0 : late / messages, workNs: requests === 0 ? 0 : work / requests },
    ]),
  );
});
