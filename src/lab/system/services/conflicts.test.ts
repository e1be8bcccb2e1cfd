import fc from "fast-check";
import { expect, test } from "vitest";
import { conflictsOf } from "./conflicts.ts";

test("an alias conflicts with whatever else has its name, or comes to it by a usual prefix", () => {
  const records = [
    { name: "shop.example", type: "CNAME" },
    { name: "SHOP.example", type: "A" },
    { name: "www.other.example", type: "CNAME" },
    { name: "other.example", type: "A" },
    { name: "host.example", type: "A" },
    { name: "host.example", type: "MX" },
  ];
  const conflicts = conflictsOf(records, "set");
  expect(conflicts).toContain("shop.example");
  expect(conflicts).toContain("www.other.example");
  expect(conflicts).not.toContain("host.example");
  expect(conflictsOf(records.slice(0, 1), "set")).toEqual([]);
});

test("both ways find the same", () => {
  const record = fc.record({
    name: fc.constantFrom("a.example", "A.example", "www.a.example", "b.example", "api.b.example"),
    type: fc.constantFrom("A", "CNAME"),
  });
  fc.assert(
    fc.property(fc.array(record, { maxLength: 6 }), (records) => {
      expect(conflictsOf(records, "pairwise")).toEqual(conflictsOf(records, "set"));
    }),
    { seed: 1, numRuns: 200 },
  );
});
