import type { Link, QueryOptions, Settings } from "./connection.ts";
import {
  EDGE_HOURS,
  EDGE_PARTS,
  EDGES,
  type EdgeHourRow,
  type EdgePartsRow,
  type EdgeRow,
  HOURS_WITH_SPANS,
  ROLLED_UP_EDGES,
  rollUpEdges,
} from "./queries/edges.ts";
import { rangeParameters } from "./queries/time-range.ts";
import type { Edges, ReadOptions, TimeRange } from "./store.ts";
import { highestHash, LARGEST_HASH } from "./trace-share.ts";

/** Spans that a join over traces looks at where nobody says which share. */
const SPANS_PER_JOIN = 1_000_000;
const HOUR_S = 3600;
const NS_PER_S = 1_000_000_000n;
const HOUR_NS = 3600n * NS_PER_S;

/** The rows of a part stay together, as their token is the block's; they are as many as kinds of calls in sixty minutes. */
const ONE_BLOCK: Settings = { min_insert_block_size_rows: "10000000", min_insert_block_size_bytes: "0" };

interface Reads {
  rows<Row>(query: string, options: QueryOptions): Promise<Row[]>;
  /** spans of a range, of traces whose hash is at most `highest` */
  countSpans(range: TimeRange, highest: bigint, signal: AbortSignal | undefined): Promise<number>;
}

/**
 * Calls between services. A join of spans with their parents finds them, which takes half a second of processor per
 * million spans; so each hour is joined once, when it is over, and kept by the minute.
 */
export class EdgeCounts {
  private readonly link: Link;
  private readonly database: string;
  private readonly reads: Reads;
  private readonly settings: Settings;
  private readonly spansPerJoin: number;

  /** settings: of inserts */
  constructor(link: Link, database: string, reads: Reads, settings: Settings, spansPerJoin: number = SPANS_PER_JOIN) {
    this.link = link;
    this.database = database;
    this.reads = reads;
    this.settings = settings;
    this.spansPerJoin = spansPerJoin;
  }

  async edges(range: TimeRange, { traceShare, signal }: ReadOptions & { traceShare?: number }): Promise<Edges> {
    if (traceShare !== undefined) return { edges: await this.joined(range, traceShare, signal), traceShare };
    const hours = await this.hoursOf(range, signal);
    const rolledUp = hours.reduce((sum, { hour, spans }) => sum + spans * shareOf(range, hour), 0);
    const rest = gaps(
      range,
      hours.map(({ hour }) => BigInt(hour) * NS_PER_S),
    );
    const counted = await Promise.all(rest.map((gap) => this.reads.countSpans(gap, LARGEST_HASH, signal)));
    const unread = counted.reduce((sum, spans) => sum + spans, 0);
    const share = Math.min(1, this.spansPerJoin / Math.max(1, unread));
    const parts: (readonly EdgeRow[])[] = [];
    if (hours.length > 0) {
      const parameters = { ...rangeParameters(range), hours: hours.map(({ hour }) => hour) };
      parts.push(await this.reads.rows<EdgeRow>(ROLLED_UP_EDGES, { parameters, signal }));
    }
    for (const [i, gap] of rest.entries()) if (counted[i]! > 0) parts.push(await this.joined(gap, share, signal));
    const all = rolledUp + unread;
    return { edges: merged(parts), traceShare: all === 0 ? 1 : (rolledUp + share * unread) / all };
  }

  async rollUp(range: TimeRange, { signal }: ReadOptions): Promise<number> {
    const done = new Set((await this.hoursOf(range, signal)).map(({ hour }) => hour));
    const rows = await this.reads.rows<{ hour: number }>(HOURS_WITH_SPANS, {
      parameters: rangeParameters(range),
      signal,
    });
    const isWhole = ({ hour }: { hour: number }): boolean => BigInt(hour + HOUR_S) * NS_PER_S <= range.toUnixNs;
    const open = rows.filter((row) => isWhole(row) && !done.has(row.hour));
    for (const { hour } of open) await this.rollUpHour(hour, signal);
    return open.length;
  }

