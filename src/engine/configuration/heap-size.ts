import { largestOf, meanOf, measureOf, valuesOf } from "../resources/service-measures.ts";
import { percent } from "../wording.ts";
import { NOTHING, type ConfigurationCheck } from "./configuration-check.ts";
import { heapSetting } from "./heap-setting.ts";
import { perService } from "./per-service.ts";

/** A tenth of the time for collecting shows in every tail. */
const GC_LINE = 0.1;
/** Collections come the more often the less room there is: below seven tenths in use a larger heap gains little. */
const FULL = 0.7;

/** Heap in use against its limit, where collecting garbage takes its time. */
export const heapSize: ConfigurationCheck = perService("heap size", (service, measures, { heapFlags }) => {
  const collecting = measureOf(measures, "gc-time");
  const heap = measureOf(measures, "heap-used");
  const flag = heapFlags.get(service);
  const told = meanOf(valuesOf(measures, "heap-limit"));
  // What the runtime tells holds; where it does not, what it was begun with.
  const limit = told > 0 ? told : (flag?.bytes ?? Number.NaN);
  if (collecting === undefined || heap === undefined || !(limit > 0)) return NOTHING;
  const used = heap.values;
  const setting = heapSetting(heap.metrics, flag);
  const share = meanOf(collecting.values) / Math.max(1, collecting.instances.length);
  const level = meanOf(used) / limit;
  const sum = `collecting garbage takes ${percent(share)} of the time, with ${mb(meanOf(used))} of ${mb(limit)} heap in use (${percent(level)}), up to ${mb(largestOf(used))}`;
  if (share < GC_LINE || level < FULL)
    return { problems: [], fine: [{ text: `${service}: ${sum}`, tightness: share / GC_LINE }] };
  const need = Math.ceil((2 * meanOf(used)) / 64e6) * 64e6;
  return {
    problems: [
      {
        service,
        resource: "gc",
        setting,
        change: `${setting}: ${mb(limit)} -> ${mb(need)}`,
        mechanism: "garbage-collection",
        saidAs: new Set(["garbage-collection", "memory-pressure", "memory-leak"]),
        followsFrom: new Set(["memory-leak"]),
        arithmetic: `${sum}; at half full (2 × ${mb(meanOf(used))}) a collection frees twice as much`,
        title: `${service} collects garbage for ${percent(share)} of the time, since its heap is full`,
        remedy: "Give the heap room for twice what lives in it, if the machine has it, or allocate less per request.",
        reference: "Jones, Hosking, Moss, The Garbage Collection Handbook, chapter 3: cost against heap size",
        query: `gc time and heap of ${service}`,
        refutedBy: "with more heap the collections take as much of the time",
        confidence: 0.75,
        harm: { text: `${percent(share)} of the time goes into collecting garbage` },
      },
    ],
    fine: [],
  };
});

const mb = (bytes: number): string => `${Math.round(bytes / 1e6)} MB`;
