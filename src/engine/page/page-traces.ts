import { UNEXPLAINED } from "../../analysis/time-kinds.ts";
import { type AttributeTable, attributeText } from "../../model/attribute-table.ts";
import type { PageTrace } from "../../model/page.ts";
import { spanIdHex, traceIdHex } from "../../model/span-table.ts";
import { TIME_KINDS } from "../../model/time-kind.ts";
import { NS_PER_MS } from "../../model/units.ts";
import type { EndpointView } from "../endpoint-view.ts";
import type { SegmentSamples } from "../ledger/sample-evidence.ts";
import type { Window } from "../window.ts";

/** Traces of each endpoint: some around its p99 and its median. */
const SLOW = 4;
const TYPICAL = 2;
/** Spans of all kept traces together; one trace may be larger. */
const SPANS = 30_000;
/** Characters of an attribute's value; longer ones end in "…". */
const VALUE_LENGTH = 2000;

/** Whole traces of the endpoints of a page, so that slow requests can be looked at; `left`: those beyond the limit on spans. */
export function pageTraces(
  window: Window,
  views: readonly EndpointView[],
  samples: ReadonlyMap<string, SegmentSamples>,
): { traces: PageTrace[]; left: number } {
  const traces: PageTrace[] = [];
  let spans = 0;
  let left = 0;
  for (const [endpoint, view] of views.entries()) {
    const chosen = new Map<number, PageTrace["role"]>();
    for (const trace of spread(view.slow, SLOW)) chosen.set(trace, "slow");
    for (const trace of spread(view.typical, TYPICAL)) if (!chosen.has(trace)) chosen.set(trace, "typical");
    for (const [trace, role] of chosen) {
      const size = window.forest.traceStart[trace + 1]! - window.forest.traceStart[trace]!;
      if (traces.length > 0 && spans + size > SPANS) left++;
      else {
        traces.push(pageTrace(window, trace, endpoint, role, samples));
        spans += size;
      }
    }
  }
  return { traces, left };
}

/** `count` of some traces in equal steps, the last (slowest) first. */
function spread(traces: Int32Array, count: number): number[] {
  const wanted = Math.min(count, traces.length);
  return Array.from(
    { length: wanted },
    (_, i) => traces[traces.length - 1 - Math.floor((i * traces.length) / wanted)]!,
  );
}

/** A trace as columns of its own, with its critical path; `samples`: of its segments, by service. */
export function pageTrace(
  window: Window,
  trace: number,
  endpoint: number,
  role: PageTrace["role"],
  samples: ReadonlyMap<string, SegmentSamples> = new Map(),
): PageTrace {
  const { forest, spans, facts, segments, kinds } = window;
  const rows = forest.rows.subarray(forest.traceStart[trace]!, forest.traceStart[trace + 1]!);
  const root = forest.root[trace]!;
  const start = forest.startNs[root]!;
  const placeOf = new Map<number, number>();
  rows.forEach((row, place) => placeOf.set(row, place));
  const pool = new Texts();
  const text = (id: number): number => pool.add(window.text(id));
  const path: PageTrace["path"][number][] = [];
  const sampled: NonNullable<PageTrace["sampled"]>[number][] = [];
  for (let i = segments.traceStart[trace]!; i < segments.traceStart[trace + 1]!; i++) {
    const row = segments.row[i]!;
    const kind = TIME_KINDS[kinds[row]!]!;
    for (const one of sampledTimes(window, i, samples)) sampled.push([path.length, one.kind, one.link, inMs(one.ns)]);
    path.push([placeOf.get(row)!, inMs(segments.startNs[i]! - start), inMs(segments.endNs[i]! - start), kind]);
  }
  return {
    traceId: traceIdHex(spans, root),
    endpoint,
    role,
    startUnixNs: String(spans.baseUnixNs + BigInt(Math.round(start))),
    durationMs: inMs(forest.endNs[root]! - start),
    complete: forest.complete[trace] === 1,
    spanId: Array.from(rows, (row) => spanIdHex(spans, row)),
    parent: Array.from(rows, (row) => placeOf.get(forest.parent[row]!) ?? -1),
    service: Array.from(rows, (row) => text(facts.service[row]!)),
    operation: Array.from(rows, (row) => text(spans.name[row]!)),
    kind: Array.from(rows, (row) => spans.kind[row]!),
    error: Array.from(rows, (row) => facts.error[row]!),
    status: Array.from(rows, (row) => spans.status[row]!),
    startMs: Array.from(rows, (row) => inMs(forest.startNs[row]! - start)),
    durationsMs: Array.from(rows, (row) => inMs(forest.endNs[row]! - forest.startNs[row]!)),
    attributes: Array.from(rows, (row) => attributesOf(window, spans.attributes, row, pool)),
    ...resourcesOf(window, rows, pool),
    path,
    ...(sampled.length === 0 ? {} : { sampled }),
    strings: pool.all,
  };
}

/** What samples show of a segment, at most its own time: a sample stands for its whole interval, which may be longer. */
function sampledTimes(
  { segments, facts, kinds, text }: Window,
  segment: number,
  samples: ReadonlyMap<string, SegmentSamples>,
): ReturnType<SegmentSamples["times"]> {
  const row = segments.row[segment]!;
  if (kinds[row] !== UNEXPLAINED) return [];
  const times = samples.get(text(facts.service[row]!))?.times(segment) ?? [];
  const seen = times.reduce((sum, { ns }) => sum + ns, 0);
  const scale = Math.min(1, (segments.endNs[segment]! - segments.startNs[segment]!) / seen);
  return times.map((one) => ({ ...one, ns: one.ns * scale }));
}

/** The resources of some spans, each once. */
function resourcesOf(window: Window, rows: Int32Array, pool: Texts): { resources: number[][]; resource: number[] } {
  const { spans } = window;
  const places = new Map<number, number>();
  for (const row of rows) if (!places.has(spans.resource[row]!)) places.set(spans.resource[row]!, places.size);
  return {
    resources: Array.from(places.keys(), (list) => attributesOf(window, spans.resources, list, pool)),
    resource: Array.from(rows, (row) => places.get(spans.resource[row]!)!),
  };
}

function attributesOf(window: Window, attributes: AttributeTable, list: number, pool: Texts): number[] {
  const { strings } = window.spans;
  const pairs: number[] = [];
  for (let i = attributes.listStart[list]!; i < attributes.listStart[list + 1]!; i++) {
    const value = attributeText(attributes, strings, i);
    const shown = value.length > VALUE_LENGTH ? `${value.slice(0, VALUE_LENGTH)}…` : value;
    pairs.push(pool.add(strings.get(attributes.key[i]!)), pool.add(shown));
  }
  return pairs;
}

/** Texts, each once. */
class Texts {
  readonly all: string[] = [];
  private readonly places = new Map<string, number>();

  add(text: string): number {
    const known = this.places.get(text);
    if (known !== undefined) return known;
    this.places.set(text, this.all.length);
    return this.all.push(text) - 1;
  }
}

const inMs = (ns: number): number => Math.round(ns / 1e3) / (NS_PER_MS / 1e3);
