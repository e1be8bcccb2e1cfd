import { constants } from "node:fs";
import { mkdtemp, open, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Need } from "../faults/fault.ts";
import { probeCpuGroup } from "./cpu-group.ts";
import { probeNetem } from "./netem.ts";

/**
 * What the machine allows, tried out. undefined: possible; else why not, in one sentence with what would change it.
 * Reads past the page cache are a matter of the file system: that of `folder`, where the database will be.
 */
export async function probeNeeds(folder: string = tmpdir()): Promise<Readonly<Record<Need, string | undefined>>> {
  const [cpuCgroup, netem, directIo] = await Promise.all([probeCpuGroup(), probeNetem(), probeDirectIo(folder)]);
  return { "cpu-cgroup": cpuCgroup, netem, "direct-io": directIo };
}

async function probeDirectIo(folder: string): Promise<string | undefined> {
  // Only Linux has the flag.
  const flag = (constants as { readonly O_DIRECT?: number }).O_DIRECT;
  if (flag === undefined) return "this system has no O_DIRECT: Linux has it";
  let own: string | undefined;
  try {
    own = await mkdtemp(join(folder, "longpole-lab-probe-"));
    const file = await open(join(own, "probe"), constants.O_CREAT | constants.O_RDWR | flag);
    await file.close();
    return undefined;
  } catch (error) {
    const code = error instanceof Error && "code" in error ? String(error.code) : String(error);
    if (own === undefined) return `the folder ${folder} cannot be written (${code}): one that can be would do`;
    return `the file system of ${folder} refuses O_DIRECT (${code}): a folder on a disk, not in memory, would do`;
  } finally {
    if (own !== undefined) await rm(own, { recursive: true });
  }
}
