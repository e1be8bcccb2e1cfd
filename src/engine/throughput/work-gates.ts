import { clockLaw } from "../../analysis/clock-law.ts";
import { leastWork } from "../../analysis/least-work.ts";
import type { Gate } from "../../analysis/littles-law.ts";
import type { HostUse, ResourceSamples } from "../../model/resource-samples.ts";
import { SpanRole } from "../../model/span-facts.ts";
import { NS_PER_S } from "../../model/units.ts";
import type { Window } from "../window.ts";
import type { CallGraph } from "./call-graph.ts";
import type { MeasuredResource } from "./measured-resources.ts";
import { requestLoad } from "./request-load.ts";

/** Laws that times of processors and event loops do not keep; empty where all are kept. */
export function workGates(
  window: Window,
  graph: CallGraph,
  given: ResourceSamples | undefined,
  measured: readonly MeasuredResource[],
): Gate[] {
  const served = servedPerSecond(window);
  const clocks = (given?.hosts ?? []).flatMap((host) => clockGates(host, graph)).filter(({ ok }) => !ok);
  const work = [...graph.services.keys()].flatMap((service) => {
    const hosts = (given?.hosts ?? []).filter(({ byService }) => byService.has(service));
    const seen = [...onHosts(window, given, hosts, service), ...ofProcesses(measured, service)];
    const failed = seen
      .map((cores) => leastWork({ service, servedPerSecond: served.get(service) ?? 0, ...cores }))
      .filter(({ ok }) => !ok);
    return failed.slice(0, 1);
  });
  return [...clocks, ...work];
}

/** Of machines on which services of the spans run. */
function clockGates({ host, cores, processors, loopSeconds, byService }: HostUse, graph: CallGraph): Gate[] {
  const known = [...graph.services.keys()];
  const isKnown = known.some((service) => byService.has(service));
  const machine = processors === undefined || !isKnown ? [] : [clockLaw(`processors of ${host}`, cores, processors)];
  const loops = known.flatMap((service) => {
    const seconds = loopSeconds?.get(service);
    return seconds === undefined ? [] : [clockLaw(`event loop of ${service}`, seconds, 1)];
  });
  return [...machine, ...loops];
}

/** Requests that came by the network: a message of a batch, or a span that a timer began, costs less than one. */
function servedPerSecond(window: Window): Map<string, number> {
  const { forest, text } = window;
  const { fromNs, toNs } = requestLoad(window);
  const served = new Map<string, number>();
  if (!(toNs > fromNs)) return served;
  for (const row of forest.rows) {
    if (forest.facts.role[row] !== SpanRole.server) continue;
    const service = text(forest.facts.service[row]!);
    const each = (forest.weight[forest.trace[row]!]! / (toNs - fromNs)) * NS_PER_S;
    served.set(service, (served.get(service) ?? 0) + each);
  }
  return served;
}

type Cores = { readonly usedCores: number; readonly activeCores: number; readonly unclaimedCores: number };

/** Of all its machines together; nothing where a counter has no window within the requests, since that says nothing. */
function onHosts(
  window: Window,
  given: ResourceSamples | undefined,
  hosts: readonly HostUse[],
  service: string,
): Cores[] {
  if (given === undefined || hosts.length === 0) return [];
  const { fromNs, toNs } = requestLoad(window);
  const shiftNs = Number(given.baseUnixNs - window.spans.baseUnixNs);
  const sum = { usedCores: 0, activeCores: 0, unclaimedCores: 0 };
  for (const { startNs, windowNs, busy, byService, activeLoops } of hosts) {
    const used = byService.get(service)!;
    const within = Array.from(startNs, (_, w) => w).filter((w) => {
      const start = startNs[w]! + shiftNs;
      return start >= fromNs && start + windowNs <= toNs && Number.isFinite(used[w]!);
    });
    if (within.length === 0) return [];
    const mean = (values: Float64Array | undefined): number =>
      within.reduce((total, w) => total + (values?.[w] ?? Number.NaN), 0) / within.length;
    const claimed = [...byService.values()].map((of) => of.map((value) => (Number.isFinite(value) ? value : 0)));
    sum.usedCores += mean(used);
    sum.activeCores += mean(activeLoops?.get(service));
    sum.unclaimedCores += mean(busy) - claimed.reduce((total, of) => total + mean(of), 0);
  }
  return [sum];
}

/** Processes whose machine is not known. */
function ofProcesses(measured: readonly MeasuredResource[], service: string): Cores[] {
  return measured.flatMap(({ use }) => {
    const isCounted = use.resource === "cpu" && use.source === "metrics" && !use.isEventLoop && use.isCapacityKnown;
    if (use.service !== service || !isCounted) return [];
    const usedCores = use.busy.reduce((a, b) => a + b, 0) / use.busy.length;
    return [{ usedCores, activeCores: Number.NaN, unclaimedCores: Number.NaN }];
  });
}
