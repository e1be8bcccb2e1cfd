import type { AccountsSettings } from "../../settings.ts";

interface Entry<V> {
  readonly value: V;
  readonly freshUntilMs: number;
}

/** Keeps the values last used, for a time. A value that is being fetched is waited for, not fetched twice. */
export class AccountCache<V> {
  readonly #settings: AccountsSettings["cache"];
  readonly #lock: AccountsSettings["refreshLock"];
  readonly #fetch: (id: number) => Promise<V | undefined>;
  /** the one used longest ago first */
  readonly #entries = new Map<number, Entry<V>>();
  readonly #fetching = new Map<number, Promise<V | undefined>>();
  #refresh: Promise<unknown> = Promise.resolve();

  constructor(
    settings: AccountsSettings["cache"],
    lock: AccountsSettings["refreshLock"],
    fetch: (id: number) => Promise<V | undefined>,
  ) {
    this.#settings = settings;
    this.#lock = lock;
    this.#fetch = fetch;
  }

  get(id: number): Promise<V | undefined> {
    const kept = this.#kept(id);
    if (kept !== undefined) return Promise.resolve(kept);
    return this.#lock === "global" ? this.#oneAtATime(id) : this.#onePerKey(id);
  }

  /** Keeps values that were got in another way, as if each had been fetched now. */
  fill(values: Iterable<readonly [number, V]>): void {
    for (const [id, value] of values) this.#keep(id, value);
  }

  #kept(id: number): V | undefined {
    const entry = this.#entries.get(id);
    if (entry === undefined) return undefined;
    this.#entries.delete(id);
    if (entry.freshUntilMs <= performance.now()) return undefined;
    this.#entries.set(id, entry);
    return entry.value;
  }

  #onePerKey(id: number): Promise<V | undefined> {
    const running = this.#fetching.get(id);
    if (running !== undefined) return running;
    const fetching = this.#fetchAndKeep(id).finally(() => this.#fetching.delete(id));
    this.#fetching.set(id, fetching);
    return fetching;
  }

  #oneAtATime(id: number): Promise<V | undefined> {
    // Who was before may have fetched the same.
    const refresh = this.#refresh.then(() => this.#kept(id) ?? this.#fetchAndKeep(id));
    this.#refresh = refresh.catch(() => {});
    return refresh;
  }

  async #fetchAndKeep(id: number): Promise<V | undefined> {
    const value = await this.#fetch(id);
    if (value !== undefined) this.#keep(id, value);
    return value;
  }

  #keep(id: number, value: V): void {
    if (this.#settings.entries === 0) return;
    this.#entries.set(id, { value, freshUntilMs: performance.now() + this.#settings.ttlMs });
    const oldest = this.#entries.keys().next();
    if (this.#entries.size > this.#settings.entries && !oldest.done) this.#entries.delete(oldest.value);
  }
}
