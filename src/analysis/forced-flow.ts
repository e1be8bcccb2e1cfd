import type { Gate } from "./littles-law.ts";

/** Calls of one service as both ends show them. */
export interface Flow {
  readonly service: string;
  /** calls of it that callers recorded, in traces that hold spans of it elsewhere as well */
  readonly called: number;
  /** those of them below which it recorded a span */
  readonly served: number;
}

/** As much as a demand may be off because of them. */
const MAX_MISSING = 0.05;
/** Below this a share means little. */
const MIN_CALLS = 20;

/**
 * Forced flow law X_k = V_k X (Denning & Buzen 1978) held against spans: what callers send a service is what it
 * serves. Services that never send spans are not meant (a database): of those that do, every call has a span.
 */
export function forcedFlow(flows: readonly Flow[]): Gate {
  const checked = flows.filter(({ called }) => called >= MIN_CALLS);
  let worst: Flow | undefined;
  for (const flow of checked) if (worst === undefined || missing(flow) > missing(worst)) worst = flow;
  if (worst === undefined)
    return { name: "forced-flow", ok: true, error: 0, detail: "no service is called by another often enough to check" };
  const error = missing(worst);
  const share = `${(100 * error).toFixed(1)} % of ${worst.called} calls of ${worst.service} have no span there`;
  if (error > MAX_MISSING) return { name: "forced-flow", ok: false, error, detail: `${share}: its load is not known` };
  const detail = error === 0 ? `every call of ${checked.length} services has its span there` : `at most ${share}`;
  return { name: "forced-flow", ok: true, error, detail };
}

const missing = ({ called, served }: Flow): number => 1 - served / called;

/** Share of spans in traces that are incomplete, so that their load is counted in part. */
export function missingSpans(spans: number, inIncompleteTraces: number): Gate {
  const error = spans === 0 ? 0 : inIncompleteTraces / spans;
  const ok = error <= MAX_MISSING;
  const detail = `${(100 * error).toFixed(1)} % of ${spans} spans are in incomplete traces`;
  return { name: "missing-spans", ok, error, detail: ok ? detail : `${detail}: what they used is not counted` };
}
