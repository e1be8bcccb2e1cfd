import { Message } from "../../formats/protobuf-writer.ts";
import { type AttributeBytes, labelBytes, resourceBytes } from "../export/metric-points.ts";

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
/** Fields of Metric, and numbers of AggregationTemporality; otlp-metrics-protobuf.ts has the layout. */
const GAUGE = 5;
const SUM = 7;
const DELTA = 1;
const CUMULATIVE = 2;

const utf8 = new TextEncoder();

/**
 * The figures of one moment as one OTLP metrics request (protobuf), by resource and metric, so that what repeats is written
 * once. Figures that are no numbers are left out, and attributes without a text.
 */
export function otlpOfFigures(
  figures: readonly Figure[],
  resource: Attributes,
  sinceUnixMs: number,
  nowUnixMs: number,
): Uint8Array {
  const since = BigInt(Math.round(sinceUnixMs)) * NS_PER_MS;
  const now = BigInt(Math.round(nowUnixMs)) * NS_PER_MS;
  // A statement has a dozen figures with the same attributes.
  const labels = new Map<Attributes, AttributeBytes>();
  const labelsOf = (attributes: Attributes): AttributeBytes => {
    let bytes = labels.get(attributes);
    if (bytes === undefined) labels.set(attributes, (bytes = labelBytes(attributes)));
    return bytes;
  };
  const request = new Message();
  for (const ofResource of groupedBy(figures, ({ resource: own = NONE }) => JSON.stringify(own)).values()) {
    const scopeMetrics = new Message().message(1, new Message().bytes(1, utf8.encode(SCOPE)));
    for (const points of groupedBy(ofResource, ({ name }) => name).values())
      scopeMetrics.message(2, metricOf(points, labelsOf, since, now));
    const attributes = resourceBytes({ ...resource, ...ofResource[0]!.resource });
    request.message(1, new Message().message(1, new Message().raw(attributes)).message(2, scopeMetrics));
  }
  return request.finish();
}

const NONE: Attributes = {};

function groupedBy(figures: readonly Figure[], keyOf: (figure: Figure) => string): Map<string, Figure[]> {
  const groups = new Map<string, Figure[]>();
  for (const figure of figures) {
    if (!Number.isFinite(figure.value)) continue;
    const key = keyOf(figure);
    const held = groups.get(key);
    if (held === undefined) groups.set(key, [figure]);
    else held.push(figure);
  }
  return groups;
}

function metricOf(
  points: readonly Figure[],
  labelsOf: (attributes: Attributes) => AttributeBytes,
  since: bigint,
  now: bigint,
): Message {
  const { name, unit, kind } = points[0]!;
  const data = new Message();
  for (const { value, attributes = NONE } of points) {
    const point = new Message().raw(labelsOf(attributes));
    // Totals tell no start: what they count since may be a start of the server long ago, or a reset that nobody dates.
    if (kind === "delta") point.fixed64(2, ...wordsOf(since));
    data.message(1, point.fixed64(3, ...wordsOf(now)).double(4, value));
  }
  if (kind !== "gauge") data.number(2, kind === "delta" ? DELTA : CUMULATIVE).number(3, kind === "amount" ? 0 : 1);
  const metric = new Message().bytes(1, utf8.encode(name)).bytes(3, utf8.encode(unit));
  return metric.message(kind === "gauge" ? GAUGE : SUM, data);
}

const wordsOf = (ns: bigint): [number, number] => [Number(ns >> 32n), Number(ns & 0xffff_ffffn)];
