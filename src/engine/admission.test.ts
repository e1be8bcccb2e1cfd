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
async function calls(serve: Serve, everyMs: number): Promise<ReturnType<typeof admissionLimit>> {
  const random = new Random(7);
  const rows: SpanRow[] = [];
  let now = 0;
  for (let trace = 1; trace <= 1500; trace++) {
    now += -Math.log(1 - random.uniform()) * everyMs;
    const { begin, end } = serve(now + WAY_MS, now);
    const span = (id: number, service: string, kind: number, from: number, to: number): SpanRow => ({
      trace,
      id,
      parent: id - 1,
      startNs: Math.round(from * MS),
      endNs: Math.round(to * MS),
      kind,
      service,
      name: id === 2 ? "call" : `GET /${service}`,
    });
    rows.push(
      span(1, "shop", SpanKind.server, now, end + WAY_MS),
      span(2, "shop", SpanKind.client, now, end + WAY_MS),
      span(3, "stock", SpanKind.server, begin, end),
    );
  }
  return limitOf(spansFromRows(rows));
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

  test("a busy event loop takes up any number of requests: no limit", async () => {
    // One thread for 1 ms of each request, at a utilisation of 0.9; then the request is away and the thread is free.
    const loop = places(1, (begin) => ({ end: begin + WORK_MS + AWAY_MS, freeAt: begin + WORK_MS }));
    expect(await calls(loop, WORK_MS / 0.9)).toBeUndefined();
  });

  test("nobody waits: no limit", async () => {
    expect(await calls(places(50, whole), 5)).toBeUndefined();
  });
});
