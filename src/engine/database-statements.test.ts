import { expect, test } from "vitest";
import { quantileOf } from "../analysis/weighted-quantile.ts";
import { traceFromText } from "../testing/trace-from-text.ts";
import { otherStatements } from "./database-statements.ts";
import { buildWindow } from "./window.ts";

/** Three statements of one database, one of another; lengths in columns of 1 µs. */
const TRACE = `
  shop GET /     |--------------------------------|   server
    shop A        |-|                                 client db.system=postgresql db.namespace=main
    shop A            |---|                           client db.system=postgresql db.namespace=main
    shop B                 |-----|                    client db.system=postgresql db.namespace=main
    shop C                        |--|                client db.system=postgresql db.namespace=main
    shop BEGIN                         ||             client db.system=postgresql db.namespace=main
    shop D                                |-------|   client db.system=postgresql db.namespace=logs
`;

test("the median of the others on the same database, without BEGIN", async () => {
  const window = await buildWindow(traceFromText(TRACE, { unitNs: 1000 }), async () => {});
  const { paths, text } = window;
  const of = (name: string): { calls: number; medianNs: number } =>
    otherStatements(
      window,
      [...paths.operation].findIndex((id) => text(id) === name),
    );
  const median = (...columns: number[]): number =>
    quantileOf(
      Float64Array.from(columns, (n) => n * 1000),
      0.5,
    );
  expect(of("A")).toEqual({ calls: 2, medianNs: median(6, 3) });
  expect(of("B")).toEqual({ calls: 3, medianNs: median(2, 4, 3) });
  expect(of("C")).toEqual({ calls: 3, medianNs: median(2, 4, 6) });
  expect(of("BEGIN")).toEqual({ calls: 4, medianNs: median(2, 4, 6, 3) });
  expect(of("D")).toEqual({ calls: 0, medianNs: 0 });
});
