import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { matchTrace } from "../../analysis/match-traces.ts";
import { parseTraceQuery } from "../../analysis/parse-trace-query.ts";
import { tracesOf } from "../../analysis/trace-spans.ts";
import { AttributeType } from "../../model/attribute-table.ts";
import { SpanTableBuilder } from "../../model/span-table-builder.ts";
import type { SpanTable } from "../../model/span-table.ts";
import { type Embedded, openEmbedded } from "../../store/embedded/open-embedded.ts";
import { searchLive } from "./search-live.ts";

const BASE = 1_790_000_000_000_000_000n;
const KEYS = ["code", "db.system", "flag", "odd \u001f key\\", "host.name"];
const TEXTS = ["a", "b", "500", "12.5", "true", "", "1e+21", "日本\n語", "it's", "%", "\\", "[1,2]"];
const NUMBERS = [500, 12.5, 0, -3, 1e21, 1e-7, 2 ** 53];

let dataDir = "";
let embedded: Embedded;
let spans: SpanTable;

beforeAll(async () => {
  dataDir = mkdtempSync(join(tmpdir(), "longpole-trace-query-"));
  embedded = await openEmbedded({ dataDir, retention: { spanDays: 3650, metricDays: 3650 } });
  spans = someSpans();
  await embedded.store.insertSpans(spans, "all");
  await embedded.store.insertSpans(slowNames(), "slow");
}, 60_000);

afterAll(async () => {
  await embedded?.close();
  rmSync(dataDir, { recursive: true, force: true });
});

/** The number of such a trace and the name of its spans, which has 2^36 ways to be parted by (a+)+. */
const SLOW = 99;
const ALMOST = `${"a".repeat(36)}!`;

/** A root and a child. */
function slowNames(): SpanTable {
  const builder = new SpanTableBuilder();
  builder.resources.add(builder.strings.intern("service.name"), AttributeType.string, builder.strings.intern("slow"));
  const resource = builder.resources.closeList();
  for (const span of [1, 2]) {
    builder.begin(resource, 0);
    const row = builder.open;
    builder.traceId[4 * row + 3] = SLOW;
    builder.spanId[2 * row + 1] = span;
    builder.parentSpanId[2 * row + 1] = span - 1;
    const start = BASE + 86_400_000_000_000n;
    for (const words of [builder.startWords, builder.endWords]) {
      words[2 * row] = Number(start >> 32n);
      words[2 * row + 1] = Number(start & 0xffff_ffffn);
    }
    builder.name[row] = builder.strings.intern(ALMOST);
    builder.commit();
  }
  return builder.finish().table;
}

/** 60 traces of up to five spans with all kinds of attributes, drawn by a fixed generator. */
function someSpans(): SpanTable {
  let state = 7;
  const random = (below: number): number => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
  const builder = new SpanTableBuilder();
  const { strings, resources, attributes } = builder;
  const add = (sink: typeof attributes, keys: readonly string[]): void => {
    for (const key of keys) {
      const id = strings.intern(key);
      const kind = random(6);
      if (kind < 2) sink.add(id, AttributeType.string, strings.intern(TEXTS[random(TEXTS.length)]!));
      if (kind === 2) sink.add(id, AttributeType.number, NUMBERS[random(NUMBERS.length)]!);
      if (kind === 3) sink.add(id, AttributeType.boolean, random(2));
      if (kind === 4) sink.add(id, AttributeType.json, strings.intern("[1,2]"));
    }
  };
  for (let trace = 1; trace <= 60; trace++) {
    const count = 1 + random(5);
    for (let span = 1; span <= count; span++) {
      const service = ["web", "db", ""][random(3)]!;
      if (service !== "") resources.add(strings.intern("service.name"), AttributeType.string, strings.intern(service));
      add(resources, [...KEYS, ...KEYS]);
      builder.begin(resources.closeList(), 0);
      const row = builder.open;
      builder.traceId[4 * row + 3] = trace;
      builder.spanId[2 * row + 1] = span;
      builder.parentSpanId[2 * row + 1] = span === 1 ? 0 : 1 + random(span - 1);
      const start = BASE + BigInt(trace) * 1_000_000_000n;
      const end = start + BigInt([5, 1_000_000, 250_000_000][random(3)]!);
      [builder.startWords[2 * row], builder.startWords[2 * row + 1]] = [
        Number(start >> 32n),
        Number(start & 0xffff_ffffn),
      ];
      [builder.endWords[2 * row], builder.endWords[2 * row + 1]] = [Number(end >> 32n), Number(end & 0xffff_ffffn)];
      builder.kind[row] = random(6);
      builder.status[row] = random(3);
      builder.name[row] = strings.intern(["GET /", "select", "日本\n語"][random(3)]!);
      add(attributes, [...KEYS, ...KEYS]);
      builder.commit();
    }
  }
  return builder.finish().table;
}

