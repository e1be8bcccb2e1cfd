import { expect, test } from "vitest";
import { SpanKind } from "../model/span-table.ts";
import { spansFromRows, type SpanRow } from "../testing/spans-from-rows.ts";
import { causingTraces } from "./causing-traces.ts";
import { findFlows } from "./flows.ts";
import { describeSpans } from "./span-facts.ts";
import { assembleTraces } from "./trace-assembly.ts";

const { server, consumer, producer } = SpanKind;

const span = (trace: number, id: number, kind: number, more: Partial<SpanRow> = {}): SpanRow => ({
  trace,
  id,
  parent: 0,
  startNs: 1000 * id,
  endNs: 1000 * id + 500,
  kind,
  ...more,
});

/** Per trace number as given: its causes with their shares. */
function causesOf(rows: readonly SpanRow[]): Record<number, Record<number, number>> {
  const spans = spansFromRows(rows);
  const forest = assembleTraces(spans, describeSpans(spans));
  const nameOf = (trace: number): number => spans.traceId[4 * forest.root[trace]! + 3]!;
  const { start, cause, share } = causingTraces(forest, findFlows(forest));
  return Object.fromEntries(
    Array.from({ length: forest.traceCount }, (_, trace) => {
      const own = Array.from(cause.subarray(start[trace], start[trace + 1]), (one, i) => [
        nameOf(one),
        share[start[trace]! + i]!,
      ]);
      return [nameOf(trace), Object.fromEntries(own) as Record<number, number>];
    }),
  );
}

test("a message that is passed on costs the one who sent it first", () => {
  expect(
    causesOf([
      span(1, 1, server),
      span(1, 2, producer, { parent: 1 }),
      span(2, 3, consumer, { link: { trace: 1, id: 2 } }),
      span(2, 4, producer, { parent: 3 }),
      span(3, 5, consumer, { link: { trace: 2, id: 4 } }),
    ]),
  ).toEqual({ 1: { 1: 1 }, 2: { 1: 1 }, 3: { 1: 1 } });
});

test("a batch is shared by the senders of its messages", () => {
  const batch = span(3, 5, consumer, { link: { trace: 1, id: 2 } });
  const rows = [
    span(1, 1, server),
    span(1, 2, producer, { parent: 1 }),
    span(2, 3, server),
    span(2, 4, producer, { parent: 3 }),
    batch,
    span(3, 6, consumer, { parent: 5, link: { trace: 2, id: 4 } }),
  ];
  expect(causesOf(rows)[3]).toEqual({ 1: 0.5, 2: 0.5 });
});

test("a sender that was not received, and messages in a circle, leave the handler its own cause", () => {
  expect(causesOf([span(1, 1, consumer, { link: { trace: 9, id: 99 } })])).toEqual({ 1: { 1: 1 } });
  const circle = causesOf([
    span(1, 1, consumer, { link: { trace: 2, id: 4 } }),
    span(1, 2, producer, { parent: 1 }),
    span(2, 3, consumer, { link: { trace: 1, id: 2 } }),
    span(2, 4, producer, { parent: 3 }),
  ]);
  for (const shares of Object.values(circle)) {
    expect(Object.values(shares).reduce((a, b) => a + b, 0)).toBe(1);
    for (const cause of Object.keys(shares)) expect(circle[Number(cause)]).toEqual({ [cause]: 1 });
  }
});

test("a request that handles a message on its way is its own", () => {
  const rows = [
    span(1, 1, server),
    span(1, 2, producer, { parent: 1 }),
    span(2, 3, server),
    span(2, 4, consumer, { parent: 3, link: { trace: 1, id: 2 } }),
  ];
  expect(causesOf(rows)[2]).toEqual({ 2: 1 });
});
