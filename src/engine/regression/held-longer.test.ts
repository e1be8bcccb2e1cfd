import { describe, expect, test } from "vitest";
import { Random } from "../../analysis/random.ts";
import { SpanKind, type SpanTable } from "../../model/span-table.ts";
import { spansFromRows, type SpanRow } from "../../testing/spans-from-rows.ts";
import { diagnose } from "../diagnose.ts";

const MS = 1e6;

/** Milliseconds on average: for a connection, for the look-up by name, and for the statement by key that follows. */
interface Times {
  readonly pool: number;
  readonly byName: number;
  readonly byKey: number;
}

const BY_NAME = "SELECT id, content FROM records WHERE name = ?";

/**
 * 600 requests of zones, 50 ms apart: 2 ms of its own, a connection of main, two statements; all vary by a third or so.
 * Of two endpoints the second, of the even traces, does not look up by name.
 */
function drawn(seed: number, times: Times, endpoints = 1): SpanTable {
  const random = new Random(seed);
  const vary = (ms: number): number =>
    MS * ms * Math.exp(0.6 * (random.uniform() + random.uniform() + random.uniform() - 1.5));
  const rows: SpanRow[] = [];
  for (let trace = 1; trace <= 600; trace++) {
    const startNs = trace * 50 * MS;
    const own = vary(2);
    let at = startNs + own;
    const isFirst = endpoints === 1 || trace % 2 === 1;
    const call = (id: number, name: string, ms: number, statement?: string): SpanRow => ({
      trace,
      id,
      parent: 1,
      startNs: at,
      endNs: (at += vary(ms)),
      kind: SpanKind.client,
      service: "zones",
      name,
      attributes: {
        "db.system.name": "postgresql",
        "db.namespace": "main",
        ...(statement === undefined ? {} : { "db.query.text": statement }),
      },
    });
    const calls = [
      call(2, "pg-pool.connect", times.pool),
      ...(isFirst ? [call(3, "pg.query:SELECT main", times.byName, BY_NAME)] : []),
      call(4, "pg.query:SELECT main", times.byKey, "SELECT name FROM zones WHERE id = ?"),
    ];
    rows.push(
      {
        trace,
        id: 1,
        parent: 0,
        startNs,
        endNs: at,
        kind: SpanKind.server,
        service: "zones",
        name: isFirst ? "GET /records" : "GET /zone",
      },
      ...calls,
    );
  }
  return spansFromRows(rows);
}

const BEFORE: Times = { pool: 0.1, byName: 2, byKey: 1 };

async function compared(now: Times): Promise<{ loud: string[]; first: string; predicted: number }> {
  const { findings } = await diagnose({ spans: drawn(2, now), baseline: drawn(1, BEFORE) });
  const [first] = findings;
  return {
    loud: findings
      .filter(({ severity }) => severity !== "note")
      .map(({ mechanism, subject }) => `${mechanism} ${subject.service} ${subject.statement ?? ""}`.trim()),
    first: first === undefined ? "" : `${first.title}\n${first.remedy.change ?? ""}`,
    predicted: first?.impact.predicted ?? Number.NaN,
  };
}

describe("requests wait for a connection, and did not before", () => {
  test("a statement holds it forty times as long: the statement is the cause, and the wait goes with it", async () => {
    const { loud, first, predicted } = await compared({ pool: 400, byName: 80, byKey: 1.1 });
    expect(loud).toEqual([`missing-index main ${BY_NAME}`]);
    expect(first).toContain("an index on (name) seems to be missing");
    expect(first).toContain("CREATE INDEX CONCURRENTLY ON records (name)");
    // Without the statement's 78 ms alone some 400 ms would be left of every request.
    expect(predicted).toBeLessThan(40);
  });

  test("nothing holds it longer: the pool is the cause", async () => {
    const { loud } = await compared({ pool: 400, byName: 2, byKey: 1 });
    expect(loud).toEqual(["pool-exhausted zones"]);
  });

  test("a statement that takes a quarter of the time longer does not fill a pool", async () => {
    const { loud } = await compared({ pool: 400, byName: 2.6, byKey: 1 });
    expect(loud[0]).toBe("pool-exhausted zones");
  });
});

test("requests that only wait for a connection show, by others, what for", async () => {
  const now = drawn(2, { pool: 400, byName: 80, byKey: 1.1 }, 2);
  const { findings } = await diagnose({ spans: now, baseline: drawn(1, BEFORE, 2) });
  const loud = findings.filter(({ severity }) => severity !== "note");
  expect(loud.map(({ subject }) => subject.statement)).toEqual([BY_NAME]);
  expect(loud[0]!.why).toContain("Also at zones GET /");
  const traces = loud[0]!.evidence.find(({ kind }) => kind === "trace")!.text.match(/[0-9a-f]{32}/g)!;
  expect(traces.length).toBeGreaterThan(0);
  // Odd traces look up by name; the others read by key alone.
  expect(traces.every((id) => Number.parseInt(id.slice(-8), 16) % 2 === 1)).toBe(true);
});
