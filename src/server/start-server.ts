import type { AddressInfo } from "node:net";
import type { ServerContext } from "./context.ts";
import { buildApp } from "./http/app.ts";

export interface RunningServer {
  /** where it can be called from this machine */
  readonly url: string;
  readonly port: number;
  close(): Promise<void>;
}

/** Who sends its headers more slowly than that holds connections for nothing. */
const HEADERS_TIMEOUT_MS = 10_000;
/** Pages, dashboards and commands of a team, each with a few. */
const MOST_CONNECTIONS = 1_000;

/** Listens as the settings say; port 0 takes a free one. Throws the system's error where the address cannot be had. */
export async function startServer(context: ServerContext): Promise<RunningServer> {
  const app = buildApp(context);
  const { host, port } = context.settings.api;
  app.server.headersTimeout = HEADERS_TIMEOUT_MS;
  app.server.maxConnections = MOST_CONNECTIONS;
  await app.listen({ host, port });
  const bound = (app.server.address() as AddressInfo).port;
  const scheme = context.settings.tls === undefined ? "http" : "https";
  const name = host === "0.0.0.0" || host === "::" ? "localhost" : host.includes(":") ? `[${host}]` : host;
  return {
    url: `${scheme}://${name}:${bound}`,
    port: bound,
    close: async () => {
      // Open event streams would keep it waiting for ever.
      const closing = app.close();
      app.server.closeAllConnections();
      await closing;
    },
  };
}
