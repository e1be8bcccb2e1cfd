import { expect, test } from "vitest";
import { SpanKind } from "../model/span-table.ts";
import { spansFromRows, type SpanRow } from "../testing/spans-from-rows.ts";
import { connectionUse, countConnections, type ConnectionUse } from "./connections.ts";
import { legsByEdge } from "./legs.ts";
import { buildWindow } from "./window.ts";

/** A call from `calledAt` to `servedTo`, taken up at `servedAt`, by the connection from `port`; microseconds. */
type Call = readonly [calledAt: number, servedAt: number, servedTo: number, port?: number];

async function of(calls: readonly Call[], portName = "network.peer.port"): Promise<ConnectionUse> {
  const rows = calls.flatMap(([calledAt, servedAt, servedTo, port], i): SpanRow[] => [
    {
      trace: i + 1,
      id: 1,
      parent: 0,
      startNs: 1e3 * calledAt,
      endNs: 1e3 * servedTo,
      kind: SpanKind.client,
      service: "shop",
    },
    {
      trace: i + 1,
      id: 2,
      parent: 1,
      startNs: 1e3 * servedAt + 7,
      endNs: 1e3 * servedTo,
      kind: SpanKind.server,
      service: "stock",
      attributes: port === undefined ? {} : { [portName]: port },
    },
  ]);
  const window = await buildWindow(spansFromRows(rows), async () => {});
  const [legs] = [...legsByEdge(window).values()];
  const use = connectionUse(window, legs!);
  expect(countConnections(window, legs!)).toEqual({ requests: use.requests, connections: use.connections });
  return use;
}

test("three calls at once by one connection: each waits for the one before", async () => {
  const calls: Call[] = [
    [0, 10, 100, 5000],
    [20, 100, 200, 5000],
    [30, 200, 300, 5000],
  ];
  const expected = { requests: 3, connections: 1, atOnce: 1, callsAtOnce: 3, isOneByOne: true };
  expect(await of(calls)).toEqual(expected);
  expect(await of(calls, "net.sock.peer.port")).toEqual(expected);
});

test("a connection is open from its first request to its last, idle between them", async () => {
  const calls: Call[] = [
    [0, 10, 100, 5000],
    [200, 210, 300, 5001],
    [400, 410, 500, 5000],
    [600, 610, 700, 5002],
  ];
  expect(await of(calls)).toEqual({ requests: 4, connections: 3, atOnce: 2, callsAtOnce: 1, isOneByOne: true });
});

test("requests at once on one connection: it is shared, as with HTTP/2", async () => {
  const calls: Call[] = [
    [0, 10, 100, 5000],
    [20, 30, 120, 5000],
  ];
  expect(await of(calls)).toMatchObject({ connections: 1, callsAtOnce: 2, isOneByOne: false });
});

test("spans that do not tell the port count for nothing", async () => {
  const none = { requests: 0, connections: 0, atOnce: 0, callsAtOnce: 0, isOneByOne: true };
  expect(await of([[0, 10, 100]])).toEqual(none);
  expect(
    await of([
      [0, 10, 100],
      [0, 10, 100, 5000],
    ]),
  ).toMatchObject({ requests: 1, connections: 1, callsAtOnce: 1 });
});
