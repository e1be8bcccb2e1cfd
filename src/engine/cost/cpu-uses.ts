import { serviceDemands } from "../../analysis/service-demands.ts";
import type { SharedUse } from "../../analysis/cost-split.ts";
import { SpanRole } from "../../model/span-facts.ts";
import { CONVENTIONS } from "../../analysis/semantic-conventions.ts";
import { attributeText, findAttribute } from "../../model/attribute-table.ts";
import type { ResourceContext } from "../resources/resource-context.ts";
import { valuesOf } from "../resources/service-measures.ts";
import type { Window } from "../window.ts";
import { type Blocks, type BusyWork, type WorkByClass } from "./busy-work.ts";
import { mapToFloats } from "../../model/map-column.ts";

/** What a service's processes computed, and the work of the classes that stands for it. */
export interface CpuUse {
  readonly service: string;
  readonly use: SharedUse;
}

/**
 * The CPU of every service of which it was measured. The work is the own time of the spans of that service; of a database
 * that sends no spans, named as its callers name it or its system, the time of the calls of it.
 */
export function cpuUses(
  window: Window,
  work: BusyWork,
  resources: ResourceContext | undefined,
  seed: number,
): { readonly uses: readonly CpuUse[]; readonly notMeasured: readonly string[] } {
  const own = new Map([...work.ownNs].map(([service, of]) => [window.text(service), of]));
  const spans = new Map([...work.ownSpans].map(([service, of]) => [window.text(service), of]));
  const databases = worksOfDatabases(window, work);
  const uses: CpuUse[] = [];
  for (const [service, measures] of resources?.now.services ?? []) {
    const cores = valuesOf(measures, "cpu-used");
    if (cores === undefined) continue;
    const used = inBlocks(window, work.blocks, resources!, cores);
    if (used.every((value) => Number.isNaN(value))) continue;
    const of = own.get(service) ?? databases.get(service.toLowerCase()) ?? [];
    const classes = work.ownNs.values().next().value?.length ?? 0;
    const shared = of.length > 0 ? of : Array.from({ length: classes }, () => new Float64Array(work.blocks.count));
    const background = backgroundOf(used, shared, spans.get(service), seed);
    uses.push({ service, use: { used, background, work: weighed(used, shared, seed) } });
  }
  const measured = new Set(uses.map(({ service }) => service));
  return { uses, notMeasured: [...own.keys()].filter((service) => !measured.has(service)).toSorted() };
}

/** By lower-case names of databases and of their systems. */
function worksOfDatabases(window: Window, { databaseNs }: BusyWork): ReadonlyMap<string, WorkByClass> {
  const systems = new Map<number, string>();
  const { forest, facts, spans } = window;
  const keys = CONVENTIONS.dbSystem.map((name) => spans.strings.intern(name));
  for (const row of forest.rows) {
    const callee = facts.callee[row]!;
    if (facts.role[row] !== SpanRole.database || systems.has(callee)) continue;
    const at = keys.map((key) => findAttribute(spans.attributes, row, key)).find((place) => place >= 0);
    systems.set(callee, at === undefined ? "" : attributeText(spans.attributes, spans.strings, at).toLowerCase());
  }
  const works = new Map<string, WorkByClass>();
  for (const [callee, of] of databaseNs) {
    const names = new Set([callee < 0 ? "" : window.text(callee).toLowerCase(), systems.get(callee) ?? ""]);
    for (const name of names) {
      const held = works.get(name);
      if (name !== "")
        works.set(name, held === undefined ? of : held.map((one, c) => one.map((ns, b) => ns + of[c]![b]!)));
    }
  }
  return works;
}

/** Mean of the windows of the metrics that a block overlaps; NaN where none is known. */
function inBlocks(
  window: Window,
  { startNs, widthNs, count }: Blocks,
  { measures: { baseUnixNs, grid } }: ResourceContext,
  values: Float64Array,
): Float64Array {
  const shiftNs = Number(window.spans.baseUnixNs - baseUnixNs) - grid.startNs;
  return mapToFloats({ length: count }, (_, block) => {
    const from = startNs + block * widthNs + shiftNs;
    let [sum, known] = [0, 0];
    for (
      let w = Math.max(0, Math.floor(from / grid.stepNs));
      w < values.length && w * grid.stepNs < from + widthNs;
      w++
    ) {
      const overlap = Math.min(from + widthNs, (w + 1) * grid.stepNs) - Math.max(from, w * grid.stepNs);
      if (overlap <= 0 || !Number.isFinite(values[w]!)) continue;
      sum += values[w]! * overlap;
      known += overlap;
    }
    return known > 0 ? sum / known : Number.NaN;
  });
}

/** Below it the work says too little of the CPU: noise in it makes the line too flat, and what it meets at no work too high. */
const MIN_R2 = 0.8;

/**
 * CPU that follows neither the time nor the number of a service's spans, by the utilisation law for each of them; 0 where
 * it cannot be told from none. Either alone leaves too much over: one request may compute more than another, and
 * time of spans may be waiting.
 */
function backgroundOf(used: Float64Array, work: WorkByClass, spans: Float64Array | undefined, seed: number): number {
  const known = Array.from(used.keys()).filter((b) => Number.isFinite(used[b]!));
  const busy = mapToFloats(known, (b) => used[b]!);
  const seconds = mapToFloats(known, (b) => work.reduce((sum, of) => sum + of[b]!, 0) / 1e9);
  const counts = mapToFloats(known, (b) => spans?.[b] ?? 0);
  const left = [seconds, counts].map((perSecond) => {
    const found = serviceDemands([{ name: "work", perSecond }], busy, { seed });
    return found.kind === "demands" && found.r2 >= MIN_R2 ? found.background.value : 0;
  });
  return Math.min(...left);
}

/** Fewest blocks for each class that is told apart by what it computes. */
const BLOCKS_PER_CLASS = 3;

/**
 * Own time of some requests is computing, of others waiting for what no span shows. Where the blocks tell what a second of
 * each class's own time computes (the utilisation law over the classes, each of them apart, and most of the variance
 * explained), it counts for that much; where they do not, all own time counts alike.
 */
function weighed(used: Float64Array, work: WorkByClass, seed: number): WorkByClass {
  const known = Array.from(used.keys()).filter((b) => Number.isFinite(used[b]!));
  const active = work.map((of, c) => ({ of, c })).filter(({ of }) => of.some((ns) => ns > 0));
  if (active.length < 2 || known.length < BLOCKS_PER_CLASS * active.length) return work;
  const found = serviceDemands(
    active.map(({ of, c }) => ({ name: String(c), perSecond: mapToFloats(known, (b) => of[b]! / 1e9) })),
    mapToFloats(known, (b) => used[b]!),
    { seed },
  );
  if (found.kind !== "demands" || !(found.r2 >= MIN_R2) || found.demands.length < active.length) return work;
  const perSecond = new Map(found.demands.map(({ classes, demand }) => [Number(classes[0]), demand]));
  // One whose demand may as well be none or twice as much is not told.
  const isTold = [...perSecond.values()].every(({ value, low, high }) => low > 0 && high <= 2 * value);
  return isTold ? work.map((of, c) => of.map((ns) => ns * (perSecond.get(c)?.value ?? 0))) : work;
}
