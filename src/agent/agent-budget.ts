/** Readings of which the mean has to be above the budget: one that is busy for a moment is not over it. */
const READINGS = 6;

/**
 * Holds the agent's own use against what it may take. The first readings, in which it reads symbols and its code is compiled,
 * do not count, nor do those right after something was given up.
 */
export class AgentBudget {
  private readonly cores: number;
  private readonly bytes: number;
  private readonly readings: number[] = [];
  private skipped = READINGS;

  constructor(cores: number, bytes: number) {
    this.cores = cores;
    this.bytes = bytes;
  }

  /** Takes in a reading; says what is beyond the budget, if anything is. */
  judge(cores: number, bytes: number): "processor" | "memory" | undefined {
    if (this.skipped > 0) {
      this.skipped--;
      return undefined;
    }
    this.readings.push(cores);
    if (bytes > this.bytes) return this.begun("memory");
    if (this.readings.length < READINGS) return undefined;
    const mean = this.readings.slice(-READINGS).reduce((sum, value) => sum + value, 0) / READINGS;
    return mean > this.cores ? this.begun("processor") : undefined;
  }

  /** What was given up shows in the readings from now on. */
  private begun<T>(what: T): T {
    this.readings.length = 0;
    this.skipped = 1;
    return what;
  }
}
