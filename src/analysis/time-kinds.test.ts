import { expect, test } from "vitest";
import { TIME_KINDS } from "../model/time-kind.ts";
import { traceFromText } from "../testing/trace-from-text.ts";
import { describeSpans } from "./span-facts.ts";
import { spanTimeKinds } from "./time-kinds.ts";
import { assembleTraces } from "./trace-assembly.ts";

test("the kind of a span's own time, by its role and by what is seen below it", () => {
  const spans = traceFromText(`
    shop GET /              |-----------------------|  server
      shop own               |-|                       internal
      shop pg-pool.connect      |-|                    internal
      shop SELECT                  |-|                 client db.system=postgresql db.namespace=main
      shop GET                        |--|             client server.address=cart
        cart GET                      |-|              server
      shop POST                           |-|          client server.address=pay.example
        shop dns                          ||           internal
      shop call                              |-|       client
        cart work                            |-|       internal
      shop send                                |-|     producer messaging.destination.name=jobs
        worker handle                            |-|   consumer`);
  const kinds = spanTimeKinds(assembleTraces(spans, describeSpans(spans)));
  const named = Array.from(kinds, (kind, row) => `${spans.strings.get(spans.name[row]!)}: ${TIME_KINDS[kind]}`);
  expect(named).toEqual([
    "GET /: unexplained",
    "own: unexplained",
    "pg-pool.connect: pool-wait",
    "SELECT: callee",
    "GET: transit",
    "GET: unexplained",
    // a child of the same service that is no SERVER does not show the other side
    "POST: callee",
    "dns: unexplained",
    "call: transit",
    "work: unexplained",
    "send: transit",
    "handle: unexplained",
  ]);
});
