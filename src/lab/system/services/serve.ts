import type { Server } from "node:http";
import inspector from "node:inspector";
import { Session } from "node:inspector/promises";
import { writeFileSync } from "node:fs";
import type { AddressInfo } from "node:net";
import { setTimeout as pause } from "node:timers/promises";
import { metrics, trace } from "@opentelemetry/api";
import type { ServiceName } from "../../settings.ts";
import { CONFIG_VARIABLE, type Numbered, type Peers, type ServiceConfig } from "../messages.ts";
import { obeyParent, tellParent } from "../obey-parent.ts";

/** What the parent gave to this process. */
export function readConfig<S extends ServiceName>(): ServiceConfig<S> {
  return JSON.parse(process.env[CONFIG_VARIABLE] ?? "") as ServiceConfig<S>;
}

const END_PATIENCE_MS = 2000;

let peers: Peers = {};
let turn = 0;

/** Base URL of an instance of `service`, one after the other. */
export function urlOf(service: ServiceName): string {
  const urls = peers[service] ?? [];
  const url = urls[turn++ % urls.length];
  if (url === undefined) throw new Error(`no instance of ${service} is known yet`);
  return url;
}

/**
 * Listens, tells the parent where, does what the parent asks, and ends with it.
 * `close` lets go of what the service holds beside the server.
 */
export function serve(server: Server, close: () => Promise<void>, backlog = 511): void {
  const { host, port } = readConfig();
  // Longer than any pause of the callers, whose kept connections would otherwise be cut under their next call.
  server.keepAliveTimeout = 120_000;
  server.on("error", (error) => {
    console.error(error.message);
    process.exit(1);
  });
  server.listen({ host, port, backlog }, () => {
    tellParent({ kind: "listening", url: `http://${host}:${(server.address() as AddressInfo).port}` });
  });
  obeyParent({
    answer,
    end: async () => {
      server.close();
      server.closeAllConnections();
      // A receiver that is gone already is not waited for.
      await Promise.race([Promise.allSettled([close(), flush()]), pause(END_PATIENCE_MS)]);
    },
  });
}

async function answer(message: Numbered): Promise<undefined> {
  switch (message.kind) {
    case "peers":
      peers = message.peers;
      return;
    case "flush":
      return flush();
    case "profile-start":
      return startProfile();
    case "profile-stop":
      return stopProfile(message.file);
    default:
      throw new Error(`a service does not know how to ${message.kind}`);
  }
}

/** Providers of the API pass calls on to those of the SDK, which can flush; without an SDK there is nothing to do. */
async function flush(): Promise<undefined> {
  await Promise.all([flushed(trace.getTracerProvider()), flushed(metrics.getMeterProvider())]);
}

async function flushed(provider: object): Promise<void> {
  const real: object =
    "getDelegate" in provider && typeof provider.getDelegate === "function" ? provider.getDelegate() : provider;
  if ("forceFlush" in real && typeof real.forceFlush === "function") await real.forceFlush();
}

let session: Session | undefined;
let taken: unknown;

/** V8's own console, which writes nothing: profiles that it is given a title for can overlap. */
const v8Console = inspector.console as unknown as { profile(title: string): void; profileEnd(title: string): void };
const STARTING = "starting";
const KEPT = "kept";

/**
 * Starting a profiler lists all code that there is, for up to 200 ms in which it samples itself: the profile that is kept begins
 * under another one. What was optimized before nobody profiled, V8 may not know the functions within (it is thrown away by
 * counting calls, and optimized anew within milliseconds).
 */
async function startProfile(): Promise<undefined> {
  if (session !== undefined) throw new Error("a profile is being taken already");
  session = new Session();
  session.connect();
  session.on("Profiler.consoleProfileFinished", ({ params }) => (taken = params.profile));
  await session.post("Profiler.enable");
  await session.post("Profiler.setSamplingInterval", { interval: 1000 });
  await session.post("Profiler.startPreciseCoverage", { callCount: true, detailed: false });
  await session.post("Profiler.stopPreciseCoverage");
  v8Console.profile(STARTING);
  v8Console.profile(KEPT);
  v8Console.profileEnd(STARTING);
}

function stopProfile(file: string): undefined {
  if (session === undefined) throw new Error("no profile is being taken");
  taken = undefined;
  v8Console.profileEnd(KEPT);
  session.disconnect();
  session = undefined;
  if (taken === undefined) throw new Error("V8 gave no profile");
  writeFileSync(file, JSON.stringify(taken));
}
