import { describe, expect, test } from "vitest";
import type { PageDocument, PageSeries, PageTrace } from "../../model/page.ts";
import { hostsOfPage, resourcesOf } from "./page-hosts.ts";

const series = (measure: string, host: string, service: string, instance: string): PageSeries => ({
  measure,
  host,
  service,
  instance,
  resource: "",
  metrics: [],
  startUnixMs: 0,
  windowMs: 1000,
  values: [1],
});

const page = {
  series: [
    series("host-cpu-share", "h1", "", ""),
    series("cpu-used", "h1", "shop", "shop-1"),
    series("cpu-used", "h1", "shop", "shop-2"),
    series("cpu-used", "", "lost", ""),
  ],
  flames: [{ kind: "profile", service: "shop" }],
  traces: [
    {
      strings: ["host.name", "h2", "service.name", "db"],
      resources: [[0, 1, 2, 3]],
    } as Partial<PageTrace>,
  ],
  report: {
    throughput: {
      resources: [
        { service: "h1", resource: "cpu", host: "h1", utilisation: 0.5 },
        { service: "shop", resource: "cpu", utilisation: 0.7 },
        { service: "elsewhere", resource: "cpu", utilisation: 0.9 },
      ],
    },
  },
} as unknown as PageDocument;

describe("hosts that a page's data name", () => {
  const hosts = hostsOfPage(page);

  test("with what runs on them", () => {
    expect(hosts.map(({ host, services }) => [host, services])).toEqual([
      ["h1", [{ service: "shop", processes: 2 }]],
      ["h2", [{ service: "db", processes: 1 }]],
    ]);
  });

  test("what came, and what brings the rest", () => {
    const missing = (at: number): string[] =>
      hosts[at]!.collectors.filter(({ mend }) => mend !== "").map(({ name }) => name);
    expect(missing(0)).toEqual(["traces"]);
    expect(missing(1)).toEqual(["metrics of the machine", "metrics of its processes", "profiles"]);
  });

  test("a service that runs on no other host belongs to its host's use", () => {
    expect(resourcesOf(page, "h1", hosts).map(({ service }) => service)).toEqual(["h1", "shop"]);
    expect(resourcesOf(page, "h2", hosts)).toEqual([]);
  });
});
