import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { AttributeType } from "../model/attribute-table.ts";
import { SpanTableBuilder } from "../model/span-table-builder.ts";
import { assertSpanTable, type SpanTable } from "../model/span-table.ts";
import { spanObjects, type SpanObject } from "../testing/span-objects.ts";
import { connect } from "./connect.ts";
import { Link } from "./connection.ts";
import { type Embedded, openEmbedded } from "./embedded/open-embedded.ts";
import type { Store } from "./store.ts";

/** Noon of some day, so that the tests' minutes are in one partition. */
const NOON = 1_790_000_000_000_000_000n - (1_790_000_000_000_000_000n % 86_400_000_000_000n) + 43_200_000_000_000n;
const SECOND = 1_000_000_000n;

let dataDir = "";
let embedded: Embedded;
let store: Store;

beforeAll(async () => {
  dataDir = mkdtempSync(join(tmpdir(), "longpole-store-"));
  embedded = await openEmbedded({ dataDir, retention: { spanDays: 3650, metricDays: 3650 } });
  store = embedded.store;
}, 60_000);

afterAll(async () => {
  await embedded?.close();
  rmSync(dataDir, { recursive: true, force: true });
});

interface Sketch {
  readonly trace: number;
  readonly id: number;
  readonly parent?: number;
  readonly startNs: bigint;
  readonly durationNs?: number;
  readonly service?: string;
  readonly name?: string;
  readonly kind?: number;
  readonly status?: number;
  readonly attributes?: readonly (readonly [string, string | number | boolean | { json: string }])[];
}

/** Spans of drawn traces; trace t has the id 0...0t. */
function table(sketches: readonly Sketch[]): SpanTable {
  const builder = new SpanTableBuilder();
  const { strings, resources, attributes } = builder;
  const known = new Map<string, number>();
  for (const sketch of sketches) {
    const service = sketch.service ?? "shop";
    if (!known.has(service)) {
      resources.add(strings.intern("service.name"), AttributeType.string, strings.intern(service));
      known.set(service, resources.closeList());
    }
    builder.begin(known.get(service)!, 0);
    const row = builder.open;
    const end = sketch.startNs + BigInt(sketch.durationNs ?? 1_000_000);
    builder.traceId[4 * row + 3] = sketch.trace;
    builder.spanId[2 * row + 1] = sketch.id;
    builder.parentSpanId[2 * row + 1] = sketch.parent ?? 0;
    [builder.startWords[2 * row], builder.startWords[2 * row + 1]] = words(sketch.startNs);
    [builder.endWords[2 * row], builder.endWords[2 * row + 1]] = words(end);
    builder.kind[row] = sketch.kind ?? 2;
    builder.status[row] = sketch.status ?? 0;
    builder.name[row] = strings.intern(sketch.name ?? "GET /");
    for (const [key, value] of sketch.attributes ?? []) {
      const id = strings.intern(key);
      if (typeof value === "string") attributes.add(id, AttributeType.string, strings.intern(value));
      else if (typeof value === "number") attributes.add(id, AttributeType.number, value);
      else if (typeof value === "boolean") attributes.add(id, AttributeType.boolean, value ? 1 : 0);
      else attributes.add(id, AttributeType.json, strings.intern(value.json));
    }
    builder.commit();
  }
  return builder.finish().table;
}

const words = (ns: bigint): [number, number] => [Number(ns >> 32n), Number(ns & 0xffff_ffffn)];
const traceId = (trace: number): string => trace.toString(16).padStart(32, "0");
const range = (fromSecond: number, toSecond: number): { fromUnixNs: bigint; toUnixNs: bigint } => ({
  fromUnixNs: NOON + BigInt(fromSecond) * SECOND,
  toUnixNs: NOON + BigInt(toSecond) * SECOND,
});
const at = (second: number): bigint => NOON + BigInt(second * 1000) * (SECOND / 1000n);

