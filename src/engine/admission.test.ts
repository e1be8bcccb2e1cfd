import { describe, expect, test } from "vitest";
import { Random } from "../analysis/random.ts";
import { SpanKind, type SpanTable } from "../model/span-table.ts";
import { spansFromRows, type SpanRow } from "../testing/spans-from-rows.ts";
import { admissionLimit } from "./admission.ts";
import { legsByEdge } from "./legs.ts";
import { buildWindow } from "./window.ts";

const MS = 1e6;
/** One way between the services, and what the callee takes: 1 ms of its thread, then 9 ms of waiting for others. */
const WAY_MS = 0.3;
const WORK_MS = 1;
const AWAY_MS = 9;

/** When a request that arrives at the callee at `atMs` begins, ends, and its answer is taken up. */
type Serve = (atMs: number, callMs: number) => { begin: number; end: number };

/** 1500 calls at random, on average one per 2 ms (or per `everyMs`). */
async function calls(
  serve: Serve,
  everyMs: number,
  portOf: (trace: number) => number | undefined = () => undefined,
): Promise<ReturnType<typeof admissionLimit>> {
  const random = new Random(7);
  const rows: SpanRow[] = [];
  let now = 0;
  for (let trace = 1; trace <= 1500; trace++) {
    now += -Math.log(1 - random.uniform()) * everyMs;
    const { begin, end } = serve(now + WAY_MS, now);
    rows.push(...call(trace, [now, begin, end], portOf(trace)));
  }
  return limitOf(spansFromRows(rows));
}

/** A request to the shop, its call and what the stock makes of it; milliseconds. */
function call(trace: number, [calledAt, begin, end]: readonly [number, number, number], port?: number): SpanRow[] {
  const span = (id: number, service: string, kind: number, from: number, to: number): SpanRow => ({
    trace,
    id,
    parent: id - 1,
    startNs: Math.round(from * MS),
    endNs: Math.round(to * MS),
    kind,
    service,
    name: id === 2 ? "call" : `GET /${service}`,
    ...(port === undefined ? {} : { attributes: { "network.peer.port": port } }),
  });
  return [
    span(1, "shop", SpanKind.server, calledAt, end + WAY_MS),
    span(2, "shop", SpanKind.client, calledAt, end + WAY_MS),
    span(3, "stock", SpanKind.server, begin, end),
  ];
}

async function limitOf(table: SpanTable): Promise<ReturnType<typeof admissionLimit>> {
  const window = await buildWindow(table, async () => {});
  const [legs] = [...legsByEdge(window).values()];
  return admissionLimit(window, legs!, (i) => legs!.requestNs[i]! > 3 * WAY_MS * MS, 2 * WAY_MS * MS);
}

/** Places that are taken for as long as `hold` says of a request that begins. */
function places(count: number, hold: (begin: number) => { end: number; freeAt: number }, delayMs = 0): Serve {
  const freeAt = Array.from({ length: count }, () => 0);
  return (at) => {
    const place = freeAt.indexOf(Math.min(...freeAt));
    const begin = Math.max(at, freeAt[place]! + delayMs);
    const held = hold(begin);
    freeAt[place] = held.freeAt;
    return { begin, end: held.end };
  };
}

const whole = (begin: number): { end: number; freeAt: number } => ({
  end: begin + WORK_MS + AWAY_MS,
  freeAt: begin + WORK_MS + AWAY_MS,
});

describe("what calls wait for on their way", () => {
  test.each([1, 3])("%i workers: each that waited begins when another ends", async (workers) => {
    // Utilisation 0.9 of the workers.
    const everyMs = (WORK_MS + AWAY_MS) / workers / 0.9;
    expect(await calls(places(workers, whole), everyMs)).toMatchObject({ limit: workers, by: "callee" });
  });

  test("connections of the caller: the answer has to be back before the next is sent", async () => {
    const everyMs = (WORK_MS + AWAY_MS + 2 * WAY_MS) / 2 / 0.9;
    expect(await calls(places(2, whole, 2 * WAY_MS), everyMs)).toMatchObject({ limit: 2, by: "caller" });
  });

  test("connections that are kept tell the caller from the callee, whatever passes between two requests", async () => {
    const everyMs = (WORK_MS + AWAY_MS) / 0.9;
    expect(await calls(places(1, whole), everyMs, () => 5000)).toMatchObject({ limit: 1, by: "caller" });
    expect(await calls(places(1, whole, 2 * WAY_MS), everyMs, (trace) => 5000 + (trace % 8))).toMatchObject({
      limit: 1,
      by: "callee",
    });
    // A connection for each request tells nothing: as few of them are open as there are requests inside.
    expect(await calls(places(1, whole), everyMs, (trace) => 5000 + trace)).toMatchObject({ by: "callee" });
  });

  test("a request that is shorter than the clock's step is inside all the same", async () => {
    // Starts in whole milliseconds. Every 40 ms one takes 20 ms, and two that come meanwhile take 0.4 ms each after it.
    const rows = Array.from({ length: 60 }, (_, k) => 40 * k).flatMap((at, k) => [
      ...call(3 * k + 1, [at, at, at + 20.2]),
      ...call(3 * k + 2, [at + 5, at + 20, at + 20.4]),
      ...call(3 * k + 3, [at + 6, at + 20, at + 20.4]),
    ]);
    expect(await limitOf(spansFromRows(rows))).toMatchObject({ limit: 1, by: "callee" });
    const kept = rows.map((row) => ({ ...row, attributes: { "network.peer.port": 5000 } }));
    expect(await limitOf(spansFromRows(kept))).toMatchObject({ limit: 1, by: "caller" });
  });

  test("a busy event loop takes up any number of requests: no limit", async () => {
    // One thread for 1 ms of each request, at a utilisation of 0.9; then the request is away and the thread is free.
    const loop = places(1, (begin) => ({ end: begin + WORK_MS + AWAY_MS, freeAt: begin + WORK_MS }));
    expect(await calls(loop, WORK_MS / 0.9)).toBeUndefined();
  });

  test("nobody waits: no limit", async () => {
    expect(await calls(places(50, whole), 5)).toBeUndefined();
  });
});
