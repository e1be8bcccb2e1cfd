import type { CausingTraces } from "../../analysis/causing-traces.ts";
import { selfTimes } from "../../analysis/self-time.ts";
import { SpanRole } from "../../model/span-facts.ts";
import { AttributeType, findAttribute } from "../../model/attribute-table.ts";
import { oncePerWindow } from "../once-per-window.ts";
import type { Window } from "../window.ts";
import type { CostClasses } from "./cost-classes.ts";

/** Stretches of time of one length that cover a window of spans: what intervals resample. */
export interface Blocks {
  /** on the clock of the forest */
  readonly startNs: number;
  readonly widthNs: number;
  readonly count: number;
}

/** Work per class and block of time; a row more than there are classes holds what belongs to none. */
export type WorkByClass = readonly Float64Array[];

/** What the spans show of a window's work, carried up to the classes of requests that caused it. */
export interface BusyWork {
  /** own busy nanoseconds by service (string id): what its processes computed, or waited for without telling */
  readonly ownNs: ReadonlyMap<number, WorkByClass>;
  /** spans of the same, weighted, per block */
  readonly ownSpans: ReadonlyMap<number, Float64Array>;
  /** nanoseconds in which a database worked or was waited for, by its name (string id) */
  readonly databaseNs: ReadonlyMap<number, WorkByClass>;
  /** bytes of the bodies of requests, answers and messages, once for each hop; undefined where no span tells any */
  readonly bytes: WorkByClass | undefined;
  readonly blocks: Blocks;
}

/** Sizes of bodies as the conventions name them, old and new. */
const SIZE_KEYS = [
  ["http.request.body.size", "http.request_content_length"],
  ["http.response.body.size", "http.response_content_length"],
  ["messaging.message.body.size", "messaging.message_payload_size_bytes"],
  ["rpc.request.size"],
  ["rpc.response.size"],
];

const BUSY: ReadonlySet<number> = new Set([SpanRole.internal, SpanRole.server, SpanRole.consumer, SpanRole.producer]);

/** Own time per span row: what is not spent in calls, of roles whose own time is work. */
const workNs = oncePerWindow((window) => {
  const self = selfTimes(window.forest);
  return self.map((ns, row) => (BUSY.has(window.facts.role[row]!) ? ns : 0));
});

/** Busy nanoseconds of all spans of each trace, those that wait for a database included. */
export function workOfTraces(window: Window): Float64Array {
  const { forest, facts } = window;
  const work = workNs(window);
  const sum = new Float64Array(forest.traceCount);
  for (const row of forest.rows) {
    const isDatabase = facts.role[row] === SpanRole.database;
    sum[forest.trace[row]!]! += isDatabase ? forest.endNs[row]! - forest.startNs[row]! : work[row]!;
  }
  return sum;
}

export function busyWork(
  window: Window,
  causes: CausingTraces,
  { classes, ofTrace }: CostClasses,
  blocks: Blocks,
): BusyWork {
  const { forest, facts } = window;
  const ownNs = new Map<number, Float64Array[]>();
  const ownSpans = new Map<number, Float64Array>();
  const databaseNs = new Map<number, Float64Array[]>();
  const work = workNs(window);
  const sizes = sizeReader(window);
  const bytes = emptyWork(classes.length, blocks);
  let isSized = false;
  const add = (into: WorkByClass, trace: number, block: number, amount: number): void => {
    for (let i = causes.start[trace]!; i < causes.start[trace + 1]!; i++) {
      const found = ofTrace[causes.cause[i]!]!;
      const at = found < 0 ? classes.length : found;
      into[at]![block]! += amount * causes.share[i]! * forest.weight[trace]!;
    }
  };
  for (const row of forest.rows) {
    const middle = (forest.startNs[row]! + forest.endNs[row]!) / 2;
    const block = Math.min(blocks.count - 1, Math.max(0, Math.floor((middle - blocks.startNs) / blocks.widthNs)));
    const trace = forest.trace[row]!;
    if (work[row]! > 0) {
      const service = facts.service[row]!;
      add(workOf(ownNs, service, classes.length, blocks), trace, block, work[row]!);
      if (!ownSpans.has(service)) ownSpans.set(service, new Float64Array(blocks.count));
      ownSpans.get(service)![block]! += forest.weight[trace]!;
    }
    if (facts.role[row] === SpanRole.database) {
      const duration = forest.endNs[row]! - forest.startNs[row]!;
      add(workOf(databaseNs, facts.callee[row]!, classes.length, blocks), trace, block, duration);
    }
    const size = sizes(row);
    if (size === undefined) continue;
    isSized = true;
    add(bytes, trace, block, size);
  }
  return { ownNs, ownSpans, databaseNs, bytes: isSized ? bytes : undefined, blocks };
}

