/**
 * Ends of the calls of one parent: has one ended lately, and when does the k-th last of a kind end? Cleared from
 * parent to parent.
 */
export class GreatestEnds {
  /** ends not yet known to lie before the asked-for time, a binary min-heap */
  private heap: number[] = [];
  private readonly ofClasses = new Map<number, number[]>();

  clear(): void {
    this.heap.length = 0;
    if (this.ofClasses.size > 0) this.ofClasses.clear();
  }

  add(endNs: number): void {
    const { heap } = this;
    let at = heap.length;
    heap.push(endNs);
    while (at > 0) {
      const up = (at - 1) >> 1;
      if (heap[up]! <= endNs) break;
      heap[at] = heap[up]!;
      at = up;
    }
    heap[at] = endNs;
  }

  /** Did a call end after `fromNs` and at or before `latestNs`? Times asked for must ascend: ends before `startNs` are forgotten. */
  anyWithin(fromNs: number, latestNs: number, startNs: number): boolean {
    const { heap } = this;
    let found = false;
    while (heap.length > 0 && heap[0]! <= startNs) {
      if (heap[0]! > fromNs) found = true;
      this.pop();
    }
    return found || (heap.length > 0 && heap[0]! <= latestNs);
  }

  /** Adds a call's end to those of class `local`, of which the `k` greatest are kept. */
  addToClass(local: number, k: number, endNs: number): void {
    let kept = this.ofClasses.get(local);
    if (kept === undefined) this.ofClasses.set(local, (kept = []));
    insertAscending(kept, endNs, k);
  }

  /** The k-th greatest end of class `local`; -Infinity while it has fewer: there are places left. */
  ofClass(local: number, k: number): number {
    const kept = this.ofClasses.get(local);
    return kept === undefined || kept.length < k ? -Infinity : kept[0]!;
  }

  private pop(): void {
    const { heap } = this;
    const last = heap.pop()!;
    const n = heap.length;
    if (n === 0) return;
    let at = 0;
    for (;;) {
      let down = 2 * at + 1;
      if (down >= n) break;
      if (down + 1 < n && heap[down + 1]! < heap[down]!) down++;
      if (heap[down]! >= last) break;
      heap[at] = heap[down]!;
      at = down;
    }
    heap[at] = last;
  }
}

/** Keeps the `k` greatest values, ascending. */
function insertAscending(kept: number[], value: number, k: number): void {
  if (kept.length === k) {
    if (value <= kept[0]!) return;
    kept.shift();
  }
  let at = kept.length;
  kept.push(value);
  for (; at > 0 && kept[at - 1]! > value; at--) kept[at] = kept[at - 1]!;
  kept[at] = value;
}
