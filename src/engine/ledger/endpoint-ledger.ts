import { ownTimeShares, type OwnTimeShares } from "../../analysis/own-time-shares.ts";
import { CALLEE, UNEXPLAINED } from "../../analysis/time-kinds.ts";
import type { EndpointLedger, EndpointLedgerRow, LedgerLink } from "../../model/report.ts";
import { TIME_KINDS } from "../../model/time-kind.ts";
import { NS_PER_MS } from "../../model/units.ts";
import { OTHER_OPERATIONS } from "../endpoint-report.ts";
import type { DatabaseStatistics } from "../database/database-statistics.ts";
import type { EndpointView } from "../endpoint-view.ts";
import type { Window } from "../window.ts";
import { databaseTimes } from "./database-times.ts";
import { callsInside, requestsInside, type ServiceHost } from "./host-times.ts";
import { OWN_KINDS, type KnownKind } from "./ledger-kind.ts";
import type { SegmentSamples } from "./sample-evidence.ts";

/** What hosts tell of the services of a window, and of what they call. */
export interface HostEvidence {
  readonly hosts: ReadonlyMap<string, ServiceHost>;
  readonly samples: ReadonlyMap<string, SegmentSamples>;
  /** what databases tell of themselves; absent where none does */
  readonly database?: DatabaseStatistics | undefined;
}

/** Rows below this share of p50 and of p99 are summed. */
const MIN_SHARE = 0.005;

/** The endpoint's critical path by kind of time, as far as spans and hosts tell. The rows sum to the time exactly. */
export function endpointLedger(window: Window, view: EndpointView, evidence: HostEvidence): EndpointLedger {
  const rows = new Map<string, DraftRow>();
  for (const [column, traces] of [
    ["p50", view.typical],
    ["p99", view.slow],
  ] as const) {
    for (const part of partsOf(window, traces, evidence.samples)) {
      for (const claim of claimsOf(window, part, evidence)) addClaim(rows, part, claim, column);
    }
  }
  const drafts = [...rows.values()];
  const total = sum(drafts, (row) => row.p99);
  const own = drafts.filter(({ isOwn }) => isOwn);
  const ownNs = sum(own, (row) => row.p99);
  const unknownNs = sum(
    own.filter(({ timeKind }) => timeKind === "unexplained"),
    (row) => row.p99,
  );
  return {
    ownMs: inMs(ownNs),
    explainedShare: ownNs === 0 ? 1 : Math.max(0, 1 - unknownNs / ownNs),
    rows: folded(drafts).map((row) => reported(row, total)),
  };
}

/** Time of one call path's operation and kind in the traces around a percentile: weighted mean, nanoseconds. */
interface Part {
  readonly service: string;
  readonly operation: string;
  /** TimeKind id that spans give it */
  readonly kind: number;
  readonly callee: string;
  /** call-path nodes that it is of */
  readonly nodes: Set<number>;
  ns: number;
  /** of that the time at which samples were taken; and the same of all traces together, unweighted */
  coveredNs: number;
  lookedAtNs: number;
  readonly seen: Map<string, Seen>;
}

interface Seen {
  readonly kind: KnownKind;
  readonly link: LedgerLink;
  ns: number;
  /** sum over segments of their squares: the variance, as segments are sampled independently */
  squares: number;
}

function partsOf(window: Window, traces: Int32Array, samples: HostEvidence["samples"]): Iterable<Part> {
  const { segments, paths, forest, kinds, text } = window;
  const parts = new Map<string, Part>();
  const weight = traces.reduce((all, trace) => all + forest.weight[trace]!, 0);
  for (const trace of traces) {
    const share = forest.weight[trace]! / weight;
    for (let i = segments.traceStart[trace]!; i < segments.traceStart[trace + 1]!; i++) {
      const row = segments.row[i]!;
      const node = paths.nodeOfRow[row]!;
      const kind = kinds[row]!;
      const callee = kind === CALLEE ? paths.callee[node]! : -1;
      const key = `${paths.service[node]!} ${paths.operation[node]!} ${kind} ${callee}`;
      let part = parts.get(key);
      if (part === undefined) {
        const names = { service: text(paths.service[node]!), operation: text(paths.operation[node]!) };
        part = {
          ...names,
          kind,
          callee: callee < 0 ? "" : text(callee),
          nodes: new Set(),
          ns: 0,
          coveredNs: 0,
          lookedAtNs: 0,
          seen: new Map(),
        };
        parts.set(key, part);
      }
      const ns = (segments.endNs[i]! - segments.startNs[i]!) * share;
      part.ns += ns;
      part.nodes.add(node);
      const sampled = kind === UNEXPLAINED ? samples.get(part.service) : undefined;
      if (sampled?.isCovered(i) !== true) continue;
      part.coveredNs += ns;
      part.lookedAtNs += segments.endNs[i]! - segments.startNs[i]!;
      for (const one of sampled.times(i)) addSeen(part.seen, one.kind, one.link, one.ns * share);
    }
  }
  return parts.values();
}

