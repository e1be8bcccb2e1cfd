import type { CausingTraces } from "../../analysis/causing-traces.ts";
import { SpanFlag } from "../../model/trace-forest.ts";
import type { Window } from "../window.ts";
import type { TenantAttribute } from "./tenant-attribute.ts";

/** Requests of one endpoint and, where an attribute names it, one tenant: who causes costs. */
export interface CostClass {
  /** string ids */
  readonly service: number;
  readonly operation: number;
  /** "" where the requests name none */
  readonly tenant: string;
  /** requests that came in, weighted; messages that another request caused are none */
  requests: number;
}

export interface CostClasses {
  readonly classes: readonly CostClass[];
  /** per trace: class of it as a cause, -1 where the beginning of the trace was not received */
  readonly ofTrace: Int32Array;
}

/** Classes of all traces that cause costs, in the order in which they are met. */
export function costClasses(
  { forest }: Window,
  causes: CausingTraces,
  tenant: TenantAttribute | undefined,
): CostClasses {
  const known = new Map<string, number>();
  const classes: CostClass[] = [];
  const ofTrace = new Int32Array(forest.traceCount).fill(-1);
  for (let trace = 0; trace < forest.traceCount; trace++) {
    const row = forest.root[trace]!;
    const isWhole = forest.complete[trace] === 1 || (forest.flags[row]! & SpanFlag.orphan) === 0;
    const isCause = causes.cause[causes.start[trace]!] === trace;
    if (!isWhole || !isCause) continue;
    const service = forest.facts.service[row]!;
    const operation = forest.facts.operation[row]!;
    const name = tenant?.ofTrace(trace) ?? "";
    const key = `${service} ${operation} ${name}`;
    let at = known.get(key);
    if (at === undefined) {
      known.set(key, (at = classes.length));
      classes.push({ service, operation, tenant: name, requests: 0 });
    }
    classes[at]!.requests += forest.weight[trace]!;
    ofTrace[trace] = at;
  }
  return { classes, ofTrace };
}
