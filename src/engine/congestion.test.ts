import { describe, expect, test } from "vitest";
import { Random } from "../analysis/random.ts";
import { AttributeType } from "../model/attribute-table.ts";
import { SpanKind, type SpanTable } from "../model/span-table.ts";
import { SpanTableBuilder } from "../model/span-table-builder.ts";
import { unixNs } from "../model/units.ts";
import { ownTime } from "./case.ts";
import { isCongested, isHog, sharedResources, type SharedResource } from "./congestion.ts";
import { buildWindow } from "./window.ts";

const MS = 1e6;

/** A kind of statement: how often (weight) and how long the database needs for it. */
interface Work {
  readonly statement: string;
  readonly weight: number;
  readonly serviceMs: number;
}

interface Run {
  readonly table: SpanTable;
  /** response over service time, mean over calls: what the queue really did */
  readonly stretch: number;
}

/**
 * A database that answers one statement after the other, in the order of arrival (M/D/1 for one kind of work): Poisson
 * arrivals at the given utilisation; a request is its statement and nothing else.
 */
function oneServer(works: readonly Work[], utilisation: number, calls: number, seed: number): Run {
  const random = new Random(seed);
  const totalWeight = works.reduce((sum, { weight }) => sum + weight, 0);
  const meanMs = works.reduce((sum, { weight, serviceMs }) => sum + weight * serviceMs, 0) / totalWeight;
  const builder = new SpanTableBuilder();
  const { strings, resources } = builder;
  resources.add(strings.intern("service.name"), AttributeType.string, strings.intern("shop"));
  const resource = resources.closeList();
  const starts: number[] = [];
  const ends: number[] = [];
  let now = 0;
  let freeAt = 0;
  let stretch = 0;
  for (let call = 0; call < calls; call++) {
    now += (-Math.log(1 - random.uniform()) * meanMs * MS) / utilisation;
    let drawn = random.uniform() * totalWeight;
    const work = works.find(({ weight }) => (drawn -= weight) < 0)!;
    const end = Math.max(now, freeAt) + work.serviceMs * MS;
    freeAt = end;
    stretch += (end - now) / (work.serviceMs * MS) / calls;
    for (const part of ["root", "call"]) {
      builder.begin(resource, 0);
      const row = starts.length;
      builder.traceId[4 * row + 3] = call + 1;
      builder.spanId[2 * row + 1] = part === "root" ? 1 : 2;
      if (part === "call") builder.parentSpanId[2 * row + 1] = 1;
      builder.kind[row] = part === "root" ? SpanKind.server : SpanKind.client;
      builder.name[row] = strings.intern(part === "root" ? "GET /" : "query");
      if (part === "call") {
        for (const [key, value] of [
          ["db.system.name", "postgresql"],
          ["db.namespace", "main"],
          ["db.query.text", work.statement],
        ] as const) {
          builder.attributes.add(strings.intern(key), AttributeType.string, strings.intern(value));
        }
      }
      starts.push(Math.round(now));
      ends.push(Math.round(end));
      builder.commit();
    }
  }
  const table = {
    ...builder.finish().table,
    baseUnixNs: unixNs(1_790_000_000_000_000_000n),
    startOffsetNs: Float64Array.from(starts),
    endOffsetNs: Float64Array.from(ends),
  };
  return { table, stretch };
}

async function databaseOf({ table }: Run): Promise<SharedResource> {
  const window = await buildWindow(table, async () => {});
  const found = sharedResources(window, ownTime(window.segments, window.spans.rowCount));
  return found.find(({ kind, name }) => kind === "database" && name === "main")!;
}

const SMALL: Work = { statement: "SELECT a FROM t", weight: 9, serviceMs: 2 };

describe("a database that does one thing at a time", () => {
  test.each([
    { utilisation: 0.3, congested: false, atLeast: 0.65 },
    { utilisation: 0.6, congested: false, atLeast: 0.65 },
    // Above 90 % even the quietest quarter waits: what it takes passes for "alone", and the stretch is told too low.
    { utilisation: 0.93, congested: true, atLeast: 0.5 },
  ])("busy for $utilisation of the time", async ({ utilisation, congested, atLeast }) => {
    const run = oneServer([SMALL], utilisation, 4000, 3);
    const found = await databaseOf(run);
    // M/D/1 (Pollaczek-Khinchine): response / service = 1 + utilisation / (2 (1 - utilisation)), as a check of the run
    const theory = 1 + utilisation / (2 * (1 - utilisation));
    expect(run.stretch / theory).toBeGreaterThan(0.75);
    expect(run.stretch / theory).toBeLessThan(1.35);
    // the estimate knows medians only
    expect(found.stretch / run.stretch).toBeGreaterThan(atLeast);
    expect(found.stretch / run.stretch).toBeLessThan(1.5);
    expect(isCongested(found)).toBe(congested);
    expect(found.heaviest.statement).toBe("SELECT a FROM t");
    expect(found.heaviestShare).toBe(1);
    expect(isHog(found)).toBe(false);
  });

  test("one kind of work that needs twelve times as much as the rest is the hog that the rest waits for", async () => {
    const heavy: Work = { statement: "SELECT b FROM u", weight: 1, serviceMs: 24 };
    const found = await databaseOf(oneServer([SMALL, heavy], 0.75, 6000, 4));
    expect(found.heaviest.statement).toBe(heavy.statement);
    // 1 x 24 of 9 x 2 + 1 x 24
    expect(found.heaviestShare).toBeGreaterThan(0.4);
    expect(found.heaviestShare).toBeLessThan(0.75);
    expect(isHog(found)).toBe(true);
    expect(found.stretchOfOthers).toBeGreaterThan(2);
    expect(isCongested(found)).toBe(true);
  });

  test("two kinds that need much the same: none is", async () => {
    const other: Work = { statement: "SELECT b FROM u", weight: 9, serviceMs: 3 };
    expect(isHog(await databaseOf(oneServer([SMALL, other], 0.75, 4000, 5)))).toBe(false);
  });
});
