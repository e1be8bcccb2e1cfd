import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { LabError } from "../../lab-error.ts";

const PERIOD_US = 100_000;

/** Where a cgroup for a share of the processors can be made, of either version; undefined where there is none. */
export function cpuCgroupRoot(): string | undefined {
  const controllers = "/sys/fs/cgroup/cgroup.subtree_control";
  if (existsSync(controllers)) {
    return readFileSync(controllers, "utf8").split(/\s+/).includes("cpu") ? "/sys/fs/cgroup" : undefined;
  }
  return existsSync("/sys/fs/cgroup/cpu/cpu.cfs_period_us") || existsSync("/sys/fs/cgroup/cpu/cgroup.procs")
    ? "/sys/fs/cgroup/cpu"
    : undefined;
}

/** Makes a cgroup whose processes may together use so many cores. Throws a LabError where that is not allowed. */
export function makeCpuCgroup(path: string, cores: number): void {
  const quotaUs = Math.round(cores * PERIOD_US);
  try {
    mkdirSync(path);
    if (existsSync(join(path, "cpu.max"))) writeFileSync(join(path, "cpu.max"), `${quotaUs} ${PERIOD_US}`);
    else {
      writeFileSync(join(path, "cpu.cfs_period_us"), String(PERIOD_US));
      writeFileSync(join(path, "cpu.cfs_quota_us"), String(quotaUs));
    }
  } catch (error) {
    throw new LabError("no-cgroup", `a cgroup with a quota cannot be made: ${(error as Error).message}`, {
      cause: error,
    });
  }
}

export function moveIntoCgroup(path: string, pid: number): void {
  writeFileSync(join(path, "cgroup.procs"), String(pid));
}
