import { type AttributeTable, AttributeType } from "../../model/attribute-table.ts";
import type { MetricTable } from "../../model/metric-table.ts";
import type { StringPool } from "../../model/string-pool.ts";
import { attributeItems } from "./attribute-text.ts";
import { contentHash } from "./content-hash.ts";

/** What of a table its series are named by. */
type SeriesColumns = Pick<
  MetricTable,
  "name" | "unit" | "kind" | "temporality" | "monotonic" | "resource" | "labelSet" | "scope" | "resources" | "labels"
>;

const COLUMNS = ["name", "unit", "kind", "temporality", "monotonic", "resource", "labelSet", "scope"] as const;

/**
 * Ids of series as they are stored: the same series has the same in every table. An id is a hash of all that names
 * the series, as text.
 *
 * Tables that one builder makes number their series alike, each having those of the one before and more; of such
 * only the new ones are hashed. To make these texts for all was half of what receiving metrics took (bench/remote-write.ts).
 */
export class SeriesKeys {
  private readonly known = new WeakMap<StringPool, KnownKeys>();

  /** By series. */
  of(table: MetricTable): BigUint64Array {
    let keys = this.known.get(table.strings);
    if (keys === undefined || !continues(table, keys)) {
      keys = { columns: table, ids: new BigUint64Array(table.seriesCount), count: 0 };
      this.known.set(table.strings, keys);
    }
    if (table.seriesCount > keys.ids.length) {
      const ids = new BigUint64Array(Math.max(table.seriesCount, 2 * keys.ids.length));
      ids.set(keys.ids.subarray(0, keys.count));
      keys.ids = ids;
    }
    const resources = new ListTexts(table.resources, table.strings);
    const labels = new ListTexts(table.labels, table.strings);
    for (; keys.count < table.seriesCount; keys.count++)
      keys.ids[keys.count] = idOf(table, keys.count, resources, labels);
    keys.columns = columnsOf(table);
    return keys.ids.subarray(0, table.seriesCount);
  }
}

interface KnownKeys {
  columns: SeriesColumns;
  ids: BigUint64Array;
  /** ids that are known */
  count: number;
}

/** Without the points, which would be held with it. */
function columnsOf({
  name,
  unit,
  kind,
  temporality,
  monotonic,
  resource,
  labelSet,
  scope,
  resources,
  labels,
}: SeriesColumns): SeriesColumns {
  return { name, unit, kind, temporality, monotonic, resource, labelSet, scope, resources, labels };
}

/** Whether the table begins with the series that are known. Strings are of one pool, so their numbers tell. */
function continues(table: MetricTable, { columns, count }: KnownKeys): boolean {
  if (table.seriesCount < count) return false;
  for (const name of COLUMNS) if (!beginsWith(table[name], columns[name])) return false;
  return (["resources", "labels"] as const).every((lists) => {
    const [now, before] = [table[lists], columns[lists]];
    return (["listStart", "key", "type", "value"] as const).every((column) => beginsWith(now[column], before[column]));
  });
}

type Column = Int32Array | Uint8Array | Float64Array;

function beginsWith(column: Column, start: Column): boolean {
  if (column.length < start.length) return false;
  // The builder's own memory, which only grows.
  if (column.buffer === start.buffer && column.byteOffset === start.byteOffset) return true;
  for (let i = 0; i < start.length; i++) if (!Object.is(column[i], start[i])) return false;
  return true;
}

function idOf(table: MetricTable, series: number, resources: ListTexts, labels: ListTexts): bigint {
  const { strings } = table;
  return contentHash(
    JSON.stringify([
      strings.get(table.name[series]!),
      strings.get(table.unit[series]!),
      table.kind[series],
      table.temporality[series],
      table.monotonic[series],
      strings.get(table.scope[series]!),
      resources.text(table.resource[series]!),
      labels.text(table.labelSet[series]!),
    ]),
  );
}

/** Texts of lists, their attributes by key: in the table they are by the numbers of the keys, which mean nothing elsewhere. */
export class ListTexts {
  private readonly lists: AttributeTable;
  private readonly strings: StringPool;
  private readonly texts = new Map<number, string>();

  constructor(lists: AttributeTable, strings: StringPool) {
    this.lists = lists;
    this.strings = strings;
  }

  text(list: number): string {
    let text = this.texts.get(list);
    if (text === undefined) {
      text = JSON.stringify(this.triples(list).flat());
      this.texts.set(list, text);
    }
    return text;
  }

  /** `service.name` of a list, where it is a text; undefined where it has none. */
  service(list: number): string | undefined {
    const named = this.triples(list).find(
      ([key, type, value]) => key === "service.name" && type === AttributeType.string && value !== "",
    );
    return named === undefined ? undefined : String(named[2]);
  }

  private triples(list: number): (string | number)[][] {
    const items = attributeItems(this.lists, list, this.strings);
    const triples: (string | number)[][] = [];
    for (let i = 0; i < items.length; i += 3) triples.push(items.slice(i, i + 3));
    return triples.sort((a, b) => (String(a[0]) < String(b[0]) ? -1 : 1));
  }
}
