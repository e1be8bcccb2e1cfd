import { expect, test } from "vitest";
import { attributeText, findAttribute } from "../model/attribute-table.ts";
import { assertSpanTable, SpanKind, SpanStatus, traceIdHex } from "../model/span-table.ts";
import { rowOf, traceFromText } from "./trace-from-text.ts";

test("columns are microseconds after the leftmost bar, indentation is parentage", () => {
  const table = traceFromText(`
    frontend GET /orders |----------|   server
      orders list          |------|     server
        db SELECT            |-|        client db.system=postgresql rows=12 hit=true
      auth                 |            error
  `);
  assertSpanTable(table);
  expect([...table.startOffsetNs]).toEqual([0, 2000, 4000, 2000]);
  expect([...table.endOffsetNs]).toEqual([11000, 9000, 6000, 2000]);
  expect([...table.spanId]).toEqual([0, 1, 0, 2, 0, 3, 0, 4]);
  expect([...table.parentSpanId]).toEqual([0, 0, 0, 1, 0, 2, 0, 1]);
  expect([...table.kind]).toEqual([SpanKind.server, SpanKind.server, SpanKind.client, SpanKind.internal]);
  expect([...table.status]).toEqual([0, 0, 0, SpanStatus.error]);
  expect([...table.name].map((id) => table.strings.get(id))).toEqual(["GET /orders", "list", "SELECT", "auth"]);
  const text = (key: string) =>
    attributeText(table.attributes, table.strings, findAttribute(table.attributes, 2, table.strings.intern(key)));
  expect([text("db.system"), text("rows"), text("hit")]).toEqual(["postgresql", "12", "true"]);
  expect(rowOf(table, "SELECT")).toBe(2);
});

test("an empty line begins another trace; names give ids, parents and links", () => {
  const table = traceFromText(
    `
    shop send |--|   producer id=job host.name=h1

    worker      |--| consumer link=job tracestate="ot=th:8"
      a         |--| id=twice parent=lost
      b         |--| id=twice
    `,
    { unitNs: 1 },
  );
  assertSpanTable(table);
  expect([0, 1, 2, 3].map((row) => traceIdHex(table, row).at(-1))).toEqual(["1", "2", "2", "2"]);
  expect([...table.links.span]).toEqual([1]);
  expect([...table.links.traceId]).toEqual([0, 0, 0, 1]);
  expect([...table.links.spanId]).toEqual([...table.spanId.subarray(0, 2)]);
  expect([...table.spanId.subarray(4, 6)]).toEqual([...table.spanId.subarray(6, 8)]);
  expect(table.strings.get(table.traceState[1]!)).toBe("ot=th:8");
  expect([...table.startOffsetNs]).toEqual([0, 2, 2, 2]);
  const host = findAttribute(table.resources, table.resource[0]!, table.strings.intern("host.name"));
  expect(attributeText(table.resources, table.strings, host)).toBe("h1");
  expect(() => rowOf(table, "nobody")).toThrow('0 spans are named "nobody"');
});

test("a span can end before it starts", () => {
  const table = traceFromText(`
    root  |------|
      odd   <--|
  `);
  expect([table.startOffsetNs[1], table.endOffsetNs[1]]).toEqual([5000, 2000]);
});

test("a line that cannot be read is named", () => {
  expect(() => traceFromText("root only words")).toThrow('not "service operation |---| words": root only words');
  expect(() => traceFromText("root |--| sevrer")).toThrow("sevrer");
});
