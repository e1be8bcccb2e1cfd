import { describe, expect, it } from "vitest";
import { attributeText } from "../model/attribute-table.ts";
import { InputError, Intake } from "../model/intake.ts";
import { assertMetricTable, MetricKind, type MetricTable } from "../model/metric-table.ts";
import { MetricTableBuilder } from "../model/metric-table-builder.ts";
import { idHex } from "../model/span-table.ts";
import { seededRandom } from "../testing/otlp-sample.ts";
import { encodeWriteV1, encodeWriteV2, labelsOf, snappied } from "../testing/remote-write-sample.ts";
import { RemoteWriteDecoder, type Written } from "./remote-write.ts";
import { unsnappy } from "./snappy.ts";

const MS = 1_790_000_000_123;

interface Decoded {
  readonly table: MetricTable;
  readonly intake: Intake;
  readonly written: Written;
}

function decode(version: 1 | 2, ...bodies: Uint8Array[]): Decoded {
  const into = new MetricTableBuilder();
  const intake = new Intake();
  const decoder = new RemoteWriteDecoder(into, intake, "request");
  for (const body of bodies) decoder.request(body, version);
  const { table } = into.finish();
  assertMetricTable(table);
  return { table, intake, written: { ...decoder.written } };
}

/** Each point as `name{label=value} kind value@ms`. */
function lines({ table }: Decoded): string[] {
  const { points, strings, labels } = table;
  return Array.from({ length: points.rowCount }, (_, row) => {
    const series = points.series[row]!;
    const list = table.labelSet[series]!;
    const pairs: string[] = [];
    for (let i = labels.listStart[list]!; i < labels.listStart[list + 1]!; i++) {
      pairs.push(`${strings.get(labels.key[i]!)}=${attributeText(labels, strings, i)}`);
    }
    const kind = Object.keys(MetricKind)[table.kind[series]!];
    const ms = Number(table.baseUnixNs / 1000n) / 1000 + points.timeOffsetNs[row]! / 1e6;
    return `${strings.get(table.name[series]!)}{${pairs.toSorted().join()}} ${kind} ${points.value[row]}@${Math.round(ms)}`;
  });
}

describe("remote-write 1.0", () => {
  it("reads series with labels, values and times", () => {
    const body = encodeWriteV1({
      timeseries: [
        {
          labels: labelsOf("http_requests_total", { job: "shop", code: "200" }),
          samples: [
            { value: 5, timestamp: MS },
            { value: 7, timestamp: MS + 15_000 },
          ],
        },
        { labels: labelsOf("up", { job: "shop" }), samples: [{ value: 1, timestamp: MS - 1 }] },
      ],
    });
    const twice = decode(1, body, body);
    const once = [
      `http_requests_total{code=200,job=shop} sum 5@${MS}`,
      `http_requests_total{code=200,job=shop} sum 7@${MS + 15_000}`,
      `up{job=shop} gauge 1@${MS - 1}`,
    ];
    expect(lines(twice)).toEqual([...once, ...once]);
    expect(twice.table.seriesCount).toBe(2);
    expect(twice.written).toEqual({ samples: 3, histograms: 0, exemplars: 0 });
  });

  it("keeps times to the nanosecond", () => {
    const { table } = decode(
      1,
      encodeWriteV1({ timeseries: [{ labels: labelsOf("up"), samples: [{ value: 1, timestamp: MS }] }] }),
    );
    expect(table.baseUnixNs + BigInt(table.points.timeOffsetNs[0]!)).toBe(BigInt(MS) * 1_000_000n);
  });

  it("tells counters by their type where that is sent, else by the endings that Prometheus reserves", () => {
    const names = ["a_total", "b_sum", "c_count", "d_bucket", "e", "f", "g_count"];
    const series = names.map((name) => ({ labels: labelsOf(name), samples: [{ value: 1, timestamp: MS }] }));
    const metadata = [
      { type: 1, metricFamilyName: "f", unit: "s" },
      { type: 2, metricFamilyName: "g_count" },
    ];
    const { table } = decode(1, encodeWriteV1({ timeseries: series, metadata }));
    expect([...table.kind].map((kind) => Object.keys(MetricKind)[kind])).toEqual([
      "sum",
      "sum",
      "sum",
      "sum",
      "gauge",
      "sum",
      "gauge",
    ]);
    expect([...table.unit].map((unit) => table.strings.get(unit))).toEqual(["", "", "", "", "", "s", ""]);
  });

  it("reads a stale marker as a point without a value, and empty labels as none", () => {
    const body = Buffer.from(
      encodeWriteV1({
        timeseries: [{ labels: labelsOf("up", { a: "", b: "x" }), samples: [{ value: 1.5, timestamp: MS }] }],
      }),
    );
    const value = body.indexOf(Buffer.from([0x09, 0, 0, 0, 0, 0, 0, 0xf8, 0x3f]));
    body.writeBigUInt64LE(0x7ff0_0000_0000_0002n, value + 1);
    expect(lines(decode(1, body))).toEqual([`up{b=x} gauge NaN@${MS}`]);
  });

  it("keeps exemplars that name a trace", () => {
    const exemplars = [
      {
        labels: [
          { name: "trace_id", value: "5b8efff798038103d269b633813fc60c" },
          { name: "span_id", value: "eee19b7ec3c1b174" },
        ],
        value: 0.5,
        timestamp: MS,
      },
      { labels: [{ name: "user", value: "7" }], value: 1, timestamp: MS },
    ];
    const { table, written } = decode(
      1,
      encodeWriteV1({
        timeseries: [
          {
            labels: labelsOf("a_total"),
            samples: [
              { value: 1, timestamp: MS },
              { value: 2, timestamp: MS },
            ],
            exemplars,
          },
        ],
      }),
    );
    expect([table.exemplars.rowCount, table.exemplars.point[0], table.exemplars.value[0]]).toEqual([1, 1, 0.5]);
    expect(idHex(table.exemplars.traceId, 0, 4)).toBe("5b8efff798038103d269b633813fc60c");
    expect(written.exemplars).toBe(1);
  });

  it.each([
    ["no name", [{ name: "job", value: "shop" }], MS, "point-malformed", "no __name__"],
    [
      "a label twice",
      [...labelsOf("up", { a: "1" }), { name: "a", value: "2" }],
      MS,
      "point-malformed",
      "label a twice",
    ],
    ["no time", labelsOf("up"), 0, "time-out-of-range", "or none"],
    ["a time before 1970", labelsOf("up"), -1, "time-out-of-range", "before 1970"],
  ] as const)("rejects points of %s, and says why", (_, labels, timestamp, reason, found) => {
    const { intake, table } = decode(
      1,
      encodeWriteV1({ timeseries: [{ labels, samples: [{ value: 1, timestamp }] }] }),
    );
    expect([...intake.points.rejected]).toEqual([[reason, { points: 1, example: expect.stringContaining(found) }]]);
    expect(table.points.rowCount).toBe(0);
  });
});

