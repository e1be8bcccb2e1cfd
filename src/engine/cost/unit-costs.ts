import { ratioOfSums } from "../../analysis/ratio-interval.ts";
import { AttributeType } from "../../model/attribute-table.ts";
import type { UnitCost } from "../../model/cost-report.ts";
import { SpanRole } from "../../model/span-facts.ts";
import { NS_PER_S } from "../../model/units.ts";
import type { ResourceContext } from "../resources/resource-context.ts";
import { meanOf, valuesOf } from "../resources/service-measures.ts";
import type { Window } from "../window.ts";
import type { Blocks } from "./busy-work.ts";
import type { CpuUse } from "./cpu-uses.ts";

/** Names of numeric attributes that count what a span worked on. */
const UNITS =
  /(^|[._-])(points|rows|messages|records|items|events|samples|lines|documents|jobs)([._-](count|received|accepted|processed|written))?$|message_count$/i;

/**
 * What a unit of work costs: all the CPU of a service over the units that it handled, as an attribute of its spans counts
 * them or a counter among its metrics. Nothing is said where neither does.
 */
export function unitCosts(
  window: Window,
  blocks: Blocks,
  uses: readonly CpuUse[],
  resources: ResourceContext | undefined,
  seed: number,
): UnitCost[] {
  if (resources === undefined) return [];
  const counted = unitsOfSpans(window, blocks);
  return uses.flatMap(({ service, use }) => {
    const ofSpans = [...(counted.get(service) ?? [])].map(([unit, perSecond]) =>
      costOf(service, unit, use.used, perSecond, seed),
    );
    const measures = resources.now.services.get(service) ?? [];
    const cores = valuesOf(measures, "cpu-used") ?? new Float64Array();
    const ofMetrics = measures
      .filter(({ measure }) => measure === "work-done")
      .map(({ resource, values }) => costOf(service, resource, cores, values, seed));
    return [...ofSpans, ...ofMetrics].filter((cost) => cost !== undefined);
  });
}

function costOf(
  service: string,
  unit: string,
  cores: Float64Array,
  perSecond: Float64Array,
  seed: number,
): UnitCost | undefined {
  const ratio = ratioOfSums(cores, perSecond, seed);
  if (ratio === undefined) return undefined;
  return {
    service,
    unit,
    perSecond: meanOf(perSecond),
    // Cores are CPU-seconds per second: over units per second, CPU-seconds per unit.
    cpuSecondsPerThousand: 1e3 * ratio.value,
    low: 1e3 * ratio.low,
    high: 1e3 * ratio.high,
  };
}

/** By service and attribute: units per second in each block, a span's counted at its middle. */
function unitsOfSpans(window: Window, blocks: Blocks): Map<string, Map<string, Float64Array>> {
  const { spans, forest, facts, text } = window;
  const { attributes } = spans;
  const isUnit = new Map<number, boolean>();
  const found = new Map<string, Map<string, Float64Array>>();
  for (const row of forest.rows) {
    // A statement's rows are the database's work, and a call's items the callee's.
    const role = facts.role[row];
    if (role !== SpanRole.server && role !== SpanRole.consumer && role !== SpanRole.internal) continue;
    for (let at = attributes.listStart[row]!; at < attributes.listStart[row + 1]!; at++) {
      if (attributes.type[at] !== AttributeType.number) continue;
      const key = attributes.key[at]!;
      let known = isUnit.get(key);
      if (known === undefined) isUnit.set(key, (known = UNITS.test(text(key))));
      if (!known || !(attributes.value[at]! > 0)) continue;
      const service = text(facts.service[row]!);
      let units = found.get(service);
      if (units === undefined) found.set(service, (units = new Map()));
      let perSecond = units.get(text(key));
      if (perSecond === undefined) units.set(text(key), (perSecond = new Float64Array(blocks.count)));
      const middle = (forest.startNs[row]! + forest.endNs[row]!) / 2;
      const block = Math.min(blocks.count - 1, Math.max(0, Math.floor((middle - blocks.startNs) / blocks.widthNs)));
      perSecond[block]! += (attributes.value[at]! * forest.weight[forest.trace[row]!]! * NS_PER_S) / blocks.widthNs;
    }
  }
  return found;
}