/** Objects in an order that does not depend on who wrote them. */
function sorted(spans: SpanTable): SpanObject[] {
  const key = (span: SpanObject): string => `${span.traceId} ${span.spanId} ${span.kind}`;
  return spanObjects(spans).toSorted((a, b) => (key(a) < key(b) ? -1 : 1));
}

describe("a span comes back as it was", () => {
  test("attributes of all types in their order, repeated and odd keys, odd numbers and texts", async () => {
    const before = table([
      {
        trace: 1,
        id: 1,
        startNs: at(1) + 123_456_789n,
        durationNs: 987_654_321,
        attributes: [
          ["http.route", "/a"],
          ["count", 3],
          ["ratio", 0.1],
          ["minus zero", -0],
          ["not a number", Number.NaN],
          ["large", 2 ** 53],
          ["flag", true],
          ["flag", false],
          ["http.route", "/b"],
          ["list", { json: "[1,2]" }],
          ["key\u001fwith\\end \\u mark", "separators in a key"],
          ["empty", ""],
          ["", "empty key"],
          ["umlaut ü", "日本\u0000語 \u{1f600}"],
        ],
      },
      { trace: 1, id: 2, parent: 1, startNs: at(1), durationNs: -5, kind: 3, status: 2 },
    ]);
    await store.insertSpans(before, "attributes");
    const after = await store.trace(traceId(1));
    assertSpanTable(after);
    expect(sorted(after)).toEqual(sorted(before));
    // Objects keep the last of a repeated key only: the lists themselves.
    const row = spanObjects(after).findIndex((span) => span.spanId.endsWith("1"));
    const keys = Array.from(
      after.attributes.key.subarray(after.attributes.listStart[row], after.attributes.listStart[row + 1]),
      (id) => after.strings.get(id),
    );
    expect(keys).toEqual([
      "http.route",
      "count",
      "ratio",
      "minus zero",
      "not a number",
      "large",
      "flag",
      "flag",
      "http.route",
      "list",
      "key\u001fwith\\end \\u mark",
      "empty",
      "",
      "umlaut ü",
    ]);
    const minusZero = after.attributes.value[after.attributes.listStart[row]! + 3]!;
    expect(Object.is(minusZero, -0)).toBe(true);
  });

  test("events with attributes, links, scope and tracestate", async () => {
    const builder = new SpanTableBuilder();
    const { strings, resources, eventAttributes } = builder;
    resources.add(strings.intern("service.name"), AttributeType.string, strings.intern("mail"));
    resources.add(strings.intern("replicas"), AttributeType.number, 2);
    builder.begin(resources.closeList(), strings.intern("library"));
    builder.traceId.set([0, 0, 0, 0x200]);
    builder.spanId.set([0xfedcba98, 0x76543210]);
    builder.startWords.set(words(at(2)));
    builder.endWords.set(words(at(3)));
    builder.traceState[0] = strings.intern("ot=th:8");
    builder.name[0] = strings.intern("send");
    eventAttributes.add(strings.intern("exception.type"), AttributeType.string, strings.intern("Error"));
    eventAttributes.add(strings.intern("depth"), AttributeType.number, Infinity);
    builder.addEvent(...words(at(2) + 7n), strings.intern("exception"));
    // Before the span, which a skewed clock does.
    builder.addEvent(...words(at(2) - 1n), strings.intern("early"));
    builder.addLink(Uint32Array.of(1, 2, 3, 0xffffffff, 0x80000000, 6));
    builder.commit();
    const before = builder.finish().table;
    await store.insertSpans(before, "events");
    const after = await store.trace(traceId(0x200));
    assertSpanTable(after);
    expect(spanObjects(after)).toEqual(spanObjects(before));
    expect(spanObjects(after)[0]!.events.map((event) => event.name)).toEqual(["exception", "early"]);
  });

  test("one block of more dictionary keys than a byte holds, and texts that never repeat", async () => {
    const before = table(
      Array.from({ length: 2000 }, (_, i) => ({
        trace: 0x1000 + (i >> 2),
        id: i + 1,
        startNs: at(600) + BigInt(i),
        name: `operation ${i % 700}`,
        attributes: [
          ["twice", `value ${i >> 1}`],
          ["once", `text ${i}`],
        ] as const,
      })),
    );
    await store.insertSpans(before, "keys");
    expect(sorted(await store.readSpans(range(600, 601)))).toEqual(sorted(before));
  });
});