const quoted = (text: string): string => JSON.stringify(text);
const field = fc.constantFrom(
  ...["span.", "resource.", "."].flatMap((scope) => KEYS.map((key) => `${scope}${quoted(key)}`)),
);
const text = fc.constantFrom(...TEXTS, "' OR 1 = 1 --", "nowhere").map(quoted);
const pattern = fc.constantFrom(
  "`a|b`",
  "`.*`",
  "`[0-9.]+`",
  "`日.語`",
  "`(?i)A`",
  "`(?:tru|fals)e`",
  "`\\[1,2\\]`",
  "`1e\\+21`",
);
const order = fc.constantFrom("=", "!=", "<", "<=", ">", ">=");
const number = fc.constantFrom(...NUMBERS, 7).map(String);
const said = (...parts: fc.Arbitrary<string>[]): fc.Arbitrary<string> => fc.tuple(...parts).map((of) => of.join(" "));
const equal = fc.constantFrom("=", "!=");
const condition = fc.oneof(
  said(field, equal, fc.oneof(text, fc.constantFrom("true", "false", "nil"))),
  said(field, fc.constantFrom("=~", "!~"), pattern),
  said(field, order, number),
  said(
    fc.constantFrom("name", "resource.service.name"),
    equal,
    fc.constantFrom('"GET /"', '"web"', '"unknown_service"'),
  ),
  said(fc.constant("name"), fc.constantFrom("=~", "!~"), fc.constantFrom("`GET .*`", "`日.語`")),
  said(fc.constant("duration"), order, fc.constantFrom("5ns", "1ms", "0.25s")),
  said(fc.constant("status"), equal, fc.constantFrom("error", "ok", "unset")),
  said(fc.constant("kind"), equal, fc.constantFrom("server", "client")),
);
const where = fc.oneof(
  condition,
  said(fc.constant("!("), condition, fc.constant(")")),
  said(condition, fc.constantFrom("&&", "||"), condition),
);
const set = where.map((of) => `{ ${of} }`);
const query = fc.oneof(set, said(set, fc.constantFrom("&&", "||", ">", ">>"), set));

test("the store finds the traces that the same question finds in the table", { timeout: 120_000 }, async () => {
  const traces = [...tracesOf(spans)];
  let found = 0;
  const range = { fromUnixNs: BASE, toUnixNs: BASE + 3_600_000_000_000n, limit: 1000 };
  await fc.assert(
    fc.asyncProperty(query, async (held) => {
      const parsed = parseTraceQuery(held);
      if (parsed.kind === "invalid") throw new Error(`${held}: ${parsed.expected}`);
      const { expression } = parsed;
      const wanted = traces.filter(([, trace]) => matchTrace(expression, trace).length > 0).map(([id]) => id);
      const stored = await searchLive(embedded.store, { ...range, expression });
      // The newest first: the table is in the order of time.
      expect(stored.traces.map(({ traceId }) => traceId)).toEqual(wanted.toReversed());
      expect(stored.more).toBe(false);
      found += wanted.length;
    }),
    { seed: 1, numRuns: process.env["LONGPOLE_LONG_TESTS"] === "1" ? 400 : 40 },
  );
  expect(found).toBeGreaterThan(200);
});

describe("patterns of which JavaScript tries all ways to part a text", () => {
  const range = { fromUnixNs: BASE + 86_000_000_000_000n, toUnixNs: BASE + 90_000_000_000_000n };
  const found = async (text: string): Promise<readonly string[]> => {
    const parsed = parseTraceQuery(text);
    if (parsed.kind === "invalid") throw new Error(`${text}: ${parsed.expected}`);
    const { traces } = await searchLive(embedded.store, { ...range, expression: parsed.expression });
    return traces.map(({ traceId }) => traceId);
  };

  // Tried in this process, these would not end in a human life.
  test.each([
    ["{ name !~ `(a+)+$` } > {}", 1],
    ["{ name =~ `(a+)+$` } > {}", 0],
    ["{} >> { name !~ `(a|aa)+$` && resource.service.name !~ `(s+)+$` }", 1],
  ])("%s is answered", async (text, count) => {
    expect(await found(text)).toEqual(Array<string>(count).fill(SLOW.toString(16).padStart(32, "0")));
  });

  test("one that RE2 does not take is told to be that", async () => {
    await expect(found("{ name =~ `a{2000}` } > {}")).rejects.toMatchObject({
      name: "StoreError",
      code: "bad-pattern",
    });
  });
});
