import { rankCorrelation } from "../../analysis/rank-correlation.ts";
import { NS_PER_S } from "../../model/units.ts";
import { inFlightCounts } from "../contention.ts";
import { count, percent } from "../wording.ts";
import type { Comparison, RegressionClaim } from "./affected.ts";
import type { Culprit } from "./attribution.ts";
import { countsIn, type Slice } from "./operations.ts";
import { mapToFloats } from "../../model/map-column.ts";

/** Requests per second before and now, where both can be told. */
export interface LoadChange {
  readonly before: number;
  readonly now: number;
}

/** Fewest traces from which a rate is read (100 arrivals at random tell it to within 20 %), and the shortest time: below, bursts rule. */
const MIN_TRACES = 100;
const MIN_NS = 2e9;
const MIN_RATIO = 1.3;
/** Rank correlation of an operation's self time with the requests in its process: far beyond chance for some hundred spans. */
const MIN_CORRELATION = 0.2;

/** Rate of arrivals in both slices; undefined when a window is too short or too small, or the rate hardly rose. */
export function loadIncrease(now: Slice, before: Slice): LoadChange | undefined {
  const rates = { now: arrivalRate(now), before: arrivalRate(before) };
  return rates.now !== undefined && rates.before !== undefined && rates.now >= MIN_RATIO * rates.before
    ? { now: rates.now, before: rates.before }
    : undefined;
}

function arrivalRate(slice: Slice): number | undefined {
  const { forest } = slice.window;
  let traces = 0;
  let weight = 0;
  let first = Number.POSITIVE_INFINITY;
  let last = Number.NEGATIVE_INFINITY;
  for (let trace = 0; trace < forest.traceCount; trace++) {
    if (!countsIn(slice, trace)) continue;
    traces++;
    weight += forest.weight[trace]!;
    const at = forest.startNs[forest.root[trace]!]!;
    first = Math.min(first, at);
    last = Math.max(last, at);
  }
  return traces < MIN_TRACES || last - first < MIN_NS ? undefined : (weight / (last - first)) * NS_PER_S;
}

/** Whether the own work of a culprit takes longer the more requests its process has open: it waits, for want of capacity. */
export function growsWithLoad({ operations }: Comparison, culprit: Culprit): number | undefined {
  const main = culprit.own[0];
  if (main === undefined) return undefined;
  const { slice, rows, selfNs } = operations.now;
  const { process } = inFlightCounts(slice.window);
  const own = rows[main.operation.id]!;
  const correlation = rankCorrelation(
    mapToFloats(own, (row) => selfNs[row]!),
    mapToFloats(own, (row) => process[row]!),
  );
  return own.length >= MIN_TRACES && correlation >= MIN_CORRELATION ? correlation : undefined;
}

/** The same claim with more load as its cause. */
export function becauseOfLoad(
  claim: RegressionClaim,
  { before, now }: LoadChange,
  correlation: number,
): RegressionClaim {
  const { explanation } = claim;
  const { service } = explanation.subject;
  const rates = `${count(before)} -> ${count(now)} requests per second`;
  return {
    ...claim,
    explanation: {
      ...explanation,
      mechanism: "load-increase",
      subject: { service },
      title: `${service} is at its limit since the load went up: ${rates}`,
      why: `${percent(now / before - 1)} more requests than at the time of the baseline, and ${service}'s own work takes longer the more of them it has open (rank correlation ${correlation.toFixed(2)}). ${explanation.why}`,
      chain: [
        explanation.chain[0]!,
        { claim: `the load rose: ${rates}`, evidence: [explanation.evidence.length] },
        ...explanation.chain.slice(1),
      ],
      evidence: [
        ...explanation.evidence,
        { kind: "statistic", text: rates, query: "root spans per second, both windows" },
      ],
      counter: [
        ...explanation.counter,
        "rates are those of the recorded traces: another sampling rate without weights looks like another load",
      ],
      refutedBy: `${service} is as slow at the load of the baseline`,
      remedy: {
        text: `Add capacity to ${service} (instances, cores), shed or spread the load; look at who sends more.`,
      },
    },
  };
}
