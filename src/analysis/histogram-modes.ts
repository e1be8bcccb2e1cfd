import { NS_PER_MS, NS_PER_S } from "../model/units.ts";
import { incompleteBeta } from "./special-functions.ts";
import { ascendingOrder } from "./ascending-order.ts";
import { mapToFloats } from "../model/map-column.ts";

/** A narrow mode of a latency distribution, apart from the bulk and above it. */
export interface LatencyMode {
  /** median of the durations in the mode */
  readonly centreNs: number;
  /** from their 10th to their 90th percentile */
  readonly widthNs: number;
  /** from their 10th percentile to their median: a timer never fires early, and what follows it may take long */
  readonly riseNs: number;
  readonly count: number;
  /** of all durations */
  readonly share: number;
  /** of the mode's durations, and of all others */
  readonly errorShare: number;
  readonly errorShareElsewhere: number;
  /** density in the mode over that of its denser neighbourhood, in log time; infinite beside empty ones */
  readonly ratio: number;
  /** how much later than the median of the durations below it */
  readonly delayNs: number;
  readonly pValue: number;
  readonly looksLike: ModeLook;
}

export type ModeLook =
  /** at a round value and mostly errors: somebody gave up waiting */
  | { readonly kind: "timeout"; readonly timeoutNs: number }
  /** later than the bulk by a round value, and mostly no errors: something waited and then went on */
  | { readonly kind: "fixed-delay"; readonly delayNs: number; readonly known: KnownDelay | "round value" }
  | { readonly kind: "unnamed" };

export type KnownDelay =
  | "delayed ACK (Linux, 40 ms)"
  | "TCP retransmission (Linux minimum, 200 ms)"
  | "SYN or DNS retry (1 s)"
  | "SYN retry (3 s)"
  | "DNS timeout (5 s)";

/** From the Linux sources (TCP_DELACK_MIN, TCP_RTO_MIN), RFC 6298, RFC 1122 and resolv.conf(5). */
const KNOWN_DELAYS: readonly { readonly ns: number; readonly known: KnownDelay | "round value" }[] = [
  { ns: 40 * NS_PER_MS, known: "delayed ACK (Linux, 40 ms)" },
  { ns: 50 * NS_PER_MS, known: "round value" },
  { ns: 100 * NS_PER_MS, known: "round value" },
  { ns: 200 * NS_PER_MS, known: "TCP retransmission (Linux minimum, 200 ms)" },
  { ns: 250 * NS_PER_MS, known: "round value" },
  { ns: 500 * NS_PER_MS, known: "round value" },
  { ns: NS_PER_S, known: "SYN or DNS retry (1 s)" },
  { ns: 2 * NS_PER_S, known: "round value" },
  { ns: 3 * NS_PER_S, known: "SYN retry (3 s)" },
  { ns: 5 * NS_PER_S, known: "DNS timeout (5 s)" },
  { ns: 10 * NS_PER_S, known: "round value" },
];

const TIMEOUTS_NS: readonly number[] = [
  ...[50, 100, 150, 200, 250, 300, 400, 500, 750, 800].map((ms) => ms * NS_PER_MS),
  ...[1, 1.5, 2, 2.5, 3, 4, 5, 6, 8, 10, 15, 20, 25, 30, 45, 60, 90, 120, 180, 300].map((s) => s * NS_PER_S),
];

/** Half widths of a mode in log time: 2 % for a timer, up to 15 % for a delay on top of a varying duration. */
const HALF_WIDTHS = [0.02, 0.05, 0.15];
/** A neighbourhood reaches from the mode's edge this many half widths out, on each side. */
const NEIGHBOURHOOD = 4;
const MIN_COUNT = 10;
/** Less than this is a shoulder of the bulk, not a timer. */
const MIN_RATIO = 3;
/** Chance of any mode in a smooth distribution, before the ratio is asked for. */
const P_VALUE = 0.001;
/** A mode below this multiple of the median of the rest belongs to the bulk. */
const ABOVE_BULK = 1.5;

/**
 * Modes of a latency distribution that look like timeouts or fixed delays, ascending by centre.
 *
 * durationsNs > 0 in any order; error: 1 where the span failed. A window of log time is a mode if it holds at
 * least three times the density of *each* of its two neighbourhoods, by a binomial test that allows for
 * all the windows tried, and lies above the bulk: 1.5 times the median of the durations outside of it. Windows
 * narrower than four steps of the clock (the greatest common divisor of the durations) are not looked at.
 * A smooth unimodal distribution has no such window; the tests measure that.
 */
export function latencyModes(durationsNs: Float64Array, error: Uint8Array): LatencyMode[] {
  const sample = sorted(durationsNs, error);
  const spikes: Spike[] = [];
  for (const half of HALF_WIDTHS) spikesOfWidth(sample, half, spikes);
  spikes.sort((a, b) => b.score - a.score || a.from - b.from);
  const taken: Spike[] = [];
  for (const spike of spikes) {
    // Overlapping windows are views of the same spike.
    if (taken.every((t) => spike.to <= t.from || spike.from >= t.to)) taken.push(spike);
  }
  return taken
    .sort((a, b) => a.from - b.from)
    .map((spike) => describe(spike, sample))
    .filter((mode) => mode !== undefined);
}

