import { AttributeType } from "../../model/attribute-table.ts";
import { MetricKind, Temporality } from "../../model/metric-table.ts";
import { MetricTableBuilder } from "../../model/metric-table-builder.ts";
import { writeOtlpMetrics } from "../../formats/write-otlp-metrics.ts";

export type Attributes = Readonly<Record<string, string>>;

/** One number that a database tells. */
export interface Figure {
  readonly name: string;
  readonly unit: string;
  /**
   * "total" only rises, but for resets; "delta" is what was added since the point before; "amount" may fall and can be
   * added up; "gauge" cannot
   */
  readonly kind: "total" | "delta" | "amount" | "gauge";
  readonly value: number;
  readonly attributes?: Attributes;
  /** of the table or index that it is about, on top of the resource's */
  readonly resource?: Attributes;
}

const SCOPE = "longpole/postgres";
const NS_PER_MS = 1_000_000n;

/** The figures of one moment as one OTLP metrics request (protobuf); figures that are no numbers are left out. */
export function otlpOfFigures(
  figures: readonly Figure[],
  resource: Attributes,
  sinceUnixMs: number,
  nowUnixMs: number,
): Uint8Array {
  const into = new MetricTableBuilder();
  const { strings } = into;
  const listOf = (lists: typeof into.labels, attributes: Attributes): void => {
    lists.clear();
    for (const [key, text] of Object.entries(attributes))
      lists.add(strings.intern(key), AttributeType.string, strings.intern(text));
  };
  const [since, now] = [wordsOf(sinceUnixMs), wordsOf(nowUnixMs)];
  for (const { name, unit, kind, value, attributes = {}, resource: own = {} } of figures) {
    if (!Number.isFinite(value)) continue;
    listOf(into.resources, { ...resource, ...own });
    const resourceList = into.resources.close();
    into.begin();
    listOf(into.labels, attributes);
    into.point.timeHigh = now.high;
    into.point.timeLow = now.low;
    if (kind === "delta") {
      into.point.startHigh = since.high;
      into.point.startLow = since.low;
    }
    into.point.value = value;
    const from = into.open;
    into.commit(kind === "gauge" ? MetricKind.gauge : MetricKind.sum);
    into.assign(from, into.open, {
      resource: resourceList,
      scope: strings.intern(SCOPE),
      name: strings.intern(name),
      unit: strings.intern(unit),
      kind: kind === "gauge" ? MetricKind.gauge : MetricKind.sum,
      // Totals tell no start: what they count since may be a start of the server long ago, or a reset that nobody dates.
      temporality:
        kind === "gauge" ? Temporality.unspecified : kind === "delta" ? Temporality.delta : Temporality.cumulative,
      monotonic: kind === "total" || kind === "delta",
    });
  }
  return Buffer.concat([...writeOtlpMetrics(into.finish().table)]);
}

function wordsOf(unixMs: number): { high: number; low: number } {
  const ns = BigInt(Math.round(unixMs)) * NS_PER_MS;
  return { high: Number(ns >> 32n), low: Number(ns & 0xffffffffn) };
}
