import type { ProcessLedger } from "../../model/process-ledger.ts";
import type { ProfileInput } from "../code/service-profiles.ts";
import type { ServiceMeasures } from "../resources/service-measures.ts";
import type { Window } from "../window.ts";
import type { HostEvidence } from "./endpoint-ledger.ts";
import { serviceHost, type ServiceHost } from "./host-times.ts";
import { sampleEvidence, type SegmentSamples } from "./sample-evidence.ts";

/** What recordings, profiles and metrics tell of each service of the window, and of what it calls. */
export function hostEvidence(
  window: Window,
  ledgers: ReadonlyMap<string, readonly ProcessLedger[]>,
  profiles: ReadonlyMap<string, readonly ProfileInput[]>,
  measures: ServiceMeasures | undefined,
): HostEvidence {
  const names = new Set([...window.paths.service].map((id) => window.text(id)));
  for (const name of ledgers.keys()) names.add(name);
  const hosts = new Map<string, ServiceHost>();
  const samples = new Map<string, SegmentSamples>();
  for (const name of names) {
    const own = profiles.get(name) ?? [];
    const host = serviceHost(window, name, {
      ledgers: ledgers.get(name) ?? [],
      profiles: own,
      measures: measures?.services.get(name),
    });
    if (host !== undefined) hosts.set(name, host);
    const sampled = own.length === 0 ? undefined : sampleEvidence(window, name, own);
    if (sampled !== undefined) samples.set(name, sampled);
  }
  return { hosts, samples };
}
