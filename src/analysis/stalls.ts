import { mapToFloats } from "../model/map-column.ts";

/** A time in which an instance did nothing visible although requests were open. */
export interface Stall {
  readonly fromNs: number;
  readonly toNs: number;
  /** spans open throughout it */
  readonly open: number;
}

/**
 * Stalls of one process: times without any progress (a span ends, a call is made)
 * with at least `MIN_OPEN` spans open, far longer than usual. An event loop that is
 * blocked or a stop-the-world collection stops *all* requests of a process at
 * once; a slow request stops only itself. Requests that arrive meanwhile are no
 * progress: their spans may start while nobody works on them.
 *
 * With progress at rate λ while busy, a gap of length g has probability e^(-λg);
 * over n gaps, some above ln(n / FALSE_ALARMS) / λ are expected less than
 * FALSE_ALARMS times. λ is taken from the median gap (ln 2 / median), which the
 * stalls themselves do not move.
 *
 * rows: spans of one instance; isEntry: per span row, 1 for requests that arrive
 * (SERVER, CONSUMER).
 */
export function findStalls(
  rows: ArrayLike<number>,
  startNs: Float64Array,
  endNs: Float64Array,
  isEntry: Uint8Array,
  minStallNs: number,
): Stall[] {
  const n = rows.length;
  if (n < MIN_SPANS) return [];
  // Three columns sorted as plain numbers, then merged: a tenth of the time that sorting events takes.
  let entries = 0;
  for (let i = 0; i < n; i++) entries += isEntry[rows[i]!]!;
  const arrived = new Float64Array(entries);
  const stepped = new Float64Array(n - entries);
  const ends = new Float64Array(n);
  for (let i = 0, a = 0, s = 0; i < n; i++) {
    const row = rows[i]!;
    if (isEntry[row] === 1) arrived[a++] = startNs[row]!;
    else stepped[s++] = startNs[row]!;
    ends[i] = endNs[row]!;
  }
  arrived.sort();
  stepped.sort();
  ends.sort();
  // Room for a gap at each piece of progress.
  const gapFrom = new Float64Array(2 * n);
  const gapTo = new Float64Array(2 * n);
  const gapOpen = new Int32Array(2 * n);
  let gaps = 0;
  let openAtLast = 0;
  let last = Number.NaN;
  for (let a = 0, s = 0, e = 0; e < n;) {
    const at = Math.min(ends[e]!, stepped[s] ?? Infinity);
    // Who arrives in the very instant of progress comes after it.
    while (a < arrived.length && arrived[a]! < at) a++;
    if (openAtLast >= MIN_OPEN) {
      gapFrom[gaps] = last;
      gapTo[gaps] = at;
      gapOpen[gaps++] = openAtLast;
    }
    last = at;
    if (ends[e] === at) e++;
    else s++;
    openAtLast = a + s - e;
  }
  if (gaps < MIN_SPANS) return [];
  const lengths = mapToFloats({ length: gaps }, (_, gap) => gapTo[gap]! - gapFrom[gap]!).sort();
  const median = Math.max(1, lengths[lengths.length >> 1]!);
  const longest = Math.max(minStallNs, (Math.log(gaps / FALSE_ALARMS) * median) / Math.LN2);
  const stalls: Stall[] = [];
  for (let gap = 0; gap < gaps; gap++) {
    const [fromNs, toNs] = [gapFrom[gap]!, gapTo[gap]!];
    if (toNs - fromNs > longest) stalls.push({ fromNs, toNs, open: gapOpen[gap]! });
  }
  return stalls;
}

const MIN_SPANS = 50;
/** One open request that takes its time is not a stall; three at once that all stand still are. */
const MIN_OPEN = 3;
const FALSE_ALARMS = 0.01;

/** Length of [from, to] inside the stalls, which are ascending and disjoint. */
export function timeWithin(stalls: readonly Pick<Stall, "fromNs" | "toNs">[], from: number, to: number): number {
  let low = 0;
  let high = stalls.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (stalls[middle]!.toNs <= from) low = middle + 1;
    else high = middle;
  }
  let sum = 0;
  for (let i = low; i < stalls.length && stalls[i]!.fromNs < to; i++)
    sum += Math.min(to, stalls[i]!.toNs) - Math.max(from, stalls[i]!.fromNs);
  return sum;
}
