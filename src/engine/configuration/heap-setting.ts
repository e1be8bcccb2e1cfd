import type { HeapFlag } from "../resources/heap-flags.ts";

/** The heap's limit as whoever sets it types it: by the command line, else by the runtime whose metrics tell of the heap. */
export function heapSetting(metrics: readonly string[], flag: HeapFlag | undefined): string {
  if (flag !== undefined) return flag.setting;
  for (const [runtime, setting] of RUNTIMES) if (metrics.some((name) => runtime.test(name))) return setting;
  return "heap limit";
}

/** Names of OpenTelemetry's semantic conventions, and of the runtimes' Prometheus clients. */
const RUNTIMES: readonly (readonly [RegExp, string])[] = [
  [/^(?:v8js|nodejs|process\.runtime\.nodejs)[._]/, "max-old-space-size"],
  [/^(?:jvm|process\.runtime\.jvm)[._]/, "Xmx"],
];
