import { attributeText, AttributeType } from "../model/attribute-table.ts";
import type { SpanTable } from "../model/span-table.ts";
import type { TraceForest } from "../model/trace-forest.ts";
import type { StringPool } from "../model/string-pool.ts";

export interface Sampling {
  /** `unknown`: nothing in the data speaks of sampling */
  readonly kind: "none" | "head" | "tail" | "unknown";
  /** traces whose weight the data state */
  readonly weightedTraces: number;
}

/**
 * How the traces were chosen, as far as the spans say. `tail`: attributes of a
 * tail sampler (OpenTelemetry Collector, Refinery); `head`: stated probabilities
 * below 1; `none`: all stated probabilities are 1.
 */
export function describeSampling(forest: TraceForest): Sampling {
  const { spans, traceCount } = forest;
  const stated = statedWeights(spans);
  const traces = new Uint8Array(traceCount);
  let sampled = false;
  for (let row = 0; row < stated.length; row++) {
    if (stated[row] === 0 || forest.trace[row]! < 0) continue;
    traces[forest.trace[row]!] = 1;
    sampled ||= stated[row]! > 1;
  }
  const weightedTraces = traces.reduce((sum, one) => sum + one, 0);
  if (hasAnyKey(spans, TAIL_KEYS)) return { kind: "tail", weightedTraces };
  return { kind: weightedTraces === 0 ? "unknown" : sampled ? "head" : "none", weightedTraces };
}

/**
 * Per trace: how many traces it stands for, the inverse of its sampling
 * probability. The root's statement counts; without one, the largest of its
 * spans', since a trace is as rare as its most thinned part. 1 where nothing is stated.
 * trace: per span, -1 for none; root: per trace.
 */
export function traceWeights(spans: SpanTable, trace: Int32Array, root: Int32Array): Float64Array {
  const stated = statedWeights(spans);
  const weight = new Float64Array(root.length).fill(1);
  for (let row = 0; row < stated.length; row++) {
    const t = trace[row]!;
    if (t >= 0 && stated[row]! > weight[t]!) weight[t] = stated[row]!;
  }
  for (let t = 0; t < root.length; t++) {
    if ((stated[root[t]!] ?? 0) > 0) weight[t] = stated[root[t]!]!;
  }
  return weight;
}

/** Keys that only tail samplers set: the Collector's tail_sampling processor, Honeycomb's Refinery. */
const TAIL_KEYS = ["tailsampling.policy", "tailsampling.composite_policy", "meta.refinery.reason"];

/** Per span: for how many spans it stands by what it says itself, 0 where it says nothing. Empty when no span says any. */
export function statedWeights(spans: SpanTable): Float64Array {
  const byState = weightsOfTraceStates(spans);
  const keys = ["sampling.probability", "SampleRate", "sampler.param"].map((key) => knownId(spans.strings, key));
  const [probability, sampleRate, samplerParam] = keys as [number, number, number];
  const scan = keys.some((id) => id >= 0);
  if (byState === undefined && !scan) return new Float64Array(0);
  const weights = new Float64Array(spans.rowCount);
  for (let row = 0; row < spans.rowCount; row++) {
    if (scan) {
      const { listStart, key } = spans.attributes;
      for (let i = listStart[row]!; i < listStart[row + 1]!; i++) {
        const id = key[i]!;
        if (id === probability) weights[row] = inverse(numberAt(spans, i));
        else if (id === sampleRate) weights[row] = atLeastOne(numberAt(spans, i));
        else if (id === samplerParam && isProbabilistic(spans, row)) weights[row] = inverse(numberAt(spans, i));
      }
    }
    const fromState = byState?.get(spans.traceState[row]!) ?? 0;
    if (fromState > 0) weights[row] = fromState;
  }
  return weights;
}

/** Weight by string id of a tracestate with a threshold; undefined when there is none. */
function weightsOfTraceStates(spans: SpanTable): Map<number, number> | undefined {
  const weights = new Map<number, number>();
  let last = 0;
  for (let row = 0; row < spans.rowCount; row++) {
    const id = spans.traceState[row]!;
    if (id === last || id === 0) continue;
    last = id;
    if (!weights.has(id)) weights.set(id, weightOfTraceState(spans.strings.get(id)));
  }
  return [...weights.values()].some((weight) => weight > 0) ? weights : undefined;
}

/**
 * Weight that a tracestate's `ot=th:HEX` states, 0 for none. HEX is the rejection threshold T,
 * 56 bits written without trailing zeros: a trace is kept with probability 1 - T / 2^56.
 * https://opentelemetry.io/docs/specs/otel/trace/tracestate-probability-sampling/
 */
export function weightOfTraceState(state: string): number {
  const member = /(?:^|,)\s*ot=([^,]*)/.exec(state)?.[1];
  const threshold = /(?:^|;)th:([0-9a-f]{1,14})(?:;|\s*$)/.exec(member ?? "")?.[1];
  if (threshold === undefined) return 0;
  // In two halves: 56 bits do not fit a double, and 1 - T would lose what is left of them.
  const hex = threshold.padEnd(14, "0");
  const high = Number.parseInt(hex.slice(0, 7), 16);
  const low = Number.parseInt(hex.slice(7), 16);
  const kept = (2 ** 28 - high) * 2 ** 28 - low;
  return 2 ** 56 / kept;
}

/** The largest weight that a tracestate can state. Larger ones are damage, and the sum of a few is no finite number. */
const MAX_WEIGHT = 2 ** 56;

const inverse = (probability: number): number => (probability > 0 ? atLeastOne(1 / probability) : 0);
const atLeastOne = (rate: number): number => (rate >= 1 && rate <= MAX_WEIGHT ? rate : 0);

function numberAt(spans: SpanTable, attribute: number): number {
  if (spans.attributes.type[attribute] === AttributeType.number) return spans.attributes.value[attribute]!;
  return Number(attributeText(spans.attributes, spans.strings, attribute));
}

/** Jaeger's `sampler.param` is a probability only beside `sampler.type = probabilistic`. */
function isProbabilistic(spans: SpanTable, row: number): boolean {
  const { listStart, key } = spans.attributes;
  const type = spans.strings.intern("sampler.type");
  for (let i = listStart[row]!; i < listStart[row + 1]!; i++) {
    if (key[i] === type) return attributeText(spans.attributes, spans.strings, i) === "probabilistic";
  }
  return false;
}

/** Id of `text` if the pool held it before, else -1: then no attribute can have it as key. */
function knownId(strings: StringPool, text: string): number {
  const before = strings.size;
  const id = strings.intern(text);
  return id < before ? id : -1;
}

function hasAnyKey(spans: SpanTable, names: readonly string[]): boolean {
  const ids = names.map((name) => knownId(spans.strings, name)).filter((id) => id >= 0);
  return ids.length > 0 && spans.attributes.key.some((id) => ids.includes(id));
}
