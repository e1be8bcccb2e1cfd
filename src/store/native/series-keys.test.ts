import { expect, test } from "vitest";
import { AttributeType } from "../../model/attribute-table.ts";
import { MetricTableBuilder } from "../../model/metric-table-builder.ts";
import { MetricKind, type MetricTable, Temporality } from "../../model/metric-table.ts";
import { contentHash } from "./content-hash.ts";
import { SeriesKeys } from "./series-keys.ts";

/** A point of the series `name`{pod=`pod`}. */
function add(builder: MetricTableBuilder, name: string, pod: string): void {
  const { strings, resources, labels } = builder;
  resources.clear();
  const resource = resources.close();
  builder.begin();
  builder.point.timeHigh = 1;
  labels.add(strings.intern("pod"), AttributeType.string, strings.intern(pod));
  builder.commit(MetricKind.gauge);
  builder.assign(builder.open - 1, builder.open, {
    resource,
    scope: 0,
    name: strings.intern(name),
    unit: 0,
    kind: MetricKind.gauge,
    temporality: Temporality.unspecified,
    monotonic: false,
  });
}

/** The id as its definition has it. */
const idOf = (name: string, pod: string): bigint =>
  contentHash(JSON.stringify([name, "", 0, 0, 0, "", "[]", JSON.stringify(["pod", 0, pod])]));

const finished = (builder: MetricTableBuilder): MetricTable => builder.finish().table;

test("ids are hashes of what names a series, whatever its number", () => {
  const [one, other] = [new MetricTableBuilder(), new MetricTableBuilder()];
  add(one, "up", "a");
  add(one, "up", "b");
  add(other, "up", "b");
  const keys = new SeriesKeys();
  expect([...keys.of(finished(one))]).toEqual([idOf("up", "a"), idOf("up", "b")]);
  expect([...keys.of(finished(other))]).toEqual([idOf("up", "b")]);
});

test("a builder that is used again has ids for what it had, and for what came", () => {
  const builder = new MetricTableBuilder();
  const empty = builder.mark();
  const keys = new SeriesKeys();
  add(builder, "up", "a");
  expect([...keys.of(finished(builder))]).toEqual([idOf("up", "a")]);
  builder.rewind(empty);
  add(builder, "down", "b");
  for (let i = 0; i < 3000; i++) add(builder, "up", `${i}`);
  const ids = keys.of(finished(builder));
  expect([ids.length, ids[0], ids[1], ids[3001]]).toEqual([
    3002,
    idOf("up", "a"),
    idOf("down", "b"),
    idOf("up", "2999"),
  ]);
});

test("a table that numbers other series with the same texts gets its own", () => {
  const builder = new MetricTableBuilder();
  add(builder, "up", "a");
  add(builder, "up", "b");
  const table = finished(builder);
  const keys = new SeriesKeys();
  keys.of(table);
  const turned: MetricTable = { ...table, labelSet: table.labelSet.toReversed() };
  expect([...keys.of(turned)]).toEqual([idOf("up", "b"), idOf("up", "a")]);
  expect([...keys.of(table)]).toEqual([idOf("up", "a"), idOf("up", "b")]);
});
