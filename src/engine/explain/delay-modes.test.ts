import { expect, test } from "vitest";
import { Random } from "../../analysis/random.ts";
import { SpanKind, type SpanTable } from "../../model/span-table.ts";
import { spansFromRows } from "../../testing/spans-from-rows.ts";
import { diagnose } from "../diagnose.ts";

const MS = 1e6;

/** 200 requests of one span; every third takes `slowMs` instead of 2 ms ± 20 %. */
function requests(slowMs: (random: Random) => number): SpanTable {
  const random = new Random(1);
  return spansFromRows(
    Array.from({ length: 200 }, (_, i) => {
      const startNs = i * 500 * MS;
      const durationMs = i % 3 === 0 ? slowMs(random) : 1.6 + 0.8 * random.uniform();
      return {
        trace: i + 1,
        id: 1,
        parent: 0,
        startNs,
        endNs: startNs + Math.round(durationMs * MS),
        kind: SpanKind.server,
        service: "shop",
        name: "POST /order",
      };
    }),
  );
}

const mechanisms = async (table: SpanTable): Promise<string[]> =>
  (await diagnose({ spans: table })).findings.map(({ mechanism }) => mechanism);

test.each<[string, (random: Random) => number]>([
  ["as it is", (random) => 101 + random.uniform()],
  // Nearly half wait up to 15 ms for a busy thread after it: the mode is wide, and begins sharply.
  [
    "and waits after it",
    (random) => 101 + 1.5 * random.uniform() + (random.uniform() < 0.45 ? 15 * random.uniform() : 0),
  ],
])("a timer of 100 ms is named: %s", async (_, slow) => {
  expect(await mechanisms(requests(slow))).toContain("fixed-delay");
});

test("slow ones that spread evenly around 100 ms are no timer", async () => {
  expect(await mechanisms(requests((random) => 88 + 27 * random.uniform()))).not.toContain("fixed-delay");
});
