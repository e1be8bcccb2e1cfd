import type { Mechanism, Subject } from "../../model/report.ts";
import { SpanRole } from "../../model/span-facts.ts";
import { exampleTraces, spanRows, type Case } from "../case.ts";
import { isCongested, isHog, resourceOfNode, type Member, type SharedResource } from "../congestion.ts";
import { expectedNs, inFlightCounts, isGrowth, withoutWaiting, type Growth } from "../contention.ts";
import type { Explanation, HotSpot } from "../hot-spot.ts";
import { ms, percent, shorten, times } from "../wording.ts";
import { statementCause } from "./slow-statement.ts";
import { pooledCallee } from "./unseen-pool.ts";
import { mapToFloats } from "../../model/map-column.ts";

/**
 * Time that grows with the number of others in flight is waiting, not work. For
 * what, tells who else waits: only this operation — a lock; one statement — a row
 * lock; most of the work in a process or on a database — that resource, and then
 * who uses it up.
 */
export function explainContention(theCase: Case, spot: HotSpot): Explanation | undefined {
  const isDatabase = spot.role === SpanRole.database && spot.timeKind === "callee";
  if (spot.timeKind !== "unexplained" && !isDatabase) return undefined;
  const found = resourceOfNode(theCase.window, theCase.ownNs, spot.node);
  if (found === undefined) return undefined;
  const { resource, member } = found;
  if (isCongested(resource)) return explainCongestion(theCase, spot, resource, member);
  return explainLock(theCase, spot, resource, member);
}

function explainCongestion(
  theCase: Case,
  spot: HotSpot,
  resource: SharedResource,
  member: Member,
): Explanation | undefined {
  const growth = member.shared;
  const { window, view, ownNs } = theCase;
  const counts = inFlightCounts(window);
  const column = resource.kind === "database" ? counts.callee : counts.process;
  const rows = spanRows(window, spot.node).filter((row) => ownNs[row]! > 0);
  const pool = resource.kind === "process" ? pooledCallee(theCase, spot.node) : undefined;
  const { mechanism, subject, title, remedy, why } = congestionCause(spot, resource, pool);
  const waitShare = Math.max(0, 1 - member.aloneNs / Math.max(1, spot.slowNs));
  const harmful = spot.slowNs * waitShare >= 0.1 * view.p99;
  const isHeaviest = member === resource.heaviest;
  return {
    mechanism,
    kind: mechanism === "cpu-saturated" || mechanism === "pool-exhausted" ? "resource" : "latency",
    subject,
    title,
    why: `${why} ${spot.operation} of ${spot.service} takes ${ms(member.aloneNs)} alone and ${ms(member.meanNs)} on average; ${percent(resource.growingShare)} of the calls on it slow down as more are in flight.`,
    confidence: harmful ? Math.min(0.85, 0.6 + 0.05 * stretchOf(resource)) : 0.3,
    harmful,
    nodes: [spot.node],
    undo: [
      {
        kind: "own-time",
        rows,
        // With the heaviest user mended the others hardly wait; it keeps a tenth of what it needs.
        ownNs: mapToFloats(rows, (row) => {
          const without = growth === undefined ? ownNs[row]! : withoutWaiting(ownNs[row]!, column[row]!, growth);
          return isHeaviest && mechanism !== "cpu-saturated" && mechanism !== "pool-exhausted"
            ? without * 0.1
            : without;
        }),
      },
    ],
    chain: [
      { claim: `${view.name}: p99 ${ms(view.p99)}`, evidence: [] },
      {
        claim: `${spot.service} ${spot.operation}: ${ms(spot.slowNs)} of it, where it takes ${ms(member.aloneNs)} alone`,
        evidence: [0],
      },
      { claim: why, evidence: [1] },
    ],
    evidence: [
      {
        kind: "trace",
        text: `slow requests that wait there: ${exampleTraces(theCase, [spot.node]).join(", ")}`,
        query: `own time of ${spot.service} ${spot.operation}`,
      },
      {
        kind: "statistic",
        text: resource.members
          .toSorted((a, b) => b.calls * b.aloneNs - a.calls * a.aloneNs)
          .slice(0, 4)
          .map(
            (m) =>
              `${shorten(m.statement || m.operation, 40)}: ${ms(m.aloneNs)} alone, ${ms(m.meanNs)} on average, ${m.calls} calls`,
          )
          .join("; "),
        query: `own time against the count in flight on ${resource.name}, by ${resource.kind === "database" ? "statement" : "operation"}`,
      },
    ],
    counter: ["estimated from spans alone: utilisation was not measured; host metrics would settle it"],
    refutedBy: `${resource.name} is idle (CPU, disk, run queue) while these requests wait`,
    remedy,
  };
}

