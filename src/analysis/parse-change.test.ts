import fc from "fast-check";
import { expect, test } from "vitest";
import type { Change } from "../model/change.ts";
import { editDistance, nearestWord } from "./nearest-word.ts";
import { formatChange, parseChange } from "./parse-change.ts";

test.each<[string, Change]>([
  [
    "service=orders,operation=GET /orders,time=0.5",
    { kind: "time", service: "orders", operation: "GET /orders", factor: 0.5 },
  ],
  [
    "service=orders,operation=SELECT a, b FROM t WHERE x = $1,remove",
    { kind: "remove", service: "orders", operation: "SELECT a, b FROM t WHERE x = $1" },
  ],
  ["service=a,operation=b,cache=.8", { kind: "cache", service: "a", operation: "b", hitRatio: 0.8 }],
  ["service=a,operation=b,batch", { kind: "batch", service: "a", operation: "b" }],
  ["service=a,operation=b, parallel ", { kind: "parallel", service: "a", operation: "b" }],
  ["service=a,operation=b,retries=0", { kind: "retries", service: "a", operation: "b", retries: 0 }],
  ["service=a,operation=b,timeout=1.5e3", { kind: "timeout", service: "a", operation: "b", timeoutMs: 1500 }],
  ["service=a,pool:postgres=20", { kind: "pool", service: "a", pool: "postgres", size: 20 }],
  ["service=a,b,replicas=3", { kind: "replicas", service: "a,b", replicas: 3 }],
  ["service=a,cpu=0.5", { kind: "cpu", service: "a", cores: 0.5 }],
  ["host=node-1,without=batch", { kind: "without", host: "node-1", service: "batch" }],
])("%s", (spec, change) => {
  expect(parseChange(spec)).toEqual(change);
});

test.each<[string, string, string | undefined]>([
  ["servce=a,operation=b,remove", "servce", "service"],
  ["service=a,operation=b,batched", "batched", "batch"],
  ["service=a,operation=b,time", "time", undefined],
  ["service=a,operation=b,time=-1", "time=-1", undefined],
  ["service=a,operation=b,time=fast", "time=fast", undefined],
  ["service=a,operation=b,cache=80", "cache=80", undefined],
  ["service=a,operation=b,retries=1.5", "retries=1.5", undefined],
  ["service=a,operation=b,timeout=0", "timeout=0", undefined],
  ["service=a,operation=b,remove=1", "remove=1", undefined],
  ["service=a,operation=b", "", undefined],
  ["service=a,operation=,remove", "operation=", undefined],
  ["service=,operation=b,remove", "service=", undefined],
  ["service=a", "", undefined],
  ["service=a,operatoin=b,remove", "remove", "remove"],
  ["service=a,replica=2", "replica=2", "replicas"],
  ["service=a,replicas=0", "replicas=0", undefined],
  ["service=a,pool:=3", "pool:=3", undefined],
  ["service=a,pool:x=many", "pool:x=many", undefined],
  ["host=h,witout=s", "witout=s", "without"],
  ["", "", undefined],
])("%s is told to be wrong at %s", (spec, part, nearest) => {
  const error = parseChange(spec);
  expect(error).toMatchObject({ kind: "change-spec-error", part });
  expect("nearest" in error ? error.nearest : undefined).toBe(nearest);
});

test("what is formatted reads back as the same change", () => {
  const name = fc.string({ minLength: 1, maxLength: 12 }).filter((text) => text.trim() === text && !/,|=/.test(text));
  const operation = fc.string({ minLength: 1, maxLength: 20 }).filter((text) => text.trim() === text);
  const positive = fc.integer({ min: 1, max: 1000 });
  const at = fc.record({ service: name, operation });
  const change: fc.Arbitrary<Change> = fc.oneof(
    fc
      .tuple(at, fc.double({ min: 0, max: 1e6, noNaN: true }))
      .map(([o, factor]) => ({ kind: "time" as const, ...o, factor: factor + 0 })),
    fc
      .tuple(at, fc.double({ min: 0, max: 1, noNaN: true }))
      .map(([o, hitRatio]) => ({ kind: "cache" as const, ...o, hitRatio })),
    fc
      .tuple(at, fc.constantFrom("remove" as const, "batch" as const, "parallel" as const))
      .map(([o, kind]) => ({ kind, ...o })),
    fc.tuple(at, positive).map(([o, retries]) => ({ kind: "retries" as const, ...o, retries })),
    fc.tuple(at, positive).map(([o, timeoutMs]) => ({ kind: "timeout" as const, ...o, timeoutMs })),
    fc.tuple(name, name, positive).map(([service, pool, size]) => ({ kind: "pool" as const, service, pool, size })),
    fc.tuple(name, positive).map(([service, replicas]) => ({ kind: "replicas" as const, service, replicas })),
    fc.tuple(name, positive).map(([service, cores]) => ({ kind: "cpu" as const, service, cores })),
    fc.tuple(name, name).map(([host, service]) => ({ kind: "without" as const, host, service })),
  );
  fc.assert(
    fc.property(change, (c) => {
      expect(parseChange(formatChange(c))).toEqual(c);
    }),
    { seed: 1 },
  );
});

test("any text is read or told to be wrong", () => {
  const piece = fc.constantFrom(
    "service=",
    "operation=",
    "host=",
    "without=",
    ",",
    "=",
    "pool:",
    "time=",
    "remove",
    "x",
    "0.5",
    "\n",
  );
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 10 }), (pieces) => {
      expect(parseChange(pieces.join(""))).toHaveProperty("kind");
    }),
    { seed: 2, numRuns: 1000 },
  );
});

test("edit distance", () => {
  // The textbook pair, a swap as one edit, and nothing.
  expect([
    editDistance("kitten", "sitting"),
    editDistance("ab", "ba"),
    editDistance("", "abc"),
    editDistance("x", "x"),
  ]).toEqual([3, 1, 3, 0]);
  expect(nearestWord("ordres", ["orders", "order", "users"])).toBe("orders");
  expect(nearestWord("payment", ["orders", "users"])).toBeUndefined();
});