describe("windows and samples", () => {
  beforeAll(async () => {
    const spans = Array.from({ length: 4000 }, (_, i) => ({
      trace: 0x10_0000 + (i >> 2),
      id: 10_000 + i,
      startNs: at(1200) + BigInt(i) * 1_000_000n,
    }));
    // In two blocks, whose border cuts a trace.
    await store.insertSpans(table(spans.slice(0, 1999)), "window 1");
    await store.insertSpans(table(spans.slice(1999)), "window 2");
  });

  test("the start of a window is in it, its end is not", async () => {
    const whole = await store.readSpans(range(1200, 1204));
    expect(whole.rowCount).toBe(4000);
    expect((await store.readSpans({ fromUnixNs: at(1200), toUnixNs: at(1200) + 3_999_000_000n })).rowCount).toBe(3999);
    expect((await store.readSpans({ fromUnixNs: at(1200) + 1n, toUnixNs: at(1204) })).rowCount).toBe(3999);
    expect(await store.spansIn(range(1200, 1201))).toBe(1000);
    expect((await store.readSpans(range(1205, 1206))).rowCount).toBe(0);
  });

  test("a share of the traces is whole traces, the same each time, and within a larger share", async () => {
    const idsOf = (spans: SpanTable): string[] => spanObjects(spans).map((span) => span.traceId);
    const tenth = idsOf(await store.readSpans(range(1200, 1204), { traceShare: 0.1 }));
    const half = idsOf(await store.readSpans(range(1200, 1204), { traceShare: 0.5 }));
    // Binomial: 1000 traces, standard deviations of 9.5 and 16.
    expect(new Set(tenth).size).toBeGreaterThan(60);
    expect(new Set(tenth).size).toBeLessThan(140);
    expect(new Set(half).size).toBeGreaterThan(430);
    expect(new Set(half).size).toBeLessThan(570);
    expect(tenth).toHaveLength(4 * new Set(tenth).size);
    expect(tenth.every((id) => half.includes(id))).toBe(true);
    expect(idsOf(await store.readSpans(range(1200, 1204), { traceShare: 0.1 }))).toEqual(tenth);
  });

  test("the order depends on the spans alone, not on how they came", async () => {
    const spans = Array.from({ length: 300 }, (_, i) => ({
      trace: 0x20_0000 + (i % 40),
      id: i + 1,
      startNs: at(1500),
    }));
    await store.insertSpans(table(spans.toReversed()), "order 1");
    const first = spanObjects(await store.readSpans(range(1500, 1501)));
    await store.insertSpans(table(spans.map((span) => ({ ...span, startNs: at(1501) }))), "order 2");
    const second = spanObjects(await store.readSpans(range(1501, 1502)));
    expect(second.map((span) => span.spanId)).toEqual(first.map((span) => span.spanId));
  });

  test("a builder takes several windows", async () => {
    const builder = new SpanTableBuilder();
    await store.readSpans(range(1200, 1201), { builder });
    const both = await store.readSpans(range(1203, 1204), { builder });
    expect(both.rowCount).toBe(2000);
    assertSpanTable(both);
  });

  test("a share of nothing, and a trace id that is none, are refused", async () => {
    await expect(store.readSpans(range(0, 1), { traceShare: 0 })).rejects.toMatchObject({ code: "refused" });
    await expect(store.trace("12")).rejects.toThrow(/"12" is no trace id/);
  });

  test("a query that nobody waits for any more ends", async () => {
    const signal = AbortSignal.abort(new Error("gone"));
    await expect(store.readSpans(range(1200, 1204), { signal })).rejects.toThrow("gone");
  });
});

