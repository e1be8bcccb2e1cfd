import { readFileSync } from "node:fs";
import { posix } from "node:path";
import { labelBytes, type ResourceMetrics } from "../export/metric-points.ts";
import { addPressure, numberAfter } from "./host-figures.ts";
import { KeptFile } from "./kept-file.ts";
import { CONTAINER } from "./metrics.ts";

/** Where the hierarchies are mounted: by controller for version 1, "" for version 2. */
export type CgroupMounts = ReadonlyMap<string, { readonly point: string; readonly root: string }>;

/** By the text of /proc/self/mountinfo, see proc_pid_mountinfo(5). */
export function cgroupMounts(mountinfo: string): CgroupMounts {
  const mounts = new Map<string, { point: string; root: string }>();
  for (const line of mountinfo.split("\n")) {
    const [own = "", of = ""] = line.split(" - ");
    const [, , , root = "", point = ""] = own.split(" ");
    const [type, , options = ""] = of.split(" ");
    if (type === "cgroup2" && !mounts.has("")) mounts.set("", { point, root });
    if (type !== "cgroup") continue;
    for (const option of options.split(","))
      if (/^(?:cpu|cpuacct|memory|blkio)$/.test(option) && !mounts.has(option)) mounts.set(option, { point, root });
  }
  return mounts;
}

/** Version 1 says "no limit" as the largest number of pages, version 2 as "max". */
const NO_LIMIT = 2 ** 60;
/** Limits hold for all groups below: how far up one is looked for. */
const MOST_LEVELS = 12;

/** Counters of control groups, by the paths that their processes have; limits of a group above count for it too. */
export class CgroupFiles {
  private readonly mounts: CgroupMounts;
  private readonly files = new Map<string, KeptFile | undefined>();

  constructor(mounts: CgroupMounts = cgroupMounts(textOf("/proc/self/mountinfo"))) {
    this.mounts = mounts;
  }

  /** Adds what there is of a group; isContainer: whether its times and sizes are those of a container. */
  add(into: ResourceMetrics, paths: ReadonlyMap<string, string>, isContainer: boolean): void {
    this.addQuota(into, paths);
    this.addMemory(into, paths, isContainer);
    if (!isContainer) return;
    const own = this.folder(paths, "cpuacct") ?? this.folder(paths, "");
    if (own === undefined) return;
    const usage = this.text(`${own}/cpuacct.usage`);
    const cpu = this.text(`${own}/cpu.stat`);
    into.add(CONTAINER.cpuTime, usage === "" ? numberAfter(cpu, "usage_usec") / 1e6 : Number(usage) / 1e9);
    this.addIo(into, paths);
    const second = this.folder(paths, "");
    if (second === undefined) return;
    for (const resource of ["cpu", "memory", "io"] as const)
      addPressure(into, CONTAINER.pressure, resource, this.text(`${second}/${resource}.pressure`));
  }

  close(): void {
    for (const file of this.files.values()) file?.close();
    this.files.clear();
  }

  /** The nearest group that has a quota, and how often it stopped its threads. */
  private addQuota(into: ResourceMetrics, paths: ReadonlyMap<string, string>): void {
    const [first, second] = [this.folder(paths, "cpu"), this.folder(paths, "")];
    for (const folder of [...upwards(first), ...upwards(second)]) {
      const cores = this.quotaOf(folder);
      if (cores === undefined) continue;
      const stat = this.text(`${folder}/cpu.stat`);
      const periods = numberAfter(stat, "nr_periods");
      into.add(CONTAINER.cpuLimit, cores);
      into.add(CONTAINER.periods, periods);
      into.add(CONTAINER.throttledPeriods, numberAfter(stat, "nr_throttled"));
      const micros = numberAfter(stat, "throttled_usec");
      into.add(
        CONTAINER.throttledTime,
        Number.isNaN(micros) ? numberAfter(stat, "throttled_time") / 1e9 : micros / 1e6,
      );
      return;
    }
  }

