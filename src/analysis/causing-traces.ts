import { SpanRole } from "../model/span-facts.ts";
import type { TraceForest } from "../model/trace-forest.ts";
import type { FlowTable } from "./flows.ts";

/** For each trace the traces that it is the consequence of, in compressed rows; itself where nothing else caused it. */
export interface CausingTraces {
  /** traceCount + 1 positions in `cause` */
  readonly start: Int32Array;
  /** trace numbers, none of which has a cause of its own */
  readonly cause: Int32Array;
  /** of the trace's cost; those of one trace sum to 1 */
  readonly share: Float64Array;
}

/**
 * Who caused the work of a trace: the handling of a message is the consequence of the request that sent it, however many
 * queues lie between. A handler of a batch is shared equally by the senders of its messages. Traces that begin with the
 * call of a user (SERVER) cause themselves, whatever messages they handle on the way. Senders that were not
 * received, and circles of messages, cause nothing: such a trace stands for itself.
 */
export function causingTraces(forest: TraceForest, flows: FlowTable): CausingTraces {
  const direct = directCauses(forest, flows);
  const resolved: (ReadonlyMap<number, number> | undefined)[] = Array.from({ length: forest.traceCount });
  for (let trace = 0; trace < forest.traceCount; trace++) resolve(trace, direct, resolved);
  const start = new Int32Array(forest.traceCount + 1);
  for (let trace = 0; trace < forest.traceCount; trace++) start[trace + 1] = start[trace]! + resolved[trace]!.size;
  const cause = new Int32Array(start[forest.traceCount]!);
  const share = new Float64Array(cause.length);
  let at = 0;
  for (const shares of resolved) {
    for (const [trace, part] of shares!) {
      cause[at] = trace;
      share[at++] = part;
    }
  }
  return { start, cause, share };
}

/** Per trace that a message began: the traces of its senders, once per message. */
function directCauses({ trace, root, facts }: TraceForest, flows: FlowTable): ReadonlyMap<number, readonly number[]> {
  const direct = new Map<number, number[]>();
  for (let i = 0; i < flows.rowCount; i++) {
    const [from, to] = [trace[flows.producer[i]!]!, trace[flows.consumer[i]!]!];
    const role = facts.role[root[to]!];
    if (from === to || role === SpanRole.server || role === SpanRole.client) continue;
    const held = direct.get(to);
    if (held === undefined) direct.set(to, [from]);
    else held.push(from);
  }
  return direct;
}

/** Fills `resolved` for a trace and what it follows from; a stack of its own, since chains of messages may be long. */
function resolve(
  first: number,
  direct: ReadonlyMap<number, readonly number[]>,
  resolved: (ReadonlyMap<number, number> | undefined)[],
): void {
  const open = [first];
  const onPath = new Set(open);
  while (open.length > 0) {
    const trace = open.at(-1)!;
    const causes = direct.get(trace)?.filter((cause) => !onPath.has(cause) || resolved[cause] !== undefined) ?? [];
    const missing = causes.find((cause) => resolved[cause] === undefined);
    if (resolved[trace] === undefined && missing !== undefined) {
      open.push(missing);
      onPath.add(missing);
      continue;
    }
    resolved[trace] ??= causes.length === 0 ? new Map([[trace, 1]]) : joined(causes, resolved);
    open.pop();
    onPath.delete(trace);
  }
}

function joined(
  causes: readonly number[],
  resolved: readonly (ReadonlyMap<number, number> | undefined)[],
): ReadonlyMap<number, number> {
  const shares = new Map<number, number>();
  for (const cause of causes) {
    for (const [trace, part] of resolved[cause]!) shares.set(trace, (shares.get(trace) ?? 0) + part / causes.length);
  }
  return shares;
}