/** A native histogram by hand: base 2 (schema 0), 2 values in (1, 2], none in (2, 4], 3 in (4, 8], 1 around zero. */
const NATIVE = {
  countInt: 6,
  sum: 21.5,
  schema: 0,
  zeroThreshold: 0.001,
  zeroCountInt: 1,
  positiveSpans: [
    { offset: 1, length: 1 },
    { offset: 1, length: 1 },
  ],
  positiveDeltas: [2, 1],
  timestamp: MS,
};

describe("native histograms", () => {
  const buckets = ({ table }: Decoded): number[][] => {
    const { bucketStart, bucketBound, bucketValue } = table.points.distributions;
    return [...bucketBound.subarray(bucketStart[0], bucketStart[1])].map((bound, i) => [bound, bucketValue[i]!]);
  };
  const one = (histogram: object): Decoded =>
    decode(1, encodeWriteV1({ timeseries: [{ labels: labelsOf("latency"), histograms: [histogram] }] }));

  it("become distributions with the bounds that Prometheus means", () => {
    const decoded = one(NATIVE);
    expect(buckets(decoded)).toEqual([
      [0.001, 1],
      [1, 0],
      [2, 2],
      [4, 0],
      [8, 3],
    ]);
    const { points } = decoded.table;
    expect([points.value[0], points.distributions.count[0], decoded.written.histograms]).toEqual([21.5, 6, 1]);
  });

  it("of floats hold counts instead of differences", () => {
    const { countInt, zeroCountInt, positiveDeltas, ...rest } = NATIVE;
    const float = { ...rest, countFloat: countInt, zeroCountFloat: zeroCountInt, positiveCounts: [2, 3] };
    expect([positiveDeltas.length, buckets(one(float))]).toEqual([2, buckets(one(NATIVE))]);
  });

  it("with own bounds are plain histograms", () => {
    const custom = {
      countInt: 4,
      sum: 9,
      schema: -53,
      positiveSpans: [{ offset: 0, length: 3 }],
      positiveDeltas: [1, 1, -1],
      customValues: [1, 5],
      timestamp: MS,
    };
    const decoded = one(custom);
    expect([decoded.table.kind[0], buckets(decoded)]).toEqual([
      MetricKind.histogram,
      [
        [1, 1],
        [5, 2],
        [Number.POSITIVE_INFINITY, 1],
      ],
    ]);
  });

  it.each([
    [
      "4 thousand million buckets",
      { positiveSpans: [{ offset: 0, length: 4_294_967_295 }] },
      "more than 20000 buckets",
    ],
    ["fewer counts than buckets", { positiveDeltas: [2] }, "fewer counts"],
    ["more counts than buckets", { positiveDeltas: [2, 1, 1] }, "more counts"],
    ["less than nothing in a bucket", { positiveDeltas: [2, -3] }, "a bucket with -1 values"],
    ["an unknown schema", { schema: 9 }, "schema 9"],
  ])("are rejected for %s", (_, change, found) => {
    const { intake } = one({ ...NATIVE, ...change });
    expect([...intake.points.rejected]).toEqual([
      ["point-malformed", { points: 1, example: expect.stringContaining(found) }],
    ]);
  });
});