interface Sample {
  /** ascending */
  readonly ns: Float64Array;
  readonly log: Float64Array;
  /** per position k: errors among the first k */
  readonly errorsBefore: Int32Array;
  readonly tickNs: number;
}

function sorted(durationsNs: Float64Array, error: Uint8Array): Sample {
  const order = ascendingOrder(durationsNs).filter((i) => durationsNs[i]! > 0);
  const ns = mapToFloats(order, (i) => durationsNs[i]!);
  const errorsBefore = new Int32Array(ns.length + 1);
  let tickNs = 0;
  for (let k = 0; k < ns.length; k++) {
    errorsBefore[k + 1] = errorsBefore[k]! + error[order[k]!]!;
    if (tickNs !== 1) tickNs = commonDivisor(ns[k]!, tickNs);
  }
  return { ns, log: ns.map(Math.log), errorsBefore, tickNs };
}

/** Of whole numbers; 1 where one is not whole. */
function commonDivisor(a: number, b: number): number {
  if (!Number.isInteger(a)) return 1;
  let x = a;
  let y = b;
  while (y > 0) [x, y] = [y, x % y];
  return x;
}

interface Spike {
  /** sorted positions from .. to - 1 */
  readonly from: number;
  readonly to: number;
  readonly ratio: number;
  readonly pValue: number;
  readonly score: number;
}

/** Windows of width 2 x half that start at a duration and stand out, appended to `spikes`. */
function spikesOfWidth({ ns, log, tickNs }: Sample, half: number, spikes: Spike[]): void {
  const n = ns.length;
  const reach = NEIGHBOURHOOD * half;
  /** share of the mode's width in mode and one neighbourhood */
  const widthShare = 2 / (2 + NEIGHBOURHOOD);
  let leftFrom = 0;
  let to = 0;
  let rightTo = 0;
  for (let from = 0; from < n; from++) {
    const start = log[from]!;
    const end = start + 2 * half;
    while (log[leftFrom]! < start - reach) leftFrom++;
    while (to < n && log[to]! < end) to++;
    while (rightTo < n && log[rightTo]! < end + reach) rightTo++;
    // Equal durations start the same window.
    if (from > 0 && log[from - 1] === start) continue;
    const count = to - from;
    if (count < MIN_COUNT || ns[from]! * 2 * half < 4 * tickNs) continue;
    const beside = Math.max(from - leftFrom, rightTo - to);
    const ratio = (count / beside) * (NEIGHBOURHOOD / 2);
    if (ratio < MIN_RATIO) continue;
    const tail = incompleteBeta(widthShare, count, beside + 1);
    const pValue = Math.min(1, tail * n * HALF_WIDTHS.length);
    if (pValue > P_VALUE) continue;
    // Of overlapping windows the one that stands out by most traces wins.
    spikes.push({ from, to, ratio, pValue, score: count - (beside * 2) / NEIGHBOURHOOD });
  }
}

/** Undefined for a spike that is part of the bulk. */
function describe({ from, to, ratio, pValue }: Spike, { ns, errorsBefore }: Sample): LatencyMode | undefined {
  const n = ns.length;
  const count = to - from;
  const rest = n - count;
  if (rest === 0) return undefined;
  const middleOfRest = rest >> 1;
  const medianOfRest = ns[middleOfRest < from ? middleOfRest : middleOfRest + count]!;
  const centreNs = ns[from + (count >> 1)]!;
  if (centreNs < ABOVE_BULK * medianOfRest) return undefined;
  const errors = errorsBefore[to]! - errorsBefore[from]!;
  const errorShare = errors / count;
  const delayNs = centreNs - ns[from >> 1]!;
  const widthNs = ns[from + Math.floor(0.9 * (count - 1))]! - ns[from + Math.floor(0.1 * (count - 1))]!;
  return {
    centreNs,
    widthNs,
    riseNs: centreNs - ns[from + Math.floor(0.1 * (count - 1))]!,
    count,
    share: count / n,
    errorShare,
    errorShareElsewhere: (errorsBefore[n]! - errors) / rest,
    ratio,
    delayNs,
    pValue,
    looksLike: lookOf(centreNs, delayNs, widthNs, errorShare),
  };
}

/** A timer fires late by a little: up to 3 % above its value; clocks of two hosts may differ by 1 % below. */
function lookOf(centreNs: number, delayNs: number, widthNs: number, errorShare: number): ModeLook {
  if (errorShare >= 0.5) {
    const timeoutNs = TIMEOUTS_NS.find((t) => centreNs >= 0.99 * t && centreNs <= 1.03 * t);
    return timeoutNs === undefined ? { kind: "unnamed" } : { kind: "timeout", timeoutNs };
  }
  // The delay is a difference of medians of two varying durations: known to about their width.
  const tolerance = (t: number): number => Math.min(0.15 * t, Math.max(0.04 * t, widthNs / 2));
  const fits = KNOWN_DELAYS.filter(({ ns }) => Math.abs(delayNs - ns) <= tolerance(ns));
  const nearest = fits.sort((a, b) => Math.abs(delayNs - a.ns) - Math.abs(delayNs - b.ns))[0];
  if (nearest === undefined) return { kind: "unnamed" };
  return { kind: "fixed-delay", delayNs: nearest.ns, known: nearest.known };
}
