import { expect, test } from "vitest";
import { spanObjects } from "../testing/span-objects.ts";
import { traceFromText } from "../testing/trace-from-text.ts";
import { SpanGatherer } from "./span-gatherer.ts";
import { assertSpanTable, type SpanTable } from "./span-table.ts";

const morning = traceFromText(`
  shop  |----------|
  db      |---|     `);
const evening = traceFromText(`
  shop  |------|
  mail    |--|  `);

function gathered(rows: readonly [SpanTable, number][]): SpanTable {
  const gatherer = new SpanGatherer();
  const sources = new Map(rows.map(([table]) => [table, gatherer.source(table)]));
  for (const [table, row] of rows) sources.get(table)!.add(row);
  return gatherer.finish().table;
}

test("rows of several tables stand in one, in the order in which they were asked for", () => {
  const table = gathered([
    [evening, 1],
    [morning, 0],
    [evening, 0],
    [morning, 1],
  ]);
  assertSpanTable(table);
  const [a, b] = [spanObjects(morning), spanObjects(evening)];
  expect(spanObjects(table)).toEqual([b[1], a[0], b[0], a[1]]);
});

test("equal resources of different tables are one", () => {
  const table = gathered([
    [morning, 0],
    [evening, 0],
    [morning, 1],
  ]);
  expect([...table.resource]).toEqual([0, 0, 1]);
});

test("a name and a tracestate can be replaced on the way", () => {
  const gatherer = new SpanGatherer();
  const source = gatherer.source(morning, {
    name: (row) => (row === 0 ? "renamed" : undefined),
    traceState: () => "ot=th:8",
  });
  source.add(0);
  source.add(1);
  const spans = spanObjects(gatherer.finish().table);
  expect(spans.map(({ name }) => name)).toEqual(["renamed", spanObjects(morning)[1]!.name]);
  expect(spans.map(({ traceState }) => traceState)).toEqual(["ot=th:8", "ot=th:8"]);
});

test("nothing gathered is an empty table", () => {
  expect(new SpanGatherer().finish().table.rowCount).toBe(0);
});
