import { expect, test } from "vitest";
import type { ModelResource } from "./capacity-model.ts";
import type { MeasuredResource } from "./measured-resources.ts";
import { ceilingInterval } from "./throughput.ts";

/** 5 ms of two servers per request: full at 400. */
function measured(resource: string, change: Partial<MeasuredResource> = {}): MeasuredResource {
  const model: ModelResource = {
    service: "app",
    resource,
    instances: 1,
    capacityEach: 2,
    demandS: 0.005,
    background: 0,
    isEventLoop: false,
  };
  return {
    use: {
      ...model,
      source: "metrics",
      isCapacityKnown: true,
      utilisation: 0.5,
      worstUtilisation: 0.5,
      shareAboveLine: 0,
      startNs: new Float64Array(0),
      widthNs: 1e9,
      busy: new Float64Array(0),
      measured: new Float64Array(0),
    },
    demand: { perRequest: { value: 0.005, low: 0.005, high: 0.005 }, background: 0, r2: 1, windows: 20 },
    model,
    capacityLow: 1,
    capacityHigh: 1,
    ...change,
  };
}

const intervalOf = (one: MeasuredResource, present: number): [number, number] => {
  const { low, high } = ceilingInterval([one], { perSecond: 400, limiter: one.model, each: [400] }, present);
  return [low, high];
};

test("a demand between 4 and 6 ms: between 333 and 500 requests per second", () => {
  const demand = { perRequest: { value: 0.005, low: 0.004, high: 0.006 }, background: 0, r2: 1, windows: 20 };
  expect(intervalOf(measured("cpu", { demand }), 200)).toEqual([expect.closeTo(1000 / 3, 6), expect.closeTo(500, 6)]);
});

test("a capacity that may be a half or twice as much, by Pythagoras with a demand that may be as far off", () => {
  const demand = { perRequest: { value: 0.005, low: 0.0025, high: 0.01 }, background: 0, r2: 1, windows: 20 };
  const reach = 2 ** Math.SQRT2;
  expect(intervalOf(measured("cpu", { demand, capacityLow: 0.5, capacityHigh: 2 }), 200)).toEqual([
    expect.closeTo(400 / reach, 6),
    expect.closeTo(400 * reach, 6),
  ]);
  expect(intervalOf(measured("cpu", { capacityLow: 0 }), 200)[0]).toBe(0);
});

test("a processor's ceiling is as certain from afar, a pool's the less the farther it is", () => {
  expect(intervalOf(measured("cpu"), 40)).toEqual([400, 400]);
  const [near, far] = [intervalOf(measured("pool:db"), 320), intervalOf(measured("pool:db"), 100)];
  // 1.645 × 0.1 × ln 4
  expect(far[1]).toBeCloseTo(400 * Math.exp(0.1645 * Math.log(4)), 6);
  expect(near[1] - near[0]).toBeLessThan(far[1] - far[0]);
});
