import { largestOf, measureOf, meanOf } from "../resources/service-measures.ts";
import { type ConfigurationCheck, type NamedSetting, together } from "./configuration-check.ts";

/** What Linux grants since 5.4, and what Node.js, nginx and others ask for. */
const SOMAXCONN = 4096;
const BACKLOG = 511;

/** The setting behind a full listen queue, whatever showed it. */
export const listenBacklog: NamedSetting = {
  setting: "backlog",
  change: `backlog: -> ${BACKLOG}, net.core.somaxconn: -> ${SOMAXCONN}`,
  arithmetic:
    "a listen queue holds the smaller of the backlog and net.core.somaxconn; a handshake that finds it full is dropped, and repeated after 1 s, 3 s and 7 s",
  remedy:
    "Raise the backlog that is passed to listen() and net.core.somaxconn, keep connections rather than opening one per request, and find out what keeps the process from accepting.",
  reference: "listen(2), tcp(7): tcp_syn_retries, RFC 6298",
  query: "nstat -az TcpExtListenOverflows TcpExtListenDrops; ss -ltn (Recv-Q against Send-Q)",
};

/** Connections that arrive while a listen queue is full, by the counters of hosts: harm for each of them, a second of waiting. */
export const listenQueue: ConfigurationCheck = {
  what: "listen queues",
  run: ({ resources }) =>
    together(
      [...(resources?.now.hosts ?? [])].map(([host, measures]) => {
        const overflows = measureOf(measures, "host-listen-overflows");
        const mean = meanOf(overflows?.values);
        if (!(mean > 0)) {
          const text = `${host}: no connection found a listen queue full`;
          return { problems: [], fine: overflows === undefined ? [] : [{ text, tightness: 0 }] };
        }
        const text = `${mean.toFixed(2)} connections a second find a listen queue of ${host} full, up to ${largestOf(overflows?.values).toFixed(1)}`;
        const problem = {
          ...listenBacklog,
          service: host,
          resource: "accept-queue",
          mechanism: "accept-queue" as const,
          saidAs: new Set(["accept-queue"] as const),
          // The counter is one of the host: services on it that wait for a handshake tell the same.
          alsoSaidOf: servicesOn(host, resources!.now.services),
          title: `a listen queue of ${host} is full at times`,
          refutedBy: "TcpExtListenOverflows stays as it is",
          confidence: 0.7,
          harm: { text },
        };
        return { problems: [problem], fine: [] };
      }),
    ),
};

function servicesOn(
  host: string,
  services: ReadonlyMap<string, readonly { readonly instances: readonly { readonly host: string }[] }[]>,
): string[] {
  return [...services]
    .filter(([, measures]) => measures.some(({ instances }) => instances.some((one) => one.host === host)))
    .map(([service]) => service);
}
