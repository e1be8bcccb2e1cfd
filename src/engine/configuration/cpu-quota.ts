import { meanOfTop } from "../../analysis/robust-deviation.ts";
import { largestOf, meanOf, valuesOf, type ServiceMeasure } from "../resources/service-measures.ts";
import { percent } from "../wording.ts";
import type { CheckResult, ConfigurationCheck } from "./configuration-check.ts";

/** The kernel's default period (sched-bwc.rst), milliseconds. */
const PERIOD_MS = 100;
/** A process that computes for seven tenths of its quota is seldom stopped by it. */
const TARGET = 0.7;

/**
 * A CPU quota against what it stops: the demand is what was used and what the process stood still for. With more threads
 * than the quota has cores it is used up early in each period, and all of them stand still for the rest.
 */
export const cpuQuota: ConfigurationCheck = {
  what: "CPU quota",
  run: ({ resources, quotas }) => {
    const results = [...(resources?.now.services ?? [])].flatMap(([service, measures]) => {
      const reading = resources!.readings.find((one) => one.service === service && one.resource === "quota");
      return reading === undefined
        ? []
        : [
            judge(
              service,
              measures,
              reading.saturated,
              meanOf(reading.utilisation),
              reading.text,
              quotas?.get(service),
            ),
          ];
    });
    return { problems: results.flatMap((r) => r.problems), fine: results.flatMap((r) => r.fine) };
  },
};

function judge(
  service: string,
  measures: readonly ServiceMeasure[],
  isStopped: boolean,
  share: number,
  text: string,
  estimated: number | undefined,
): CheckResult {
  const instances = Math.max(1, measures.find(({ measure }) => measure === "quota-periods")?.instances.length ?? 1);
  const used = valuesOf(measures, "cpu-used")?.filter((value) => Number.isFinite(value)) ?? new Float64Array();
  const busiest =
    used.length === 0 ? Number.NaN : meanOfTop(used, Math.max(1, Math.round(used.length / 5))) / instances;
  const stopped = valuesOf(measures, "throttled-time");
  const waiting = Number.isFinite(meanOf(stopped)) ? largestOf(stopped) / instances : 0;
  const limit = meanOf(valuesOf(measures, "cpu-limit")) / instances;
  const threads = largestOf(valuesOf(measures, "runtime-threads"));
  if (!isStopped) {
    const of = Number.isFinite(limit) ? ` of ${cores(limit)}` : "";
    const use = Number.isFinite(busiest)
      ? `, ${cores(busiest)}${of} cores in use in the busiest fifth of the time`
      : "";
    return {
      problems: [],
      fine: [{ text: `${service}: stopped in ${percent(share)} of the periods${use}`, tightness: share }],
    };
  }
  const isKnown = Number.isFinite(limit);
  // Without any estimate: a process that is stopped uses what it may, at least that much.
  const now = isKnown ? limit : (estimated ?? largestOf(used) / instances);
  const demand = busiest + waiting;
  const need = Number.isFinite(demand) ? Math.max(demand / TARGET, now * 1.25) : Number.NaN;
  const tooMany = threads > Math.ceil(now);
  const change = tooMany
    ? `runtime threads (GOMAXPROCS, ActiveProcessorCount): ${threads} -> ${Math.max(1, Math.floor(now))}`
    : Number.isFinite(need)
      ? `cpu.max: ${isKnown ? cores(limit) : estimated === undefined ? "(not in the metrics)" : `about ${cores(estimated)}`} -> ${cores(Math.ceil(need * 20) / 20)} cores`
      : undefined;
  const sum = tooMany
    ? `${threads} threads use up ${cores(now)} cores × ${PERIOD_MS} ms after ${Math.round((now * PERIOD_MS) / threads)} ms of each period, and stand still for ${Math.round(PERIOD_MS - (now * PERIOD_MS) / threads)} ms`
    : `${cores(busiest)} cores in use${isKnown ? ` of a quota of ${cores(limit)}` : ""} and ${cores(waiting)} more it stands still for = ${cores(demand)}; at ${percent(TARGET)} in use that takes ${cores(need)}`;
  return {
    problems: [
      {
        service,
        resource: "quota",
        setting: tooMany ? "GOMAXPROCS" : "cpu.max",
        ...(change === undefined ? {} : { change }),
        mechanism: "cpu-throttled",
        saidAs: new Set(["cpu-throttled", "cpu-saturated", "run-queue", "load-increase"]),
        arithmetic: sum,
        title: `${service} is stopped by its CPU quota`,
        remedy: tooMany
          ? "Let the runtime use as many threads as the quota has cores."
          : "Raise the CPU limit (resources.limits.cpu, cpu.max) or remove it and keep the request, or let each request compute less.",
        reference: "Linux: Documentation/scheduler/sched-bwc.rst",
        query: `throttled periods over periods, and CPU time, of ${service}`,
        refutedBy: "the tail stays as it is with a higher quota",
        confidence: 0.8,
        harm: { text },
      },
    ],
    fine: [],
  };
}

const cores = (value: number): string => (Number.isFinite(value) ? String(Number(value.toPrecision(2))) : "unknown");
