import { mkdtempSync, rmSync } from "node:fs";
import { createServer, type RequestListener, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach, expect, test } from "vitest";
import { RecordingSink } from "../../testing/recording-sink.ts";
import { type Ingest, startIngest } from "../start-ingest.ts";
import { type ProfileKind, pprofUrl } from "./pull-profiles.ts";

let dir: string;
let sink: RecordingSink;
let server: Server;
let logged: string[];
let asked: string[];
let ingest: Ingest;

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "longpole-pull-"));
  sink = new RecordingSink();
  logged = [];
  asked = [];
});
afterEach(async () => {
  await ingest.stop();
  server.closeAllConnections();
  server.close();
  rmSync(dir, { recursive: true, force: true });
});

async function pulling(
  listener: RequestListener,
  kinds: readonly ProfileKind[],
  done: () => boolean,
  who = "",
): Promise<string> {
  server = createServer((request, response) => {
    asked.push(request.url!);
    listener(request, response);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  ingest = await startIngest({
    listen: {},
    walDir: dir,
    sink,
    limits: { minFreeBytes: 0, blockAgeMs: 10, bodyBytes: 10_000 },
    profiles: [{ url: url.replace("://", `://${who}`), job: "orders", intervalMs: 60, seconds: 1, kinds }],
    log: (text) => logged.push(text.replaceAll(url, "")),
  });
  for (let i = 0; i < 400 && !done(); i++) await sleep(5);
  return url;
}

test("profiles are of the target's service, and are asked for again and again", async () => {
  const isDone = (): boolean => sink.stacks.size > 0 && asked.length > 2;
  await pulling((_, response) => response.end("main;work 5\nmain 1\n"), ["profile"], isDone);
  const [table] = sink.stacks.values();
  expect(table!.strings.get(table!.processes.service[0]!)).toBe("orders");
  expect(new Set(asked)).toEqual(new Set(["/debug/pprof/profile?seconds=1"]));
  expect(logged).toEqual([]);
});

test("what sends elsewhere, is no profile or too long is told once, and nothing else is asked", async () => {
  await pulling(
    (request, response) => {
      if (request.url!.includes("heap")) response.writeHead(302, { location: "/secret" }).end();
      else if (request.url!.includes("block")) response.end("x".repeat(20_000));
      else response.end("<html></html>");
    },
    ["profile", "heap", "block"],
    () => asked.length > 8,
  );
  expect(new Set(asked)).toEqual(
    new Set(["/debug/pprof/profile?seconds=1", "/debug/pprof/heap", "/debug/pprof/block?seconds=1"]),
  );
  expect(logged.sort()).toEqual([
    "ingest: /debug/pprof/block?seconds=1 gives no profile: more than 10000 bytes",
    expect.stringMatching(/^ingest: \/debug\/pprof\/heap gives no profile: (?:unexpected )?redirect/),
    expect.stringMatching(/^ingest: \/debug\/pprof\/profile\?seconds=1 gives no profile: .*expected a profile/),
  ]);
  expect(sink.stacks.size).toBe(0);
});

test("a password in the address is sent as a header, and stands in no log", async () => {
  const authorizations: (string | undefined)[] = [];
  await pulling(
    (request, response) => {
      authorizations.push(request.headers.authorization);
      response.writeHead(503).end();
    },
    ["heap"],
    () => logged.length > 0,
    "prober:p%40ss@",
  );
  // printf 'prober:p@ss' | base64
  expect(authorizations[0]).toBe("Basic cHJvYmVyOnBAc3M=");
  expect(logged).toEqual(["ingest: /debug/pprof/heap gives no profile: status 503"]);
});

test.each([
  ["http://a:6060", "profile", "http://a:6060/debug/pprof/profile?seconds=5"],
  ["http://a:6060/debug/pprof/", "heap", "http://a:6060/debug/pprof/heap"],
  ["https://a/internal/debug/pprof", "mutex", "https://a/internal/debug/pprof/mutex?seconds=5"],
  ["http://a/admin/", "block", "http://a/admin/debug/pprof/block?seconds=5"],
] as const)("%s, %s", async (url, kind, expected) => {
  await pulling(
    (_, response) => response.end(),
    [],
    () => true,
  );
  expect(pprofUrl({ url, seconds: 5 }, kind)).toBe(expected);
});
