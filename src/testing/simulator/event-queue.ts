/**
 * Simulated time (ms) and what happens in it: a binary heap of callbacks,
 * ordered by time and, at equal times, by who was scheduled first, which makes
 * every run of the same seed the same.
 */
export class EventQueue {
  /** ms after the start of the window */
  now = 0;
  private times = new Float64Array(1 << 10);
  private order = new Float64Array(1 << 10);
  private readonly actions: (() => void)[] = [];
  private size = 0;
  private scheduled = 0;

  /** Calls `action` at `time`, or now if that is past. */
  at(time: number, action: () => void): void {
    if (this.size === this.times.length) this.grow();
    const seq = this.scheduled++;
    const when = time > this.now ? time : this.now;
    let i = this.size++;
    while (i > 0) {
      const up = (i - 1) >> 1;
      // an equal time was scheduled earlier: it stays above
      if (this.times[up]! <= when) break;
      this.move(up, i);
      i = up;
    }
    this.times[i] = when;
    this.order[i] = seq;
    this.actions[i] = action;
  }

  after(delay: number, action: () => void): void {
    this.at(this.now + delay, action);
  }

  /** Runs until nothing is left to happen; returns the number of events. */
  run(): number {
    let events = 0;
    while (this.size > 0) {
      this.now = this.times[0]!;
      const action = this.actions[0]!;
      this.removeFirst();
      action();
      events++;
    }
    return events;
  }

  private removeFirst(): void {
    const last = --this.size;
    const time = this.times[last]!;
    const seq = this.order[last]!;
    const action = this.actions.pop()!;
    if (last === 0) return;
    let i = 0;
    for (;;) {
      let child = 2 * i + 1;
      if (child >= last) break;
      if (child + 1 < last && this.before(child + 1, child)) child++;
      if (this.times[child]! > time || (this.times[child] === time && this.order[child]! > seq)) break;
      this.move(child, i);
      i = child;
    }
    this.times[i] = time;
    this.order[i] = seq;
    this.actions[i] = action;
  }

  private before(a: number, b: number): boolean {
    return this.times[a]! < this.times[b]! || (this.times[a] === this.times[b] && this.order[a]! < this.order[b]!);
  }

  private move(from: number, to: number): void {
    this.times[to] = this.times[from]!;
    this.order[to] = this.order[from]!;
    this.actions[to] = this.actions[from]!;
  }

  private grow(): void {
    const times = new Float64Array(2 * this.times.length);
    times.set(this.times);
    this.times = times;
    const order = new Float64Array(2 * this.order.length);
    order.set(this.order);
    this.order = order;
  }
}
