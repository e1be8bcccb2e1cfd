import { expect, test } from "vitest";
import { Random } from "./random.ts";
import { NOBODY, ownersOfSamples, type OwnStretches, type SampleOwner } from "./sample-owners.ts";

type Given = [sample: number, row: number, ns: number, how: SampleOwner];

function owners(
  stretches: readonly (readonly [row: number, from: number, to: number])[],
  samples: readonly (readonly [time: number, ns: number, owner?: number])[],
  onlyThread = false,
): Given[] {
  const columns: OwnStretches = {
    row: Int32Array.from(stretches, ([row]) => row),
    startNs: Float64Array.from(stretches, ([, from]) => from),
    endNs: Float64Array.from(stretches, ([, , to]) => to),
  };
  const given: Given[] = [];
  ownersOfSamples(
    columns,
    {
      timeNs: Float64Array.from(samples, ([time]) => time),
      ns: Float64Array.from(samples, ([, ns]) => ns),
      owner: Int32Array.from(samples, ([, , owner]) => owner ?? -1),
    },
    onlyThread,
    (...part) => given.push(part),
  );
  return given;
}

//  a |---|   |--|
//  b   |-----|
//    0 2 4   8  11
const A = [
  [0, 0, 4],
  [0, 8, 11],
] as const;
const B = [1, 2, 8] as const;

test("whoever is alone at work has it; where two are, each half; where nobody is, nobody", () => {
  expect(
    owners(
      [...A, B],
      [
        [1, 10],
        [3, 10],
        [5, 10],
        [8, 10],
        [11, 10],
      ],
    ),
  ).toEqual([
    [0, 0, 10, "sole"],
    [1, 0, 5, "one-of"],
    [1, 1, 5, "one-of"],
    [2, 1, 10, "sole"],
    // b ends at 8, where a goes on; a ends at 11.
    [3, 0, 10, "sole"],
  ]);
});

test("one thread for all: who is not worked on waits", () => {
  expect(owners([...A, B], [[3, 10]], true)).toEqual([
    [0, 0, 5, "one-of"],
    [0, 0, 5, "waits"],
    [0, 1, 5, "one-of"],
    [0, 1, 5, "waits"],
  ]);
  expect(owners([...A, B], [[3, 10, 1]], true)).toEqual([
    [0, 1, 10, "named"],
    [0, 0, 10, "waits-surely"],
  ]);
  expect(owners([...A, B], [[3, 10, NOBODY]], true)).toEqual([
    [0, 0, 10, "waits-surely"],
    [0, 1, 10, "waits-surely"],
  ]);
  expect(owners([...A, B], [[3, 10, NOBODY]])).toEqual([]);
});

/** One thread serves requests in the order of their arrival: what each of them waits and is worked on is known. */
function oneThread(seed: number): { arrival: number; begin: number; end: number }[] {
  const random = new Random(seed);
  let [now, free] = [0, 0];
  return Array.from({ length: 300 }, () => {
    now += Math.round(-Math.log(1 - random.uniform()) * 100);
    const begin = Math.max(now, free);
    free = begin + 20 + Math.round(80 * random.uniform());
    return { arrival: now, begin, end: free };
  });
}

test("against the exact schedule of a thread: named samples give work and wait of every request to the nanosecond", () => {
  const requests = oneThread(5);
  const samples = requests.flatMap(({ begin, end }, row) =>
    Array.from({ length: end - begin }, (_, i) => [begin + i, 1, row] as const),
  );
  const work = new Float64Array(requests.length);
  const wait = new Float64Array(requests.length);
  const spans = requests.map(({ arrival, end }, row) => [row, arrival, end] as const);
  for (const [, row, ns, how] of owners(spans, samples, true)) (how === "waits-surely" ? wait : work)[row]! += ns;
  requests.forEach(({ arrival, begin, end }, row) => {
    expect(work[row]).toBe(end - begin);
    expect(wait[row]).toBe(begin - arrival);
  });
});

test("without names the parts of a request still sum to its time, as the thread is never idle while one is there", () => {
  const requests = oneThread(6);
  const samples = requests.flatMap(({ begin, end }) =>
    Array.from({ length: end - begin }, (_, i) => [begin + i, 1] as const),
  );
  const all = new Float64Array(requests.length);
  let work = 0;
  const spans = requests.map(({ arrival, end }, row) => [row, arrival, end] as const);
  for (const [, row, ns, how] of owners(spans, samples, true)) {
    all[row]! += ns;
    if (how !== "waits") work += ns;
  }
  requests.forEach(({ arrival, end }, row) => expect(all[row]).toBeCloseTo(end - arrival, 6));
  expect(work).toBeCloseTo(samples.length, 6);
});
