import type { Mechanism, Subject } from "../../model/report.ts";
import { SpanRole } from "../../model/span-facts.ts";
import { exampleTraces, spanRows, type Case } from "../case.ts";
import { growthWithInFlight, inFlightCounts, type Growth } from "../contention.ts";
import type { Explanation, HotSpot } from "../hot-spot.ts";
import { ms, percent, times } from "../wording.ts";

/** Rank correlation of own time and in-flight below which nothing is read into it. */
const MIN_CORRELATION = 0.35;
/** How much longer the crowded have to take. */
const MIN_GROWTH = 1.8;

/**
 * Own time that grows with the number of others in flight is waiting, not work.
 * For what, tells who else waits: only this operation — a lock; everything in
 * the process — its CPU, threads or event loop; every statement of a database —
 * the database; one statement — a row or table lock.
 */
export function explainContention(theCase: Case, spot: HotSpot): Explanation | undefined {
  const isDatabase = spot.role === SpanRole.database && spot.timeKind === "callee";
  if (spot.timeKind !== "unexplained" && !isDatabase) return undefined;
  const { window, view, ownNs } = theCase;
  const counts = inFlightCounts(window);
  const own = isDatabase ? counts.statement : counts.operation;
  const shared = isDatabase ? counts.callee : counts.process;
  const rows = spanRows(window, spot.node).filter((row) => ownNs[row]! > 0);
  const byOwn = growth(ownNs, own, rows);
  const byShared = growth(ownNs, shared, rows);
  const best = [byOwn, byShared].filter((g): g is Growth => g !== undefined && isGrowth(g)).sort((a, b) => b.correlation - a.correlation)[0];
  if (best === undefined) return undefined;
  const others = othersGrow(theCase, spot, isDatabase, shared);
  const own1 = byOwn !== undefined && isGrowth(byOwn);
  const isLock = own1 && !others.grow && byOwn.correlation >= 0.8 * (byShared?.correlation ?? 0);
  const { mechanism, subject, waitsFor, remedy } = cause(spot, isDatabase, isLock);
  const column = isLock ? own : shared;
  const basis = isLock ? byOwn : best;
  const factor = (row: number): number => {
    const above = Math.max(0, column[row]! - basis.few) / Math.max(1, basis.many - basis.few);
    return basis.aloneNs / (basis.aloneNs + Math.min(1.5, above) * (basis.crowdedNs - basis.aloneNs));
  };
  const waitShare = Math.max(0, 1 - (basis.aloneNs || 1) / Math.max(1, spot.slowNs));
  const harmful = spot.slowNs * waitShare >= 0.15 * view.p99;
  return {
    mechanism,
    kind: isLock ? "latency" : "resource",
    subject,
    title: `${spot.operation} of ${spot.service} ${waitsFor}: ${ms(basis.aloneNs)} alone, ${ms(basis.crowdedNs)} with ${Math.round(basis.many)} others in flight`,
    why: `Its time grows with the number in flight (rank correlation ${basis.correlation.toFixed(2)} over ${rows.length} spans): ${times(basis.crowdedNs / Math.max(1, basis.aloneNs))} from ${Math.round(basis.few)} to ${Math.round(basis.many)}. ${others.text}`,
    confidence: harmful ? Math.min(0.85, 0.5 + basis.correlation * 0.4) : 0.3,
    harmful,
    nodes: [spot.node],
    undo: [{ kind: "own-time", rows, ownNs: Float64Array.from(rows, (row) => ownNs[row]! * factor(row)) }],
    chain: [
      { claim: `${view.name}: p99 ${ms(view.p99)}`, evidence: [] },
      { claim: `${spot.service} ${spot.operation}: ${ms(spot.slowNs)} of it, ${percent(waitShare)} more than it takes alone`, evidence: [0] },
      { claim: `it ${waitsFor}`, evidence: [1] },
    ],
    evidence: [
      { kind: "trace", text: `slow requests that wait there: ${exampleTraces(theCase, [spot.node]).join(", ")}`, query: `own time of ${spot.service} ${spot.operation}` },
      {
        kind: "statistic",
        text: `median ${ms(basis.aloneNs)} at up to ${Math.round(basis.few)} in flight, ${ms(basis.crowdedNs)} at ${Math.round(basis.many)} and more; rank correlation ${basis.correlation.toFixed(2)}`,
        query: `own time of "${spot.operation}" against the count in flight at its start`,
      },
    ],
    counter: ["estimated from spans alone: the wait itself was not seen (lock events, run queue and pool metrics would show it)"],
    refutedBy: "the same time at low load, or off-CPU samples that show it computing",
    remedy,
  };
}