  /**
   * In parts that a join can hold. Each part is one block and has a token, so that an hour which was cut off half way counts
   * nothing twice; of spans that came late meanwhile those in the rest of the parts are counted.
   */
  private async rollUpHour(hour: number, signal: AbortSignal | undefined): Promise<void> {
    const fromUnixNs = BigInt(hour) * NS_PER_S;
    const range = { fromUnixNs, toUnixNs: fromUnixNs + HOUR_NS };
    const spans = await this.reads.countSpans(range, LARGEST_HASH, signal);
    const parts = BigInt(await this.partsOf(hour, spans, signal));
    for (let i = 0n; i < parts; i++) {
      const [lowest, highest] = [(2n ** 64n * i) / parts, (2n ** 64n * (i + 1n)) / parts - 1n];
      await this.link.command(rollUpEdges(`${this.database}.`), {
        parameters: { ...rangeParameters(range), lowest, highest },
        settings: {
          ...this.settings,
          ...ONE_BLOCK,
          distributed_product_mode: "local",
          insert_deduplication_token: `edges ${hour} ${lowest} ${highest}`,
        },
        signal,
      });
    }
    const row = { time: String(hour), spans };
    await this.link.insertRows(`${this.database}.edge_hours`, [row], { settings: this.settings });
  }

  /** As written down when the hour was begun, by this process or one before it. */
  private async partsOf(hour: number, spans: number, signal: AbortSignal | undefined): Promise<number> {
    const noted = async (): Promise<number | undefined> =>
      (await this.reads.rows<EdgePartsRow>(EDGE_PARTS, { parameters: { hour }, signal }))[0]?.parts;
    const before = await noted();
    if (before !== undefined) return before;
    const parts = 2 ** Math.ceil(Math.log2(Math.max(1, spans / this.spansPerJoin)));
    await this.link.insertRows(`${this.database}.edge_parts`, [{ time: String(hour), parts }], {
      settings: this.settings,
    });
    return (await noted()) ?? parts;
  }

  private hoursOf(range: TimeRange, signal: AbortSignal | undefined): Promise<EdgeHourRow[]> {
    return this.reads.rows<EdgeHourRow>(EDGE_HOURS, { parameters: rangeParameters(range), signal });
  }

  private async joined(range: TimeRange, share: number, signal: AbortSignal | undefined): Promise<readonly EdgeRow[]> {
    const parameters = { ...rangeParameters(range), lowest: 0n, highest: highestHash(share) };
    const rows = await this.reads.rows<EdgeRow>(EDGES, { parameters, signal });
    return rows.map((row) => ({
      ...row,
      count: row.count / share,
      errors: row.errors / share,
      sumNs: row.sumNs / share,
    }));
  }
}

/** How much of an hour is in a range. */
function shareOf({ fromUnixNs, toUnixNs }: TimeRange, hour: number): number {
  const start = BigInt(hour) * NS_PER_S;
  const from = start > fromUnixNs ? start : fromUnixNs;
  const to = start + HOUR_NS < toUnixNs ? start + HOUR_NS : toUnixNs;
  return Number(to - from) / Number(HOUR_NS);
}

/** What is left of a range without these hours, which ascend. */
function gaps({ fromUnixNs, toUnixNs }: TimeRange, hours: readonly bigint[]): TimeRange[] {
  const rest: TimeRange[] = [];
  let from = fromUnixNs;
  for (const hour of hours) {
    if (hour > from) rest.push({ fromUnixNs: from, toUnixNs: hour });
    from = hour + HOUR_NS;
  }
  if (toUnixNs > from) rest.push({ fromUnixNs: from, toUnixNs });
  return rest;
}

function merged(parts: readonly (readonly EdgeRow[])[]): EdgeRow[] {
  const byName = new Map<string, EdgeRow>();
  for (const row of parts.flat()) {
    const key = JSON.stringify([row.caller, row.callee, row.operation]);
    const held = byName.get(key);
    byName.set(key, {
      ...row,
      count: row.count + (held?.count ?? 0),
      errors: row.errors + (held?.errors ?? 0),
      sumNs: row.sumNs + (held?.sumNs ?? 0),
    });
  }
  return [...byName].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, row]) => row);
}
