import { readdirSync, readlinkSync } from "node:fs";

/**
 * Inodes of the sockets that a process has open, among its first descriptors; undefined where these are hidden, none where
 * it has ended.
 */
export function openSockets(pid: number, mostDescriptors: number): string[] | undefined {
  let descriptors: string[];
  try {
    descriptors = readdirSync(`/proc/${pid}/fd`);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EACCES" ? undefined : [];
  }
  const inodes: string[] = [];
  for (const descriptor of descriptors.slice(0, mostDescriptors)) {
    try {
      const target = readlinkSync(`/proc/${pid}/fd/${descriptor}`);
      if (target.startsWith("socket:[")) inodes.push(target.slice("socket:[".length, -1));
    } catch {
      // Closed meanwhile.
    }
  }
  return inodes;
}
