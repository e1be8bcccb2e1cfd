import type { StackTableBuilder } from "../model/stack-table-builder.ts";

/**
 * The chain that was read last, with the stack at each of its frames, to begin the next one from: of two samples
 * of a thread most of the outer callers are the same, and comparing their numbers costs a fifth of looking them up.
 */
export class CallPath {
  /** the outermost first */
  private frames = new Int32Array(64);
  private stacks = new Int32Array(64);
  private depth = 0;

  /** The stack in `into` (always the same one) of `frames[0, count)`, the innermost first; -1 for an empty one. */
  stackOf(frames: Int32Array, count: number, into: StackTableBuilder): number {
    if (count > this.frames.length) this.grow(count);
    const { frames: own, stacks } = this;
    const most = Math.min(count, this.depth);
    let level = 0;
    while (level < most && own[level] === frames[count - 1 - level]) level++;
    let stack = level === 0 ? -1 : stacks[level - 1]!;
    for (; level < count; level++) {
      const frame = frames[count - 1 - level]!;
      stack = into.stack(stack, frame);
      own[level] = frame;
      stacks[level] = stack;
    }
    this.depth = count;
    return stack;
  }

  private grow(count: number): void {
    this.frames = new Int32Array(2 * count);
    this.stacks = new Int32Array(2 * count);
    this.depth = 0;
  }
}

/** A chain as it is read: frames, the innermost first. */
export class FrameList {
  frames: Int32Array = new Int32Array(256);
  count = 0;

  push(frame: number): void {
    this.reserve();
    this.frames[this.count++] = frame;
  }

  /** Makes room for one more at least. */
  reserve(): void {
    if (this.count < this.frames.length) return;
    const bigger = new Int32Array(2 * this.count);
    bigger.set(this.frames);
    this.frames = bigger;
  }
}
