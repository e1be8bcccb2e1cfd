import { expect, test } from "vitest";
import { edgeEnds, entityOf, workloadOf } from "./entities.ts";

test.each([
  ["cartservice-579f59597d-wc2lz", "cartservice"],
  ["ts-contacts-service-866bd68c97-xcqfx", "ts-contacts-service"],
  ["db-0", "db"],
  ["node-agent-x7k2p", "node-agent"],
  ["orders", "orders"],
  ["front-end", "front-end"],
  ["price-check", "price-check"],
])("pod %s is of %s", (pod, workload) => {
  expect(workloadOf(pod)).toBe(workload);
});

test.each([
  [
    { "service.name": "shop", "k8s.pod.name": "shop-1", "host.name": "n1" },
    { service: "shop", instance: "shop-1", host: "n1" },
  ],
  [
    { pod: "cart-5f6585d649-fnmft", namespace: "x" },
    { service: "cart", instance: "cart-5f6585d649-fnmft", host: "" },
  ],
  [
    { job: "node", instance: "10.0.0.1:9100" },
    { service: "node", instance: "10.0.0.1:9100", host: "10.0.0.1" },
  ],
  [
    { "service.name": "unknown_service:node", app: "pay" },
    { service: "pay", instance: "", host: "" },
  ],
  [{}, { service: "", instance: "", host: "" }],
])("%j", (labels, want) => {
  expect(entityOf(new Map(Object.entries(labels)), false)).toEqual(want);
});

test("a database's own metrics are of the database, not of the collector that sends them", () => {
  const labels = new Map([
    ["service.name", "otelcol"],
    ["postgresql.database.name", "orders"],
  ]);
  expect(entityOf(labels, true).service).toBe("orders");
  expect(entityOf(labels, false).service).toBe("otelcol");
});

test("the two ends of a call", () => {
  expect(
    edgeEnds(
      new Map([
        ["client", "a"],
        ["server", "b"],
      ]),
    ),
  ).toEqual({ client: "a", server: "b" });
  expect(
    edgeEnds(
      new Map([
        ["client", ""],
        ["server", "b"],
      ]),
    ),
  ).toBeUndefined();
  expect(
    edgeEnds(
      new Map([
        ["source_workload", "a"],
        ["destination_workload", "b"],
      ]),
    ),
  ).toEqual({ client: "a", server: "b" });
});