function addSeen(seen: Map<string, Seen>, kind: KnownKind, link: LedgerLink, ns: number): void {
  const key = `${kind} ${link}`;
  const held = seen.get(key);
  if (held === undefined) seen.set(key, { kind, link, ns, squares: ns * ns });
  else [held.ns, held.squares] = [held.ns + ns, held.squares + ns * ns];
}

/** A part of a part whose kind is known, or the rest of it. */
interface Claim {
  readonly timeKind: string;
  readonly link: LedgerLink;
  readonly source: string;
  readonly ns: number;
  readonly low: number;
  readonly high: number;
}

/** Claims that sum to the part's time. */
function claimsOf(window: Window, part: Part, { hosts, samples, database }: HostEvidence): Claim[] {
  const spanKind = TIME_KINDS[part.kind]!;
  const rest = (ns: number, link: LedgerLink): Claim => ({
    timeKind: spanKind,
    link,
    source: "",
    ns,
    low: ns,
    high: ns,
  });
  if (part.kind === CALLEE) {
    const seen = databaseTimes(window, part.nodes, database).map(({ kind, share, low, high }): Claim => {
      const source = `wait events of ${part.callee}`;
      return {
        timeKind: kind,
        link: "statistical",
        source,
        ns: share * part.ns,
        low: low * part.ns,
        high: high * part.ns,
      };
    });
    if (seen.length > 0) return [...seen, rest(part.ns - sum(seen, ({ ns }) => ns), "spans")];
    const host = hosts.get(part.callee);
    const inside = callsInside(window).get(part.callee);
    if (host === undefined || inside === undefined) return [rest(part.ns, "spans")];
    const shares = ownTimeShares(host.times, { own: inside, inCalls: 0 });
    const known = hostClaims(host, shares, part.ns, part.ns, new Set());
    return [...known, rest(part.ns - sum(known, ({ ns }) => ns), "spans")];
  }
  if (part.kind !== UNEXPLAINED) return [rest(part.ns, "spans")];
  const sampleNs = samples.get(part.service)?.sampleNs ?? new Map<KnownKind, number>();
  const isEnough = (kind: KnownKind): boolean => FEWEST_SAMPLES * (sampleNs.get(kind) ?? 0) <= part.lookedAtNs;
  const seen = seenClaims(part, isEnough);
  const left = Math.max(0, part.coveredNs - sum(seen, ({ ns }) => ns));
  const host = hosts.get(part.service);
  const inside = requestsInside(window).get(part.service);
  const known = [...seen];
  if (host !== undefined && inside !== undefined) {
    const shares = ownTimeShares(host.times, inside, host.loop);
    // What the samples could have shown and did not is not there: the host only adds what they cannot show.
    const could = new Set([...sampleNs.keys()].filter(isEnough));
    known.push(...hostClaims(host, shares, part.coveredNs, left, could));
    known.push(...hostClaims(host, shares, part.ns - part.coveredNs, part.ns - part.coveredNs, new Set()));
  }
  return [...known, rest(Math.max(0, part.ns - sum(known, ({ ns }) => ns)), "none")];
}

/**
 * A part that was looked at for less than so many samples' time would be told by chance: 10 are known to ± 52 % (Poisson, 90 %). What
 * the host tells over the whole window is better then.
 */
const FEWEST_SAMPLES = 10;

/** 90 % of a normal distribution lie within this many standard deviations. */
const Z90 = 1.645;

/** What samples show, at most the time at which they were taken. */
function seenClaims({ seen, coveredNs }: Part, isEnough: (kind: KnownKind) => boolean): Claim[] {
  const used = [...seen.values()].filter(({ kind }) => isEnough(kind));
  const all = sum(used, ({ ns }) => ns);
  const scale = all > coveredNs ? coveredNs / all : 1;
  return used.map(({ kind, link, ns, squares }) => {
    const around = Z90 * Math.sqrt(squares);
    const low = Math.max(0, ns - around) * scale;
    return { timeKind: kind, link, source: "samples", ns: ns * scale, low, high: Math.min(coveredNs, ns + around) };
  });
}

