import { SpanRole } from "../../model/span-facts.ts";
import { exampleTraces, spanDuration, spanRows, type Case } from "../case.ts";
import type { Explanation, HotSpot } from "../hot-spot.ts";
import { nodesOfService } from "../path-index.ts";
import { count, ms, percent } from "../wording.ts";
import { mapToFloats } from "../../model/map-column.ts";

/** A wait below this is the bookkeeping of the pool, not a queue. */
const MIN_WAIT_NS = 1e6;

/**
 * Time spent waiting for a connection of a pool. The size of the pool is read off
 * the data: the number of connections in use at once stops growing there while
 * the waits above it grow.
 */
export function explainPoolWait(theCase: Case, spot: HotSpot): Explanation | undefined {
  if (spot.timeKind !== "pool-wait") return undefined;
  const { window, view } = theCase;
  const rows = poolRows(theCase, spot);
  const waits = mapToFloats(rows, (row) => spanDuration(window, row)).sort();
  const waiting = waits.filter((ns) => ns >= MIN_WAIT_NS).length / Math.max(1, waits.length);
  const towards = spot.callee === "" ? "its database" : spot.callee;
  const pool = `pool:${spot.callee === "" ? "database" : spot.callee}`;
  const usage = connectionUse(theCase, rows);
  const harmful = spot.slowNs >= Math.max(MIN_WAIT_NS, 0.1 * view.p99) && waiting >= 0.05;
  const full =
    usage.plateau > 0
      ? `At most ${usage.plateau} connections were in use at once per instance, and all of them ${percent(usage.fullShare)} of the time.`
      : "How many connections the pool has does not show in these traces.";
  const bigger = usage.plateau > 0 ? Math.max(usage.plateau + 2, Math.ceil(usage.plateau * 1.6)) : 0;
  return {
    mechanism: "pool-exhausted",
    kind: "throughput",
    subject: { service: spot.service, operation: spot.operation, resource: pool, setting: "pool.max" },
    title:
      usage.plateau > 0
        ? `${spot.service} waits for a connection to ${towards}: all ${usage.plateau} of its pool are in use ${percent(usage.fullShare)} of the time`
        : `${spot.service} waits for a connection to ${towards}`,
    why: `${percent(waiting)} of ${count(waits.length)} requests for a connection had to wait; the slow requests waited ${ms(spot.slowNs)} on average, the typical ones ${ms(spot.typicalNs)}. ${full}`,
    // A pool that is seldom full waits for something else: a busy process takes up its connections late.
    confidence: harmful ? (usage.plateau === 0 || usage.fullShare >= 0.1 ? 0.92 : 0.6) : 0.3,
    harmful,
    nodes: [spot.node],
    undo: [{ kind: "change", change: { kind: "remove", service: spot.service, operation: spot.operation } }],
    whatIf: `service=${spot.service},operation=${spot.operation},remove`,
    chain: [
      { claim: `${view.name}: p99 ${ms(view.p99)}`, evidence: [] },
      { claim: `${spot.service} waits in ${spot.operation} for ${ms(spot.slowNs)} of it`, evidence: [0] },
      ...(usage.plateau > 0
        ? [
            {
              claim: `${usage.plateau} connections are all it may use at once; each is held ${ms(usage.holdNs)} on average`,
              evidence: [1],
            },
          ]
        : []),
    ],
    evidence: [
      {
        kind: "trace",
        text: `slow requests that wait in ${spot.operation}: ${exampleTraces(theCase, [spot.node]).join(", ")}`,
        query: `longpole critical-path FILE --json, segments with timeKind "pool-wait"`,
      },
      ...(usage.plateau > 0
        ? [
            {
              kind: "statistic" as const,
              text: `connections in use at once: at most ${usage.plateau} per instance, reached ${percent(usage.fullShare)} of the busy time; mean wait ${ms(usage.waitWhenFullNs)} then, ${ms(usage.waitElseNs)} otherwise`,
              query: `count of overlapping ${towards} calls per instance of ${spot.service}`,
            },
          ]
        : []),
    ],
    counter: usage.plateau > 0 && usage.holdNs > 0 ? holdCounter(usage) : [],
    refutedBy: "a larger pool leaves the p99 as it is at the same load, or requests wait while connections are free",
    remedy: {
      text: "Give the pool more connections, as far as the database bears them (replicas × pool must stay below max_connections), or hold each for a shorter time.",
      ...(bigger > 0 ? { change: `pool.max: ${usage.plateau} -> ${bigger}` } : {}),
    },
  };
}

/** All acquisitions of the same pool by the same service, whatever endpoint they serve. */
function poolRows(theCase: Case, spot: HotSpot): number[] {
  const { paths } = theCase.window;
  const rows: number[] = [];
  for (const node of nodesOfService(theCase.window, paths.service[spot.node]!)) {
    const samePool = paths.role[node] === SpanRole.pool && paths.callee[node] === paths.callee[spot.node];
    if (samePool) for (const row of spanRows(theCase.window, node)) rows.push(row);
  }
  return rows;
}

interface ConnectionUse {
  /** most connections in use at once by one instance; 0 when the holding calls are not seen */
  readonly plateau: number;
  /** share of the time with any connection in use in which all were */
  readonly fullShare: number;
  readonly holdNs: number;
  readonly waitWhenFullNs: number;
  readonly waitElseNs: number;
}

