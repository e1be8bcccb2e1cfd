import { SpanKind, type SpanTable } from "../model/span-table.ts";
import { SpanFlag, type TraceForest } from "../model/trace-forest.ts";
import { linksTo } from "./parent-links.ts";
import { mapToInts } from "../model/map-column.ts";

/** Messages from the span that sent them to the spans that handled them: one row per pair of sender and handler. */
export interface FlowTable {
  readonly rowCount: number;
  /** span row of the sender, ascending; one message may have several handlers, a handler several messages (a batch) */
  readonly producer: Int32Array;
  /** span row of the handler, ascending per producer; may be of another trace */
  readonly consumer: Int32Array;
  /** end of the sender to start of the handler, at least 0 */
  readonly queueNs: Float64Array;
  /** start of the sender to end of the handler, at least the handler's own duration */
  readonly latencyNs: Float64Array;
  /** 1 where the handler started before the sender ended: asynchronous sending, or clocks that are apart */
  readonly overlaps: Uint8Array;
  /** 1 for the handler of this message that ends last: with it the flow ends */
  readonly last: Uint8Array;
  /** row of `groups` */
  readonly group: Int32Array;
  readonly groups: FlowGroups;
}

/** Flows of the same kind: who sends what where, and who handles it. Numbered in the order in which they were met. */
export interface FlowGroups {
  readonly rowCount: number;
  /** string ids */
  readonly producerService: Int32Array;
  readonly producerOperation: Int32Array;
  /** queue or topic as the sender names it, -1 where it does not */
  readonly destination: Int32Array;
  readonly consumerService: Int32Array;
  readonly consumerOperation: Int32Array;
  /** flows of the group */
  readonly flows: Int32Array;
}

/**
 * All flows of the forest. A handler belongs to a sender
 * - within a trace, as its asynchronous child, one of the two being a messaging span
 *   (CONSUMER below a span of another service or a PRODUCER, SERVER of another service below a PRODUCER);
 * - across traces and within, by a span link: from a CONSUMER to any span, or from any span to a PRODUCER.
 * Both at once count once. Links to spans that were not received are no flows.
 *
 * A message that is passed on by its handler is a flow of its own for each leg.
 */
export function findFlows(forest: TraceForest): FlowTable {
  const pairs = new Map<number, true>();
  const n = forest.spans.rowCount;
  for (const row of forest.rows) {
    if (isDelivery(forest, row)) pairs.set(forest.parent[row]! * n + row, true);
  }
  const targets = linkTargets(forest);
  const { links, kind } = forest.spans;
  for (let i = 0; i < links.rowCount; i++) {
    const from = targets[i]!;
    const row = links.span[i]!;
    if (from < 0 || from === row || forest.trace[row]! < 0) continue;
    if (kind[row] === SpanKind.consumer || kind[from] === SpanKind.producer) pairs.set(from * n + row, true);
  }
  const keys = Float64Array.from(pairs.keys()).sort();
  return measureFlows(
    forest,
    mapToInts(keys, (key) => Math.floor(key / n)),
    mapToInts(keys, (key) => key % n),
  );
}

function isDelivery(forest: TraceForest, row: number): boolean {
  if ((forest.flags[row]! & SpanFlag.asynchronous) === 0) return false;
  const { kind } = forest.spans;
  return kind[row] === SpanKind.consumer || kind[forest.parent[row]!] === SpanKind.producer;
}

/** Per link: row of the span it names, -1 where that was not received. The table is over the links, of which there are few. */
function linkTargets(forest: TraceForest): Int32Array {
  const { spans } = forest;
  const { links } = spans;
  const target = new Int32Array(links.rowCount).fill(-1);
  if (links.rowCount === 0) return target;
  let size = 8;
  while (size < 2 * links.rowCount) size *= 2;
  /** per slot: first link + 1, 0 = free; further links with the same hash follow by `chain` */
  const slots = new Int32Array(size);
  const chain = new Int32Array(links.rowCount);
  for (let i = 0; i < links.rowCount; i++) {
    const slot = slotOf(links, i, size);
    chain[i] = slots[slot]!;
    slots[slot] = i + 1;
  }
  for (const row of forest.rows) {
    for (let i = slots[slotOf(spans, row, size)]! - 1; i >= 0; i = chain[i]! - 1) {
      if (target[i]! < 0 && linksTo(spans, i, row)) target[i] = row;
    }
  }
  return target;
}

function slotOf(table: Pick<SpanTable, "spanId">, row: number, size: number): number {
  const hash = Math.imul(table.spanId[2 * row]! ^ Math.imul(table.spanId[2 * row + 1]!, 0x85ebca6b), 0x9e3779b1);
  return (hash ^ (hash >>> 15)) & (size - 1);
}

/** producer, consumer: pairs ascending by both. */
function measureFlows(forest: TraceForest, producer: Int32Array, consumer: Int32Array): FlowTable {
  const { startNs, endNs } = forest;
  const rowCount = producer.length;
  const queueNs = new Float64Array(rowCount);
  const latencyNs = new Float64Array(rowCount);
  const overlaps = new Uint8Array(rowCount);
  const last = new Uint8Array(rowCount);
  for (let i = 0, lastOfProducer = 0; i < rowCount; i++) {
    const from = producer[i]!;
    const to = consumer[i]!;
    const gap = startNs[to]! - endNs[from]!;
    queueNs[i] = Math.max(0, gap);
    overlaps[i] = gap < 0 ? 1 : 0;
    latencyNs[i] = Math.max(endNs[to]! - startNs[from]!, endNs[to]! - startNs[to]!);
    if (i === 0 || producer[i - 1] !== from || endNs[to]! > endNs[consumer[lastOfProducer]!]!) {
      if (i > 0 && producer[i - 1] === from) last[lastOfProducer] = 0;
      last[i] = 1;
      lastOfProducer = i;
    }
  }
  return {
    rowCount,
    producer,
    consumer,
    queueNs,
    latencyNs,
    overlaps,
    last,
    ...groupFlows(forest, producer, consumer),
  };
}

function groupFlows(
  forest: TraceForest,
  producer: Int32Array,
  consumer: Int32Array,
): { group: Int32Array; groups: FlowGroups } {
  const { service, operation, callee } = forest.facts;
  const group = new Int32Array(producer.length);
  const known = new Map<string, number>();
  const first: number[] = [];
  const flows: number[] = [];
  for (let i = 0; i < producer.length; i++) {
    const [from, to] = [producer[i]!, consumer[i]!];
    const key = [service[from], operation[from], callee[from], service[to], operation[to]].join();
    let g = known.get(key);
    if (g === undefined) {
      g = first.push(i) - 1;
      known.set(key, g);
      flows.push(0);
    }
    group[i] = g;
    flows[g]!++;
  }
  const pick = (column: Int32Array, rows: Int32Array): Int32Array => mapToInts(first, (i) => column[rows[i]!]!);
  return {
    group,
    groups: {
      rowCount: first.length,
      producerService: pick(service, producer),
      producerOperation: pick(operation, producer),
      destination: pick(callee, producer),
      consumerService: pick(service, consumer),
      consumerOperation: pick(operation, consumer),
      flows: Int32Array.from(flows),
    },
  };
}
