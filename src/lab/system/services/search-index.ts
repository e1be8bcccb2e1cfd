interface IndexEntry {
  readonly id: number;
  readonly key: string;
  readonly tags: readonly string[];
}

const INDEX_ENTRIES = 300_000;

<<<<<<< HEAD
=======
/** Results that are kept, so that the next page of a search needs no second one. */
const KEPT_RESULTS = 200;

>>>>>>> 2091856 (Doses: garbage that is collected in vain, a thread pool at its limit, and a table that doubles within seconds; both recorded again)
/**
 * Work on each request that makes `objects` objects of short life, while an index
 * of many objects is alive, which each full collection has to walk through. Named
 * as in a real service: profiles show the names, and must not tell the fault.
 */
export function indexAccounts(objects: number): (text: string) => void {
  if (objects === 0) return () => {};
  const index = new Map<number, IndexEntry>();
  for (let id = 0; id < INDEX_ENTRIES; id++) index.set(id, { id, key: `key-${id}`, tags: [`tag-${id % 50}`] });
  return function rankMatches(text) {
    const found: { entry: IndexEntry | undefined; score: number; label: string }[] = [];
    for (let i = 0; i < objects; i++) {
      const entry = index.get((text.length * 7919 + i * 31) % INDEX_ENTRIES);
      found.push({ entry, score: i / (1 + text.length), label: `${entry?.key} ${i}` });
    }
    found.sort((a, b) => b.score - a.score);
  };
}
