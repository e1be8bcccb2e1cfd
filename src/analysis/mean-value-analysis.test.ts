import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { usually } from "../testing/long-tests.ts";
import { approximateMeanValues } from "./linearizer.ts";
import { exactMeanValues } from "./mean-value-analysis.ts";
import { openMeanValues } from "./open-network.ts";
import { erlangC, type ClosedNetwork, type NetworkSolution, type Station } from "./queueing-network.ts";

const queue = (name: string, ...demand: number[]): Station => ({ name, kind: "sharing", servers: 1, demand });
const rounded = (values: readonly number[], digits = 4): number[] => values.map((v) => Number(v.toFixed(digits)));

describe("exact closed networks", () => {
  test.each([
    // Lazowska et al. 1984, chapter 6: CPU 0.605 s, disks 2.1 and 1.35 s, think time 15 s. By hand for 3: the queues at
    // 2 are 0.0643, 0.2403, 0.1491, so R = 0.6439 + 2.6047 + 1.5512 and X = 3 / 19.800.
    [1, 4.055, 0.0525],
    [2, 4.4013, 0.1031],
    [3, 4.7998, 0.1515],
  ])("one class, %i customers", (population, response, throughput) => {
    const stations = [queue("cpu", 0.605), queue("disk 1", 2.1), queue("disk 2", 1.35)];
    const found = exactMeanValues({ stations, classes: [{ population, think: 15 }] });
    expect([rounded(found.response), rounded(found.throughput)]).toEqual([[response], [throughput]]);
  });

  test("two classes (Lazowska et al. 1984, chapter 7): A 1 and 3, B 2 and 4, one customer each", () => {
    const classes = [
      { population: 1, think: 0 },
      { population: 1, think: 0 },
    ];
    const found = exactMeanValues({ stations: [queue("cpu", 1, 2), queue("disk", 3, 4)], classes });
    // A finds B's queues 1/3 and 2/3: 1 (4/3) + 3 (5/3) = 19/3; B finds A's 1/4 and 3/4: 2 (5/4) + 4 (7/4) = 9.5
    expect(rounded(found.response)).toEqual([6.3333, 9.5]);
    expect(rounded(found.throughput)).toEqual([0.1579, 0.1053]);
    expect(rounded(found.utilisation)).toEqual([0.3684, 0.8947]);
  });

  test.each([
    [1, 6, 2],
    [2, 6, 2],
    [3, 10, 5],
    [4, 3, 1],
    [8, 40, 3],
  ])(
    "%i servers, %i customers, think %i: the birth and death of the machine repair model",
    (servers, population, think) => {
      const station: Station = { name: "x", kind: "sharing", servers, demand: [1] };
      const found = exactMeanValues({ stations: [station], classes: [{ population, think }] });
      const { busy, inSystem } = machineRepair(servers, population, think);
      expect(found.throughput[0]).toBeCloseTo(busy, 8);
      expect(found.queue[0]![0]).toBeCloseTo(inSystem, 7);
    },
  );

  test("a delay keeps nobody waiting, and think time is one", () => {
    const delay: Station = { name: "wire", kind: "delay", servers: 1, demand: [15] };
    const disk = queue("disk", 2);
    const thinking = exactMeanValues({ stations: [disk], classes: [{ population: 4, think: 15 }] });
    const delayed = exactMeanValues({ stations: [disk, delay], classes: [{ population: 4, think: 0 }] });
    expect(delayed.throughput[0]).toBeCloseTo(thinking.throughput[0]!, 12);
  });

  test("too many populations are refused, and nobody is an answer", () => {
    const classes = Array.from({ length: 4 }, () => ({ population: 100, think: 1 }));
    expect(() => exactMeanValues({ stations: [queue("x", 1, 1, 1, 1)], classes })).toThrow(RangeError);
    expect(exactMeanValues({ stations: [queue("x", 1)], classes: [{ population: 0, think: 1 }] }).throughput).toEqual([
      0,
    ]);
  });
});

/** Of M/M/m//N with service time 1 by its balance equations. */
function machineRepair(servers: number, population: number, think: number): { busy: number; inSystem: number } {
  const p = [1];
  for (let n = 1; n <= population; n++) p.push((p[n - 1]! * (population - n + 1)) / think / Math.min(n, servers));
  const total = p.reduce((a, b) => a + b, 0);
  return {
    busy: p.reduce((sum, q, n) => sum + (q / total) * Math.min(n, servers), 0),
    inSystem: p.reduce((sum, q, n) => sum + (q / total) * n, 0),
  };
}

