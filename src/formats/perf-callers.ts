const NEWLINE = 0x0a;

/** Threads whose last chain is kept at most; of two that meet in a slot the later one stays. */
const MAX_THREADS = 4096;

/**
 * The chain that each thread had last, to begin the next one from: of two samples of a
 * thread most of the outer callers are the same text, and comparing bytes costs a tenth of reading lines.
 */
export class LastChains {
  private readonly slots: (LastChain | undefined)[] = [];

  of(thread: number): LastChain {
    const slot = thread % MAX_THREADS;
    let held = this.slots[slot];
    if (held === undefined || held.thread !== thread) this.slots[slot] = held = new LastChain(thread);
    return held;
  }
}

/** Text of a chain with the stack that each of its lines stands for. Lines are counted from the outermost, which is last in the text. */
export class LastChain {
  readonly thread: number;
  private text = new Uint8Array(256);
  private words = new DataView(this.text.buffer);
  private size = 0;
  /** bytes from the beginning of each line to the end of the chain */
  private readonly fromEnd: number[] = [];
  private readonly stacks: number[] = [];

  constructor(thread: number) {
    this.thread = thread;
  }

  /**
   * Forgets the lines that the chain `bytes[start, end)` does not end with. Returns how many bytes of it the
   * others are, line end before them included; `top` is their stack.
   */
  keepSame(bytes: Uint8Array, words: DataView, start: number, end: number): number {
    const same = this.sameEnd(bytes, words, start, end);
    let lines = this.fromEnd.length;
    // A line is the same if it is so from its beginning on, and if it begins there in the other text, too.
    while (lines > 0) {
      const size = this.fromEnd[lines - 1]!;
      if (size <= same && (end - size === start || bytes[end - size - 1] === NEWLINE)) break;
      lines--;
    }
    this.fromEnd.length = this.stacks.length = lines;
    const size = lines === 0 ? 0 : this.fromEnd[lines - 1]!;
    return size === 0 || end - size === start ? size : size + 1;
  }

  /** Stack of the lines so far. */
  get top(): number {
    return this.stacks.length === 0 ? -1 : this.stacks[this.stacks.length - 1]!;
  }

  /** The next line inward, which begins `fromEnd` bytes before the end of the chain. */
  add(fromEnd: number, stack: number): void {
    this.fromEnd.push(fromEnd);
    this.stacks.push(stack);
  }

  /** Keeps the text of the chain, of which all lines have been added. */
  remember(bytes: Uint8Array, start: number, end: number): void {
    this.size = end - start;
    if (this.size > this.text.length) {
      this.text = new Uint8Array(2 * this.size);
      this.words = new DataView(this.text.buffer);
    }
    this.text.set(bytes.subarray(start, end));
  }

  forget(): void {
    this.size = this.fromEnd.length = this.stacks.length = 0;
  }

  /** Bytes that both texts end with. */
  private sameEnd(bytes: Uint8Array, words: DataView, start: number, end: number): number {
    const { text, size } = this;
    const most = Math.min(size, end - start);
    let same = 0;
    while (same + 4 <= most && words.getInt32(end - same - 4) === this.words.getInt32(size - same - 4)) same += 4;
    while (same < most && bytes[end - same - 1] === text[size - same - 1]) same++;
    return same;
  }
}
