import { expect, test } from "vitest";
import { Random } from "../../analysis/random.ts";
import { AttributeType } from "../../model/attribute-table.ts";
import { SpanKind, type SpanTable } from "../../model/span-table.ts";
import { SpanTableBuilder } from "../../model/span-table-builder.ts";
import { unixNs } from "../../model/units.ts";
import { ownTime, type Case } from "../case.ts";
import { viewEndpoint } from "../endpoint-view.ts";
import { hotSpots } from "../hot-spot.ts";
import { buildWindow } from "../window.ts";
import { explainSize } from "./sizes.ts";

const MS = 1e6;

/** Requests that take a millisecond per item of `batch.size`; every 50th says NaN instead. */
function requests(count: number): SpanTable {
  const builder = new SpanTableBuilder();
  const { strings, resources, attributes } = builder;
  const random = new Random(1);
  resources.add(strings.intern("service.name"), AttributeType.string, strings.intern("shop"));
  const resource = resources.closeList();
  const starts = new Float64Array(count);
  const ends = new Float64Array(count);
  for (let row = 0; row < count; row++) {
    const items = 1 + Math.floor(-20 * Math.log(1 - random.uniform()));
    builder.begin(resource, 0);
    builder.traceId[4 * row + 3] = row + 1;
    builder.spanId[2 * row + 1] = 1;
    builder.kind[row] = SpanKind.server;
    builder.name[row] = strings.intern("POST /batch");
    attributes.add(strings.intern("batch.size"), AttributeType.number, row % 50 === 0 ? Number.NaN : items);
    starts[row] = row * 10 * MS;
    ends[row] = starts[row]! + items * MS;
    builder.commit();
  }
  return {
    ...builder.finish().table,
    baseUnixNs: unixNs(1_790_000_000_000_000_000n),
    startOffsetNs: starts,
    endOffsetNs: ends,
  };
}

async function explained(count: number): Promise<ReturnType<typeof explainSize>> {
  const window = await buildWindow(requests(count), async () => {});
  const view = viewEndpoint(window, 0);
  const theCase: Case = { window, view, ownNs: ownTime(window.segments, window.spans.rowCount) };
  return explainSize(theCase, hotSpots(window, view)[0]!);
}

test("time that follows a size, although some spans give no number", async () => {
  const found = await explained(1000);
  expect(found).toMatchObject({ mechanism: "payload-size", harmful: true });
  expect(found!.title).toContain("batch.size");
});

test("with more spans than are looked at, the size is taken away from all of them", async () => {
  const [undo] = (await explained(25_000))!.undo;
  // All but every 50th have a size.
  expect(undo).toMatchObject({ kind: "own-time", rows: { length: 24_500 } });
});

test("the law of the growth is told: a millisecond per item is the first power, and twice the items take twice as long", async () => {
  const found = await explained(1000);
  expect(found!.why).toMatch(/as batch\.size\^(0\.9|1\.0)\d*, 90 % interval/);
  const { growth } = found!;
  expect(growth!.timeAt(2 * growth!.now) / growth!.timeAt(growth!.now)).toBeCloseTo(2, 0);
  expect(growth!.timeAt(40) / MS).toBeCloseTo(40, -1);
});
