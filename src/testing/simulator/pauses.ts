/**
 * Times in which a process stands still (garbage collection, a blocked event
 * loop). Jobs are measured in running time, which these skip.
 */
export class Pauses {
  /** disjoint, ascending, ms */
  private readonly windows: readonly { readonly start: number; readonly end: number }[];
  private cursor = 0;

  constructor(windows: readonly { start: number; end: number }[]) {
    this.windows = windows;
  }

  /** When `work` ms of running time have passed after `from`. `from` may not go back by more than one pause between calls. */
  after(from: number, work: number): number {
    let i = this.firstEndingAfter(from);
    let now = from;
    let left = work;
    for (; i < this.windows.length; i++) {
      const { start, end } = this.windows[i]!;
      if (start > now) {
        if (now + left < start) return now + left;
        left -= start - now;
      }
      now = end;
    }
    return now + left;
  }

  /** Running time between two instants. */
  running(from: number, to: number): number {
    let paused = 0;
    for (let i = this.firstEndingAfter(from); i < this.windows.length && this.windows[i]!.start < to; i++) {
      const { start, end } = this.windows[i]!;
      paused += Math.min(end, to) - Math.max(start, from);
    }
    return to - from - paused;
  }

  private firstEndingAfter(time: number): number {
    let i = this.cursor;
    while (i > 0 && this.windows[i - 1]!.end > time) i--;
    while (i < this.windows.length && this.windows[i]!.end <= time) i++;
    this.cursor = i;
    return i;
  }
}

export const NO_PAUSES: Pauses = new Pauses([]);