/** The host's shares of `ns`, at most `room` together, without the kinds in `told`. */
function hostClaims(
  { times, loop: ofLoop }: ServiceHost,
  { kinds, loop, beside, pool }: OwnTimeShares<KnownKind>,
  ns: number,
  room: number,
  told: ReadonlySet<KnownKind>,
): Claim[] {
  if (!(ns > 0) || !(room > 0)) return [];
  const claims = times.flatMap(({ kind, link, source }): Claim[] => {
    const share = kinds.get(kind);
    if (share === undefined || told.has(kind)) return [];
    return [{ timeKind: kind, link, source, ns: share.share * ns, low: share.low * ns, high: share.high * ns }];
  });
  for (const { kind, link, source } of ofLoop?.beside ?? []) {
    const share = beside.get(kind);
    // Samples were taken of the loop's thread, or tell nothing of what a request waits for in another.
    if (share === undefined) continue;
    const other = `other threads, by ${source}`;
    claims.push({ timeKind: kind, link, source: other, ns: share.share * ns, low: 0, high: share.high * ns });
  }
  if (pool !== undefined && ofLoop?.pool !== undefined) {
    const { threads } = ofLoop.pool;
    claims.push({
      timeKind: "pool-wait",
      link: "statistical",
      source: `queue of ${threads === 1 ? "one other thread" : `${threads} other threads`}, by ${ofLoop.beside[0]!.source}`,
      ns: pool.share * ns,
      low: pool.low * ns,
      high: pool.high * ns,
    });
  }
  if (loop !== undefined && !told.has("event-loop")) {
    const strongest = times[0] ?? { link: "statistical" as const, source: "" };
    claims.push({
      timeKind: "event-loop",
      link: strongest.link,
      source: `queue of one thread, by ${strongest.source}`,
      ns: loop.share * ns,
      low: loop.low * ns,
      high: loop.high * ns,
    });
  }
  const all = sum(claims, (claim) => claim.ns);
  const scale = all > room ? room / all : 1;
  return claims
    .filter((claim) => claim.ns > 0)
    .map((claim) => ({
      ...claim,
      ns: claim.ns * scale,
      low: claim.low * scale,
      high: Math.min(room, claim.high),
    }));
}

interface DraftRow extends Pick<EndpointLedgerRow, "service" | "operation" | "timeKind" | "link"> {
  readonly source: string;
  /** "" of own time, and of calls of which nothing is told */
  readonly callee: string;
  /** within services that send spans */
  readonly isOwn: boolean;
  p50: number;
  p99: number;
  low: number;
  high: number;
}

function addClaim(rows: Map<string, DraftRow>, part: Part, claim: Claim, column: "p50" | "p99"): void {
  if (!(claim.ns > 0)) return;
  const { service, operation } = part;
  const { timeKind, link, source } = claim;
  const callee = part.kind === CALLEE && link !== "spans" ? part.callee : "";
  const key = JSON.stringify([service, operation, timeKind, link, source, callee]);
  let row = rows.get(key);
  if (row === undefined) {
    const isOwn = part.kind === UNEXPLAINED;
    row = { service, operation, timeKind, link, source, callee, isOwn, p50: 0, p99: 0, low: 0, high: 0 };
    rows.set(key, row);
  }
  row[column] += claim.ns;
  if (column === "p50") return;
  row.low += claim.low;
  row.high += claim.high;
}

/** Rows too small to be told are summed by kind and link, so that each column still adds up. */
function folded(rows: readonly DraftRow[]): DraftRow[] {
  const totals = { p50: sum(rows, (row) => row.p50), p99: sum(rows, (row) => row.p99) };
  const others = new Map<string, DraftRow>();
  const shown: DraftRow[] = [];
  for (const row of rows) {
    if (row.p99 >= MIN_SHARE * totals.p99 || row.p50 >= MIN_SHARE * totals.p50) shown.push({ ...row });
    else {
      const key = `${row.timeKind} ${row.link} ${row.callee}`;
      const held = others.get(key);
      if (held === undefined) others.set(key, { ...row, service: "", operation: OTHER_OPERATIONS, source: "" });
      else {
        held.p50 += row.p50;
        held.p99 += row.p99;
        held.low += row.low;
        held.high += row.high;
      }
    }
  }
  const order = (kind: string): number => {
    const at = (OWN_KINDS as readonly string[]).indexOf(kind);
    return at < 0 ? OWN_KINDS.length : at;
  };
  return [...shown, ...others.values()].sort(
    (a, b) => b.p99 - a.p99 || b.p50 - a.p50 || order(a.timeKind) - order(b.timeKind),
  );
}

function reported(row: DraftRow, total: number): EndpointLedgerRow {
  const { service, operation, timeKind, link, source, callee } = row;
  return {
    service,
    operation,
    timeKind,
    link,
    ...(source === "" ? {} : { source }),
    ...(callee === "" ? {} : { callee }),
    p50Ms: inMs(row.p50),
    p99Ms: inMs(row.p99),
    lowMs: inMs(row.low),
    highMs: inMs(row.high),
    share: total === 0 ? 0 : row.p99 / total,
  };
}

const inMs = (ns: number): number => Math.round((ns / NS_PER_MS) * 1000) / 1000;

const sum = <T>(items: readonly T[], value: (item: T) => number): number =>
  items.reduce((all, item) => all + value(item), 0);
