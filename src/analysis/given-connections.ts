/** Connections that are asked for at once; older ones were taken for something else. */
const MAX_ASKED = 32;

/** An acquisition of a connection, its end, and what else its owner keeps of that moment. */
export interface Acquired {
  readonly at: number;
  readonly callee: number;
  readonly endNs: number;
  readonly ownNs: number;
}

/**
 * Which acquisition a statement was given its connection by, among the calls of one parent. Of several that are asked for at
 * once any may be given first, so that their order says nothing: the one that was given last before the statement, and
 * to no other statement, is its own.
 */
export class GivenConnections {
  private free: Acquired[] = [];

  /** Starts on another parent. */
  begin(): void {
    if (this.free.length > 0) this.free = [];
  }

  add(acquired: Acquired): void {
    this.free.push(acquired);
    if (this.free.length > MAX_ASKED) this.free.shift();
  }

  /** Takes the acquisition towards `callee` that ended last, not after `latestNs`; undefined for none. */
  take(callee: number, latestNs: number): Acquired | undefined {
    let best = -1;
    for (let i = 0; i < this.free.length; i++) {
      const one = this.free[i]!;
      if (one.endNs > latestNs || one.callee !== callee) continue;
      if (best < 0 || one.endNs >= this.free[best]!.endNs) best = i;
    }
    return best < 0 ? undefined : this.free.splice(best, 1)[0];
  }
}