describe("open networks", () => {
  test.each([
    ["M/M/1: S / (1 - ρ)", 1, 0.8, 5],
    ["M/M/2: S / (1 - ρ²)", 2, 1.2, 1 / (1 - 0.36)],
  ])("%s", (_, servers, rate, response) => {
    const found = openMeanValues([{ name: "x", kind: "fifo", servers, demand: [1] }], [rate]);
    expect("kind" in found ? found : found.response[0]).toBeCloseTo(response, 12);
  });

  test("classes share what there is: each takes its own demand, stretched by all", () => {
    const found = openMeanValues([queue("cpu", 0.1, 0.2), queue("disk", 0, 0.3)], [3, 1]);
    // cpu 0.3 + 0.2 = 0.5 busy, disk 0.3: A 0.2, B 0.4 + 3/7
    if ("kind" in found) throw new Error("saturated");
    expect(found.response[0]).toBeCloseTo(0.2, 12);
    expect(found.response[1]).toBeCloseTo(0.4 + 0.3 / 0.7, 12);
  });

  test("more work than can be done has no steady state", () => {
    expect(openMeanValues([queue("cpu", 0.1), queue("disk", 0.5)], [2])).toEqual({
      kind: "saturated",
      station: "disk",
      utilisation: 1,
    });
  });

  test("Erlang's C: ρ of one server, 2ρ² / (1 + ρ) of two, interpolated between", () => {
    expect(erlangC(1, 0.7)).toBeCloseTo(0.7, 12);
    expect(erlangC(2, 1.2)).toBeCloseTo(0.72 / 1.6, 12);
    expect(erlangC(1.5, 0.7)).toBeCloseTo((0.7 + (2 * 0.35 ** 2) / 1.35) / 2, 12);
    expect([erlangC(3, 0), erlangC(3, 3)]).toEqual([0, 1]);
  });
});

describe("the approximations against the exact values", () => {
  const error = (network: ClosedNetwork, found: NetworkSolution): number => {
    const exact = exactMeanValues(network);
    return Math.max(...exact.throughput.map((x, c) => (x === 0 ? 0 : Math.abs(found.throughput[c]! / x - 1))));
  };
  const networks = (servers: fc.Arbitrary<number>): fc.Arbitrary<ClosedNetwork> =>
    fc.record({
      stations: fc.array(
        fc.record({
          name: fc.constant("x"),
          kind: fc.constant("sharing" as const),
          servers,
          demand: fc.tuple(fc.double({ min: 0.1, max: 5, noNaN: true }), fc.double({ min: 0.1, max: 5, noNaN: true })),
        }),
        { minLength: 1, maxLength: 4 },
      ),
      classes: fc.tuple(
        fc.record({ population: fc.integer({ min: 1, max: 12 }), think: fc.double({ min: 0, max: 20, noNaN: true }) }),
        fc.record({ population: fc.integer({ min: 1, max: 12 }), think: fc.double({ min: 0, max: 20, noNaN: true }) }),
      ),
    });

  test("single servers: Linearizer within 5 %, in the mean within 0.5 %; proportional shares in the mean within 5 %", () => {
    const errors: number[] = [];
    const proportional: number[] = [];
    fc.assert(
      fc.property(networks(fc.constant(1)), (network) => {
        errors.push(error(network, approximateMeanValues(network)));
        expect(errors.at(-1)).toBeLessThan(0.05);
        proportional.push(error(network, approximateMeanValues(network, { method: "proportional" })));
      }),
      { seed: 3, numRuns: usually(40, 400) },
    );
    expect(errors.reduce((a, b) => a + b, 0) / errors.length).toBeLessThan(0.005);
    expect(proportional.reduce((a, b) => a + b, 0) / errors.length).toBeLessThan(0.05);
  });

  test("up to six servers: Linearizer within 5 %, in the mean within 1 %", () => {
    const errors: number[] = [];
    fc.assert(
      fc.property(networks(fc.integer({ min: 1, max: 6 })), (network) => {
        errors.push(error(network, approximateMeanValues(network)));
        expect(errors.at(-1)).toBeLessThan(0.05);
      }),
      { seed: 4, numRuns: usually(25, 400) },
    );
    expect(errors.reduce((a, b) => a + b, 0) / errors.length).toBeLessThan(0.01);
  });

  test("a single customer meets nobody: exact, at any population of others that never come", () => {
    const network: ClosedNetwork = { stations: [queue("a", 1), queue("b", 2)], classes: [{ population: 1, think: 3 }] };
    expect(approximateMeanValues(network).throughput[0]).toBeCloseTo(1 / 6, 9);
  });

  test("a large population approaches the open network", () => {
    const station: Station = { name: "x", kind: "fifo", servers: 3, demand: [1] };
    const classes = [{ population: 1e6, think: 1e6 / 2.4 - 3 }];
    const open = openMeanValues([station], [2.4]);
    if ("kind" in open) throw new Error("saturated");
    expect(approximateMeanValues({ stations: [station], classes }).response[0]! / open.response[0]!).toBeCloseTo(1, 2);
  });
});
