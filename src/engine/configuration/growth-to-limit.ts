import { heapSetting } from "./heap-setting.ts";
import { growthOf } from "../../analysis/steady-growth.ts";
import { steadySlope, timeToLimit, type SteadySlope } from "../../analysis/time-to-limit.ts";
import type { Mechanism } from "../../model/report.ts";
import type { MeasureSeries, Measures } from "../resources/read-measures.ts";
import { meanOf } from "../resources/service-measures.ts";
import type { Measure } from "../semantic-measures.ts";
import { count } from "../wording.ts";
import { together, type CheckResult, type ConfigurationCheck, type SettingProblem } from "./configuration-check.ts";

/** Something that is freed or given back in a healthy process, and what it may grow to. */
interface Growing {
  readonly used: Measure;
  /** measures that tell the limit; `free`: that tell what is left of it */
  readonly limits: readonly Measure[];
  readonly free?: Measure;
  readonly what: string;
  readonly resource: string;
  readonly setting: string;
  readonly mechanism: Mechanism;
  readonly saidAs: readonly Mechanism[];
  readonly unit: "bytes" | "count";
  readonly remedy: string;
}

const GROWING: readonly Growing[] = [
  {
    used: "memory-used",
    limits: ["memory-limit"],
    what: "memory",
    resource: "memory",
    setting: "memory limit",
    mechanism: "memory-leak",
    saidAs: ["memory-leak", "memory-pressure"],
    unit: "bytes",
    remedy:
      "Compare two heap snapshots some minutes apart: what was added and never freed is the leak. A higher limit only puts the end off.",
  },
  {
    used: "heap-used",
    limits: ["heap-limit"],
    what: "heap",
    resource: "memory",
    setting: "heap limit",
    mechanism: "memory-leak",
    saidAs: ["memory-leak", "memory-pressure"],
    unit: "bytes",
    remedy:
      "Compare two heap snapshots some minutes apart: what was added and never freed is the leak. A larger heap only puts the end off.",
  },
  {
    used: "fds-used",
    limits: ["fds-max"],
    what: "open files and sockets",
    resource: "fds",
    setting: "nofile",
    mechanism: "misconfiguration",
    saidAs: [],
    unit: "count",
    remedy:
      "Look for files and sockets that are opened and never closed (ls -l /proc/PID/fd); a higher nofile only puts the end off.",
  },
  {
    used: "db-connections",
    limits: ["db-connections-max"],
    what: "connections",
    resource: "connections",
    setting: "max_connections",
    mechanism: "pool-exhausted",
    saidAs: ["pool-exhausted"],
    unit: "count",
    remedy:
      "Look for connections that are opened and never given back (pg_stat_activity: idle, idle in transaction, by application).",
  },
  {
    used: "disk-used",
    limits: ["disk-limit"],
    free: "disk-free",
    what: "disk",
    resource: "disk",
    setting: "disk size",
    mechanism: "data-growth",
    saidAs: [],
    unit: "bytes",
    remedy: "Delete or move what is old (logs, dumps, dead rows, old partitions), or give it a larger disk.",
  },
];

/** As steady as this, Kendall's tau, and no warming up. */
const STEADY = 0.85;
/** A line seen for ten minutes tells of the next three hours, not of the next week. */
const REACH = 20;
/** Growth within the window below this share of what is used is the usual up and down of a young process. */
const MIN_GROWTH = 0.1;
/** Where no limit is known: half as much again, and more than a process needs to warm up. */
const FACTOR = 1.5;
const LEAK_BYTES = 30e6;
/** A day ahead is soon enough to be woken for. */
const SOON_S = 86_400;
/** A process that warms up grows less and less: the second half has to keep at least half of the slope of the first. */
const KEEPS = 0.5;

/** Quantities that grow all the time between restarts, with the time until they reach their limit. */
export const growthToLimit: ConfigurationCheck = {
  what: "growth towards a limit",
  run: ({ resources }) =>
    resources === undefined
      ? { problems: [], fine: [] }
      : oncePerResource(together(GROWING.map((growing) => perQuantity(growing, resources.measures)))),
};

/** The heap is a part of the memory: of two that grow the one that comes to a limit is told, or the first. */
function oncePerResource({ problems, fine }: CheckResult): CheckResult {
  const kept = new Map<string, SettingProblem>();
  for (const problem of problems) {
    const key = JSON.stringify([problem.service, problem.resource]);
    const held = kept.get(key);
    if (held === undefined || (held.harm === undefined && problem.harm !== undefined)) kept.set(key, problem);
  }
  return { problems: [...kept.values()], fine };
}

function perQuantity(growing: Growing, measures: Measures): CheckResult {
  const found = measures.series.filter(({ measure }) => measure === growing.used);
  const results = found.map((used) => judge(growing, used, measures));
  // Of the instances of a service the one that comes first to its limit stands for all.
  const problems = new Map<string, SettingProblem>();
  for (const problem of results.flatMap((r) => r.problems)) {
    const held = problems.get(problem.service);
    if (held === undefined || (held.harm === undefined && problem.harm !== undefined))
      problems.set(problem.service, problem);
  }
  return { problems: [...problems.values()], fine: results.flatMap((r) => r.fine) };
}

