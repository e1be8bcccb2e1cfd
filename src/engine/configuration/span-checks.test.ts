import { expect, test } from "vitest";
import { SpanKind } from "../../model/span-table.ts";
import { metricTableOf, type SeriesObject } from "../../testing/metric-table.ts";
import { spansFromRows, type SpanRow } from "../../testing/spans-from-rows.ts";
import { viewEndpoint } from "../endpoint-view.ts";
import { resourceContext } from "../resources/resource-context.ts";
import { buildWindow } from "../window.ts";
import { abandonedWork } from "./abandoned-work.ts";
import type { CheckResult, ConfigurationCheck } from "./configuration-check.ts";
import { keepAlive } from "./keep-alive.ts";
import { connectionsFor, poolSize } from "./pool-size.ts";
import { retryAmplification } from "./retry-amplification.ts";

const MS = 1e6;
const { server, client, internal } = SpanKind;

async function run(
  check: ConfigurationCheck,
  rows: readonly SpanRow[],
  ...series: readonly SeriesObject[]
): Promise<CheckResult> {
  const window = await buildWindow(spansFromRows(rows), async () => {});
  const resources = resourceContext(metricTableOf(...series), undefined, window, undefined);
  return check.run({ window, views: window.endpoints.map((_, i) => viewEndpoint(window, i)), resources });
}

/** Spans of one request at `atMs`: [id, parent, kind, service, name, from, to] in milliseconds of the request. */
type Drawn = readonly [
  id: number,
  parent: number,
  kind: number,
  service: string,
  name: string,
  fromMs: number,
  toMs: number,
  more?: Partial<SpanRow>,
];
const request = (trace: number, atMs: number, ...spans: readonly Drawn[]): SpanRow[] =>
  spans.map(([id, parent, kind, service, name, fromMs, toMs, more]) => ({
    trace,
    id,
    parent,
    kind,
    service,
    name,
    startNs: (atMs + fromMs) * MS,
    endNs: (atMs + toMs) * MS,
    ...more,
  }));

test("servers of which one request in twenty finds none free, by the tables of Erlang's C", () => {
  // C(1, 0.05) = 0.05; C(2, 0.2) = 0.018; C(5, 1.7) = 0.035, C(4, 1.7) = 0.107; C(15, 9) = 0.044, C(14, 9) = 0.078.
  expect([0, 0.05, 0.2, 1.7, 9].map(connectionsFor)).toEqual([1, 1, 2, 5, 15]);
});

/** Four requests at once every half second, for 20 s; each holds one of `size` connections for 200 ms. */
function pooled(size: number): SpanRow[] {
  const free = Array.from({ length: size }, () => 0);
  return Array.from({ length: 160 }, (_, i) => {
    const atMs = 500 * Math.floor(i / 4);
    const place = free.indexOf(Math.min(...free));
    const waitMs = Math.max(0, free[place]! - atMs);
    free[place] = atMs + waitMs + 200;
    const attributes = { "db.system.name": "postgresql", "db.namespace": "shop" };
    return request(
      i + 1,
      atMs,
      [1, 0, server, "orders", "GET /", 0, waitMs + 201],
      [2, 1, internal, "orders", "pg-pool.connect", 0, waitMs, { attributes }],
      [3, 1, client, "orders", "SELECT", waitMs, waitMs + 200, { attributes }],
    );
  }).flat();
}
const sizeOf = (size: number): SeriesObject => ({
  name: "db.client.connection.max",
  kind: "gauge",
  resource: { "service.name": "orders" },
  labels: { "db.client.connection.pool.name": "shop" },
  points: [
    [0, size],
    [10, size],
    [20, size],
  ],
});

test("a pool that is smaller than Little's law asks for, and that somebody waits for", async () => {
  // 8/s × 200 ms = 1.6 in use of 2: C(4, 1.6) = 0.09, C(5, 1.6) = 0.03.
  const { problems } = await run(poolSize, pooled(2), sizeOf(2));
  expect(problems).toMatchObject([
    { service: "orders", resource: "pool:shop", setting: "pool.max", change: "pool.max: 2 -> 5" },
  ]);
  expect(problems[0]!.arithmetic).toMatch(/^8\.\d\/s × 200 ms held = 1\.6\d connections in use on average/);
  expect(problems[0]!.harm?.undo).toHaveLength(1);
});

test("a pool that nobody waits for is no problem, whatever its size", async () => {
  expect((await run(poolSize, pooled(10), sizeOf(10))).problems).toEqual([]);
});

