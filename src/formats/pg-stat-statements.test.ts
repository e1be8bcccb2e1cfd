import { mkdtempSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { attributeText } from "../model/attribute-table.ts";
import { detectKind } from "./detect-kind.ts";
import { loadInputs, type LoadedInputs } from "./load-inputs.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "longpole-snapshots-"));
});
afterEach(() => rmSync(folder, { recursive: true }));

async function loaded(...texts: readonly string[]): Promise<LoadedInputs> {
  const paths = texts.map((text, i) => {
    const path = join(folder, `snapshot-${i}`);
    writeFileSync(path, text);
    utimesSync(path, 1_790_000_000 + 60 * i, 1_790_000_000 + 60 * i);
    return path;
  });
  const all = loadInputs(paths);
  for (;;) {
    const step = await all.next();
    if (step.done === true) return step.value;
  }
}

/** "metric database text: value at second", without the beginning that all have in common. */
function points({ metrics }: LoadedInputs): string[] {
  const { strings, points: all } = metrics;
  const label = (lists: typeof metrics.labels, list: number, key: string): string => {
    for (let row = lists.listStart[list]!; row < lists.listStart[list + 1]!; row++)
      if (strings.get(lists.key[row]!) === key) return attributeText(lists, strings, row);
    return "";
  };
  return Array.from({ length: all.rowCount }, (_, row) => {
    const series = all.series[row]!;
    const name = strings.get(metrics.name[series]!).replace("postgresql.statement.", "");
    const database = label(metrics.resources, metrics.resource[series]!, "postgresql.database.name");
    const text = label(metrics.labels, metrics.labelSet[series]!, "db.query.text");
    const seconds = (Number(metrics.baseUnixNs - 1_790_000_000_000_000_000n) + all.timeOffsetNs[row]!) / 1e9;
    return `${name} ${database} ${text}: ${all.value[row]} at ${Math.round(seconds)}`;
  });
}

test("CSV of psql: quotes, line breaks in statements, milliseconds and the file's own time", async () => {
  const inputs = await loaded(
    'userid,dbid,queryid,query,calls,total_exec_time,rows\n10,5,-7,"SELECT ""a"",\n  b FROM t",12,3400.5,24\n',
  );
  expect(inputs.intake.errors).toEqual([]);
  const text = 'SELECT "a",\n  b FROM t';
  expect(points(inputs)).toEqual([
    `calls 5 ${text}: 12 at 0`,
    `time 5 ${text}: 3.4005 at 0`,
    `rows 5 ${text}: 24 at 0`,
  ]);
});

test("JSON as json_agg gives it, with the names of older versions, hidden texts and a time of its own", async () => {
  const rows = [
    {
      datname: "shop",
      queryid: 1,
      query: "<insufficient privilege>",
      calls: 2,
      total_time: 10,
      snapshot_at: "2026-09-21 14:13:30+00",
    },
    { datname: "shop", queryid: 2, query: "COMMIT", calls: 5, total_time: 1, snapshot_at: 1_790_000_010 },
  ];
  const inputs = await loaded(JSON.stringify(rows, null, 1));
  // 2026-09-21 14:13:20 UTC is 1,790,000,000.
  expect(points(inputs)).toEqual([
    "calls shop : 2 at 10",
    "time shop : 0.01 at 10",
    "calls shop COMMIT: 5 at 10",
    "time shop COMMIT: 0.001 at 10",
  ]);
});

test("a row per line, and two snapshots in two files are one series", async () => {
  const at = (calls: number): string =>
    `${JSON.stringify({ queryid: 3, query: "SELECT 1", calls, total_exec_time: calls })}\n`;
  const inputs = await loaded(at(1) + at(4), at(9));
  expect(points(inputs).filter((text) => text.startsWith("calls"))).toEqual([
    "calls  SELECT 1: 1 at 0",
    "calls  SELECT 1: 4 at 0",
    "calls  SELECT 1: 9 at 60",
  ]);
  expect(inputs.metrics.seriesCount).toBe(2);
});

describe("damage is told with its line", () => {
  const HEAD = "queryid,query,calls,total_exec_time\n";
  test.each([
    [`${HEAD}1,SELECT 1,2,3\n2,"SELECT 2,4,5\n`, /quoted field that does not end in line 3/],
    [`${HEAD}1,SELECT 1,2,3\n(1 row)\n`, /expected 4 fields, as in the header, found 1 in line 3/],
    [`${HEAD}1,"SELECT 1"x,2,3\n`, /behind a quoted field in line 2/],
    ['[{"query":"a","calls":1,"total_time":2},\n{"query":"b","calls":}]', /line 2/],
  ])("%s", async (text, message) => {
    const { intake } = await loaded(text);
    expect(intake.errors.map((error) => error.message).join()).toMatch(message);
  });

  test("counters that are no numbers reject their row, and the others are read", async () => {
    const inputs = await loaded(`${HEAD}1,SELECT 1,many,3\n2,SELECT 2,-4,5\n3,SELECT 3,6,7\n`);
    expect(points(inputs)).toEqual(["calls  SELECT 3: 6 at 0", "time  SELECT 3: 0.007 at 0"]);
    expect(inputs.intake.points.rejected.get("point-malformed")).toEqual({
      points: 2,
      example: 'line 2: calls is "many"',
    });
  });
});

test("other CSV and JSON is not taken for it", () => {
  const kindOf = (text: string): string => detectKind(Buffer.from(text)).kind;
  expect(kindOf("load,throughput\n1,2\n")).toBe("unsupported");
  expect(kindOf("calls,query\n1,2\n")).toBe("unsupported");
  expect(kindOf('[{"calls":1,"name":"x"}]')).toBe("unknown");
});
