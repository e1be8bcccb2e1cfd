/** A time in which an instance did nothing visible although requests were open. */
export interface Stall {
  readonly fromNs: number;
  readonly toNs: number;
  /** spans open throughout it */
  readonly open: number;
}

/**
 * Stalls of one process: gaps between consecutive span starts and ends, with at
 * least `MIN_OPEN` spans open, that are far longer than its usual gaps. An
 * event loop that is blocked or a stop-the-world collection stops *all* of its
 * requests at once; a slow request stops only itself.
 *
 * With events at rate λ while busy, a gap of length g has probability e^(-λg) per
 * event; over n events, gaps above ln(n / FALSE_ALARMS) / λ are expected less
 * than FALSE_ALARMS times. λ is taken from the median gap (ln 2 / median), which
 * the stalls themselves do not move.
 *
 * startNs, endNs: columns of the rows in `rows`, all of one instance.
 */
export function findStalls(rows: ArrayLike<number>, startNs: Float64Array, endNs: Float64Array, minStallNs: number): Stall[] {
  const n = rows.length;
  if (n < MIN_SPANS) return [];
  const times = new Float64Array(2 * n);
  for (let i = 0; i < n; i++) {
    times[i] = startNs[rows[i]!]!;
    times[n + i] = endNs[rows[i]!]!;
  }
  const order = Uint32Array.from(times.keys()).sort((a, b) => times[a]! - times[b]! || b - a);
  const gaps: { from: number; to: number; open: number }[] = [];
  let open = 0;
  for (let k = 0; k + 1 < order.length; k++) {
    open += order[k]! < n ? 1 : -1;
    if (open >= MIN_OPEN) gaps.push({ from: times[order[k]!]!, to: times[order[k + 1]!]!, open });
  }
  if (gaps.length < MIN_SPANS) return [];
  const lengths = Float64Array.from(gaps, (gap) => gap.to - gap.from).sort();
  const median = Math.max(1, lengths[lengths.length >> 1]!);
  const longest = Math.max(minStallNs, (Math.log(gaps.length / FALSE_ALARMS) * median) / Math.LN2);
  return gaps.filter((gap) => gap.to - gap.from > longest).map((gap) => ({ fromNs: gap.from, toNs: gap.to, open: gap.open }));
}

const MIN_SPANS = 50;
/** One open request that takes its time is not a stall; three at once that all stand still are. */
const MIN_OPEN = 3;
const FALSE_ALARMS = 0.01;
