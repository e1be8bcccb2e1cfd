import { expect, test } from "vitest";
import { otlpMetrics } from "./otlp-metrics.ts";

test("figures of one name are points of one metric", () => {
  const figure = { name: "disk.io", unit: "By", kind: "total" as const };
  const figures = [
    { ...figure, value: 3, attributes: { direction: "read" } },
    { ...figure, value: 0.5, attributes: { direction: "write" } },
    { name: "load", unit: "1", kind: "gauge" as const, value: 2 },
  ];
  const point = { startTimeUnixNano: "1000000", timeUnixNano: "1700000000123000000" };
  const direction = (value: string): object => ({ key: "direction", value: { stringValue: value } });
  const resource = { "host.name": "here" };
  expect(otlpMetrics([{ resource, scope: "s", startUnixMs: 1, figures }], 1_700_000_000_123)).toEqual({
    resourceMetrics: [
      {
        resource: { attributes: [{ key: "host.name", value: { stringValue: "here" } }] },
        scopeMetrics: [
          {
            scope: { name: "s" },
            metrics: [
              {
                name: "disk.io",
                unit: "By",
                sum: {
                  aggregationTemporality: 2,
                  isMonotonic: true,
                  dataPoints: [
                    { ...point, attributes: [direction("read")], asInt: "3" },
                    { ...point, attributes: [direction("write")], asDouble: 0.5 },
                  ],
                },
              },
              { name: "load", unit: "1", gauge: { dataPoints: [{ ...point, attributes: [], asInt: "2" }] } },
            ],
          },
        ],
      },
    ],
  });
});