test("a block that comes again under its token is not inserted again, in no table", async () => {
  const spans = table([
    { trace: 0x30_0000, id: 1, startNs: at(1800), service: "token", durationNs: 5e6 },
    { trace: 0x30_0001, id: 2, startNs: at(1800), service: "token", durationNs: 5e6 },
  ]);
  for (let i = 0; i < 3; i++) await store.insertSpans(spans, "the same");
  expect(await store.spansIn(range(1800, 1801))).toBe(2);
  expect((await store.red({ ...range(1800, 1860), service: "token" }))[0]).toMatchObject({ count: 2, sumNs: 1e7 });
  expect((await store.red({ ...range(0, 3600), stepSeconds: 3600, service: "token" }))[0]).toMatchObject({ count: 2 });
  expect(await store.searchTraces({ ...range(1800, 1801), service: "token" })).toHaveLength(2);
  await store.insertSpans(spans, "another");
  expect(await store.spansIn(range(1800, 1801))).toBe(4);
});

describe("rates, errors and durations", () => {
  const spans: Sketch[] = [];
  // Log-normal by a fixed multiplicative congruence: 6000 spans over 75 minutes, across an hour.
  let seed = 1;
  const draw = (): number => (seed = (seed * 48_271) % 2_147_483_647) / 2_147_483_647;
  for (let i = 0; i < 6000; i++) {
    const normal = Math.sqrt(-2 * Math.log(draw())) * Math.cos(2 * Math.PI * draw());
    spans.push({
      trace: 0x40_0000 + i,
      id: i + 1,
      startNs: at(7200 + (i * 4500) / 6000 - 1800) + BigInt(Math.floor(draw() * 1000)),
      durationNs: Math.round(2e7 * Math.exp(normal)),
      service: "red",
      name: i % 3 === 0 ? "slow" : "fast",
      status: i % 10 === 0 ? 2 : 0,
      kind: i % 2 === 0 ? 2 : 3,
      parent: i % 2 === 0 ? 0 : 99_999_999,
    });
  }
  beforeAll(() => store.insertSpans(table(spans), "red"));

  const rank = (durations: number[], q: number): number =>
    durations.toSorted((a, b) => a - b)[Math.ceil(q * durations.length) - 1]!;
  const inside = (span: Sketch, from: number, to: number): boolean => span.startNs >= at(from) && span.startNs < at(to);

  test.each([
    ["one step over the border of an hour", 5400, 9900, undefined],
    ["steps of 15 minutes", 5400, 9900, 900],
    ["steps of an hour, from the rollups by hour", 3600, 10_800, 3600],
  ])("%s: counts exact, quantiles within 1 %%", async (_, from, to, stepSeconds) => {
    const rows = await store.red({
      ...range(from, to),
      service: "red",
      ...(stepSeconds === undefined ? {} : { stepSeconds }),
    });
    const step = stepSeconds ?? to - from;
    let counted = 0;
    for (const row of rows) {
      const start = Number((row.startUnixNs - NOON) / SECOND);
      const mine = spans.filter(
        (span) => inside(span, start, start + step) && span.name === row.operation && span.kind === row.kind,
      );
      const durations = mine.map((span) => span.durationNs!);
      expect(row.count).toBe(mine.length);
      expect(row.errors).toBe(mine.filter((span) => span.status === 2).length);
      expect(row.sumNs).toBeCloseTo(
        durations.reduce((a, b) => a + b, 0),
        -3,
      );
      for (const [q, found] of [
        [0.5, row.p50Ns],
        [0.95, row.p95Ns],
        [0.99, row.p99Ns],
      ] as const) {
        expect(Math.abs(found / rank(durations, q) - 1)).toBeLessThanOrEqual(0.01);
      }
      counted += row.count;
    }
    expect(counted).toBe(6000);
  });

  test("of one operation, and of roots", async () => {
    const slow = await store.red({ ...range(5400, 9900), service: "red", operation: "slow" });
    expect(slow.reduce((sum, row) => sum + row.count, 0)).toBe(2000);
    const roots = await store.red({ ...range(5400, 9900), service: "red", rootsOnly: true });
    expect(roots.reduce((sum, row) => sum + row.count, 0)).toBe(3000);
    expect(new Set(roots.map((row) => row.kind))).toEqual(new Set([2]));
  });

  test("services and operations", async () => {
    expect(await store.services(range(5400, 9900))).toEqual(["red"]);
    const operations = await store.operations("red", range(5400, 9900));
    expect(operations.map(({ operation, kind, count }) => [operation, kind, count])).toEqual([
      ["fast", 2, 2000],
      ["fast", 3, 2000],
      ["slow", 2, 1000],
      ["slow", 3, 1000],
    ]);
    expect(await store.services(range(40_000, 40_060))).toEqual([]);
  });
});

