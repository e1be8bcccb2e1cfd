import { closeSync, fsync, fsyncSync, ftruncateSync, openSync, writeSync } from "node:fs";
import type { IngestSettings } from "../../settings.ts";
import type { Point } from "./parse-points.ts";

const SYNC_INTERVAL_MS = 1000;
const LARGEST_BYTES = 256 << 20;

/** What was taken is on disk before it is passed on; how surely, and at which price, the settings say. */
export class Journal {
  readonly #file: number;
  readonly #settings: Pick<IngestSettings, "writes" | "sync">;
  readonly #timer: NodeJS.Timeout | undefined;
  #bytes = 0;
  #isDirty = false;

  constructor(path: string, settings: Pick<IngestSettings, "writes" | "sync">) {
    this.#file = openSync(path, "a");
    this.#settings = settings;
    if (settings.sync === "interval") this.#timer = setInterval(() => this.#syncLater(), SYNC_INTERVAL_MS);
  }

  append(points: readonly Point[]): void {
    this.#begin();
    if (this.#settings.writes === "batch" && this.#settings.sync !== "point") this.#write(points.map(lineOf).join(""));
    else for (const point of points) this.#writePoint(point);
    if (this.#settings.sync === "batch") fsyncSync(this.#file);
  }

  close(): void {
    clearInterval(this.#timer);
    closeSync(this.#file);
  }

  #writePoint(point: Point): void {
    this.#write(lineOf(point));
    if (this.#settings.sync === "point") fsyncSync(this.#file);
  }

  #write(text: string): void {
    this.#bytes += writeSync(this.#file, text);
    this.#isDirty = true;
  }

  /** The journal begins anew rather than to fill the disk. */
  #begin(): void {
    if (this.#bytes < LARGEST_BYTES) return;
    ftruncateSync(this.#file);
    this.#bytes = 0;
  }

  #syncLater(): void {
    if (!this.#isDirty) return;
    this.#isDirty = false;
    fsync(this.#file, (error) => {
      if (error !== null) console.error(error.message);
    });
  }
}

function lineOf({ series, value, timeUnixMs }: Point): string {
  return `${series} ${value} ${timeUnixMs}\n`;
}
