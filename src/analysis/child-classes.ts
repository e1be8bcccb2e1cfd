/**
 * How many of the most recently started kinds of call a new call is compared with. A parent rarely has more kinds
 * than this; where it has, an older call is connected through those in between. It keeps a parent of n calls of n
 * different kinds from costing n² comparisons.
 */
const MAX_RECENT = 32;

/**
 * The children of one parent span, told apart by call-path node: small local numbers for the nodes, in order of
 * their first start, with the latest end of each. Reused from parent to parent without allocation.
 */
export class ChildClasses {
  /** local classes seen under this parent */
  count = 0;
  /** per local class: its node, latest end so far, calls, calls in error, row of the last started call */
  node: Int32Array = new Int32Array(16);
  latestEndNs: Float64Array = new Float64Array(16);
  calls: Int32Array = new Int32Array(16);
  failures: Int32Array = new Int32Array(16);
  lastRow: Int32Array = new Int32Array(16);
  /** local classes, the most recently started first, at most MAX_RECENT */
  readonly recent: Int32Array = new Int32Array(MAX_RECENT);
  recentCount = 0;
  /** number of the parent, from 1 */
  serial = 0;
  private readonly seenAt: Int32Array;
  private readonly localOf: Int32Array;

  constructor(nodeCount: number) {
    this.seenAt = new Int32Array(nodeCount);
    this.localOf = new Int32Array(nodeCount);
  }

  /** Starts on another parent. */
  begin(): void {
    this.serial++;
    this.count = 0;
    this.recentCount = 0;
  }

  /** Local class of `node`; -1 when no call of it was added yet. */
  find(node: number): number {
    return this.seenAt[node] === this.serial ? this.localOf[node]! : -1;
  }

  /** Takes note of a call, in order of start; returns its local class. */
  add(node: number, row: number, endNs: number, failed: boolean): number {
    let local = this.find(node);
    if (local < 0) {
      local = this.count++;
      if (local === this.node.length) this.growColumns();
      this.seenAt[node] = this.serial;
      this.localOf[node] = local;
      this.node[local] = node;
      this.latestEndNs[local] = -Infinity;
      this.calls[local] = 0;
      this.failures[local] = 0;
    }
    if (endNs > this.latestEndNs[local]!) this.latestEndNs[local] = endNs;
    this.calls[local]!++;
    if (failed) this.failures[local]!++;
    this.lastRow[local] = row;
    this.moveToFront(local);
    return local;
  }

  private moveToFront(local: number): void {
    const { recent } = this;
    let at = 0;
    while (at < this.recentCount && recent[at] !== local) at++;
    if (at === this.recentCount) {
      if (this.recentCount < MAX_RECENT) this.recentCount++;
      else at--;
    }
    for (; at > 0; at--) recent[at] = recent[at - 1]!;
    recent[0] = local;
  }

  private growColumns(): void {
    const bigger = <T extends Int32Array | Float64Array>(column: T, copy: T): T => {
      copy.set(column as never);
      return copy;
    };
    const size = this.node.length * 2;
    this.node = bigger(this.node, new Int32Array(size));
    this.latestEndNs = bigger(this.latestEndNs, new Float64Array(size));
    this.calls = bigger(this.calls, new Int32Array(size));
    this.failures = bigger(this.failures, new Int32Array(size));
    this.lastRow = bigger(this.lastRow, new Int32Array(size));
  }
}
