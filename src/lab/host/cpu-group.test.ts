import { expect, test } from "vitest";
import { findParent } from "./cpu-group.ts";

const V1 = `30 25 0:26 / /sys/fs/cgroup ro,nosuid shared:9 - tmpfs tmpfs ro,mode=755
31 30 0:27 / /sys/fs/cgroup/cpu,cpuacct rw,nosuid shared:10 - cgroup cgroup rw,cpu,cpuacct
32 30 0:28 / /sys/fs/cgroup/cpuset rw,nosuid shared:11 - cgroup cgroup rw,cpuset
33 30 0:29 / /sys/fs/cgroup/unified rw,nosuid shared:12 - cgroup2 cgroup2 rw
`;
const V2 = "35 25 0:30 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate\n";
const CONTAINER = "612 601 0:27 /docker/4f2a /sys/fs/cgroup/cpu ro,nosuid master:10 - cgroup cgroup rw,cpu\n";

test.each([
  ["the first version, at its root", V1, "4:cpu,cpuacct:/\n0::/init\n", 1, "/sys/fs/cgroup/cpu,cpuacct"],
  ["the first version, in a group", V1, "4:cpuacct,cpu:/user.slice\n", 1, "/sys/fs/cgroup/cpu,cpuacct/user.slice"],
  [
    "a container, whose mount shows its own group as the root",
    CONTAINER,
    "4:cpu:/docker/4f2a\n",
    1,
    "/sys/fs/cgroup/cpu",
  ],
  ["a group outside of what is mounted", CONTAINER, "4:cpu:/../other\n", 1, "/sys/fs/cgroup/cpu"],
  ["the second version, at its root", V2, "0::/\n", 2, "/sys/fs/cgroup"],
  ["the second version: beside the own group", V2, "0::/user.slice/a.scope\n", 2, "/sys/fs/cgroup/user.slice"],
] as const)("groups are made in: %s", (_, mounts, own, version, path) => {
  expect(findParent(mounts, own)).toMatchObject({ version, path });
});

test("processes go back to the group that this one is in", () => {
  expect(findParent(V2, "0::/user.slice/a.scope\n")?.home).toBe("/sys/fs/cgroup/user.slice/a.scope");
});

test.each([
  ["no control groups", "", ""],
  ["a mount without a group of its own", V1, "3:cpuset:/\n"],
  ["other mounts only", V1.split("\n")[0]!, "0::/\n"],
])("nowhere: %s", (_, mounts, own) => {
  expect(findParent(mounts, own)).toBeUndefined();
});
