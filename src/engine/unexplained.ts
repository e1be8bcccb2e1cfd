import { kindOfKey, nodeOfKey } from "../analysis/blame.ts";
import { UNEXPLAINED } from "../analysis/time-kinds.ts";
import type { EndpointReport, Report } from "../model/report.ts";
import { NS_PER_MS } from "../model/units.ts";
import type { EndpointView } from "./endpoint-view.ts";
import { processesOfSpans } from "./ledger/services-of-ledgers.ts";
import type { Window } from "./window.ts";

/** Smallest share of an endpoint's p99 that is worth collecting more for. */
const MIN_SHARE = 0.05;

/** What was looked at of a service besides its spans. */
export interface LookedAt {
  /** services with a profile, and with a recording of their threads */
  readonly profiled: ReadonlyMap<string, unknown>;
  readonly recorded: ReadonlyMap<string, unknown>;
}

/**
 * Time inside services of which neither spans nor hosts tell the kind, by service, and the command that would tell it.
 * reports: of the views, in their order, with their ledgers.
 */
export function unexplainedTime(
  window: Window,
  views: readonly EndpointView[],
  reports: readonly Pick<EndpointReport, "ledger">[] = [],
  lookedAt: LookedAt = { profiled: new Map(), recorded: new Map() },
): Report["unexplained"] {
  const worst = new Map<string, number>();
  views.forEach((view, i) => {
    for (const [service, ns] of unknownNs(window, view, reports[i]))
      if (ns >= MIN_SHARE * view.p99) worst.set(service, Math.max(worst.get(service) ?? 0, ns));
  });
  return [...worst]
    .sort((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1))
    .map(([service, ns]) => ({
      service,
      p99Ms: Math.round((ns / NS_PER_MS) * 1000) / 1000,
      collect: howToCollect(window, service, lookedAt),
    }));
}

function unknownNs(
  window: Window,
  view: EndpointView,
  report: Pick<EndpointReport, "ledger"> | undefined,
): ReadonlyMap<string, number> {
  const here = new Map<string, number>();
  const add = (service: string, ns: number): void => void here.set(service, (here.get(service) ?? 0) + ns);
  if (report?.ledger !== undefined) {
    // Small rows are summed over services: they stand for nobody.
    for (const { service, link, p99Ms } of report.ledger.rows)
      if (link === "none" && service !== "") add(service, p99Ms * NS_PER_MS);
    return here;
  }
  for (const [key, ns] of view.blameSlow) {
    if (kindOfKey(key) === UNEXPLAINED) add(window.text(window.paths.service[nodeOfKey(key)]!), ns);
  }
  return here;
}

function howToCollect(window: Window, service: string, { profiled, recorded }: LookedAt): string {
  if (recorded.has(service))
    return `finer spans inside ${service}, or samples that carry span ids: its threads were looked at, and this time is on none of them`;
  const processes = processesOfSpans(window).filter((one) => one.service === service && one.pid > 0);
  const [first] = processes;
  const pid = first === undefined ? `PID` : String(first.pid);
  const on = first === undefined || first.host === "" ? "" : ` on ${first.host}`;
  const whose = first === undefined ? ` (PID: of ${service})` : "";
  const command = `longpole record -p ${pid} --json > ${fileName(service)}-0.json`;
  const what = profiled.has(service) ? "what its threads wait for" : "what its threads do and wait for";
  return `${what}: \`${command}\`${on} under this load${whose}, given with the traces; or \`longpole agent\` there`;
}

/** A service's name as a part of a file's, as a shell takes it unquoted. */
const fileName = (service: string): string => service.replace(/[^\w.-]+/g, "_");
