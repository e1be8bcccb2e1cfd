import { kindOfKey, nodeOfKey } from "../../analysis/blame.ts";
import type { RequestPart, RequestSample } from "../../model/page.ts";
import { TIME_KINDS } from "../../model/time-kind.ts";
import { NS_PER_MS } from "../../model/units.ts";
import type { EndpointView } from "../endpoint-view.ts";
import type { Window } from "../window.ts";

/** Of the slowest of an endpoint all are kept up to this many, and of the others as many again. */
const KEPT_OF_EACH = 1000;

/** Requests of an endpoint with what their time went to: all of them, or the slowest and a systematic sample of the rest. */
export function requestSample(window: Window, view: EndpointView): RequestSample {
  const { forest, blame } = window;
  const { traces, durationNs, weight, totalWeight } = view.endpoint;
  const chosen = choose(traces.length);
  const first = traces.reduce((least, trace) => Math.min(least, forest.startNs[forest.root[trace]!]!), Infinity);
  const parts: RequestPart[] = [];
  const numbers = new Map<string, number>();
  const partStart = [0];
  const part: number[] = [];
  const partMs: number[] = [];
  for (const { index } of chosen) {
    const trace = traces[index]!;
    const sums = new Map<number, number>();
    for (let i = blame.traceStart[trace]!; i < blame.traceStart[trace + 1]!; i++) {
      const at = partNumber(window, blame.key[i]!, parts, numbers);
      sums.set(at, (sums.get(at) ?? 0) + blame.ns[i]!);
    }
    for (const [at, ns] of sums) {
      part.push(at);
      partMs.push(inMs(ns));
    }
    partStart.push(part.length);
  }
  const rootOf = (index: number): number => forest.root[traces[index]!]!;
  return {
    total: totalWeight,
    startMs: chosen.map(({ index }) => inMs(forest.startNs[rootOf(index)]! - first)),
    durationMs: chosen.map(({ index }) => inMs(durationNs[index]!)),
    weight: chosen.map(({ index, stands }) => Math.round(weight[index]! * stands * 1000) / 1000),
    error: chosen.map(({ index }) => window.facts.error[rootOf(index)]!),
    parts,
    partStart,
    part,
    partMs,
  };
}

/** Places of sorted requests, slowest first, and how many requests each stands for. */
function choose(count: number): { index: number; stands: number }[] {
  const slowest = Math.min(count, KEPT_OF_EACH);
  const others = count - slowest;
  const kept = Math.min(others, KEPT_OF_EACH);
  const chosen = Array.from({ length: slowest }, (_, i) => ({ index: count - 1 - i, stands: 1 }));
  for (let i = kept - 1; i >= 0; i--) {
    chosen.push({ index: Math.floor(((i + 0.5) * others) / kept), stands: others / kept });
  }
  return chosen;
}

function partNumber(window: Window, key: number, parts: RequestPart[], numbers: Map<string, number>): number {
  const node = nodeOfKey(key);
  const found: RequestPart = {
    service: window.text(window.paths.service[node]!),
    operation: window.text(window.paths.operation[node]!),
    timeKind: TIME_KINDS[kindOfKey(key)]!,
  };
  const text = JSON.stringify(found);
  const known = numbers.get(text);
  if (known !== undefined) return known;
  numbers.set(text, parts.length);
  return parts.push(found) - 1;
}

const inMs = (ns: number): number => Math.round(ns / 1e3) / (NS_PER_MS / 1e3);
