interface IndexEntry {
  readonly id: number;
  readonly key: string;
  readonly tags: readonly string[];
}

const INDEX_ENTRIES = 300_000;

/** Results that are kept, so that the next page of a search needs no second one. */
const KEPT_RESULTS = 200;

/**
 * Work on each request that makes `objects` objects, while an index of many objects
 * is alive, which each full collection has to walk through. The results of the last
 * requests are kept for some seconds: long enough to be moved to the old generation,
 * where only full collections free them again. Named as in a real service: profiles
 * show the names, and must not tell the fault.
 */
export function indexAccounts(objects: number): (text: string) => void {
  if (objects === 0) return () => {};
  const index = new Map<number, IndexEntry>();
  const kept: unknown[] = [];
  let requests = 0;
  for (let id = 0; id < INDEX_ENTRIES; id++) index.set(id, { id, key: `key-${id}`, tags: [`tag-${id % 50}`] });
  return function rankMatches(text) {
    const found: { entry: IndexEntry | undefined; score: number; label: string }[] = [];
    for (let i = 0; i < objects; i++) {
      const entry = index.get((text.length * 7919 + i * 31) % INDEX_ENTRIES);
      found.push({ entry, score: i / (1 + text.length), label: `${entry?.key} ${i}` });
    }
    found.sort((a, b) => b.score - a.score);
    kept[requests++ % KEPT_RESULTS] = found;
  };
}
