import { expect, test } from "vitest";
import { decodeJaegerJson } from "../formats/jaeger-json.ts";
import { Intake } from "../model/intake.ts";
import { SpanTableBuilder } from "../model/span-table-builder.ts";
import { spanObjects } from "../testing/span-objects.ts";
import { traceFromText } from "../testing/trace-from-text.ts";
import { jaegerTraces } from "./jaeger-json.ts";

/** Bars stand on whole microseconds, as Jaeger counts. */
const spans = traceFromText(`
  shop GET /cart   |-----------|     server http.route=/cart retries=2 ratio=0.5 cached=true
    shop query      |--|             client db.system=postgresql error
    shop publish         |-|         producer id=sent

  worker handle               |--|   consumer link=sent host.name=h1`);

test("traces written for Jaeger are, read as Jaeger's, the same spans", () => {
  const traces = jaegerTraces(spans);
  expect(traces).toHaveLength(2);
  const builder = new SpanTableBuilder();
  const intake = new Intake();
  const document = new TextEncoder().encode(JSON.stringify({ data: traces }));
  decodeJaegerJson(document, builder, intake, "t", 0);
  expect(intake.rejected.size).toBe(0);
  const told = (table: typeof spans): unknown[] =>
    spanObjects(table)
      .map(({ scope: _scope, traceState: _state, ...span }) => span)
      .sort((a, b) => (a.spanId < b.spanId ? -1 : 1));
  expect(told(builder.finish().table)).toEqual(told(spans));
});

test("as Jaeger has it: microseconds, the resource as process without the service's name, error as a tag", () => {
  const [first, second] = jaegerTraces(spans);
  const [root, query] = first!.spans as {
    startTime: number;
    duration: number;
    tags: object[];
    processID: string;
    references: object[];
  }[];
  expect(root).toMatchObject({ startTime: 1_790_000_000_000_000, duration: 12, references: [] });
  expect(query!.tags).toContainEqual({ key: "error", type: "bool", value: true });
  expect(query!.tags).toContainEqual({ key: "span.kind", type: "string", value: "client" });
  expect(first!.processes).toEqual({ p1: { serviceName: "shop", tags: [] } });
  expect(second!.processes).toEqual({
    p1: { serviceName: "worker", tags: [{ key: "host.name", type: "string", value: "h1" }] },
  });
  expect(second!.spans[0]).toMatchObject({ references: [{ refType: "FOLLOWS_FROM" }] });
});
