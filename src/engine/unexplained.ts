import { kindOfKey, nodeOfKey } from "../analysis/blame.ts";
import { UNEXPLAINED } from "../analysis/time-kinds.ts";
import type { Report } from "../model/report.ts";
import { NS_PER_MS } from "../model/units.ts";
import type { EndpointView } from "./endpoint-view.ts";
import type { Window } from "./window.ts";

/** Smallest share of an endpoint's p99 that is worth collecting more for. */
const MIN_SHARE = 0.05;

/** Time inside services of which spans do not tell the kind, by service, and what would tell it. profiled: services with a profile at hand. */
export function unexplainedTime(
  window: Window,
  views: readonly EndpointView[],
  profiled: ReadonlyMap<string, unknown> = new Map(),
): Report["unexplained"] {
  const worst = new Map<string, number>();
  for (const view of views) {
    const here = new Map<string, number>();
    for (const [key, ns] of view.blameSlow) {
      if (kindOfKey(key) !== UNEXPLAINED) continue;
      const service = window.text(window.paths.service[nodeOfKey(key)]!);
      here.set(service, (here.get(service) ?? 0) + ns);
    }
    for (const [service, ns] of here) {
      if (ns >= MIN_SHARE * view.p99) worst.set(service, Math.max(worst.get(service) ?? 0, ns));
    }
  }
  return [...worst]
    .sort((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1))
    .map(([service, ns]) => ({
      service,
      p99Ms: Math.round((ns / NS_PER_MS) * 1000) / 1000,
      collect: profiled.has(service)
        ? `what its threads wait for (an off-CPU profile of ${service}), or finer spans inside it`
        : `a CPU profile of ${service} under this load (on-CPU and off-CPU), or finer spans inside it`,
    }));
}
