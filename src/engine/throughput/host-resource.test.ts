import { expect, test } from "vitest";
import { coresTaken } from "./host-resource.ts";
import { hostStretch } from "./host-stretch.ts";
import type { ModelResource } from "./capacity-model.ts";

const host = (cores: number, demandS: number, background: number): ModelResource => ({
  service: "box",
  resource: "cpu",
  instances: 1,
  capacityEach: cores,
  demandS,
  background,
  isEventLoop: false,
  isHost: true,
  shares: new Map([["web", 1]]),
});

test.each([
  // M/M/1: residence over work is 1 / (1 - rho).
  [1, 2, 0.5],
  [1, 4, 0.75],
  // M/M/2: 1 / (1 - rho²) at rho = 0.5 is 4/3, with one of two cores taken.
  [2, 4 / 3, 1],
  [2, 1, 0],
  [2, Number.NaN, 0],
])("of %i cores, work that takes %f times as long: %f are taken", (cores, stretch, taken) => {
  expect(coresTaken(cores, stretch)).toBeCloseTo(taken, 6);
});

test("the stretch of a machine at a load, and without end where it is full", () => {
  expect(hostStretch(host(2, 0.01, 0), 100)).toBeCloseTo(4 / 3, 9);
  expect(hostStretch(host(2, 0.01, 0.5), 50)).toBeCloseTo(4 / 3, 9);
  expect(hostStretch(host(2, 0.01, 0), 0)).toBe(1);
  expect(hostStretch(host(2, 0.01, 1), 100)).toBe(Infinity);
});
