import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { ResourceMetrics } from "../export/metric-points.ts";
import { CgroupFiles, cgroupMounts } from "./cgroup-files.ts";

let root = "";
beforeEach(() => (root = mkdtempSync(join(tmpdir(), "longpole-cgroup-"))));
afterEach(() => rmSync(root, { recursive: true, force: true }));

function files(folder: string, all: Readonly<Record<string, string>>): void {
  mkdirSync(join(root, folder), { recursive: true });
  for (const [name, text] of Object.entries(all)) writeFileSync(join(root, folder, name), text);
}

/** What is told of a group: the sum of each metric's points. */
function told(
  mounts: Readonly<Record<string, string>>,
  paths: Readonly<Record<string, string>>,
  isContainer = true,
): Record<string, number> {
  const into = new ResourceMetrics();
  const at = Object.entries(mounts).map(
    ([controller, folder]) => [controller, { point: join(root, folder), root: "/" }] as const,
  );
  const groups = new CgroupFiles(new Map(at));
  groups.add(into, new Map(Object.entries(paths)), isContainer);
  groups.close();
  return Object.fromEntries(
    [...into.byMetric()].map(([{ name }, rows]) => [name, rows.reduce((sum, row) => sum + into.values[row]!, 0)]),
  );
}

test("version 2: own times, and the quota and limit of the nearest group above that has one", () => {
  files("pod", {
    "cpu.max": "50000 100000\n",
    "cpu.stat": "usage_usec 9\nnr_periods 100\nnr_throttled 25\nthrottled_usec 2000000\n",
    "memory.max": "1000000\n",
  });
  files("pod/container", {
    "cpu.max": "max 100000\n",
    "cpu.stat": "usage_usec 1500000\nuser_usec 1\n",
    "memory.max": "max\n",
    "memory.current": "700000\n",
    "memory.stat": "anon 5\ninactive_file 200000\n",
    "memory.events": "low 0\noom_kill 2\n",
    "io.stat": "8:0 rbytes=100 wbytes=200 rios=1\n8:16 rbytes=1 wbytes=2 rios=1\n",
    "cpu.pressure": "some avg10=0.00 avg60=0.00 avg300=0.00 total=500000\n",
  });
  expect(told({ "": "" }, { "": "/pod/container" })).toEqual({
    "container.cpu.limit": 0.5,
    "container.cpu.throttling_data.periods": 100,
    "container.cpu.throttling_data.throttled_periods": 25,
    "container.cpu.throttling_data.throttled_time": 2,
    "container.memory.limit": 1_000_000,
    "container.memory.usage": 500_000,
    "container.linux.memory.oom_kills": 2,
    "container.cpu.time": 1.5,
    "container.disk.io": 303,
    "container.linux.pressure.stall_time": 0.5,
  });
});

test("version 1: each controller has a hierarchy of its own", () => {
  files("cpu/docker/a", {
    "cpu.cfs_quota_us": "200000\n",
    "cpu.cfs_period_us": "100000\n",
    "cpu.stat": "nr_periods 10\nnr_throttled 1\nthrottled_time 3000000000\n",
  });
  files("cpuacct/docker/a", { "cpuacct.usage": "4000000000\n" });
  files("memory/docker/a", {
    "memory.limit_in_bytes": "9223372036854771712\n",
    "memory.usage_in_bytes": "900\n",
    "memory.stat": "inactive_file 1\ntotal_inactive_file 300\n",
  });
  files("blkio/docker/a", {
    "blkio.throttle.io_service_bytes_recursive": "8:0 Read 10\n8:0 Write 20\n8:0 Total 30\nTotal 30\n",
  });
  const mounts = { cpu: "cpu", cpuacct: "cpuacct", memory: "memory", blkio: "blkio" };
  const paths = { cpu: "/docker/a", cpuacct: "/docker/a", memory: "/docker/a", blkio: "/docker/a", "": "/" };
  expect(told(mounts, paths)).toEqual({
    "container.cpu.limit": 2,
    "container.cpu.throttling_data.periods": 10,
    "container.cpu.throttling_data.throttled_periods": 1,
    "container.cpu.throttling_data.throttled_time": 3,
    "container.memory.usage": 600,
    "container.cpu.time": 4,
    "container.disk.io": 30,
  });
});

test("a group that is no container tells its limits alone, and the root nothing", () => {
  files("system.slice/a.service", {
    "cpu.max": "100000 100000\n",
    "cpu.stat": "usage_usec 7\nnr_periods 4\nnr_throttled 0\nthrottled_usec 0\n",
    "memory.current": "5\n",
  });
  expect(Object.keys(told({ "": "" }, { "": "/system.slice/a.service" }, false))).toEqual([
    "container.cpu.limit",
    "container.cpu.throttling_data.periods",
    "container.cpu.throttling_data.throttled_periods",
    "container.cpu.throttling_data.throttled_time",
  ]);
  expect(told({ "": "" }, { "": "/" })).toEqual({});
  expect(told({ "": "" }, { "": "/gone" })).toEqual({});
  // Of a process outside of the control group namespace.
  expect(told({ "": "" }, { "": "/../elsewhere" })).toEqual({});
});

test("where hierarchies are mounted, by /proc/self/mountinfo", () => {
  const text = `30 24 0:26 / /sys/fs/cgroup/unified rw shared:5 - cgroup2 cgroup2 rw
31 24 0:27 /docker/a /sys/fs/cgroup/cpu,cpuacct ro shared:6 master:2 - cgroup cgroup rw,cpu,cpuacct
32 24 0:28 / /sys/fs/cgroup/pids rw - cgroup cgroup rw,pids
33 24 0:29 / /tmp rw - tmpfs tmpfs rw
`;
  expect([...cgroupMounts(text)]).toEqual([
    ["", { point: "/sys/fs/cgroup/unified", root: "/" }],
    ["cpu", { point: "/sys/fs/cgroup/cpu,cpuacct", root: "/docker/a" }],
    ["cpuacct", { point: "/sys/fs/cgroup/cpu,cpuacct", root: "/docker/a" }],
  ]);
});