const isGrowth = (g: Growth): boolean => g.correlation >= MIN_CORRELATION && g.crowdedNs >= MIN_GROWTH * Math.max(1e5, g.aloneNs);

function growth(ownNs: Float64Array, counts: Int32Array, rows: Int32Array): Growth | undefined {
  return growthWithInFlight(Float64Array.from(rows, (row) => ownNs[row]!), Float64Array.from(rows, (row) => counts[row]!));
}

/** Whether the other operations of the same process, or statements of the same database, grow with the shared count too. */
function othersGrow(theCase: Case, spot: HotSpot, isDatabase: boolean, shared: Int32Array): { grow: boolean; text: string } {
  const { window, ownNs } = theCase;
  const { paths } = window;
  let compared = 0;
  let growing = 0;
  for (let node = 0; node < paths.nodeCount; node++) {
    const comparable = isDatabase
      ? paths.role[node] === SpanRole.database && paths.callee[node] === paths.callee[spot.node] && paths.statement[node] !== paths.statement[spot.node]
      : paths.service[node] === paths.service[spot.node] &&
        paths.operation[node] !== paths.operation[spot.node] &&
        (paths.role[node] === SpanRole.server || paths.role[node] === SpanRole.internal || paths.role[node] === SpanRole.consumer);
    if (!comparable) continue;
    const rows = spanRows(window, node).filter((row) => ownNs[row]! > 0);
    const g = growth(ownNs, shared, rows);
    if (g === undefined) continue;
    compared++;
    if (isGrowth(g)) growing++;
  }
  const what = isDatabase ? "statements of this database" : `operations of ${spot.service}`;
  if (compared === 0) return { grow: false, text: `No other ${what} to compare with.` };
  return { grow: growing * 2 >= compared && growing > 0, text: `${growing} of ${compared} other ${what} grow with the load as well.` };
}

function cause(
  spot: HotSpot,
  isDatabase: boolean,
  isLock: boolean,
): { mechanism: Mechanism; subject: Subject; waitsFor: string; remedy: Explanation["remedy"] } {
  const statement = spot.statement === "" ? {} : { statement: spot.statement };
  if (isDatabase) {
    const service = spot.callee === "" ? spot.service : spot.callee;
    if (isLock) {
      return {
        mechanism: "lock-contention",
        subject: { service, operation: spot.operation, resource: "lock:rows", ...statement },
        waitsFor: "waits for others that run the same statement",
        remedy: { text: "Shorten the transaction that holds the row (no calls inside it), update fewer requests' common row, or queue the updates; pg_locks and log_lock_waits name the holder." },
      };
    }
    return {
      mechanism: "cpu-saturated",
      subject: { service, operation: spot.operation, resource: "cpu", ...statement },
      waitsFor: "waits while the database is busy",
      remedy: { text: "See which statements use the database's time (pg_stat_statements) and its CPU and disk; fewer or cheaper statements, or more cores." },
    };
  }
  if (isLock) {
    return {
      mechanism: "lock-contention",
      subject: { service: spot.service, operation: spot.operation, resource: `lock:${spot.operation}` },
      waitsFor: "waits for others that do the same",
      remedy: { text: "Find the lock, or other section that one request at a time may enter, in this operation: hold it for a shorter time, split it by key, or do without." },
    };
  }
  return {
    mechanism: "thread-starvation",
    subject: { service: spot.service, operation: spot.operation, resource: "threads" },
    waitsFor: "waits while the process is busy with other requests",
    remedy: { text: `See CPU, thread pool and event-loop delay of ${spot.service} at this load: more workers if the CPU is idle, more cores or instances if it is not.` },
  };
}