/** Bytes of a span; of a call, those of the answering span count, unless it is not there. */
function sizeReader(window: Window): (row: number) => number | undefined {
  const { spans, forest, facts } = window;
  const keys = usedKeys(window);
  // Few systems tell any: what is not there is not looked for in each span.
  if (keys.every((ids) => ids.length === 0)) return () => undefined;
  return (row) => {
    const isCall = facts.role[row] === SpanRole.client || facts.role[row] === SpanRole.producer;
    if (isCall && forest.childStart[row + 1]! > forest.childStart[row]!) return undefined;
    let bytes: number | undefined;
    for (const ids of keys) {
      const at = ids.map((id) => findAttribute(spans.attributes, row, id)).find((place) => place >= 0);
      const isNumber = at !== undefined && spans.attributes.type[at] === AttributeType.number;
      const value = isNumber ? spans.attributes.value[at]! : Number.NaN;
      if (value >= 0) bytes = (bytes ?? 0) + value;
    }
    return bytes;
  };
}

/** String ids of those of SIZE_KEYS that some span has. */
function usedKeys({ spans }: Window): number[][] {
  const ids = SIZE_KEYS.map((names) => names.map((name) => spans.strings.intern(name)));
  const wanted = new Set(ids.flat());
  const used = new Set<number>();
  for (let at = 0; at < spans.attributes.key.length && used.size < wanted.size; at++) {
    const key = spans.attributes.key[at]!;
    if (wanted.has(key)) used.add(key);
  }
  return ids.map((names) => names.filter((id) => used.has(id)));
}

function workOf(into: Map<number, Float64Array[]>, key: number, classes: number, blocks: Blocks): Float64Array[] {
  let held = into.get(key);
  if (held === undefined) into.set(key, (held = emptyWork(classes, blocks)));
  return held;
}

const emptyWork = (classes: number, { count }: Blocks): Float64Array[] =>
  Array.from({ length: classes + 1 }, () => new Float64Array(count));

/** Finer ones hold too few requests, and no more tell more. */
const MAX_BLOCKS = 30;

/**
 * Blocks that cover all spans. With metrics they begin and end where windows of the metrics do (`stepNs`, one of which
 * begins at `gridNs`): what is measured for a window is not mixed with the work of the next.
 */
export function blocksOf({ forest }: Window, gridNs: number, stepNs: number): Blocks | undefined {
  let [fromNs, toNs] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  for (const row of forest.rows) {
    fromNs = Math.min(fromNs, forest.startNs[row]!);
    toNs = Math.max(toNs, forest.endNs[row]!);
  }
  if (!(toNs > fromNs)) return undefined;
  const least = (toNs - fromNs) / MAX_BLOCKS;
  if (!(stepNs > 0)) return { startNs: fromNs, widthNs: least, count: MAX_BLOCKS };
  const widthNs = stepNs * Math.ceil(least / stepNs);
  const startNs = gridNs + stepNs * Math.floor((fromNs - gridNs) / stepNs);
  return { startNs, widthNs, count: Math.ceil((toNs - startNs) / widthNs) };
}