/**
 * A connection is in use from the end of its acquisition to the end of the last
 * database call that follows within the same parent before its next acquisition.
 */
function connectionUse(theCase: Case, acquisitions: readonly number[]): ConnectionUse {
  const { forest, facts } = theCase.window;
  const byInstance = new Map<number, { at: number; step: number }[]>();
  const waits: { start: number; end: number; instance: number }[] = [];
  let held = 0;
  let holds = 0;
  for (const row of acquisitions) {
    const from = forest.endNs[row]!;
    const to = releaseOf(theCase, row);
    const instance = facts.instance[row]!;
    waits.push({ start: forest.startNs[row]!, end: from, instance });
    if (to <= from) continue;
    held += to - from;
    holds++;
    let events = byInstance.get(instance);
    if (events === undefined) byInstance.set(instance, (events = []));
    events.push({ at: from, step: 1 }, { at: to, step: -1 });
  }
  if (holds === 0) return { plateau: 0, fullShare: 0, holdNs: 0, waitWhenFullNs: 0, waitElseNs: 0 };
  let plateau = 0;
  const fullTimes: { instance: number; from: number; to: number }[] = [];
  let busy = 0;
  let full = 0;
  for (const events of byInstance.values()) events.sort((a, b) => a.at - b.at || a.step - b.step);
  for (const events of byInstance.values()) plateau = Math.max(plateau, quantileOfUse(events));
  for (const [instance, events] of byInstance) {
    let inUse = 0;
    let last = 0;
    for (const event of events) {
      if (inUse > 0) busy += event.at - last;
      if (inUse >= plateau) {
        full += event.at - last;
        fullTimes.push({ instance, from: last, to: event.at });
      }
      inUse += event.step;
      last = event.at;
    }
  }
  const [waitWhenFullNs, waitElseNs] = waitsBy(waits, fullTimes);
  return { plateau, fullShare: busy > 0 ? full / busy : 0, holdNs: held / holds, waitWhenFullNs, waitElseNs };
}

/**
 * Most connections in use at once, ignoring what lasts under 5 % of the busy time:
 * release and acquisition are known to the granularity of the clock only, so that
 * for moments one more than the pool has seems to be in use.
 */
function quantileOfUse(events: readonly { at: number; step: number }[]): number {
  const timeAt = new Map<number, number>();
  let inUse = 0;
  let last = events[0]!.at;
  let busy = 0;
  for (const event of events) {
    if (inUse > 0) {
      timeAt.set(inUse, (timeAt.get(inUse) ?? 0) + event.at - last);
      busy += event.at - last;
    }
    inUse += event.step;
    last = event.at;
  }
  let above = 0;
  for (const [use, time] of [...timeAt].sort((a, b) => b[0] - a[0])) {
    above += time;
    if (above >= 0.05 * busy) return use;
  }
  return 0;
}

function releaseOf(theCase: Case, acquisition: number): number {
  const { forest, facts } = theCase.window;
  const from = forest.endNs[acquisition]!;
  const up = forest.parent[acquisition]!;
  if (up < 0) return from;
  let release = from;
  for (let i = forest.childStart[up]!; i < forest.childStart[up + 1]!; i++) {
    const sibling = forest.child[i]!;
    const role = facts.role[sibling];
    if (forest.startNs[sibling]! + forest.toleranceNs[sibling]! < from) continue;
    if (role === SpanRole.pool && sibling !== acquisition) break;
    if (role === SpanRole.database) release = Math.max(release, forest.endNs[sibling]!);
  }
  return release;
}

/** Mean wait of acquisitions that began while all connections were in use, and of the others. */
function waitsBy(
  waits: { start: number; end: number; instance: number }[],
  fullTimes: { instance: number; from: number; to: number }[],
): [whenFull: number, otherwise: number] {
  waits.sort((a, b) => a.start - b.start);
  fullTimes.sort((a, b) => a.from - b.from);
  const sums = [0, 0];
  const counts = [0, 0];
  const cursor = new Map<number, number>();
  const byInstance = new Map<number, { from: number; to: number }[]>();
  for (const time of fullTimes) {
    const held = byInstance.get(time.instance);
    if (held === undefined) byInstance.set(time.instance, [time]);
    else held.push(time);
  }
  for (const wait of waits) {
    const times = byInstance.get(wait.instance) ?? [];
    let at = cursor.get(wait.instance) ?? 0;
    while (at < times.length && times[at]!.to <= wait.start) at++;
    cursor.set(wait.instance, at);
    const isFull = at < times.length && times[at]!.from <= wait.start;
    sums[isFull ? 0 : 1]! += wait.end - wait.start;
    counts[isFull ? 0 : 1]!++;
  }
  return [counts[0]! > 0 ? sums[0]! / counts[0]! : 0, counts[1]! > 0 ? sums[1]! / counts[1]! : 0];
}

function holdCounter(usage: ConnectionUse): string[] {
  if (usage.waitElseNs > usage.waitWhenFullNs * 0.5) {
    return [
      `requests for a connection also wait ${ms(usage.waitElseNs)} while connections seem free: opening connections may be slow, or not all holders are traced`,
    ];
  }
  return [`each connection is held ${ms(usage.holdNs)}: statements that hold it for a shorter time would help as well`];
}
