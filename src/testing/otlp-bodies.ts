import { encodeMetrics } from "./otlp-metrics-sample.ts";
import { encodeProfiles } from "./otlp-profiles-sample.ts";
import { encodeRequest, type SampleRequest, sampleRequests } from "./otlp-sample.ts";

/* Bodies of requests, good and bad, for tests of receivers. */

export const spans = (): Uint8Array => encodeRequest(sampleRequests(1, 5)[0]!);
/** 100 spans, of which the first two have no trace id */
export function spansWithBadOnes(): Uint8Array {
  const [request] = sampleRequests(1, 6) as [SampleRequest];
  const list = request.resourceSpans[0]!.scopeSpans[0]!.spans;
  list[0]!.traceId = list[1]!.traceId = new Uint8Array(0);
  return encodeRequest(request);
}
export const points = (): Uint8Array =>
  encodeMetrics({
    resourceMetrics: [
      {
        scopeMetrics: [
          {
            metrics: [{ name: "queue", gauge: { dataPoints: [{ timeUnixNano: "1790000000000000000", asDouble: 3 }] } }],
          },
        ],
      },
    ],
  });
/** a stack of two frames, twice: once of 3 samples, once of 4 */
export const PROFILES: object = {
  dictionary: {
    mappingTable: [{}],
    locationTable: [{}, { lines: [{ functionIndex: 1 }] }, { lines: [{ functionIndex: 2 }] }],
    functionTable: [{}, { nameStrindex: 3 }, { nameStrindex: 4 }],
    linkTable: [{}],
    stringTable: ["", "samples", "count", "main", "parse"],
    attributeTable: [{}],
    stackTable: [{}, { locationIndices: [2, 1] }],
  },
  resourceProfiles: [
    {
      resource: { attributes: [{ key: "service.name", value: { stringValue: "orders" } }] },
      scopeProfiles: [
        {
          profiles: [
            {
              sampleType: { typeStrindex: 1, unitStrindex: 2 },
              timeUnixNano: "1790000000000000000",
              durationNano: "1000000000",
              samples: [
                { stackIndex: 1, values: [3] },
                { stackIndex: 1, values: [4] },
              ],
            },
          ],
        },
      ],
    },
  ],
};
export const profiles = (): Uint8Array => encodeProfiles("1.10", PROFILES);
/** 2 points, of which one has no time */
export const pointsWithABadOne = (): Uint8Array =>
  encodeMetrics({
    resourceMetrics: [
      {
        scopeMetrics: [
          {
            metrics: [
              {
                name: "queue",
                gauge: { dataPoints: [{ timeUnixNano: "1790000000000000000", asDouble: 3 }, { asDouble: 4 }] },
              },
            ],
          },
        ],
      },
    ],
  });
/** The request and, behind it, fields that no version has yet: 15 of bytes, 200 of a number. */
export const withUnknownFields = (request: Uint8Array): Buffer =>
  Buffer.concat([request, Buffer.from([0x7a, 2, 1, 2, 0xc0, 0x0c, 5])]);
export const JSON_SPAN: Record<string, string | number> = {
  traceId: "5B8EFFF798038103D269B633813FC60C",
  spanId: "eee19b7ec3c1b174",
  name: "GET /",
  kind: 2,
  startTimeUnixNano: "1790000000000000000",
  endTimeUnixNano: 1790000000000000000,
};
export const jsonSpans = (...list: object[]): string =>
  JSON.stringify({ resourceSpans: [{ scopeSpans: [{ spans: list }] }] });
/** ResourceSpans { ScopeSpans of 30 bytes: its length is byte 3, and the bytes are missing */
export const BROKEN: Buffer = Buffer.from([0x0a, 0x20, 0x12, 0x1e]);
/** ResourceLogs { ScopeLogs { LogRecord {} } } */
export const ONE_LOG_RECORD: Buffer = Buffer.from([0x0a, 4, 0x12, 2, 0x12, 0]);
export const PROTOBUF: Record<string, string> = { "content-type": "application/x-protobuf" };
export const JSON_TYPE: Record<string, string> = { "content-type": "application/json" };
