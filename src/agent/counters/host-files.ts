import { readFileSync, statfsSync } from "node:fs";
import { labelBytes, type ResourceMetrics } from "../export/metric-points.ts";
import {
  addDisks,
  addFiles,
  addLoad,
  addMemory,
  addNetwork,
  addPressure,
  addSockets,
  addSoftnet,
  addStat,
  addTcp,
  addVmstat,
} from "./host-figures.ts";
import { KeptFile } from "./kept-file.ts";
import { SYSTEM } from "./metrics.ts";

/** Those that a machine keeps its data on; asking one over a network may take for ever. */
const LOCAL = /^(?:ext[234]|xfs|btrfs|f2fs|zfs|overlay|vfat|bcachefs)$/;
/** Disks fill slowly, and asking each costs a call. */
const ROOM_EVERY_MS = 60_000;

/** The counters of the machine, from files that are kept open. What a kernel does not have is left out. */
export class HostFiles {
  private readonly files = new Map<string, KeptFile | undefined>();
  private lastRoomMs = Number.NEGATIVE_INFINITY;
  private room: { readonly labels: (state: string) => Uint8Array; readonly used: number; readonly free: number }[] = [];

  /** Adds all; returns the text of /proc/stat. */
  add(into: ResourceMetrics, nowMs: number): void {
    addStat(into, this.text("/proc/stat"));
    addLoad(into, this.text("/proc/loadavg"));
    addMemory(into, this.text("/proc/meminfo"));
    addVmstat(into, this.text("/proc/vmstat"));
    addDisks(into, this.text("/proc/diskstats"));
    addNetwork(into, this.text("/proc/net/dev"));
    addTcp(into, this.text("/proc/net/netstat"), this.text("/proc/net/snmp"));
    addSockets(into, this.text("/proc/net/sockstat"));
    addSoftnet(into, this.text("/proc/net/softnet_stat"));
    addFiles(into, this.text("/proc/sys/fs/file-nr"));
    for (const resource of ["cpu", "memory", "io"] as const)
      addPressure(into, SYSTEM.pressure, resource, this.text(`/proc/pressure/${resource}`));
    this.addRoom(into, nowMs);
  }

  close(): void {
    for (const file of this.files.values()) file?.close();
    this.files.clear();
  }

  private text(path: string): string {
    let file = this.files.get(path);
    if (file === undefined && this.files.has(path)) return "";
    try {
      if (file === undefined) this.files.set(path, (file = new KeptFile(path)));
      return file.read();
    } catch {
      // Not of this kernel, or not to be read: asked once, and its metrics are missing.
      file?.close();
      this.files.set(path, undefined);
      return "";
    }
  }

  private addRoom(into: ResourceMetrics, nowMs: number): void {
    if (nowMs - this.lastRoomMs >= ROOM_EVERY_MS) {
      this.lastRoomMs = nowMs;
      this.room = mounts(readFileSync("/proc/self/mounts", "utf8")).flatMap((mount) => {
        try {
          const { bsize, blocks, bfree, bavail } = statfsSync(mount.point);
          if (blocks === 0) return [];
          return [{ labels: labelsOf(mount), used: (blocks - bfree) * bsize, free: bavail * bsize }];
        } catch {
          // Unmounted meanwhile, or of another user: not a disk that this process could tell of.
          return [];
        }
      });
    }
    for (const { labels, used, free } of this.room) {
      into.add(SYSTEM.filesystemUsage, used, labels("used"));
      into.add(SYSTEM.filesystemUsage, free, labels("free"));
      into.add(SYSTEM.filesystemUtilization, used / (used + free), labels("used"));
    }
  }
}

interface Mount {
  readonly device: string;
  readonly point: string;
  readonly type: string;
}

/** Local file systems of a text of /proc/self/mounts, each device once, by its first mount point. */
export function mounts(text: string): Mount[] {
  const byDevice = new Map<string, Mount>();
  for (const line of text.split("\n")) {
    const [device = "", point = "", type = ""] = line.split(" ").map(unescaped);
    // Each container's overlay has the room of the disk below it.
    if (!LOCAL.test(type) || byDevice.has(device) || (type === "overlay" && point !== "/")) continue;
    byDevice.set(device, { device, point, type });
  }
  return [...byDevice.values()];
}

/** Blanks and backslashes are written as octal numbers. */
const unescaped = (text: string): string =>
  text.replaceAll(/\\(\d{3})/g, (_, octal: string) => String.fromCodePoint(Number.parseInt(octal, 8)));

function labelsOf({ device, point, type }: Mount): (state: string) => Uint8Array {
  const made = new Map<string, Uint8Array>();
  return (state) => {
    let held = made.get(state);
    if (held === undefined) {
      held = labelBytes({
        "system.device": device,
        "system.filesystem.mountpoint": point,
        "system.filesystem.type": type,
        "system.filesystem.state": state,
      });
      made.set(state, held);
    }
    return held;
  };
}
