import type { ResourceReading } from "./readings.ts";
import { measureOf, type ServiceMeasure, type ServiceMeasures, valuesOf } from "./service-measures.ts";

/** How far one resource is used per window, for the table alone: no claim rests on it. */
export interface Use extends Pick<
  ResourceReading,
  "service" | "resource" | "host" | "capacity" | "utilisation" | "line"
> {
  /** mean number that waits for it, and uses per second that failed; absent where no metric tells */
  readonly waiting?: number;
  readonly errorsPerSecond?: number;
}

/** As many threads that want to run as there are processors: from there on some wait. */
const RUN_QUEUE_LINE = 1;
const FULL_LINE = 0.9;
/** net.ipv4.ip_local_port_range of Linux: 32768 to 60999, towards one address. */
const PORTS = 28_232;

/** Resources that a USE table has beside processors, memory, pools and disks: descriptors, threads, space, swap, ports, queues. */
export function furtherUse(all: ServiceMeasures): Use[] {
  const services = [...all.services].flatMap(([service, measures]) => {
    const own = { service, host: "" };
    return [descriptors(own, measures), threads(own, measures), ...space(own, measures), network(own, measures)];
  });
  const hosts = [...all.hosts].flatMap(([host, measures]) => {
    const own = { service: host, host };
    return [
      runQueue(own, measures),
      share(own, measures, "host-memory-share", "memory"),
      share(own, measures, "swap-share", "swap"),
      ...space(own, measures),
      network(own, measures),
      ports(own, measures),
      acceptQueue(own, measures),
    ];
  });
  return [...services, ...hosts].filter((use) => use !== undefined);
}

interface Owner {
  readonly service: string;
  readonly host: string;
}

/** Each process has a limit of its own: the fullest counts. */
function descriptors(own: Owner, measures: readonly ServiceMeasure[]): Use | undefined {
  const used = measureOf(measures, "fds-used");
  const most = valuesOf(measures, "fds-max");
  if (used === undefined || most === undefined) return undefined;
  const fullest = most.map((limit, i) => Math.max(...used.instances.map(({ values }) => values[i]!)) / limit);
  return { ...own, resource: "fds", capacity: firstKnown(most), utilisation: fullest, line: FULL_LINE };
}

function threads(own: Owner, measures: readonly ServiceMeasure[]): Use | undefined {
  const used = valuesOf(measures, "threads-used");
  const most = valuesOf(measures, "threads-max");
  if (used === undefined || most === undefined) return undefined;
  const waiting = meanKnown(
    measures.find(({ measure, resource }) => measure === "queue-depth" && resource === "")?.values,
  );
  return {
    ...own,
    resource: "threads",
    capacity: firstKnown(most),
    utilisation: used.map((value, i) => value / most[i]!),
    line: FULL_LINE,
    ...(Number.isNaN(waiting) ? {} : { waiting }),
  };
}

/** Room on disks, by mount point. */
function space(own: Owner, measures: readonly ServiceMeasure[]): Use[] {
  const mounts = new Set(
    measures.filter(({ measure }) => /^disk-(used|free|share)$/.test(measure)).map((one) => one.resource),
  );
  return [...mounts].flatMap((mount) => {
    const of = (measure: ServiceMeasure["measure"]): Float64Array | undefined =>
      measureOf(measures, measure, mount)?.values;
    const [used, free, limit] = [of("disk-used"), of("disk-free"), of("disk-limit")];
    const told = of("disk-share");
    const total = limit ?? (used === undefined ? undefined : free?.map((value, i) => value + used[i]!));
    const taken = used ?? (limit === undefined ? undefined : free?.map((value, i) => limit[i]! - value));
    const utilisation = told ?? (total === undefined ? undefined : taken?.map((value, i) => value / total[i]!));
    if (utilisation === undefined) return [];
    const resource = mount === "" ? "disk-space" : `disk-space:${mount}`;
    return [{ ...own, resource, capacity: Number.NaN, utilisation, line: FULL_LINE }];
  });
}

/** Only where the speed of the card is told: bytes alone are no share of anything. */
function network(own: Owner, measures: readonly ServiceMeasure[]): Use | undefined {
  const used = valuesOf(measures, "network-bytes");
  const most = valuesOf(measures, "network-limit");
  if (used === undefined || most === undefined) return undefined;
  const errors = meanKnown(valuesOf(measures, "network-errors"));
  return {
    ...own,
    resource: "network",
    capacity: firstKnown(most),
    utilisation: used.map((value, i) => value / most[i]!),
    line: 0.8,
    ...(Number.isNaN(errors) ? {} : { errorsPerSecond: errors }),
  };
}

/** Threads that run or want to, over processors: above 1 some wait. */
function runQueue(own: Owner, measures: readonly ServiceMeasure[]): Use | undefined {
  const queue = valuesOf(measures, "run-queue");
  const [busy, idle] = [valuesOf(measures, "host-cpu-busy"), valuesOf(measures, "host-cpu-idle")];
  if (queue === undefined || busy === undefined || idle === undefined) return undefined;
  const cores = Math.round(meanKnown(busy.map((value, i) => value + idle[i]!)));
  if (!(cores > 0)) return undefined;
  const waiting = meanKnown(queue.map((value) => Math.max(0, value - cores)));
  const utilisation = queue.map((value) => value / cores);
  return { ...own, resource: "run-queue", capacity: cores, utilisation, line: RUN_QUEUE_LINE, waiting };
}

function share(
  own: Owner,
  measures: readonly ServiceMeasure[],
  measure: ServiceMeasure["measure"],
  resource: string,
): Use | undefined {
  const utilisation = valuesOf(measures, measure);
  return utilisation === undefined
    ? undefined
    : { ...own, resource, capacity: Number.NaN, utilisation, line: FULL_LINE };
}

function ports(own: Owner, measures: readonly ServiceMeasure[]): Use | undefined {
  const waiting = valuesOf(measures, "host-time-wait");
  if (waiting === undefined) return undefined;
  return { ...own, resource: "ports", capacity: PORTS, utilisation: waiting.map((value) => value / PORTS), line: 0.8 };
}

/** How full it is no counter tells: the share of windows in which it overflowed. */
function acceptQueue(own: Owner, measures: readonly ServiceMeasure[]): Use | undefined {
  const overflows = valuesOf(measures, "host-listen-overflows");
  if (overflows === undefined) return undefined;
  return {
    ...own,
    resource: "accept-queue",
    capacity: Number.NaN,
    utilisation: overflows.map((value) => (Number.isNaN(value) ? value : value > 0 ? 1 : 0)),
    line: 1,
    errorsPerSecond: meanKnown(overflows),
  };
}

const firstKnown = (values: Float64Array): number => values.find((value) => Number.isFinite(value)) ?? Number.NaN;

function meanKnown(values: Float64Array | undefined): number {
  const known = values?.filter((value) => Number.isFinite(value)) ?? new Float64Array();
  return known.length === 0 ? Number.NaN : known.reduce((a, b) => a + b, 0) / known.length;
}
