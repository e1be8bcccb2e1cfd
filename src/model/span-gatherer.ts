import type { AttributeTable, AttributeType } from "./attribute-table.ts";
import { SpanTableBuilder } from "./span-table-builder.ts";
import type { SpanTable } from "./span-table.ts";
import type { StringPool } from "./string-pool.ts";

const TWO_32 = 2 ** 32;

/**
 * Gathers rows of any number of tables into one, in the order of the calls of `add`.
 *
 * Strings and resources get their numbers in the order in which a decoder of OTLP meets them, so that a gathered table
 * and the same spans written to a file and read again are equal column by column, and so is whatever is computed of them.
 */
export class SpanGatherer {
  private readonly builder = new SpanTableBuilder();
  private readonly resources = new Map<string, number>();

  /** Where rows of `table` are taken from. `rewrite` gives the name and the tracestate that a row gets instead of its own. */
  source(table: SpanTable, rewrite: RowRewrite = {}): SpanSource {
    return new SpanSource(table, this.builder, this.resources, rewrite);
  }

  finish(): { table: SpanTable; outOfRange: number } {
    return this.builder.finish();
  }
}

/** Texts that replace those of a row; undefined keeps them. */
export interface RowRewrite {
  readonly name?: (row: number) => string | undefined;
  readonly traceState?: (row: number) => string | undefined;
}

/** A table that rows are taken from. */
export class SpanSource {
  private readonly table: SpanTable;
  private readonly into: SpanTableBuilder;
  private readonly resources: Map<string, number>;
  private readonly rewrite: RowRewrite;
  private readonly strings: StringMap;
  /** -1 until the resource is taken */
  private readonly resourceIds: Int32Array;
  private readonly baseHigh: number;
  private readonly baseLow: number;
  /** first event and link of each row; one more than rows */
  private readonly eventStart: Int32Array;
  private readonly linkStart: Int32Array;
  private readonly linkWords = new Uint32Array(6);

  constructor(table: SpanTable, into: SpanTableBuilder, resources: Map<string, number>, rewrite: RowRewrite) {
    this.table = table;
    this.into = into;
    this.resources = resources;
    this.rewrite = rewrite;
    this.strings = new StringMap(table.strings, into.strings);
    this.resourceIds = new Int32Array(table.resources.listCount).fill(-1);
    this.baseHigh = Number(table.baseUnixNs >> 32n);
    this.baseLow = Number(table.baseUnixNs & 0xffff_ffffn);
    this.eventStart = startsOf(table.events.span, table.rowCount);
    this.linkStart = startsOf(table.links.span, table.rowCount);
  }

  add(row: number): void {
    const { table, into, strings } = this;
    const resource = this.resource(table.resource[row]!);
    into.begin(resource, strings.of(table.scope[row]!));
    const to = into.open;
    this.words(into.startWords, to, table.startOffsetNs[row]!);
    this.words(into.endWords, to, table.endOffsetNs[row]!);
    for (let i = 0; i < 4; i++) into.traceId[4 * to + i] = table.traceId[4 * row + i]!;
    for (let i = 0; i < 2; i++) into.spanId[2 * to + i] = table.spanId[2 * row + i]!;
    for (let i = 0; i < 2; i++) into.parentSpanId[2 * to + i] = table.parentSpanId[2 * row + i]!;
    into.kind[to] = table.kind[row]!;
    into.status[to] = table.status[row]!;
    const state = this.rewrite.traceState?.(row);
    into.traceState[to] = state === undefined ? strings.of(table.traceState[row]!) : into.strings.intern(state);
    const name = this.rewrite.name?.(row);
    into.name[to] = name === undefined ? strings.of(table.name[row]!) : into.strings.intern(name);
    this.list(table.attributes, row, into.attributes);
    this.events(row);
    this.links(row);
    into.commit();
  }

  private events(row: number): void {
    const { table, into } = this;
    for (let i = this.eventStart[row]!; i < this.eventStart[row + 1]!; i++) {
      this.words(this.linkWords, 0, table.events.timeOffsetNs[i]!);
      const name = this.strings.of(table.events.name[i]!);
      this.list(table.events.attributes, i, into.eventAttributes);
      into.addEvent(this.linkWords[0]!, this.linkWords[1]!, name);
    }
  }

  private links(row: number): void {
    const { links } = this.table;
    for (let i = this.linkStart[row]!; i < this.linkStart[row + 1]!; i++) {
      this.linkWords.set(links.traceId.subarray(4 * i, 4 * i + 4), 0);
      this.linkWords.set(links.spanId.subarray(2 * i, 2 * i + 2), 4);
      this.into.addLink(this.linkWords);
    }
  }

  private list(
    from: AttributeTable,
    list: number,
    to: { add(key: number, type: AttributeType, value: number): void },
  ): void {
    const { strings } = this;
    for (let row = from.listStart[list]!; row < from.listStart[list + 1]!; row++) {
      const type = from.type[row]! as AttributeType;
      const key = strings.of(from.key[row]!);
      // Numbers and booleans stand there themselves, strings and JSON as ids.
      to.add(key, type, type === 1 || type === 2 ? from.value[row]! : strings.of(from.value[row]!));
    }
  }

  private resource(list: number): number {
    const known = this.resourceIds[list]!;
    if (known >= 0) return known;
    const rows: number[] = [];
    this.list(this.table.resources, list, { add: (key, type, value) => void rows.push(key, type, value) });
    const text = rows.join();
    let id = this.resources.get(text);
    if (id === undefined) {
      const { resources } = this.into;
      for (let i = 0; i < rows.length; i += 3) resources.add(rows[i]!, rows[i + 1] as AttributeType, rows[i + 2]!);
      id = resources.closeList();
      this.resources.set(text, id);
    }
    this.resourceIds[list] = id;
    return id;
  }

  /** The 64-bit time of an offset; exact, as offsets are below 2^53. */
  private words(into: Uint32Array, at: number, offsetNs: number): void {
    const low = this.baseLow + offsetNs;
    const carry = Math.floor(low / TWO_32);
    into[2 * at] = this.baseHigh + carry;
    into[2 * at + 1] = low - carry * TWO_32;
  }
}

/** Ids of one pool's strings in another, each looked up once. */
class StringMap {
  private readonly from: StringPool;
  private readonly to: StringPool;
  private ids: Int32Array;

  constructor(from: StringPool, to: StringPool) {
    this.from = from;
    this.to = to;
    this.ids = new Int32Array(from.size).fill(-1);
  }

  of(id: number): number {
    if (id >= this.ids.length) this.extend();
    const known = this.ids[id]!;
    if (known >= 0) return known;
    const taken = this.to.intern(this.from.get(id));
    this.ids[id] = taken;
    return taken;
  }

  private extend(): void {
    const longer = new Int32Array(this.from.size).fill(-1);
    longer.set(this.ids);
    this.ids = longer;
  }
}

/** First row of each owner in an ascending column of owners, and its length at the end. */
function startsOf(owners: Int32Array, count: number): Int32Array {
  const starts = new Int32Array(count + 1);
  for (const owner of owners) starts[owner + 1]!++;
  for (let i = 0; i < count; i++) starts[i + 1]! += starts[i]!;
  return starts;
}