/** How much longer work on it takes: of the others where one kind is the cause, of all otherwise. */
const stretchOf = (resource: SharedResource): number =>
  Math.max(resource.stretch, isHog(resource) ? resource.stretchOfOthers : 0);

interface Cause {
  readonly mechanism: Mechanism;
  readonly subject: Subject;
  readonly title: string;
  readonly why: string;
  readonly remedy: Explanation["remedy"];
}

/** The heaviest user is the cause when it needs much more per call than the rest; else the resource is too small for all. */
function congestionCause(
  spot: HotSpot,
  resource: SharedResource,
  pool: { callee: string; size: number } | undefined,
): Cause {
  const { heaviest, heaviestShare, name } = resource;
  const busy = `${name} is congested: work on it takes ${times(stretchOf(resource))} as long as alone.`;
  if (resource.kind === "database") {
    if (isHog(resource)) {
      const cause = statementCause(heaviest.statement, heaviest.operation, name, heaviest.aloneNs);
      return {
        ...cause,
        title: `${shorten(heaviest.statement || heaviest.operation, 60)} uses ${percent(heaviestShare)} of ${name}: ${ms(heaviest.aloneNs)} each, and everything else waits for it`,
        why: `${busy} ${percent(heaviestShare)} of what is asked of it is this statement.`,
      };
    }
    return {
      mechanism: "cpu-saturated",
      subject: { service: name, resource: "cpu" },
      title: `${name} is busy: its statements take ${times(stretchOf(resource))} as long as alone`,
      why: busy,
      remedy: {
        text: "See which statements use the database's time (pg_stat_statements) and its CPU and disk; fewer or cheaper statements, or more cores.",
      },
    };
  }
  if (pool !== undefined) {
    return {
      mechanism: "pool-exhausted",
      subject: { service: name, resource: `pool:${pool.callee}`, setting: "pool.max" },
      title: `${name} waits for a connection to ${pool.callee}: never more than ${pool.size} calls at once, however many requests are open`,
      why: `Calls to ${pool.callee} stop at ${pool.size} at once while requests pile up before them.`,
      remedy: {
        text: "Give the pool more connections, as far as the database bears them, or hold each for a shorter time.",
        change: `pool.max: ${pool.size} -> ${Math.max(pool.size + 2, Math.ceil(pool.size * 1.6))}`,
      },
    };
  }
  if (isHog(resource)) {
    return {
      mechanism: "slow-code",
      subject: { service: name, operation: heaviest.operation },
      title: `${heaviest.operation} uses ${percent(heaviestShare)} of ${name}: ${ms(heaviest.aloneNs)} of own work each, and everything else there waits for it`,
      why: `${busy} ${percent(heaviestShare)} of its own work is this operation.`,
      remedy: {
        text: `Profile ${name} while it serves ${heaviest.operation}: less work per request there speeds up everything it does.`,
      },
    };
  }
  return {
    mechanism: "cpu-saturated",
    subject: { service: name, resource: "cpu" },
    title: `${name} is overloaded: its own work takes ${times(stretchOf(resource))} as long as alone`,
    why: busy,
    remedy: {
      text: `More instances or cores for ${name}, or less work per request; its CPU (or its only thread) should show as busy.`,
    },
  };
}

