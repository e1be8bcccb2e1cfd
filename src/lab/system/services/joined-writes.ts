/** Holds writes back for a moment, so that those that come together are written together. */
export class JoinedWrites {
  readonly #delayMs: number;
  #next: Promise<void> | undefined;

  constructor(delayMs: number) {
    this.#delayMs = delayMs;
  }

  /** Resolves when the group that a write of now belongs to is due. */
  turn(): Promise<void> {
    if (this.#delayMs === 0) return Promise.resolve();
    this.#next ??= new Promise((resolve) => {
      setTimeout(() => {
        this.#next = undefined;
        resolve();
      }, this.#delayMs);
    });
    return this.#next;
  }
}
