import { largestOf, meanOf, measureOf, valuesOf } from "../resources/service-measures.ts";
import { percent } from "../wording.ts";
import { NOTHING, type ConfigurationCheck } from "./configuration-check.ts";
import { perService } from "./per-service.ts";

const FULL = 0.9;
/** A quarter of room for what a busier hour needs. */
const ROOM = 0.75;

/** Memory against its limit: harm where processes were ended for it or pages are swapped. */
export const memoryLimit: ConfigurationCheck = perService("memory limit", (service, measures) => {
  const used = measureOf(measures, "memory-used");
  const instances = Math.max(1, used?.instances.length ?? 1);
  const limit = meanOf(valuesOf(measures, "memory-limit")) / instances;
  const kills = largestOf(valuesOf(measures, "oom-kills"));
  const swapped = meanOf(valuesOf(measures, "swap-rate"));
  const most = Math.max(...(used?.instances.map(({ values }) => largestOf(values)) ?? [Number.NaN]));
  const isKnown = most > 0 && limit > 0;
  if (!isKnown && !(kills > 0)) return NOTHING;
  const sum = isKnown ? `${mb(most)} of ${mb(limit)} in use (${percent(most / limit)})` : "the limit is in no metric";
  if (!(kills > 0) && most < FULL * limit)
    return { problems: [], fine: [{ text: `${service}: ${sum}`, tightness: most / limit }] };
  const need = Math.ceil(most / ROOM / 64e6) * 64e6;
  const harm =
    kills > 0
      ? "processes were ended for want of memory"
      : swapped > 0
        ? `${swapped.toFixed(1)} pages a second are swapped`
        : undefined;
  return {
    problems: [
      {
        service,
        resource: "memory",
        setting: "memory limit",
        ...(isKnown ? { change: `memory limit: ${mb(limit)} -> ${mb(need)}` } : {}),
        mechanism: "memory-pressure",
        saidAs: new Set(["memory-pressure", "garbage-collection"]),
        followsFrom: new Set(["memory-leak"]),
        arithmetic: isKnown ? `${sum}; with a quarter of room ${mb(most)} / ${ROOM} = ${mb(need)}` : sum,
        title: `${service} is at its memory limit`,
        remedy: "Raise the limit, or use less: smaller caches and pools, fewer workers.",
        reference: "Linux: Documentation/admin-guide/cgroup-v2.rst, memory.max",
        query: `memory and its limit, restarts and oom events of ${service}`,
        refutedBy: "most of it is page cache, which is given back",
        confidence: 0.7,
        ...(harm === undefined ? {} : { harm: { text: harm } }),
      },
    ],
    fine: [],
  };
});

const mb = (bytes: number): string => `${Math.round(bytes / 1e6)} MB`;
