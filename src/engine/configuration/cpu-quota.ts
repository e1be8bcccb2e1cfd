import { meanOfTop } from "../../analysis/robust-deviation.ts";
import { largestOf, meanOf, valuesOf, type ServiceMeasure } from "../resources/service-measures.ts";
import { percent } from "../wording.ts";
import type { Undo } from "../hot-spot.ts";
import { withoutStops } from "./quota-stops.ts";
import type { CheckResult, ConfigurationCheck, NamedSetting, SettingProblem } from "./configuration-check.ts";

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
  run: ({ window, resources, quotas }) => {
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
              () => withoutStops(window, service, resources!.now),
            ),
          ];
    });
    return { problems: results.flatMap((r) => r.problems), fine: results.flatMap((r) => r.fine) };
  },
};

/** Cores of one instance. */
interface QuotaUse {
  /** in use in the busiest fifth of the time, and at most */
  readonly busiest: number;
  readonly most: number;
  /** asked for while it stood still */
  readonly waiting: number;
  /** NaN where no metric tells it */
  readonly limit: number;
  /** that the runtime lets compute at once; NaN where not known */
  readonly threads: number;
}

function quotaUse(measures: readonly ServiceMeasure[]): QuotaUse {
  const instances = Math.max(1, measures.find(({ measure }) => measure === "quota-periods")?.instances.length ?? 1);
  const used = valuesOf(measures, "cpu-used")?.filter((value) => Number.isFinite(value)) ?? new Float64Array();
  const stopped = largestOf(valuesOf(measures, "throttled-time"));
  return {
    busiest: used.length === 0 ? Number.NaN : meanOfTop(used, Math.max(1, Math.round(used.length / 5))) / instances,
    most: largestOf(used) / instances,
    waiting: Number.isFinite(stopped) ? stopped / instances : 0,
    limit: meanOf(valuesOf(measures, "cpu-limit")) / instances,
    threads: largestOf(valuesOf(measures, "runtime-threads")),
  };
}

function judge(
  service: string,
  measures: readonly ServiceMeasure[],
  isStopped: boolean,
  share: number,
  text: string,
  estimated: number | undefined,
  undo: () => Undo | undefined,
): CheckResult {
  const use = quotaUse(measures);
  if (isStopped) {
    const gone = undo();
    const harm = { text, ...(gone === undefined ? {} : { undo: [gone] }) };
    return { problems: [{ ...problemOf(service, use, estimated), harm }], fine: [] };
  }
  const of = Number.isFinite(use.limit) ? ` of ${cores(use.limit)}` : "";
  const busiest = Number.isFinite(use.busiest)
    ? `, ${cores(use.busiest)}${of} cores in use in the busiest fifth of the time`
    : "";
  const told = `${service}: stopped in ${percent(share)} of the periods${busiest}`;
  return { problems: [], fine: [{ text: told, tightness: share }] };
}

function problemOf(service: string, use: QuotaUse, estimated: number | undefined): SettingProblem {
  // Without any estimate: a process that is stopped uses what it may, at least that much.
  const now = Number.isFinite(use.limit) ? use.limit : (estimated ?? use.most);
  const common = {
    service,
    resource: "quota",
    mechanism: "cpu-throttled" as const,
    saidAs: new Set(["cpu-throttled", "cpu-saturated", "run-queue", "load-increase"] as const),
    title: `${service} is stopped by its CPU quota`,
    reference: "Linux: Documentation/scheduler/sched-bwc.rst",
    query: `throttled periods over periods, and CPU time, of ${service}`,
    refutedBy: "the tail stays as it is with a higher quota",
    confidence: 0.8,
  };
  return use.threads > Math.ceil(now)
    ? { ...common, ...fewerThreads(use.threads, now) }
    : { ...common, ...higherQuota(use, now, estimated) };
}

function fewerThreads(threads: number, now: number): NamedPart {
  const runMs = (now * PERIOD_MS) / threads;
  return {
    setting: "GOMAXPROCS",
    change: `runtime threads (GOMAXPROCS, ActiveProcessorCount): ${threads} -> ${Math.max(1, Math.floor(now))}`,
    arithmetic: `${threads} threads use up ${cores(now)} cores × ${PERIOD_MS} ms after ${Math.round(runMs)} ms of each period, and stand still for ${Math.round(PERIOD_MS - runMs)} ms`,
    remedy: "Let the runtime use as many threads as the quota has cores.",
  };
}

function higherQuota({ busiest, waiting, limit }: QuotaUse, now: number, estimated: number | undefined): NamedPart {
  const isKnown = Number.isFinite(limit);
  const demand = busiest + waiting;
  const need = Math.max(demand / TARGET, now * 1.25);
  const from = isKnown ? cores(limit) : estimated === undefined ? "(not in the metrics)" : `about ${cores(estimated)}`;
  return {
    setting: "cpu.max",
    ...(Number.isFinite(need) ? { change: `cpu.max: ${from} -> ${cores(Math.ceil(need * 20) / 20)} cores` } : {}),
    arithmetic: `${cores(busiest)} cores in use${isKnown ? ` of a quota of ${cores(limit)}` : ""} and ${cores(waiting)} more it stands still for = ${cores(demand)}; at ${percent(TARGET)} in use that takes ${cores(need)}`,
    remedy:
      "Raise the CPU limit (resources.limits.cpu, cpu.max) or remove it and keep the request, or let each request compute less.",
  };
}

type NamedPart = Pick<NamedSetting, "setting" | "change" | "arithmetic" | "remedy">;

const cores = (value: number): string => (Number.isFinite(value) ? String(Number(value.toPrecision(2))) : "unknown");
