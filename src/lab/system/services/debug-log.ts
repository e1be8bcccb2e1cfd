import { fsyncSync, openSync, writeSync } from "node:fs";
import { join } from "node:path";
import type { ZonesSettings } from "../../settings.ts";

/** Lines for whoever looks for a bug, each on the disk before the next statement runs. */
export class DebugLog {
  readonly #file: number | undefined;

  constructor(mode: ZonesSettings["debugLog"], folder: string) {
    if (mode === "sync") this.#file = openSync(join(folder, "zones-debug.log"), "a");
  }

  line(text: string): void {
    if (this.#file === undefined) return;
    writeSync(this.#file, `${new Date().toISOString()} ${text}\n`);
    fsyncSync(this.#file);
  }
}