describe("remote-write 2.0", () => {
  const symbols = ["", "__name__", "orders", "job", "shop", "seconds", "trace_id", "5b8efff798038103d269b633813fc60c"];
  const series = {
    labelsRefs: [1, 2, 3, 4],
    samples: [{ value: 4, timestamp: MS }],
    exemplars: [{ labelsRefs: [6, 7], value: 2, timestamp: MS }],
    metadata: { type: 1, unitRef: 5 },
  };

  it("reads symbols, types and units", () => {
    const decoded = decode(
      2,
      encodeWriteV2({ symbols, timeseries: [series, { labelsRefs: [1, 2], histograms: [NATIVE] }] }),
    );
    expect(lines(decoded)).toEqual([`orders{job=shop} sum 4@${MS}`, `orders{} exponentialHistogram 21.5@${MS}`]);
    expect(decoded.table.strings.get(decoded.table.unit[0]!)).toBe("seconds");
    expect(decoded.written).toEqual({ samples: 1, histograms: 1, exemplars: 1 });
  });

  it("gives the same series to other symbols that spell the same", () => {
    const other = encodeWriteV2({
      symbols: ["", "shop", "job", "orders", "__name__", "seconds"],
      timeseries: [
        { labelsRefs: [4, 3, 2, 1], samples: [{ value: 5, timestamp: MS }], metadata: { type: 1, unitRef: 5 } },
      ],
    });
    expect(decode(2, encodeWriteV2({ symbols, timeseries: [series] }), other).table.seriesCount).toBe(1);
  });

  it.each([
    ["a symbol that is not there", { ...series, labelsRefs: [1, 99] }, "a reference to one of 8 symbols"],
    ["a name without a value", { ...series, labelsRefs: [1, 2, 3] }, "pairs of label references"],
  ])("refuses %s", (_, one, expected) => {
    expect(() => decode(2, encodeWriteV2({ symbols, timeseries: [one] }))).toThrow(expected);
  });
});

describe("unsnappy", () => {
  it("gives back what the published package compressed", () => {
    const random = seededRandom(3);
    for (let i = 0; i < 100; i++) {
      // From pure noise to much that repeats, and from nothing to more than a block of 64 KiB.
      const letters = 1 + Math.floor(random() * 255);
      const size = Math.floor(random() ** 3 * 200_000);
      const content = Uint8Array.from({ length: size }, () => Math.floor(random() * letters));
      expect(Buffer.compare(unsnappy(snappied(content), "request", 200_000), content)).toBe(0);
    }
  });

  it("reads a copy that overlaps itself", () => {
    // 10 bytes: the literal "ab", then 8 bytes from 2 bytes back.
    expect(
      Buffer.from(unsnappy(Uint8Array.from([10, 1 << 2, 97, 98, (4 << 2) | 1, 2]), "request", 10)).toString(),
    ).toBe("ababababab");
  });

  it.each([
    ["more than the limit", [0xff, 0xff, 0x03], /at byte 0: expected snappy: at most 100 bytes/],
    ["a literal beyond the end", [4, 3 << 2, 97], /at byte 1: expected snappy: 4 bytes, found the end/],
    [
      "a literal of a negative length",
      [4, 63 << 2, 0xf0, 0xff, 0xff, 0xff],
      /at byte 1: expected snappy: 4294967281 bytes/,
    ],
    [
      "an offset before the beginning",
      [4, 0, 97, (0 << 2) | 1, 9],
      /at byte 3: expected snappy: an offset from 1 to 1, found 9/,
    ],
    ["more than it told", [1, 1 << 2, 97, 98], /at byte 1: expected snappy: 1 bytes in all/],
    ["less than it told", [9, 0, 97], /at byte 3: expected snappy: 9 bytes of content, found 1/],
    ["nothing at all", [], /at byte 0: /],
  ])("refuses %s", (_, bytes, message) => {
    expect(() => unsnappy(Uint8Array.from(bytes), "request", 100)).toThrow(message);
  });

  it("ends for any bytes", () => {
    const random = seededRandom(4);
    for (let i = 0; i < 5000; i++) {
      const bytes = Uint8Array.from({ length: Math.floor(random() * 60) }, () => Math.floor(random() * 256));
      try {
        expect(unsnappy(bytes, "request", 1000).length).toBeLessThanOrEqual(1000);
      } catch (error) {
        expect(error).toBeInstanceOf(InputError);
      }
    }
  });
});
