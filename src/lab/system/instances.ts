import { SERVICES, type ServiceName, type SystemSettings } from "../settings.ts";

/** One process of a service, as the settings want it. */
export interface Instance {
  readonly service: ServiceName;
  /** orders the instances of a system */
  readonly place: number;
  /** "zones-0": its name in telemetry and logs */
  readonly name: string;
  readonly settings: SystemSettings[ServiceName];
  readonly execArgv: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  /** two instances of a name with equal keys need no restart to become one another */
  readonly key: string;
}

/** The processes of the services that `settings` ask for. */
export function instancesOf(settings: SystemSettings): Instance[] {
  return SERVICES.flatMap((service) => {
    const count = service === "zones" ? settings.zones.replicas : 1;
    return Array.from({ length: count }, (_, index) => instanceOf(settings, service, index));
  });
}

function instanceOf(settings: SystemSettings, service: ServiceName, index: number): Instance {
  const own = ownSettings(settings, service, index);
  const execArgv = nodeOptions(settings, service);
  const env: Record<string, string> = {};
  if (service === "zones") env["UV_THREADPOOL_SIZE"] = String(settings.zones.threads);
  const { quota, network } = settings.host;
  const surroundings = [quota?.service === service ? quota : null, network?.service === service ? network : null];
  return {
    service,
    place: SERVICES.indexOf(service) + index / 1000,
    name: `${service}-${index}`,
    settings: own,
    execArgv,
    env,
    key: JSON.stringify([own, execArgv, env, surroundings]),
  };
}

/** What concerns the fleet and not the process is levelled, so that a new replica restarts none of the others. */
function ownSettings(settings: SystemSettings, service: ServiceName, index: number): SystemSettings[ServiceName] {
  if (service !== "zones") return settings[service];
  const { zones } = settings;
  const conflicts = zones.pairwiseReplica === index ? "pairwise" : zones.conflicts;
  return { ...zones, conflicts, pairwiseReplica: -1, replicas: 1 };
}

function nodeOptions(settings: SystemSettings, service: ServiceName): string[] {
  if (service === "accounts" && settings.accounts.heapMb > 0)
    return [`--max-old-space-size=${settings.accounts.heapMb}`];
  if (service === "ingest" && settings.ingest.youngMb > 0) return [`--max-semi-space-size=${settings.ingest.youngMb}`];
  return [];
}