/** `each` requests on each connection of the gateway to the shop. */
const connected = (each: number, more: readonly Drawn[] = []): SpanRow[] =>
  Array.from({ length: 60 }, (_, i) =>
    request(
      i + 1,
      20 * i,
      [1, 0, server, "gateway", "GET /", 0, 12],
      [2, 1, client, "gateway", "GET", 1, 11],
      [3, 2, server, "shop", "GET /", 6, 10, { attributes: { "network.peer.port": 40_000 + Math.floor(i / each) } }],
      ...more,
    ),
  ).flat();

test("a connection for each request is told, as harm only where the handshakes show", async () => {
  const quiet = await run(keepAlive, connected(1));
  expect(quiet.problems).toMatchObject([
    {
      service: "gateway",
      setting: "keepAlive",
      arithmetic: expect.stringContaining("60 requests of gateway came to shop on 60"),
    },
  ]);
  expect(quiet.problems[0]).not.toHaveProperty("harm");
  const seen = await run(keepAlive, connected(1, [[4, 2, internal, "gateway", "tls.connect", 1, 5]]));
  expect(seen.problems[0]!.harm).toMatchObject({
    text: "opening them takes 4.00 ms of a call on average, in 100 % of the calls",
  });
  const headed = await run(
    keepAlive,
    connected(1).map((span) => ({
      ...span,
      attributes: { ...span.attributes, "http.response.header.connection": "close" },
    })),
  );
  expect(headed.problems[0]!.arithmetic).toContain('the callee sends "Connection: close" with 100 % of them');
  const kept = await run(keepAlive, connected(20));
  expect(kept.problems).toEqual([]);
  expect(kept.fine[0]!.text).toBe("60 requests of gateway came to shop on 3 connections: 20 on each");
});

test("retries at two levels multiply", async () => {
  // Every other request: the middle asks twice, and fails; the edge asks the middle again, which asks twice again.
  const rows = Array.from({ length: 40 }, (_, i) => {
    const isBad = i % 2 === 0;
    const failed = { isError: true };
    const attempt = (id: number, fromMs: number, isLast: boolean): Drawn[] => [
      [id, 1, client, "edge", "GET /middle", fromMs, fromMs + 8, isLast ? {} : failed],
      [id + 1, id, server, "middle", "GET /middle", fromMs + 1, fromMs + 7, isLast ? {} : failed],
      [id + 2, id + 1, client, "middle", "GET /last", fromMs + 2, fromMs + 3, failed],
      [id + 3, id + 1, client, "middle", "GET /last", fromMs + 4, fromMs + 5, isLast ? {} : failed],
    ];
    const good: Drawn[] = [
      [10, 1, client, "edge", "GET /middle", 1, 5],
      [11, 10, server, "middle", "GET /middle", 2, 4],
      [12, 11, client, "middle", "GET /last", 3, 4],
    ];
    const calls = isBad ? [...attempt(10, 1, false), ...attempt(20, 10, true)] : good;
    return request(i + 1, 100 * i, [1, 0, server, "edge", "GET /", 0, 20], ...calls);
  }).flat();
  const { problems } = await run(retryAmplification, rows);
  // The edge: 60 calls for 40 = 1.5; the middle: 100 calls for 60 = 1.67.
  expect(problems).toMatchObject([
    {
      service: "edge",
      setting: "retries",
      change: "edge retries: 1 -> 0",
      arithmetic: "edge 1.50 × middle 1.67 = 2.50 calls of GET /last for each that is needed, up to 2 × 2 = 4",
    },
  ]);
});

test("work that goes on after the caller has given up", async () => {
  // A quarter of the calls is given up after 20 ms; the shop works for 60 ms on those, for 5 ms on the others.
  const rows = Array.from({ length: 80 }, (_, i) => {
    const isLong = i % 4 === 0;
    const [callMs, workMs] = isLong ? [20, 60] : [6, 5];
    return request(
      i + 1,
      100 * i,
      [1, 0, server, "gateway", "GET /", 0, callMs + 2],
      [2, 1, client, "gateway", "GET", 1, 1 + callMs, { isError: isLong }],
      [3, 2, server, "shop", "GET /", 1, 1 + workMs],
    );
  }).flat();
  const { problems } = await run(abandonedWork, rows);
  // 20 × 40 ms of 20 × 60 + 60 × 5 = 1500 ms are for nobody: 53 %.
  expect(problems).toMatchObject([
    { service: "gateway", setting: "timeout", change: "timeout: 20 ms -> 80 ms", harm: { loss: 0.25 } },
  ]);
  expect(problems[0]!.arithmetic).toContain("53 % of its time");
});
