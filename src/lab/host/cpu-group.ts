import { mkdir, readFile, rmdir, writeFile } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { LabError } from "../lab-error.ts";
import { ownName } from "./own-name.ts";

/** A control group with a limit of processor time. */
export interface CpuGroup {
  readonly path: string;
  /** starts a command within the group */
  readonly prefix: readonly string[];
  /** its processes go back to where they came from, and the group is removed */
  leave(): Promise<void>;
}

/** Puts processes into a group that may use `cores`, in slices of 100 ms as is usual. Throws a LabError where that is refused. */
export async function enterCpuGroup(name: string, cores: number, pids: readonly number[]): Promise<CpuGroup> {
  const parent = await parentGroup();
  const path = join(parent.path, ownName(name));
  const group: CpuGroup = {
    path,
    // The shell enters and becomes the command: the same process, so its pid is the service's.
    prefix: ["/bin/sh", "-c", `echo $$ > '${path}/cgroup.procs' && exec "$@"`, "sh"],
    leave: () => removeGroup(path, parent.home),
  };
  try {
    await mkdir(path);
    await limitCores(parent, path, cores);
    for (const pid of pids) await writeFile(join(path, "cgroup.procs"), String(pid));
  } catch (error) {
    await removeGroup(path, parent.home).catch(() => undefined);
    throw new LabError("cpu-cgroup", refusal(error, parent.path), { cause: error });
  }
  return group;
}

/** Why no group can be made here, in one sentence; undefined where it can. */
export async function probeCpuGroup(): Promise<string | undefined> {
  try {
    const group = await enterCpuGroup("probe", 1, []);
    await group.leave();
    return undefined;
  } catch (error) {
    if (error instanceof LabError) return error.message;
    throw error;
  }
}

const PERIOD_US = 100_000;

/** Processes in the group at `path`, a child of `parent`, may together use so many cores. */
export async function limitCores(parent: Parent, path: string, cores: number): Promise<void> {
  const quotaUs = Math.round(cores * PERIOD_US);
  if (parent.version === 1) {
    await writeFile(join(path, "cpu.cfs_period_us"), String(PERIOD_US));
    await writeFile(join(path, "cpu.cfs_quota_us"), String(quotaUs));
    return;
  }
  await writeFile(join(parent.path, "cgroup.subtree_control"), "+cpu");
  await writeFile(join(path, "cpu.max"), `${quotaUs} ${PERIOD_US}`);
}

async function removeGroup(path: string, home: string): Promise<void> {
  const inside = await readFile(join(path, "cgroup.procs"), "utf8").catch(() => undefined);
  if (inside === undefined) return;
  for (const pid of inside.split("\n").filter((line) => line !== "")) {
    // One that ended meanwhile needs no way out.
    await writeFile(join(home, "cgroup.procs"), pid).catch(() => undefined);
  }
  await rmdir(path);
}

export interface Parent {
  readonly version: 1 | 2;
  readonly path: string;
  /** the group of this process, to which others can go */
  readonly home: string;
}

/** Where new groups are made. */
export async function parentGroup(): Promise<Parent> {
  const [mounts, own] = await Promise.all(
    ["/proc/self/mountinfo", "/proc/self/cgroup"].map((file) => readFile(file, "utf8").catch(() => "")),
  );
  const parent = findParent(mounts!, own!);
  if (parent === undefined)
    throw new LabError("cpu-cgroup", "this system has no control groups for processors: Linux with cgroups has them");
  return parent;
}

/**
 * From /proc/self/mountinfo and /proc/self/cgroup. A controller is in one of the two hierarchies, and the first
 * one has it only if a mount says so.
 */
export function findParent(mountinfo: string, own: string): Parent | undefined {
  const mounts = mountinfo.split("\n").flatMap((line) => {
    const [left, right] = line.split(" - ");
    const [, , , root, point] = left!.split(" ");
    const [type, , options] = right?.split(" ") ?? [];
    return root === undefined || point === undefined || type === undefined ? [] : [{ root, point, type, options }];
  });
  const groups = own.split("\n").map((line) => line.split(":"));
  const first = mounts.find(({ type, options }) => type === "cgroup" && options!.split(",").includes("cpu"));
  if (first !== undefined) {
    const path = groups.find(([, controllers]) => controllers?.split(",").includes("cpu"))?.[2];
    if (path === undefined) return undefined;
    const home = below(first.point, first.root, path);
    return { version: 1, path: home, home };
  }
  const second = mounts.find(({ type }) => type === "cgroup2");
  const path = groups.find(([number, controllers]) => number === "0" && controllers === "")?.[2];
  if (second === undefined || path === undefined) return undefined;
  // A group with processes of its own may have no groups below it that share a resource: beside this one, then.
  const home = below(second.point, second.root, path);
  return { version: 2, path: home === second.point ? home : dirname(home), home };
}

function below(point: string, root: string, path: string): string {
  const rest = root !== "/" && path.startsWith(root) ? path.slice(root.length) : path;
  return rest === "/" || rest.startsWith("/..") ? point : join(point, rest);
}

/** What a failure to make or limit a group means for the user, in one sentence. */
export function refusal(error: unknown, parent: string): string {
  const code = error instanceof Error && "code" in error ? String(error.code) : String(error);
  const what = `a control group below ${parent} cannot be made or limited (${code})`;
  switch (code) {
    case "EACCES":
    case "EPERM":
      return `${what}: root may make one`;
    case "EROFS":
      return `${what}: it is mounted read-only, as in a container that is not privileged`;
    case "EBUSY":
      return `${what}: ${basename(parent)} has processes of its own, a group that systemd delegates would do`;
    default:
      return `${what}: a kernel with the cpu controller in use there would do`;
  }
}
