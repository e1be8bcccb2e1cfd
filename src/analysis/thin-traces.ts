import type { SpanTable } from "../model/span-table.ts";
import { statedWeights } from "./trace-weights.ts";

/** 2^52, what a double counts exactly. */
const TWO_52 = 2 ** 52;

/**
 * The tracestate of each span after its trace was kept with probability `share` (0 < share < 1) on top of what sampled it
 * before: OpenTelemetry's threshold says it, so that whoever weighs traces (traceWeights) weighs these rightly.
 * https://opentelemetry.io/docs/specs/otel/trace/tracestate-probability-sampling/
 */
export function thinnedStates(spans: SpanTable, share: number): (row: number) => string {
  const stated = statedWeights(spans);
  const known = new Map<string, string>();
  return (row) => {
    const weight = (stated[row] || 1) / share;
    const key = `${spans.traceState[row]} ${weight}`;
    let text = known.get(key);
    if (text === undefined) known.set(key, (text = withWeight(spans.strings.get(spans.traceState[row]!), weight)));
    return text;
  };
}

/** `state` with the threshold that says this weight, first in the list as W3C wants it of what was changed last. */
export function withWeight(state: string, weight: number): string {
  const members = state.split(",").map((member) => member.trim());
  const ours = members.find((member) => member.startsWith("ot="))?.slice(3) ?? "";
  const others = members.filter((member) => member !== "" && !member.startsWith("ot="));
  const kept = ours.split(";").filter((part) => part !== "" && !part.startsWith("th:"));
  return [`ot=${[`th:${thresholdOf(weight)}`, ...kept].join(";")}`, ...others].join();
}

/** Rejection threshold T of 56 bits with 1 - T / 2^56 = 1 / weight, in hex without trailing zeros. */
function thresholdOf(weight: number): string {
  const threshold = BigInt(Math.round((1 - 1 / weight) * TWO_52)) << 4n;
  return threshold.toString(16).padStart(14, "0").replace(/0+$/, "") || "0";
}
