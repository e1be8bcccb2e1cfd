import { spawn } from "node:child_process";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { decodeOtlpProfiles } from "../src/formats/otlp-profiles.ts";
import { Intake } from "../src/model/intake.ts";
import { framesOfStack, type StackTable } from "../src/model/stack-table.ts";
import { ROOT } from "./longpole.ts";

const HOOK = join(ROOT, "dist/node/hook.js");

/** A point of a metric as OTLP's JSON has it. */
export interface ReceivedPoint {
  readonly name: string;
  readonly attributes: Readonly<Record<string, string>>;
  /** of a gauge or sum */
  readonly value: number;
  /** of a histogram */
  readonly count: number;
  readonly sum: number;
}

/** Takes OTLP over HTTP as a collector does, and keeps it. */
export class Received {
  private readonly bodies: { readonly path: string; readonly body: Buffer }[] = [];
  private readonly server: Server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => {
      const whole = Buffer.concat(chunks);
      const body = request.headers["content-encoding"] === "gzip" ? gunzipSync(whole) : whole;
      this.bodies.push({ path: request.url!, body });
      response.setHeader("content-type", "application/json").end("{}");
    });
  });

  async listen(): Promise<void> {
    await new Promise<void>((resolve) => this.server.listen(0, "127.0.0.1", resolve));
  }

  get endpoint(): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  close(): void {
    this.server.close();
    this.server.closeAllConnections();
  }

  clear(): void {
    this.bodies.length = 0;
  }

  profiles(): StackTable[] {
    return this.of("/v1development/profiles").map((body) => decodeOtlpProfiles(body, new Intake(), "received"));
  }

  /** Points of a metric in the order in which they came. */
  points(name: string): ReceivedPoint[] {
    return this.of("/v1/metrics").flatMap((body) => pointsOf(body, name));
  }

  private of(path: string): Buffer[] {
    return this.bodies.filter((one) => one.path === path).map(({ body }) => body);
  }
}

interface JsonPoint {
  readonly attributes: readonly { readonly key: string; readonly value: { readonly stringValue: string } }[];
  readonly asDouble?: number;
  readonly count?: string;
  readonly sum?: number;
}

function pointsOf(body: Buffer, wanted: string): ReceivedPoint[] {
  const { resourceMetrics } = JSON.parse(body.toString()) as {
    resourceMetrics: {
      scopeMetrics: { metrics: ({ name: string } & Record<string, { dataPoints: JsonPoint[] }>)[] }[];
    }[];
  };
  return resourceMetrics
    .flatMap(({ scopeMetrics }) => scopeMetrics.flatMap(({ metrics }) => metrics))
    .filter(({ name }) => name === wanted)
    .flatMap((metric) => (metric["gauge"] ?? metric["sum"] ?? metric["histogram"])!.dataPoints)
    .map(({ attributes, asDouble = Number.NaN, count = "0", sum = 0 }) => ({
      name: wanted,
      attributes: Object.fromEntries(attributes.map(({ key, value }) => [key, value.stringValue])),
      value: asDouble,
      count: Number(count),
      sum,
    }));
}

export interface ProgramEnd {
  readonly code: number | null;
  readonly signal: string | null;
  readonly stdout: string;
  readonly stderr: string;
  readonly pid: number;
}

/** Runs a program of Node to its end. flags: of Node, before the file. */
export async function runNode(
  file: string,
  flags: readonly string[],
  environment: Readonly<Record<string, string>>,
  node: string = process.execPath,
): Promise<ProgramEnd> {
  const child = spawn(node, [...flags, file], {
    stdio: ["ignore", "pipe", "pipe"],
    env: { ...process.env, ...environment },
  });
  let [stdout, stderr] = ["", ""];
  child.stdout.on("data", (chunk: Buffer) => (stdout += chunk.toString()));
  child.stderr.on("data", (chunk: Buffer) => (stderr += chunk.toString()));
  return new Promise((resolve) =>
    child.on("close", (code, signal) => resolve({ code, signal, stdout, stderr, pid: child.pid! })),
  );
}

/** The same with the hook, which tells `received` each second. */
export const runHooked = (
  file: string,
  received: Received,
  flags: readonly string[] = [],
  environment: Readonly<Record<string, string>> = {},
): Promise<ProgramEnd> =>
  runNode(file, ["--import", HOOK, ...flags], {
    OTEL_EXPORTER_OTLP_ENDPOINT: received.endpoint,
    OTEL_SERVICE_NAME: "shop",
    LONGPOLE_PROFILE_SECONDS: "1",
    LONGPOLE_PROFILE_HZ: "199",
    ...environment,
  });

/** Nanoseconds of wall time that each function is seen in, by the name and number of the thread. */
export function wallByThread(
  tables: readonly StackTable[],
  functionName: string,
): Map<string, { tid: number; ns: number; samples: number }> {
  const found = new Map<string, { tid: number; ns: number; samples: number }>();
  for (const table of tables) {
    const wall = table.valueTypes.findIndex(({ type }) => type === "wall");
    for (let row = 0; wall >= 0 && row < table.samples.rowCount; row++) {
      const names = framesOfStack(table.stacks, table.samples.stack[row]!).map((frame) =>
        table.strings.get(table.frames.function[frame]!),
      );
      if (!names.includes(functionName)) continue;
      const thread = table.samples.thread[row]!;
      const name = table.strings.get(table.threads.name[thread]!);
      const held = found.get(name) ?? { tid: table.threads.tid[thread]!, ns: 0, samples: 0 };
      held.ns += table.samples.values[wall]![row]!;
      held.samples++;
      found.set(name, held);
    }
  }
  return found;
}