function judge(growing: Growing, used: MeasureSeries, measures: Measures): CheckResult {
  const stepS = measures.grid.stepNs / 1e9;
  const slope = steadySlope(used.values, stepS);
  const growth = growthOf(used.values);
  if (slope === undefined || growth === undefined) return { problems: [], fine: [] };
  const name = used.service === "" ? used.host : used.service;
  const limit = limitOf(growing, used, measures);
  const isGrowing =
    slope.low > 0 &&
    (growth.tau >= STEADY || slope.restarts > 0) &&
    slope.value * slope.seconds >= MIN_GROWTH * slope.last &&
    keepsOn(used.values, stepS, slope);
  const amount = (value: number): string => amountText(growing, value);
  if (!isGrowing) {
    if (!(limit > 0)) return { problems: [], fine: [] };
    const text = `${growing.what} of ${name}: ${amount(slope.last)} of ${amount(limit)}, no steady growth`;
    return { problems: [], fine: [{ text, tightness: slope.last / limit }] };
  }
  const isLarge = growth.factor >= FACTOR && (growing.unit === "count" || growth.increase >= LEAK_BYTES);
  if (!(limit > 0) && !isLarge) return { problems: [], fine: [] };
  const time = limit > 0 ? timeToLimit(slope, limit) : undefined;
  const rate = `${growing.what} of ${name} grows by ${amount(slope.value * 60)} a minute (${amount(slope.low * 60)}–${amount(slope.high * 60)})${slope.restarts > 0 ? `, over ${count(slope.restarts)} restarts` : ""}`;
  const isWithinReach = time !== undefined && time.value <= REACH * slope.seconds;
  const reaches =
    time === undefined
      ? "no limit of it is known"
      : isWithinReach
        ? `it reaches the limit of ${amount(limit)} in ${span(time.value)} (${span(time.low)}–${span(time.high)})`
        : `the limit of ${amount(limit)} is further away than ${span(slope.seconds)} of observation can tell`;
  const isSoon = isWithinReach && time.value <= SOON_S;
  return {
    problems: [
      {
        kind: "growth",
        service: name,
        resource: growing.resource,
        setting:
          growing.used === "heap-used"
            ? heapSetting(used.metrics, measures.heapFlags.get(used.service))
            : growing.setting,
        mechanism: growing.mechanism,
        saidAs: new Set(growing.saidAs),
        arithmetic:
          time === undefined
            ? `${rate}; ${reaches}`
            : `${rate}; (${amount(limit)} − ${amount(slope.last)}) / ${amount(slope.value * 60)} a minute: ${reaches}`,
        title: isWithinReach
          ? `${growing.what} of ${name} reaches the limit of ${amount(limit)} in ${span(time.value)}`
          : `${growing.what} of ${name} grows all the time`,
        remedy: growing.remedy,
        reference: "slope by Theil and Sen (1968) between restarts",
        query: `${used.metrics.join(", ")} of ${name}`,
        refutedBy: "it levels off, or falls without a restart",
        confidence: 0.8,
        ...(isSoon ? { harm: { text: reaches } } : {}),
      },
    ],
    fine: [],
  };
}

function keepsOn(values: Float64Array, stepS: number, whole: SteadySlope): boolean {
  if (whole.restarts > 0) return true;
  const half = values.length >> 1;
  const [first, second] = [values.subarray(0, half), values.subarray(half)].map((part) => steadySlope(part, stepS));
  return first === undefined || second === undefined || second.value >= KEEPS * first.value;
}

/** The limit of the same instance, of its service, of its command line or of its host, in that order; NaN where none is known. */
function limitOf({ limits, free }: Growing, used: MeasureSeries, { series, heapFlags }: Measures): number {
  const isSame = (one: MeasureSeries): boolean =>
    one.resource === used.resource &&
    one.service === used.service &&
    one.instance === used.instance &&
    one.host === used.host;
  const told = series.filter(({ measure }) => limits.includes(measure));
  const found =
    told.find(isSame) ??
    told.find((one) => one.service === used.service && one.resource === used.resource) ??
    (used.service !== "" && told.length === 1 && used.measure === "db-connections" ? told[0] : undefined);
  if (found !== undefined) return meanOf(found.values);
  const flag = used.measure === "heap-used" ? heapFlags.get(used.service) : undefined;
  if (flag !== undefined) return flag.bytes;
  const left = series.find((one) => one.measure === free && isSame(one));
  return left === undefined ? Number.NaN : meanOf(left.values) + meanOf(used.values);
}

function amountText({ unit }: Growing, value: number): string {
  if (unit === "count") return value >= 10 ? count(Math.round(value)) : String(Number(value.toPrecision(2)));
  const size = Math.abs(value);
  const [divisor, name] = size >= 0.9995e9 ? [1e9, "GB"] : size >= 0.9995e6 ? [1e6, "MB"] : [1e3, "kB"];
  const scaled = value / divisor;
  return `${scaled >= 99.5 ? Math.round(scaled) : Number(scaled.toPrecision(2))} ${name}`;
}

/** "41 min", "3.2 h", "2.5 days". */
function span(seconds: number): string {
  if (seconds < 90) return `${Math.round(seconds)} s`;
  if (seconds < 5400) return `${Math.round(seconds / 60)} min`;
  return seconds < 172_800
    ? `${Number((seconds / 3600).toPrecision(2))} h`
    : `${Number((seconds / 86_400).toPrecision(2))} days`;
}
