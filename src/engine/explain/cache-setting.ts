import { cacheLimit, type CacheLimit } from "../../analysis/cache-limit.ts";
import { attributeText, AttributeType, findAttribute } from "../../model/attribute-table.ts";
import type { Window } from "../window.ts";
import { count, ms, percent } from "../wording.ts";

/** The setting of a cache that its misses point at. */
export interface CacheSetting {
  readonly setting: "entries" | "ttl";
  /** "entries: about 20 -> 280 (…)" */
  readonly change: string;
  /** the step of the chain, and what to do */
  readonly claim: string;
  readonly remedy: string;
  /** what shows it, as evidence */
  readonly evidence: { readonly kind: "statistic"; readonly text: string; readonly query: string };
}

/** What a request asks for: its path with the parameters in it. The first that a span has counts. */
const KEYS: readonly string[] = ["url.full", "http.url", "url.path", "http.target"];

/**
 * Whether the cache that these spans ask is too small, forgets too early or keeps nothing: by when a key is answered that was
 * asked for before. The key is the path of the request that a span serves, so it takes one with the parameter in it, and all
 * requests: of sampled ones nobody knows what was asked in between.
 * @param asking rows of the spans that ask the cache @param missing those of them that then fetched
 */
export function cacheSetting(
  window: Window,
  asking: Int32Array,
  missing: ReadonlySet<number>,
): CacheSetting | undefined {
  const { forest, facts } = window;
  const requests = new Map<number, boolean>();
  const keyOf = keyReader(window);
  const keys = new Map<string, number>();
  const keyOfRequest = new Map<number, number>();
  const instances = new Map<number, number>();
  for (const row of asking) {
    if (forest.weight[forest.trace[row]!] !== 1) return undefined;
    let request = row;
    let text = keyOf(request);
    while (text === undefined) {
      const parent = forest.parent[request]!;
      if (parent < 0 || facts.service[parent] !== facts.service[row]) break;
      request = parent;
      text = keyOf(request);
    }
    if (text === undefined) continue;
    requests.set(request, (requests.get(request) ?? false) || missing.has(row));
    if (!keys.has(text)) keys.set(text, keys.size);
    keyOfRequest.set(request, keys.get(text)!);
    const instance = facts.instance[row]!;
    instances.set(instance, (instances.get(instance) ?? 0) + 1);
  }
  // Each process has a cache of its own: the one that was asked most tells most.
  const [instance] = [...instances].reduce((most, one) => (one[1] > most[1] ? one : most), [-1, 0]);
  const rows = [...requests.keys()]
    .filter((row) => facts.instance[row] === instance)
    .sort((a, b) => forest.startNs[a]! - forest.startNs[b]!);
  const found = cacheLimit({
    key: Int32Array.from(rows, (row) => keyOfRequest.get(row)!),
    startNs: Float64Array.from(rows, (row) => forest.startNs[row]!),
    endNs: Float64Array.from(rows, (row) => forest.endNs[row]!),
    missed: Uint8Array.from(rows, (row) => Number(requests.get(row))),
  });
  return found === undefined ? undefined : settingOf(found);
}

function settingOf(found: CacheLimit): CacheSetting {
  const { repeats, misses, keys, accuracy } = found;
  const seen = `${count(repeats)} requests asked for one of ${count(keys)} keys again, and ${percent(misses / repeats)} of them fetched it again`;
  const query = "requests by their path: other paths, and time, since the same one was asked for";
  const [kept, nothing, each] =
    repeats === misses ? ["0", "nothing", "each"] : ["hardly any", "next to nothing", "nearly each"];
  const size = range(found, count);
  const life = range(found, ms);
  const enough = `${count(found.enoughEntries)} (answers 95 % of those that repeat here)`;
  switch (found.kind) {
    case "nothing kept":
      return {
        setting: "entries",
        change: `entries: ${kept} -> ${enough}`,
        claim: `the cache keeps ${nothing}: ${each} repeated request fetches anew`,
        remedy: "Look whether the cache is on, and give it room for what is asked for.",
        evidence: {
          kind: "statistic",
          text: `${seen}, however soon: ${nothing} is kept (the cache is off, or far too small)`,
          query,
        },
      };
    case "entries":
      return {
        setting: "entries",
        change: `entries: ${size} -> ${enough}`,
        claim: `the cache holds ${size} entries, and ${count(keys)} different keys are asked for`,
        remedy: "Give the cache room for what is in use; look at the memory that this takes.",
        evidence: {
          kind: "statistic",
          text: `${seen}: those after fewer than ${count(found.low)} other keys were answered, those after ${count(found.high)} or more were not (true of ${percent(accuracy)}), as of a cache of ${size} entries`,
          query,
        },
      };
    case "lifetime":
      return {
        setting: "ttl",
        claim: `the cache forgets a value ${life} after it was fetched, before it is asked for again`,
        remedy: "Keep values longer, as far as they may be out of date.",
        change: `ttl: ${life} -> ${ms(Math.max(found.enoughNs, 2 * found.high))} (would answer 95 % of those that repeat here, if values may be so old)`,
        evidence: {
          kind: "statistic",
          text: `${seen}: those within ${ms(found.low)} of the fetch were answered, those after ${ms(found.high)} were not (true of ${percent(accuracy)}), as of values that are kept so long`,
          query,
        },
      };
  }
}

/** What would look alike. */
export const CACHE_COUNTER =
  "the path of a request is taken for the key of the cache, and each process for having a cache of its own: answers that differ by user or language, or a cache that processes share, would look alike";

/** Where hits end and misses begin are near each other: one number says it. */
const NEAR = 1.2;

const range = ({ low, high }: CacheLimit, text: (value: number) => string): string =>
  high <= NEAR * low ? `about ${text(high)}` : `${text(low)} to ${text(high)}`;

function keyReader({ spans }: Window): (row: number) => string | undefined {
  const ids = KEYS.map((key) => spans.strings.intern(key));
  const queryId = spans.strings.intern("url.query");
  const textOf = (row: number, id: number): string | undefined => {
    const at = findAttribute(spans.attributes, row, id);
    if (at < 0 || spans.attributes.type[at] !== AttributeType.string) return undefined;
    return attributeText(spans.attributes, spans.strings, at);
  };
  return (row) => {
    for (const id of ids) {
      const text = textOf(row, id);
      if (text === undefined) continue;
      const query = textOf(row, queryId);
      return query === undefined || text.includes("?") ? text : `${text}?${query}`;
    }
    return undefined;
  };
}
