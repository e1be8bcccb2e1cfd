import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { PhaseRecord } from "../lab/run/phase.ts";
import type { TakenRequest } from "../load/telemetry-sink.ts";
import type { Log } from "../server/log.ts";
import type { Longpole } from "../server/start-longpole.ts";
import { packageJson } from "./package-json.ts";

/** A server beside the sample system, which gets all that the system sends, with its data in a folder of its own. */
export interface DemoServer {
  readonly apiUrl: string;
  readonly folder: string;
  /** Passes one request on, after those before it. */
  take(taken: TakenRequest): void;
  /** Resolves when all that was taken, and the phase's profiles, have been passed on. Rejects with what the server refused. */
  settle(record: PhaseRecord): Promise<void>;
  /** Ends it and removes its data. */
  stop(): Promise<void>;
}

/** Where its users expect it; another where that is taken. */
const USUAL_PORT = 7077;

/** Starts it on loopback, whatever `longpole.yaml` and the environment say. Throws StoreError where there is no engine. */
export async function startDemoServer(log: Log): Promise<DemoServer> {
  const [{ settingsOf }, { startLongpole }] = await Promise.all([
    import("../server/config/settings.ts"),
    import("../server/start-longpole.ts"),
  ]);
  const folder = await mkdtemp(join(tmpdir(), "longpole-demo-data-"));
  const start = (port: number): Promise<Longpole> =>
    startLongpole(
      settingsOf({ bare: true, data: folder, port, grpcPort: 0, httpPort: 0 }, {}),
      packageJson().version,
      log,
    );
  try {
    const longpole = await start(USUAL_PORT).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== "EADDRINUSE") throw error;
      return start(0);
    });
    const passing = new Passing(`http://${longpole.otlpHttp}`);
    return {
      apiUrl: longpole.apiUrl,
      folder,
      take: ({ kind, isJson, body }) =>
        passing.add(`/v1/${kind}`, isJson ? "application/json" : "application/x-protobuf", body),
      settle: async ({ profiles }) => {
        for (const { service, content } of profiles) {
          const path = `/api/v1/profiles?service=${encodeURIComponent(service)}`;
          passing.add(path, "application/octet-stream", Buffer.from(content));
        }
        await passing.settled();
      },
      stop: async () => {
        await longpole.stop();
        await rm(folder, { recursive: true, force: true });
      },
    };
  } catch (error) {
    await rm(folder, { recursive: true, force: true });
    throw error;
  }
}

/** Requests one after the other, so that what was sent first comes first. */
class Passing {
  private last: Promise<void> = Promise.resolve();
  private trouble: Error | undefined;

  private readonly url: string;

  constructor(url: string) {
    this.url = url;
  }

  add(path: string, type: string, body: Uint8Array): void {
    this.last = this.last
      .then(() => post(`${this.url}${path}`, type, body))
      .catch((error: unknown) => void (this.trouble ??= error as Error));
  }

  async settled(): Promise<void> {
    await this.last;
    if (this.trouble !== undefined) throw this.trouble;
  }
}

async function post(url: string, type: string, body: Uint8Array): Promise<void> {
  const answer = await fetch(url, { method: "POST", headers: { "content-type": type }, body: Buffer.from(body) });
  const text = await answer.text();
  if (!answer.ok)
    throw new Error(`the demo's server did not take what the system sent to ${url}: ${answer.status} ${text}`);
}

/** The page of a phase beside that of earlier times. */
export function pageOf(apiUrl: string, now: Stretch, before: Stretch | undefined): string {
  const ns = (unixMs: number): string => `${BigInt(Math.round(unixMs)) * 1_000_000n}`;
  const query = new URLSearchParams({ from: ns(now.beganUnixMs), to: ns(now.endedUnixMs) });
  if (before !== undefined) query.set("baseline", `${ns(before.beganUnixMs)}/${ns(before.endedUnixMs)}`);
  return `${apiUrl}/?${query.toString().replaceAll("%2F", "/")}`;
}

type Stretch = Pick<PhaseRecord, "beganUnixMs" | "endedUnixMs">;
