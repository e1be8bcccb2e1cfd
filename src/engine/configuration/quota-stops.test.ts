import { expect, test } from "vitest";
import { SpanKind } from "../../model/span-table.ts";
import { metricTableOf, type SeriesObject } from "../../testing/metric-table.ts";
import { spansFromRows } from "../../testing/spans-from-rows.ts";
import { ownTime } from "../case.ts";
import { resourceContext } from "../resources/resource-context.ts";
import { buildWindow } from "../window.ts";
import { withoutStops } from "./quota-stops.ts";

const MS = 1e6;
const SECONDS = 20;
/** A quota stops the process from 0.4 to 0.48 of each second. */
const [FROM_MS, TO_MS] = [400, 480];

/** When `workMs` of work that begins at `at` is done, milliseconds. */
function doneAt(at: number, workMs: number): number {
  const second = 1000 * Math.floor(at / 1000);
  const [from, to] = [second + FROM_MS, second + TO_MS];
  if (at >= to || at + workMs <= from) return at + workMs;
  return at >= from ? to + workMs : at + workMs + to - from;
}

/** Requests every 7 ms with 5 ms of work each, by as many workers as it takes. */
async function without(throttledMsPerSecond: number) {
  const rows = Array.from({ length: Math.floor((1000 * SECONDS) / 7) }, (_, i) => ({
    trace: i + 1,
    id: 1,
    parent: 0,
    startNs: 7 * i * MS,
    endNs: doneAt(7 * i, 5) * MS,
    kind: SpanKind.server,
    service: "api",
    name: "GET /",
  }));
  const window = await buildWindow(spansFromRows(rows), async () => {});
  const counter = (name: string, perSecond: number, unit: string): SeriesObject => ({
    name: `container.cpu.throttling_data.${name}`,
    kind: "sum",
    temporality: "cumulative",
    monotonic: true,
    unit,
    resource: { "service.name": "api" },
    points: Array.from({ length: SECONDS + 1 }, (_, s) => [s, s * perSecond] as const),
  });
  const metrics = metricTableOf(
    counter("periods", 10, "{periods}"),
    counter("throttled_periods", 1, "{periods}"),
    counter("throttled_time", throttledMsPerSecond * MS, "ns"),
  );
  const resources = resourceContext(metrics, undefined, window, undefined)!;
  return { window, undo: withoutStops(window, "api", resources.now) };
}

test("without its stops a request takes what it takes at other times", async () => {
  const { window, undo } = await without(TO_MS - FROM_MS);
  if (undo?.kind !== "own-time") throw new Error("nothing to undo");
  const own = ownTime(window.segments, window.spans.rowCount);
  const left = new Float64Array(own);
  undo.rows.forEach((row, i) => (left[row] = undo.ownNs[i]!));
  const longest = (times: Float64Array): number => times.reduce((most, ns) => Math.max(most, ns), 0) / MS;
  expect(longest(own)).toBeGreaterThan(80);
  // One who came while it stood still waited for others, too; nobody does for more than a tick of the arrivals.
  expect(longest(left)).toBeLessThan(5 + 7);
  // 12 requests a second meet a stop of 80 ms, and no others are touched.
  expect(undo.rows.length).toBeLessThanOrEqual(13 * SECONDS);
  expect(undo.rows.length).toBeGreaterThanOrEqual(11 * (SECONDS - 2));
});

test("the kernel's counter is the limit: pauses that it has no time for are no stops", async () => {
  const { undo } = await without(5);
  expect(undo).toBeUndefined();
});
