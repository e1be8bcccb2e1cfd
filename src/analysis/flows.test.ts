import { expect, test } from "vitest";
import { traceFromText } from "../testing/trace-from-text.ts";
import { findFlows } from "./flows.ts";
import { describeSpans } from "./span-facts.ts";
import { assembleTraces } from "./trace-assembly.ts";

/** "sender->handler queue/latency" in columns; `!` overlaps, `.` the last handler. */
function flowsOf(picture: string): string[] {
  const spans = traceFromText(picture);
  const forest = assembleTraces(spans, describeSpans(spans));
  const flows = findFlows(forest);
  const name = (row: number): string => spans.strings.get(spans.name[row]!);
  return Array.from(flows.producer, (from, i) => {
    const times = `${flows.queueNs[i]! / 1000}/${flows.latencyNs[i]! / 1000}`;
    return `${name(from)}->${name(flows.consumer[i]!)} ${times}${flows.overlaps[i] ? "!" : ""}${flows.last[i] ? "." : ""}`;
  });
}

test("by parentage: each handler, the one that ends last closing the flow", () => {
  expect(
    flowsOf(`
    shop order    |-------|               server
      shop send    |--|                   producer
        mail job        |--|              consumer
        stock job           |-----|       consumer
        audit job     |-|                 consumer
        shop log    |-|
      bank pay        |--|                server`),
  ).toEqual(["send->job 2/8", "send->job 6/15.", "send->job 0/5"]);
});

test("by links across traces: a batch has a flow for every message", () => {
  expect(
    flowsOf(`
    shop send    |--|              producer id=m1

    shop send      |--|            producer id=m2

    work batch           |----|    consumer link=m1
      work one            |-|      link=m2
      work two              |-|    consumer link=missing`),
  ).toEqual(["send->batch 5/13.", "send->one 4/9."]);
});

test("parent and link to the same message are one flow; a handler that is early overlaps", () => {
  expect(
    flowsOf(`
    shop send    |------|          producer id=m
      work job       |----|        consumer link=m`),
  ).toEqual(["send->job 0/9!."]);
});

test("an ordinary link is no flow", () => {
  expect(
    flowsOf(`
    a one    |------|   id=one
      b two   |-|       link=one`),
  ).toEqual([]);
});

test("groups: sender, destination, handler", () => {
  const spans = traceFromText(`
    shop send   |-|          producer messaging.system=kafka messaging.destination.name=orders
      work job     |-|       consumer messaging.system=kafka
    shop send   |-|          producer messaging.system=kafka messaging.destination.name=returns
      work job     |-|       consumer messaging.system=kafka

    shop send   |-|          producer messaging.system=kafka messaging.destination.name=orders
      work job     |-|       consumer messaging.system=kafka`);
  const { group, groups } = findFlows(assembleTraces(spans, describeSpans(spans)));
  const text = (ids: Int32Array): string[] => [...ids].map((id) => spans.strings.get(id));
  expect([...group]).toEqual([0, 1, 0]);
  expect(text(groups.destination)).toEqual(["orders", "returns"]);
  expect(text(groups.producerService)).toEqual(["shop", "shop"]);
  expect(text(groups.consumerService)).toEqual(["work", "work"]);
  expect(text(groups.consumerOperation)).toEqual(["job", "job"]);
  expect([...groups.flows]).toEqual([2, 1]);
});