/** One kind of work waits for its own kind only: a lock around it, a row that all of them update. */
function explainLock(theCase: Case, spot: HotSpot, resource: SharedResource, member: Member): Explanation | undefined {
  const growth = member.own;
  if (growth === undefined || !isGrowth(growth)) return undefined;
  const stretch = rowsStretch(theCase, member.rows, resource.kind === "database", growth);
  const others = resource.members.filter((m) => m !== member && m.shared !== undefined);
  const growing = others.filter((m) => isGrowth(m.shared!)).length;
  const { window, view, ownNs } = theCase;
  const rows = spanRows(window, spot.node).filter((row) => ownNs[row]! > 0);
  const counts = inFlightCounts(window);
  const isDatabase = resource.kind === "database";
  const column = isDatabase ? counts.statement : counts.operation;
  const waitShare = Math.max(0, 1 - member.aloneNs / Math.max(1, spot.slowNs));
  const alone = growing === 0 || growing < 0.3 * others.length;
  // With nothing to compare, waiting for its own kind is what every queue does: it has to be extreme.
  const least = others.length === 0 ? 4 : isOneAfterAnother(growth) ? MIN_STRETCH_IN_TURN : MIN_STRETCH;
  const harmful = alone && stretch >= least && spot.slowNs * waitShare >= 0.15 * view.p99;
  const statement = spot.statement === "" ? {} : { statement: spot.statement };
  return {
    mechanism: "lock-contention",
    kind: "latency",
    subject: {
      service: isDatabase ? resource.name : spot.service,
      operation: spot.operation,
      resource: isDatabase ? "lock:rows" : `lock:${spot.operation}`,
      ...statement,
    },
    title: `${shorten(spot.statement || spot.operation, 50)} of ${spot.service} waits for others that do the same: ${ms(growth.aloneNs)} alone, ${ms(growth.crowdedNs)} with ${Math.round(growth.many)} in flight`,
    why: `Its time grows with the number of its own kind in flight (rank correlation ${growth.correlation.toFixed(2)}, ${rows.length} spans); ${others.length === 0 ? "there is no other work to compare with" : `${growing} of ${others.length} other kinds of work on ${resource.name} do so`}.`,
    confidence: harmful ? Math.min(0.85, 0.5 + growth.correlation * 0.4) : stretch >= 2 && alone ? 0.33 : 0.28,
    harmful,
    nodes: [spot.node],
    undo: [
      {
        kind: "own-time",
        rows,
        ownNs: mapToFloats(rows, (row) => withoutWaiting(ownNs[row]!, column[row]!, growth)),
      },
    ],
    chain: [
      { claim: `${view.name}: p99 ${ms(view.p99)}`, evidence: [] },
      {
        claim: `${spot.service} ${spot.operation}: ${ms(spot.slowNs)} of it, where it takes ${ms(growth.aloneNs)} alone`,
        evidence: [0],
      },
      {
        claim: isDatabase
          ? "the same statement of other requests holds what it waits for"
          : "one request at a time gets through a section of it",
        evidence: [1],
      },
    ],
    evidence: [
      {
        kind: "trace",
        text: `slow requests that wait there: ${exampleTraces(theCase, [spot.node]).join(", ")}`,
        query: `own time of ${spot.service} ${spot.operation}`,
      },
      {
        kind: "statistic",
        text: growthText(growth),
        query: `own time of "${spot.operation}" against the count in flight at its start`,
      },
    ],
    counter: ["the wait itself was not seen: lock events (pg_locks, off-CPU samples) would name the holder"],
    refutedBy: "the same time at low load, or off-CPU samples that show it computing",
    remedy: isDatabase
      ? {
          text: "Shorten the transaction that holds the row (no calls inside it), update fewer requests' common row, or queue the updates; pg_locks and log_lock_waits name the holder.",
        }
      : {
          text: "Find the lock, or other section that one request at a time may enter, in this operation: hold it for a shorter time, split it by key, or do without.",
        },
  };
}

/** Where others of its kind make it take so many times as long, on average over all of its spans, they are waited for. */
const MIN_STRETCH = 2.5;
/** A queue in its pure form leaves less to doubt: one in use for half of the time makes a wait of half the work (M/D/1). */
const MIN_STRETCH_IN_TURN = 1.5;

/**
 * Each other one in flight adds as much as the work takes by itself, as in a queue before one place: with n of them it
 * takes n + 1 times as long. Before c places each adds a c-th of it, and where processors are shared so much at most.
 */
const isOneAfterAnother = ({ correlation, aloneNs, crowdedNs, few, many }: Growth): boolean =>
  few === 0 && correlation >= 0.8 && crowdedNs - aloneNs >= 0.9 * (many - few) * aloneNs;

/** Mean over the rows of the time expected at their count in flight, over the time alone. */
function rowsStretch(theCase: Case, rows: Int32Array, isDatabase: boolean, g: Growth): number {
  const counts = inFlightCounts(theCase.window);
  const column = isDatabase ? counts.statement : counts.operation;
  return (
    rows.reduce((sum, row) => sum + expectedNs(column[row]!, g), 0) / Math.max(1, rows.length) / Math.max(1, g.aloneNs)
  );
}

const growthText = (g: Growth): string =>
  `median ${ms(g.aloneNs)} with up to ${Math.round(g.few)} in flight, ${ms(g.crowdedNs)} with ${Math.round(g.many)} and more; rank correlation ${g.correlation.toFixed(2)}`;
