import { addCallFrame, ROOT } from "../formats/v8-call-frame.ts";
import { StackTableBuilder } from "../model/stack-table-builder.ts";
import { FrameKind, SPAN_LABEL, TRACE_LABEL, type StackTable } from "../model/stack-table.ts";
import type { V8HeapNode, V8Profile } from "./cpu-profiler.ts";
import type { SpanSwitches } from "./span-switches.ts";

/** What is needed to put a window's profile on the calendar. */
export interface ProfiledWindow {
  readonly startUnixNs: bigint;
  readonly durationNs: number;
  readonly pid: number;
  /** the system's number of the thread, and what it is called */
  readonly tid: number;
  readonly threadName: string;
}

const NS_PER_US = 1000;

/**
 * V8's profile as a table: `wall` (nanoseconds) of each sample until the next one, with its time, and the labels of its span
 * where one was active. Idle time is one sample, without a time.
 */
export function cpuTable(profile: V8Profile, window: ProfiledWindow, switches: SpanSwitches | undefined): StackTable {
  const into = new StackTableBuilder();
  const wall = into.valueType("wall", "nanoseconds");
  const thread = threadOf(into, window);
  const { stackOf, isIdle } = stacksOf(profile, into);
  const { order, timeUs } = samplesInTime(profile);
  let idleNs = 0;
  let idleStack = -1;
  for (const [i, sample] of order.entries()) {
    const at = timeUs[sample]!;
    const next = i + 1 < order.length ? timeUs[order[i + 1]!]! : Math.max(at, profile.endTime);
    const ns = (next - at) * NS_PER_US;
    const node = profile.samples![sample]!;
    if (isIdle.has(node)) {
      idleNs += ns;
      idleStack = stackOf.get(node)!;
      continue;
    }
    const span = switches?.at(at);
    const offset = Math.max(0, (at - profile.startTime) * NS_PER_US);
    const row = into.sample(stackOf.get(node) ?? -1, thread, offset, span === undefined ? 0 : labelSet(into, span));
    into.setValue(row, wall, ns);
  }
  if (idleNs > 0) into.setValue(into.sample(idleStack, thread), wall, idleNs);
  return into.finish();
}

function threadOf(into: StackTableBuilder, { startUnixNs, durationNs, pid, tid, threadName }: ProfiledWindow): number {
  return into.thread(into.process({ startUnixNs, durationNs, pid }), tid, into.strings.intern(threadName));
}

function labelSet(into: StackTableBuilder, span: { readonly traceId: string; readonly spanId: string }): number {
  const text = (value: string): number => into.strings.intern(value);
  return into.labelSet([
    { key: text(TRACE_LABEL), value: text(span.traceId), isText: true },
    { key: text(SPAN_LABEL), value: text(span.spanId), isText: true },
  ]);
}

/** V8 hands some samples out late, with negative differences. */
function samplesInTime({ samples = [], timeDeltas = [], startTime }: V8Profile): {
  order: Uint32Array;
  timeUs: Float64Array;
} {
  const size = Math.min(samples.length, timeDeltas.length);
  const timeUs = new Float64Array(size);
  let now = startTime;
  for (let i = 0; i < size; i++) timeUs[i] = now += timeDeltas[i]!;
  const order = Uint32Array.from({ length: size }, (_, i) => i);
  order.sort((a, b) => timeUs[a]! - timeUs[b]! || a - b);
  return { order, timeUs };
}

function stacksOf(
  { nodes }: V8Profile,
  into: StackTableBuilder,
): { stackOf: ReadonlyMap<number, number>; isIdle: ReadonlySet<number> } {
  const byId = new Map(nodes.map((node) => [node.id, node]));
  const stackOf = new Map<number, number>();
  const isIdle = new Set<number>();
  const open = nodes.slice(0, 1).map(({ id }) => ({ id, parent: -1 }));
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    const { callFrame, children = [] } = byId.get(next.id)!;
    const { functionName, url, lineNumber } = callFrame;
    const frame = addCallFrame(into, functionName, url, lineNumber);
    const stack = frame === ROOT ? next.parent : into.stack(next.parent, frame);
    stackOf.set(next.id, stack);
    if (functionName === IDLE) isIdle.add(next.id);
    for (const id of children) if (byId.has(id) && !stackOf.has(id)) open.push({ id, parent: stack });
  }
  return { stackOf, isIdle };
}

const IDLE = "(idle)";

/** What was allocated in a window: `alloc_space` in bytes, by what V8 sampled. It tells no time of them, so they have no span. */
export function allocationTable(head: V8HeapNode, window: ProfiledWindow): StackTable {
  const into = new StackTableBuilder();
  const space = into.valueType("alloc_space", "bytes");
  const thread = threadOf(into, window);
  const open = [{ node: head, parent: -1 }];
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    const { functionName, url, lineNumber } = next.node.callFrame;
    const frame = addCallFrame(into, functionName, url, lineNumber);
    const stack = frame === ROOT ? next.parent : into.stack(next.parent, frame);
    if (next.node.selfSize > 0) into.setValue(into.sample(stack, thread), space, next.node.selfSize);
    for (const node of next.node.children) open.push({ node, parent: stack });
  }
  return into.finish();
}

/** Whether a table has more than idle time. */
export function isBusy({ samples, stacks, frames }: StackTable): boolean {
  return samples.stack.some((stack) => stack < 0 || frames.kind[stacks.frame[stack]!] !== FrameKind.idle);
}
