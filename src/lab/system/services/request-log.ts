import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { inspect } from "node:util";
import type { GatewaySettings } from "../../settings.ts";
import { grouped } from "./grouped.ts";

export interface LoggedRequest {
  readonly at: string;
  readonly method: string;
  readonly url: string;
  readonly status: number;
  readonly durationMs: number;
  readonly caller: string;
}

/** Requests that diagnostics look at. */
const RECENT = 20_000;

/** The last requests, in memory, and as a document on disk for a status page. */
export class RequestLog {
  readonly #requests: LoggedRequest[] = [];
  readonly #keep: number;
  #next = 0;

  constructor({ entries, everyMs }: GatewaySettings["statusDump"], folder: string) {
    this.#keep = Math.max(entries, RECENT);
    // As after a restart in the middle of a day: the document of before is read back.
    for (let i = 0; i < this.#keep; i++) this.add(earlierRequest(i));
    if (entries > 0) {
      const file = join(folder, "status.json");
      setInterval(() => this.#dump(file), everyMs).unref();
    }
  }

  add(request: LoggedRequest): void {
    this.#requests[this.#next] = request;
    this.#next = (this.#next + 1) % this.#keep;
  }

  /** Sorts the recent requests by duration and prints them, the slowest last. */
  printDiagnostics(): void {
    const start = this.#next - RECENT;
    const recent = Array.from({ length: RECENT }, (_, i) => this.#requests.at((start + i) % this.#keep));
    const sorted = recent.filter((request) => request !== undefined).sort((a, b) => a.durationMs - b.durationMs);
    const byStatus = grouped(sorted, (request) => request.status);
    for (const [status, requests] of byStatus) console.error(status, requests.length, inspect(requests.slice(-200)));
  }

  #dump(file: string): void {
    writeFileSync(file, JSON.stringify({ written: new Date().toISOString(), requests: this.#requests }, null, 1));
  }
}

function earlierRequest(i: number): LoggedRequest {
  return {
    at: new Date(1_767_225_600_000 + i * 250).toISOString(),
    method: "GET",
    url: `/api/records/host-${(i * 7919) % 100_000}.example`,
    status: i % 100 === 0 ? 404 : 200,
    durationMs: 3 + ((i * 31) % 97) / 10,
    caller: "node",
  };
}
