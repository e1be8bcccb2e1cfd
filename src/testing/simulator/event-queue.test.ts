import fc from "fast-check";
import { expect, it } from "vitest";
import { EventQueue } from "./event-queue.ts";

it("lets things happen by time, and at the same time in the order in which they were scheduled", () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 0, max: 20 }), { maxLength: 300 }), (times) => {
      const events = new EventQueue();
      const happened: number[] = [];
      times.forEach((time, i) => events.at(time, () => happened.push(i)));
      expect(events.run()).toBe(times.length);
      // a stable sort is the second method
      expect(happened).toEqual([...times.keys()].toSorted((a, b) => times[a]! - times[b]!));
    }),
    { seed: 3, numRuns: 200 },
  );
});

it("takes what is scheduled on the way, and never goes back", () => {
  const events = new EventQueue();
  const happened: [string, number][] = [];
  events.at(5, () => {
    happened.push(["a", events.now]);
    events.at(1, () => happened.push(["late", events.now]));
    events.after(2, () => happened.push(["b", events.now]));
  });
  events.at(6, () => happened.push(["c", events.now]));
  events.run();
  expect(happened).toEqual([
    ["a", 5],
    ["late", 5],
    ["c", 6],
    ["b", 7],
  ]);
});
