import { expect, test } from "vitest";
import { metricTableOf, type SeriesObject } from "../../testing/metric-table.ts";
import { furtherUse } from "./further-use.ts";
import { readMeasures } from "./read-measures.ts";
import { byService } from "./service-measures.ts";
import { useTable } from "./use-table.ts";

const host = { "host.name": "web-1" };
const series = (
  name: string,
  values: readonly number[],
  more: Partial<Pick<SeriesObject, "unit" | "labels" | "resource" | "kind">> = {},
): SeriesObject => ({
  name,
  kind: more.kind ?? "gauge",
  temporality: more.kind === "sum" ? "cumulative" : "unspecified",
  monotonic: more.kind === "sum",
  resource: more.resource ?? host,
  unit: more.unit ?? "",
  labels: more.labels ?? {},
  points: values.map((value, i) => [10 * i, value] as const),
});
const useOf = (...all: SeriesObject[]): ReturnType<typeof useTable> =>
  useTable([], furtherUse(byService(readMeasures(metricTableOf(...all)))));

test("descriptors, room on disks and swap: mean, worst window, and share of windows above the line", () => {
  const service = { resource: { "service.name": "web" } };
  expect(
    useOf(
      series("process_open_fds", [100, 500, 950, 950], service),
      series("process_max_fds", [1000, 1000, 1000, 1000], service),
      series("system.paging.utilization", [0.25, 0.25, 0.25, 0.25], { unit: "1", labels: { state: "used" } }),
      series("node_filesystem_avail_bytes", [40, 30, 20, 10], { labels: { mountpoint: "/data" } }),
      series("node_filesystem_size_bytes", [100, 100, 100, 100], { labels: { mountpoint: "/data" } }),
    ),
  ).toEqual([
    // (60 + 70 + 80 + 90) / 4.
    {
      service: "web-1",
      host: "web-1",
      resource: "disk-space:/data",
      utilisation: 0.75,
      worstUtilisation: 0.9,
      shareAboveLine: 0.25,
    },
    {
      service: "web",
      resource: "fds",
      capacity: 1000,
      utilisation: 0.625,
      worstUtilisation: 0.95,
      shareAboveLine: 0.5,
    },
    { service: "web-1", host: "web-1", resource: "swap", utilisation: 0.25, worstUtilisation: 0.25, shareAboveLine: 0 },
  ]);
});

test("the run queue over the processors, ports, and accept queues that overflow", () => {
  const state = (name: string): Readonly<Record<string, string>> => ({ state: name });
  const rows = useOf(
    series("system.cpu.load_average.1m", [2, 6, 2, 6]),
    series("system.cpu.time", [0, 20, 40, 60], { kind: "sum", unit: "s", labels: state("user") }),
    series("system.cpu.time", [0, 20, 40, 60], { kind: "sum", unit: "s", labels: state("idle") }),
    series("node_sockstat_TCP_tw", [14_116, 14_116, 14_116, 14_116]),
    series("node_netstat_TcpExt_ListenOverflows", [0, 10, 10, 10], { kind: "sum" }),
  );
  // Two of four processors busy: 4 processors, of which 2 and 6 threads want one.
  expect(rows.find(({ resource }) => resource === "run-queue")).toMatchObject({
    capacity: 4,
    utilisation: 1,
    worstUtilisation: 1.5,
    shareAboveLine: 0.5,
    waiting: 1,
  });
  expect(rows.find(({ resource }) => resource === "ports")).toMatchObject({ capacity: 28_232, utilisation: 0.5 });
  // One a second in the first of three stretches between the four points.
  const queue = rows.find(({ resource }) => resource === "accept-queue")!;
  expect(queue.utilisation).toBeCloseTo(1 / 3, 4);
  expect(queue.errorsPerSecond).toBeCloseTo(1 / 3, 4);
});

test("what has no capacity that is told has no row", () => {
  expect(useOf(series("system.network.io", [0, 10, 20, 30], { kind: "sum", unit: "By" }))).toEqual([]);
});
