/** Stretches in which a span was at work of its own; one row may have several. Columns of one length, in any order. */
export interface OwnStretches {
  readonly row: Int32Array;
  readonly startNs: Float64Array;
  readonly endNs: Float64Array;
}

/** Samples of one process (or one thread), times on the clock of the stretches. Columns of one length, in any order. */
export interface TimedSamples {
  readonly timeNs: Float64Array;
  readonly ns: Float64Array;
  /** row of the span that the sample itself names, or one of NOT_NAMED and NOBODY */
  readonly owner: Int32Array;
}

/** The sample does not say whose it is. */
export const NOT_NAMED = -1;
/** It says that it is of no span, where others of its kind name theirs. */
export const NOBODY = -2;

/**
 * Whose a sample is.
 * "named": the sample says it. "sole": nobody else was at work in the process at that moment. "one-of": several were, and it is
 * dealt out evenly. "waits": another request's sample, for which this one stood waiting, as one thread serves all of them;
 * "waits-surely" where the sample says that it is not this one's.
 */
export type SampleOwner = "named" | "sole" | "one-of" | "waits" | "waits-surely";

/**
 * Gives the samples of a process to the spans that were at work at their time, one call of `give` for each part. `onlyThread`: one
 * thread serves all requests, so that whoever is at work while it works for another one waits for it.
 * Samples at moments without any span at work are given to nobody. The parts of a sample other than waits sum to it.
 * O((n + m) log(n + m) + parts).
 */
export function ownersOfSamples(
  { row, startNs, endNs }: OwnStretches,
  { timeNs, ns, owner }: TimedSamples,
  onlyThread: boolean,
  give: (sample: number, row: number, ns: number, how: SampleOwner) => void,
): void {
  const bySample = orderBy(timeNs);
  const byStart = orderBy(startNs);
  const byEnd = orderBy(endNs);
  const active = new Map<number, number>();
  let [started, ended] = [0, 0];
  for (const sample of bySample) {
    const at = timeNs[sample]!;
    // Half-open: a stretch that ends at `at` is over, one that starts there has begun.
    while (started < byStart.length && startNs[byStart[started]!]! <= at) {
      const one = row[byStart[started++]!]!;
      active.set(one, (active.get(one) ?? 0) + 1);
    }
    while (ended < byEnd.length && endNs[byEnd[ended]!]! <= at) {
      const one = row[byEnd[ended++]!]!;
      const left = (active.get(one) ?? 0) - 1;
      if (left > 0) active.set(one, left);
      else active.delete(one);
    }
    const value = ns[sample]!;
    const named = owner[sample]!;
    if (named !== NOT_NAMED) {
      if (named >= 0) give(sample, named, value, "named");
      if (onlyThread)
        for (const other of active.keys()) if (other !== named) give(sample, other, value, "waits-surely");
      continue;
    }
    const n = active.size;
    for (const one of active.keys()) {
      give(sample, one, value / n, n === 1 ? "sole" : "one-of");
      if (onlyThread && n > 1) give(sample, one, (value * (n - 1)) / n, "waits");
    }
  }
}

const orderBy = (values: Float64Array): Int32Array =>
  Int32Array.from(values.keys()).sort((a, b) => values[a]! - values[b]! || a - b);
