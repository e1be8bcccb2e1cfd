import { benjaminiHochberg } from "../../analysis/false-discovery.ts";
import { growthOf, type SampleGrowth } from "../../analysis/sample-change.ts";
import type { Operation, Operations } from "./operations.ts";
import { mapToFloats } from "../../model/map-column.ts";

/** An operation whose self time (of a call: transit, or time in the callee) can be compared. */
export interface OperationGrowth {
  readonly operation: Operation;
  readonly growth: SampleGrowth;
  readonly qValue: number;
  /** significant among all operations, and enough of it to matter to anybody */
  readonly grown: boolean;
  /** large, but of too few spans to be significant among so many operations */
  readonly suspected: boolean;
  /** mean growth of one span */
  readonly perSpanNs: number;
  /** self time of all spans now */
  readonly totalNs: number;
  /** growth over all spans, per trace of the slice */
  readonly perTraceNs: number;
  readonly spansNow: number;
  readonly spansBefore: number;
}

/** Fewest spans before: below, nothing is known of what was usual. One span now can be out of all proportion to it. */
const MIN_SPANS = 5;
const Q = 0.01;
/** Clocks and schedulers wobble by this much; less is never a cause. */
const MIN_GROWTH_NS = 20e3;
/**
 * Uncorrected p-values (by rank, by logarithm) and growth of what is worth a second look though no proof. Logarithms
 * are held to more, since the tails of latencies are heavier than lognormal.
 */
const SUSPICION = { p: 0.05, logP: 1e-4, factor: 2, ns: 1e6 } as const;
/** Part of an operation's self time that has to lie on critical paths: nobody waits for the rest. */
const ON_PATH = 0.1;
/** Two windows of one healthy system differ by some percent wherever there are enough spans to see it. */
const MIN_FACTOR = 1.15;

/** Growth of every operation with enough spans in both slices, most per trace first. ownNs: see `Comparison`. */
export function growthByOperation(operations: Operations, ownNs: Float64Array): OperationGrowth[] {
  const { list, now, before } = operations;
  const compared = list.filter(
    ({ id }) => now.rows[id]!.length > 0 && before.rows[id]!.length >= MIN_SPANS && isOnPath(now, id, ownNs),
  );
  const growths = compared.map(({ id }) => growthOf(selfOf(before, id), selfOf(now, id)));
  const qValues = benjaminiHochberg(mapToFloats(growths, (growth) => growth.pValue));
  return compared
    .map((operation, i): OperationGrowth => {
      const growth = growths[i]!;
      const spansNow = now.rows[operation.id]!.length;
      const perSpanNs = growth.excess / spansNow;
      const totalNs = now.rows[operation.id]!.reduce((sum, row) => sum + now.selfNs[row]!, 0);
      return {
        operation,
        growth,
        qValue: qValues[i]!,
        grown: qValues[i]! <= Q && perSpanNs >= MIN_GROWTH_NS && growth.factor >= MIN_FACTOR,
        suspected:
          (growth.pValue <= SUSPICION.p || growth.logPValue <= SUSPICION.logP) &&
          perSpanNs >= SUSPICION.ns &&
          growth.factor >= SUSPICION.factor,
        perSpanNs,
        totalNs,
        perTraceNs: growth.excess / Math.max(1, now.traces),
        spansNow,
        spansBefore: before.rows[operation.id]!.length,
      };
    })
    .sort((a, b) => b.perTraceNs - a.perTraceNs || a.operation.id - b.operation.id);
}

/** A handler that runs beside the call that it waits for has self time of its length, but nobody waits for it in turn. */
function isOnPath({ rows, selfNs }: Operations["now"], id: number, ownNs: Float64Array): boolean {
  let self = 0;
  let own = 0;
  for (const row of rows[id]!) {
    self += selfNs[row]!;
    own += ownNs[row]!;
  }
  return own >= ON_PATH * self;
}

const selfOf = (side: Operations["now"], id: number): Float64Array =>
  mapToFloats(side.rows[id]!, (row) => side.selfNs[row]!);
