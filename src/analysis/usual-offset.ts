import type { SpanFacts } from "../model/span-facts.ts";

/** Beyond that many calls of one kind under a parent the places in line are no longer told apart. */
const MOST_PLACES = 256;

/**
 * Per span, how long after its parent a call of its kind begins on average, by its place in line among its parent's calls
 * of that kind: the first query, the second, ... Kinds are (service, operation, callee, statement) of parent and call.
 *
 * It tells in which order a program makes calls whose recorded starts are equal because a clock was too coarse for
 * them: over many traces the later call also falls into the later millisecond more often. The order in which spans were
 * received would tell the same where they come from one process in the order in which they ended, but is
 * lost on the way through any store.
 *
 * wanted: rows whose parent's calls are looked at, in order of start; for the others the result is 0. Sums are of whole
 * nanoseconds.
 */
export function usualOffsets(
  tree: {
    readonly rows: Int32Array;
    readonly childStart: Int32Array;
    readonly child: Int32Array;
    readonly startNs: Float64Array;
    readonly facts: SpanFacts;
  },
  wanted: (row: number) => boolean,
): Float64Array {
  const { rows, childStart, child, startNs, facts } = tree;
  const [names, targets, kinds] = [new PairIds(), new PairIds(), new PairIds()];
  const [edges, places] = [new PairIds(), new PairIds()];
  const kindOf = (row: number): number =>
    kinds.of(
      names.of(facts.service[row]!, facts.operation[row]!),
      targets.of(facts.callee[row]!, facts.statement[row]!),
    );
  const placeOf = new Int32Array(startNs.length).fill(-1);
  const sums: number[] = [];
  const counts: number[] = [];
  const inLine = new Map<number, number>();
  for (const up of rows) {
    const [from, to] = [childStart[up]!, childStart[up + 1]!];
    // A call without siblings has no order among them.
    if (to - from < 2 || !wanted(up)) continue;
    const parentKind = kindOf(up);
    inLine.clear();
    for (let i = from; i < to; i++) {
      const row = child[i]!;
      const kind = edges.of(parentKind, kindOf(row));
      const k = inLine.get(kind) ?? 0;
      inLine.set(kind, k + 1);
      const place = places.of(kind, Math.min(k, MOST_PLACES));
      placeOf[row] = place;
      sums[place] = (sums[place] ?? 0) + (startNs[row]! - startNs[up]!);
      counts[place] = (counts[place] ?? 0) + 1;
    }
  }
  const offset = new Float64Array(startNs.length);
  for (let row = 0; row < offset.length; row++) {
    const place = placeOf[row]!;
    if (place >= 0) offset[row] = sums[place]! / counts[place]!;
  }
  return offset;
}

/** A number for each pair of numbers, in the order in which they are met. */
class PairIds {
  private readonly ids = new Map<number, Map<number, number>>();
  private count = 0;

  of(a: number, b: number): number {
    let ofA = this.ids.get(a);
    if (ofA === undefined) this.ids.set(a, (ofA = new Map()));
    let id = ofA.get(b);
    if (id === undefined) ofA.set(b, (id = this.count++));
    return id;
  }
}
