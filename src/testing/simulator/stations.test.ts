import { describe, expect, it } from "vitest";
import {
  constant,
  type Distribution,
  exponential,
  gamma,
  lognormal,
  mean,
  sample,
  secondMoment,
} from "./distribution.ts";
import { EventQueue } from "./event-queue.ts";
import { Pauses } from "./pauses.ts";
import { Draws } from "./random.ts";
import { FifoStation, Semaphore, SharedStation, type Station } from "./stations.ts";

/** Mean time in the system over Poisson arrivals, and its standard error by batch means (20 batches, the first left out as warm-up). */
function residence(
  make: (events: EventQueue) => Station,
  ratePerMs: number,
  service: Distribution,
  jobs: number,
  seed: number,
): { mean: number; error: number } {
  const events = new EventQueue();
  const station = make(events);
  const draws = new Draws(seed, 1);
  const times = new Float64Array(jobs);
  let at = 0;
  for (let i = 0; i < jobs; i++) {
    at += draws.exponential(1 / ratePerMs);
    const arrival = at;
    const work = sample(service, draws);
    events.at(arrival, () => station.request(work, () => (times[i] = events.now - arrival)));
  }
  events.run();
  const batch = Math.floor(jobs / 20);
  const means: number[] = [];
  for (let b = 1; b < 20; b++)
    means.push(times.subarray(b * batch, (b + 1) * batch).reduce((sum, t) => sum + t, 0) / batch);
  const overall = means.reduce((sum, m) => sum + m, 0) / means.length;
  const variance = means.reduce((sum, m) => sum + (m - overall) ** 2, 0) / (means.length - 1);
  return { mean: overall, error: Math.sqrt(variance / means.length) };
}

/** Erlang's C: probability to wait in M/M/c with offered load a. */
function erlangC(servers: number, a: number): number {
  let term = 1;
  let sum = 1;
  for (let k = 1; k < servers; k++) sum += term *= a / k;
  const last = (term * a) / servers / (1 - a / servers);
  return last / (sum + last);
}

/** How many standard errors lie between; a check that could not fail is one with wide errors. */
function errorsOff(got: { mean: number; error: number }, expected: number): number {
  if (got.error / got.mean > 0.05) throw new Error("too few jobs to tell");
  return Math.abs(got.mean - expected) / got.error;
}

/** With fixed seeds this is a check of the code, not a lottery. */
const LIMIT = 4;

describe("stations against queueing theory", () => {
  it.each([0.3, 0.6, 0.8])("M/M/1 at %f: R = S / (1 - rho)", (rho) => {
    const got = residence((events) => new FifoStation(events, 1), rho, exponential(1), 200_000, 11);
    expect(errorsOff(got, 1 / (1 - rho))).toBeLessThan(LIMIT);
  });

  it.each([
    [2, 0.7],
    [4, 0.8],
    [10, 0.85],
  ])("M/M/%i at %f: Erlang C", (servers, rho) => {
    const expected = 1 + erlangC(servers, servers * rho) / (servers * (1 - rho));
    const got = residence((events) => new FifoStation(events, servers), servers * rho, exponential(1), 200_000, 12);
    expect(errorsOff(got, expected)).toBeLessThan(LIMIT);
  });

  it.each([constant(1), gamma(1, 0.5), lognormal(1, 1.3)])(
    "M/G/1 at 0.7 with %o: Pollaczek and Khinchine",
    (service) => {
      const rho = 0.7;
      const expected = mean(service) + (rho * secondMoment(service)) / (2 * (1 - rho));
      const got = residence((events) => new FifoStation(events, 1), rho, service, 200_000, 13);
      expect(errorsOff(got, expected)).toBeLessThan(LIMIT);
    },
  );

  it.each([exponential(1), constant(1), lognormal(1, 1.3)])(
    "processor sharing on one core with %o does not care about the distribution: S / (1 - rho)",
    (service) => {
      const got = residence((events) => new SharedStation(events, 1), 0.7, service, 150_000, 14);
      expect(errorsOff(got, 1 / 0.3)).toBeLessThan(LIMIT);
    },
  );

  it("processor sharing on 4 cores with exponential work has M/M/4's mean", () => {
    const expected = 1 + erlangC(4, 2.8) / (4 * 0.3);
    const got = residence((events) => new SharedStation(events, 4), 2.8, exponential(1), 150_000, 15);
    expect(errorsOff(got, expected)).toBeLessThan(LIMIT);
  });
});

describe("stations, worked by hand", () => {
  const ends = (make: (events: EventQueue) => Station, jobs: [at: number, work: number][]): number[] => {
    const events = new EventQueue();
    const station = make(events);
    const out: number[] = [];
    jobs.forEach(([at, work], i) => events.at(at, () => station.request(work, () => (out[i] = events.now))));
    events.run();
    return out;
  };

  it("shares one core: 2 and 1 started together end at 3 and 2", () => {
    expect(
      ends(
        (events) => new SharedStation(events, 1),
        [
          [0, 2],
          [0, 1],
        ],
      ),
    ).toEqual([3, 2]);
  });

  it("gives a job on two cores no more than one", () => {
    expect(
      ends(
        (events) => new SharedStation(events, 2),
        [
          [0, 2],
          [0, 1],
          [3, 1],
        ],
      ),
    ).toEqual([2, 1, 4]);
  });

  it("stands still in pauses, first come first served and shared alike", () => {
    const pauses = [
      { start: 1, end: 5 },
      { start: 6, end: 7 },
    ];
    // 1 ms before the first pause, 1 between the two, 1 after the second
    expect(
      ends(
        (events) => new FifoStation(events, 1, new Pauses(pauses)),
        [
          [0, 3],
          [2, 1],
        ],
      ),
    ).toEqual([8, 9]);
    // A has 1 ms for itself; B comes in the pause; between the pauses each gets half; A needs 1.5 more at half speed
    expect(
      ends(
        (events) => new SharedStation(events, 1, new Pauses(pauses)),
        [
          [0, 3],
          [2, 2],
        ],
      ),
    ).toEqual([10, 10]);
  });

  it("hands permits on in order and accounts for waits", () => {
    const events = new EventQueue();
    const permits = new Semaphore(events, 1);
    const granted: number[] = [];
    for (const at of [0, 1, 2]) {
      events.at(at, () =>
        permits.acquire(() => {
          granted.push(events.now);
          events.after(5, () => permits.release());
        }),
      );
    }
    events.run();
    expect(granted).toEqual([0, 5, 10]);
    expect({ waited: permits.waited, waitMs: permits.waitMs, heldMs: permits.heldMs }).toEqual({
      waited: 2,
      waitMs: 12,
      heldMs: 15,
    });
  });
});