  /** Cores; undefined where the group has no quota. */
  private quotaOf(folder: string): number | undefined {
    const [quota = "", period = ""] = this.text(`${folder}/cpu.max`).trim().split(" ");
    const first = quota === "" ? this.text(`${folder}/cpu.cfs_quota_us`).trim() : quota;
    const length = quota === "" ? this.text(`${folder}/cpu.cfs_period_us`).trim() : period;
    const cores = Number(first) / Number(length);
    return first !== "" && cores > 0 && Number.isFinite(cores) ? cores : undefined;
  }

  private addMemory(into: ResourceMetrics, paths: ReadonlyMap<string, string>, isContainer: boolean): void {
    const own = this.folder(paths, "memory") ?? this.folder(paths, "");
    for (const folder of upwards(own)) {
      const text = this.text(`${folder}/memory.max`) || this.text(`${folder}/memory.limit_in_bytes`);
      const limit = Number(text);
      if (text === "" || !(limit > 0 && limit < NO_LIMIT)) continue;
      into.add(CONTAINER.memoryLimit, limit);
      break;
    }
    if (own === undefined || !isContainer) return;
    const used = Number(this.text(`${own}/memory.current`) || this.text(`${own}/memory.usage_in_bytes`) || Number.NaN);
    const stat = this.text(`${own}/memory.stat`);
    // Files that nobody used lately are given back before anybody is ended: the working set is without them.
    const inactive = numberAfter(stat, "total_inactive_file") || numberAfter(stat, "inactive_file") || 0;
    into.add(CONTAINER.memoryUsage, Math.max(0, used - inactive));
    into.add(CONTAINER.oomKills, numberAfter(this.text(`${own}/memory.events`), "oom_kill"));
  }

  private addIo(into: ResourceMetrics, paths: ReadonlyMap<string, string>): void {
    const [first, second] = [this.folder(paths, "blkio"), this.folder(paths, "")];
    let [read, written] = [0, 0];
    const before = first === undefined ? "" : this.text(`${first}/blkio.throttle.io_service_bytes_recursive`);
    for (const [, which, bytes] of before.matchAll(/^\d+:\d+ (Read|Write) (\d+)$/gm))
      if (which === "Read") read += Number(bytes);
      else written += Number(bytes);
    const now = second === undefined ? "" : this.text(`${second}/io.stat`);
    for (const [, reads, writes] of now.matchAll(/\brbytes=(\d+) wbytes=(\d+)/g)) {
      read += Number(reads);
      written += Number(writes);
    }
    if (before === "" && now === "") return;
    into.add(CONTAINER.diskIo, read, READ);
    into.add(CONTAINER.diskIo, written, WRITE);
  }

  /** Folder of a group; undefined where its hierarchy is not mounted, or the group is the root, which limits nobody. */
  private folder(paths: ReadonlyMap<string, string>, controller: string): string | undefined {
    const mount = this.mounts.get(controller);
    const path = paths.get(controller);
    if (mount === undefined || path === undefined || path === "/" || path.startsWith("/..")) return undefined;
    // Within a container the hierarchy may be mounted from the container's own group downwards.
    const below = mount.root !== "/" && path.startsWith(mount.root) ? path.slice(mount.root.length) : path;
    return posix.join(mount.point, below);
  }

  private text(path: string): string {
    let file = this.files.get(path);
    if (file === undefined && this.files.has(path)) return "";
    try {
      if (file === undefined) this.files.set(path, (file = new KeptFile(path)));
      return file.read();
    } catch {
      file?.close();
      this.files.set(path, undefined);
      return "";
    }
  }
}

const READ = labelBytes({ "disk.io.direction": "read" });
const WRITE = labelBytes({ "disk.io.direction": "write" });

/** A folder and those above it, as far as its hierarchy can reach. */
function upwards(folder: string | undefined): string[] {
  const all: string[] = [];
  for (let at = folder; at !== undefined && at !== "/" && all.length < MOST_LEVELS; at = posix.dirname(at))
    all.push(at);
  return all;
}

function textOf(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}