describe("search", () => {
  beforeAll(async () => {
    await store.insertSpans(
      table([
        { trace: 0x50_0001, id: 1, startNs: at(20_000), durationNs: 50e6, service: "web", name: "GET /cart" },
        {
          trace: 0x50_0001,
          id: 2,
          parent: 1,
          startNs: at(20_000) + 1000n,
          durationNs: 60e6,
          service: "db",
          name: "select",
          kind: 3,
          attributes: [
            ["db.rows", 12],
            ["db.system", "postgresql"],
            ["cached", false],
          ],
        },
        {
          trace: 0x50_0002,
          id: 3,
          startNs: at(20_001),
          durationNs: 10e6,
          service: "web",
          name: "GET /cart",
          status: 2,
          attributes: [
            ["db.system", "elsewhere"],
            ["tenant", "acme"],
          ],
        },
        {
          trace: 0x50_0003,
          id: 4,
          startNs: at(20_002),
          durationNs: 90e6,
          service: "web",
          name: "GET /list",
          attributes: [
            ["tenant", "acme"],
            ["note", "postgresql"],
            ["db.rows", 12.5],
          ],
        },
        {
          trace: 0x50_0003,
          id: 5,
          parent: 4,
          startNs: at(20_002),
          durationNs: 20e6,
          service: "db",
          name: "select",
          kind: 2,
        },
        {
          trace: 0x50_0003,
          id: 6,
          parent: 4,
          startNs: at(20_002),
          durationNs: 30e6,
          service: "db",
          name: "select",
          kind: 2,
          status: 2,
        },
        {
          trace: 0x50_0003,
          id: 7,
          parent: 6,
          startNs: at(20_002),
          durationNs: 30e6,
          service: "db",
          name: "inside",
          kind: 1,
        },
      ]),
      "search",
    );
  });
  const window = range(20_000, 20_010);
  const found = async (query: object): Promise<number[]> =>
    (await store.searchTraces({ ...window, ...query })).map((trace) => Number.parseInt(trace.traceId, 16) - 0x50_0000);

  test.each<[string, object, number[]]>([
    ["the newest first", {}, [3, 2, 1]],
    ["the slowest first", { order: "slowest" }, [3, 1, 2]],
    ["a service", { service: "db" }, [3]],
    ["a service and an operation", { service: "web", operation: "GET /cart" }, [2, 1]],
    ["a least duration", { service: "web", minDurationNs: 40e6 }, [3, 1]],
    ["a most", { service: "web", maxDurationNs: 50e6 }, [2, 1]],
    ["errors", { errorsOnly: true }, [3, 2]],
    ["a limit", { limit: 1 }, [3]],
    ["an attribute", { attributes: [{ key: "db.system", value: "postgresql" }] }, [1]],
    ["the value of another attribute is none of this one", { attributes: [{ key: "note", value: "acme" }] }, []],
    ["a number", { attributes: [{ key: "db.rows", value: "12" }] }, [1]],
    ["a number with a fraction", { attributes: [{ key: "db.rows", value: "12.5" }] }, [3]],
    ["a boolean", { attributes: [{ key: "cached", value: "false" }] }, [1]],
    ["not the other one", { attributes: [{ key: "cached", value: "true" }] }, []],
    [
      "two attributes of one span",
      {
        attributes: [
          { key: "tenant", value: "acme" },
          { key: "note", value: "postgresql" },
        ],
      },
      [3],
    ],
    ["a key that is nowhere", { attributes: [{ key: "nowhere", value: "" }] }, []],
    ["text that is SQL", { service: "' OR 1 = 1 --", operation: "\\'); DROP TABLE spans" }, []],
  ])("%s", async (_, query, traces) => {
    expect(await found(query)).toEqual(traces);
  });

  test("a trace is told as a whole", async () => {
    const [trace] = await store.searchTraces({ ...window, service: "db" });
    expect(trace).toEqual({
      traceId: traceId(0x50_0003),
      rootService: "web",
      rootOperation: "GET /list",
      startUnixNs: at(20_002),
      durationNs: 90e6,
      spans: 4,
      errors: 1,
      services: ["db", "web"],
      matchDurationNs: expect.any(Number) as number,
    });
  });

  test("a limit beyond what is possible is refused, not cut", async () => {
    await expect(found({ limit: 1001 })).rejects.toThrow(/a limit of 1001 traces: from 1 to 1000/);
  });

  test("edges are calls from one service to another", async () => {
    expect(await store.edges(window, { traceShare: 1 })).toEqual({
      edges: [{ caller: "web", callee: "db", operation: "select", count: 3, errors: 1, sumNs: 110e6 }],
      traceShare: 1,
    });
  });
});

