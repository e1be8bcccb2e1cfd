import { describe, expect, test } from "vitest";
import type { LayeredModel } from "../model/layered-model.ts";
import { randomLayeredModel, simulateLayered } from "../testing/layered-simulator.ts";
import { usually } from "../testing/long-tests.ts";
import { solveLayered } from "./layered-queueing.ts";

/** A task without limit of its own on one host: a queue for the cores. */
function queueForCores(cores: number, copies: number, source: LayeredModel["sources"][number]): LayeredModel {
  return {
    hosts: [{ name: "host", cores, copies }],
    tasks: [{ name: "app", host: 0, threads: Infinity, replicas: copies }],
    entries: [{ name: "get", task: 0, demandS: 0.01, delayS: 0, calls: [] }],
    sources: [source],
  };
}

const open = (perSecond: number): LayeredModel["sources"][number] => ({
  kind: "open",
  name: "users",
  perSecond,
  calls: [{ entry: 0, mean: 1 }],
});
const closed = (customers: number, thinkS: number): LayeredModel["sources"][number] => ({
  kind: "closed",
  name: "users",
  customers,
  thinkS,
  calls: [{ entry: 0, mean: 1 }],
});

describe("what can be said by hand", () => {
  test("M/M/1: S / (1 - ρ)", () => {
    const { responseS, hostUtilisation, throughput } = solveLayered(queueForCores(1, 1, open(70)));
    expect(responseS[0]! / (0.01 / 0.3)).toBeCloseTo(1, 2);
    expect([hostUtilisation[0], throughput[0]].map((x) => x!.toFixed(3))).toEqual(["0.700", "70.000"]);
  });

  test("two replicas at 70 % each answer like one", () => {
    expect(solveLayered(queueForCores(1, 2, open(140))).responseS[0]! / (0.01 / 0.3)).toBeCloseTo(1, 2);
  });

  test("more arrivals than can be served: what is served is the ceiling", () => {
    const { throughput, hostUtilisation } = solveLayered(queueForCores(2, 1, open(400)));
    expect(throughput[0]! / 200).toBeCloseTo(1, 2);
    expect(hostUtilisation[0]).toBeCloseTo(1, 2);
  });

  test("many customers that do not think saturate the cores", () => {
    expect(solveLayered(queueForCores(4, 1, closed(200, 0))).throughput[0]! / 400).toBeCloseTo(1, 3);
  });

  test("a pool of 5 that is held for 50 ms of pure delay is full at 100 per second, whatever the cores can do", () => {
    const { throughput, taskUtilisation, hostUtilisation } = solveLayered({
      hosts: [
        { name: "app", cores: 8, copies: 1 },
        { name: "none", cores: 1, copies: 1 },
      ],
      tasks: [
        { name: "app", host: 0, threads: Infinity, replicas: 1 },
        { name: "pool", host: 1, threads: 5, replicas: 1 },
      ],
      entries: [
        { name: "get", task: 0, demandS: 0.001, delayS: 0, calls: [{ entry: 1, mean: 1 }] },
        { name: "query", task: 1, demandS: 0, delayS: 0.05, calls: [] },
      ],
      sources: [closed(200, 0)],
    });
    expect(throughput[0]! / 100).toBeCloseTo(1, 2);
    expect(taskUtilisation[1]).toBeCloseTo(1, 2);
    expect(hostUtilisation[0]).toBeCloseTo(0.1 / 8, 3);
  });

  test("a thread is held while its callee waits: hold = own work + wait + callee's hold", () => {
    const { entryHoldS, taskWaitS } = solveLayered({
      hosts: [
        { name: "app", cores: 1, copies: 1 },
        { name: "db", cores: 1, copies: 1 },
      ],
      tasks: [
        { name: "app", host: 0, threads: 10, replicas: 1 },
        { name: "db", host: 1, threads: 1, replicas: 1 },
      ],
      entries: [
        { name: "get", task: 0, demandS: 0.01, delayS: 0, calls: [{ entry: 1, mean: 2 }] },
        { name: "query", task: 1, demandS: 0.005, delayS: 0, calls: [] },
      ],
      // one customer waits for nobody
      sources: [closed(1, 1)],
    });
    expect(entryHoldS[0]).toBeCloseTo(0.02, 9);
    expect(taskWaitS).toEqual([0, 0]);
  });

  test("a call upwards is a mistake of the caller", () => {
    const model = queueForCores(1, 1, open(1));
    const entries = [{ ...model.entries[0]!, calls: [{ entry: 0, mean: 1 }] }];
    expect(() => solveLayered({ ...model, entries })).toThrow("stands behind it");
  });
});

describe("random networks against the discrete-event simulator", () => {
  test("throughput: mean error within 4.1 %, nine of ten within 15.9 %", () => {
    const errors: number[] = [];
    for (let seed = 1; seed <= usually(8, 50); seed++) {
      const model = randomLayeredModel(seed);
      const found = solveLayered(model);
      const played = simulateLayered(model, { seed, seconds: usually(60, 600) });
      expect(found.converged, `seed ${seed}`).toBe(true);
      found.throughput.forEach((x, i) => errors.push(Math.abs(x / played.throughput[i]! - 1)));
    }
    errors.sort((a, b) => a - b);
    expect(errors.reduce((a, b) => a + b, 0) / errors.length).toBeLessThan(0.041);
    expect(errors[Math.floor(0.9 * (errors.length - 1))]).toBeLessThan(0.159);
  });
});
