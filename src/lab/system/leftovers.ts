import { rm, rmdir } from "node:fs/promises";
import { setTimeout as pause } from "node:timers/promises";
import { removeNetwork } from "./host/network.ts";
import type { Leftover } from "./messages.ts";
import { dropDatabase } from "./postgres/drop-database.ts";

/** Takes it away; nothing happens where it is gone already. */
export async function removeLeftover(leftover: Leftover): Promise<void> {
  switch (leftover.kind) {
    case "folder":
      return rm(leftover.path, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 });
    case "cgroup":
      return removeCgroup(leftover.path);
    case "network":
      return removeNetwork(leftover.namespace, leftover.link);
    case "database":
      return dropDatabase(leftover);
  }
}

/** A cgroup can be removed once the last of its processes has ended. */
async function removeCgroup(path: string): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await rmdir(path);
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === "ENOENT") return;
      if (code !== "EBUSY" || attempt === 50) throw error;
      await pause(100);
    }
  }
}