test("findings are kept, and replaced by their later version", async () => {
  const finding = {
    id: "pool-full",
    window: range(30_000, 30_900),
    firstSeenUnixNs: at(30_900) + 5n,
    lastSeenUnixNs: at(30_900) + 5n,
    json: `{"title":"it's \\"full\\""}`,
    scoreJson: "",
  };
  await store.saveFindings([finding]);
  const later = { ...finding, lastSeenUnixNs: at(31_000), scoreJson: `{"predicted":1}` };
  await store.saveFindings([later]);
  expect(await store.readFindings(range(30_000, 32_000))).toEqual([later]);
  expect(await store.readFindings(range(32_000, 33_000))).toEqual([]);
});

test("status and the size cap: the oldest partitions go, the newest of each table stays", async () => {
  const day = 86_400;
  await store.insertSpans(table([{ trace: 0x60_0000, id: 1, startNs: at(-3 * day), service: "old" }]), "old");
  const before = await store.status();
  expect(before.oldestSpanUnixNs).toBe(at(-3 * day));
  expect(before.engineVersion).toMatch(/^\d+\.\d+/);
  expect(before.schemaVersion).toBe(3);
  expect(before.diskFreeBytes).toBeGreaterThan(0);
  expect(before.memoryBytes).toBeGreaterThan(1e6);
  const rows = before.tables.find((row) => row.table === "spans")!.rows;
  const bytesOf = ({ tables }: typeof before): number => tables.reduce((sum, row) => sum + row.bytesOnDisk, 0);
  expect(await store.enforceSizeCap(2 * bytesOf(before))).toEqual([]);
  // Merges in the background make tables smaller between the two calls: then nothing has to go.
  await vi.waitFor(async () => expect(await store.enforceSizeCap(bytesOf(await store.status()) - 1)).not.toEqual([]), {
    timeout: 20_000,
  });
  const after = await store.status();
  expect(after.oldestSpanUnixNs).toBeGreaterThan(at(-3 * day));
  expect(after.tables.find((row) => row.table === "spans")!.rows).toBe(rows - 1);
  await store.enforceSizeCap(0);
  expect((await store.status()).newestSpanUnixNs).toBe(before.newestSpanUnixNs);
});

test("tables of a later version are left alone", async () => {
  const { engine } = embedded;
  const connection = { urls: [engine.url], ...engine.writer, database: "longpole" };
  const link = new Link(connection);
  await link.command("INSERT INTO longpole.schema_version (version) VALUES (99)");
  await expect(connect(connection)).rejects.toMatchObject({
    code: "newer-schema",
    message: expect.stringContaining("99"),
  });
  await link.close();
});
