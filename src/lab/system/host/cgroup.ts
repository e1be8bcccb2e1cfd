import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { limitCores, parentGroup, refusal, type Parent } from "../../host/cpu-group.ts";
import { LabError } from "../../lab-error.ts";

/** Where a cgroup of this name is to be made. Rejects with a LabError where there are no cgroups. */
export async function planCpuCgroup(name: string): Promise<{ readonly parent: Parent; readonly path: string }> {
  const parent = await parentGroup();
  return { parent, path: join(parent.path, name) };
}

/** Makes a cgroup whose processes may together use so many cores. Rejects with a LabError where that is not allowed. */
export async function makeCpuCgroup({ parent, path }: { parent: Parent; path: string }, cores: number): Promise<void> {
  try {
    await mkdir(path);
    await limitCores(parent, path, cores);
  } catch (error) {
    throw new LabError("cpu-cgroup", refusal(error, parent.path), { cause: error });
  }
}

export async function moveIntoCgroup(path: string, pid: number): Promise<void> {
  await writeFile(join(path, "cgroup.procs"), String(pid));
}
