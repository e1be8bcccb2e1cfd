import { mkdtempSync, rmSync } from "node:fs";
import { createServer, type RequestListener, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { attributeText } from "../../model/attribute-table.ts";
import { RecordingSink } from "../../testing/recording-sink.ts";
import { type Ingest, startIngest } from "../start-ingest.ts";

let dir: string;
let sink: RecordingSink;
let servers: Server[];
let logged: string[];
let ingest: Ingest | undefined;

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "longpole-scrape-"));
  sink = new RecordingSink();
  servers = [];
  logged = [];
});
afterEach(async () => {
  await ingest?.stop();
  for (const server of servers) {
    server.closeAllConnections();
    server.close();
  }
  rmSync(dir, { recursive: true, force: true });
});

async function target(listener: RequestListener): Promise<string> {
  const server = createServer(listener);
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/metrics`;
}

/** Scrapes one target until `rounds` blocks of it are stored. */
async function scraped(url: string, rounds = 1, timeoutMs = 5000): Promise<void> {
  ingest = await startIngest({
    listen: {},
    walDir: dir,
    sink,
    limits: { minFreeBytes: 0, blockAgeMs: 10, bodyBytes: 10_000 },
    scrape: [{ url, job: "shop", intervalMs: 60, timeoutMs }],
    log: (text) => logged.push(text),
  });
  while (sink.metrics.size < rounds) await new Promise((resolve) => setTimeout(resolve, 5));
}

/** `name service instance value` of each point stored. */
function points(): string[] {
  return [...sink.metrics.values()].flatMap((table) =>
    Array.from({ length: table.points.rowCount }, (_, row) => {
      const series = table.points.series[row]!;
      const { resources, strings } = table;
      const list = table.resource[series]!;
      const values: string[] = [];
      for (let i = resources.listStart[list]!; i < resources.listStart[list + 1]!; i++)
        values.push(`${strings.get(resources.key[i]!)}=${attributeText(resources, strings, i)}`);
      return `${strings.get(table.name[series]!)} ${values.toSorted().join(" ")} ${table.points.value[row]}`;
    }),
  );
}
const named = (name: string): string[] => points().filter((point) => point.startsWith(`${name} `));

it("stores what a target tells, of which service and instance it is, and that it is up", async () => {
  const url = await target((request, response) => {
    expect(request.headers.accept).toMatch(/^application\/openmetrics-text/);
    response.end("# TYPE queue gauge\nqueue 17\n# EOF\n");
  });
  await scraped(url, 2);
  const resource = `service.instance.id=${new URL(url).host} service.name=shop`;
  expect(named("queue")[0]).toBe(`queue ${resource} 17`);
  expect(named("up").slice(0, 2)).toEqual([`up ${resource} 1`, `up ${resource} 1`]);
  expect(named("scrape_duration_seconds").length).toBeGreaterThanOrEqual(2);
});

it.each<[string, RequestListener, RegExp]>([
  ["answers with an error", (_, response) => response.writeHead(500).end("queue 1\n"), /status 500/],
  ["answers too much", (_, response) => response.end("queue 1\n".repeat(2000)), /more than 10000 bytes/],
  ["does not answer in time", () => {}, /timeout|aborted/],
])("tells that a target is not up which %s", async (_, listener, message) => {
  await scraped(await target(listener), 1, message.source.startsWith("timeout") ? 50 : 5000);
  expect(named("up")[0]).toMatch(/ 0$/);
  expect(named("queue")).toEqual([]);
  expect(logged.join("\n")).toMatch(message);
});

it("is not led elsewhere", async () => {
  let visits = 0;
  const elsewhere = await target((_, response) => {
    visits++;
    response.end("secret 1\n");
  });
  await scraped(await target((_, response) => response.writeHead(302, { location: elsewhere }).end()), 2);
  expect([visits, named("secret"), named("up")[0]!.endsWith(" 0")]).toEqual([0, [], true]);
});

it("asks over http and https alone", async () => {
  await expect(scraped("file:///etc/passwd")).rejects.toThrow(
    "file:///etc/passwd: metrics are asked for over http or https",
  );
});
