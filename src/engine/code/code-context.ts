import type { Report } from "../../model/report.ts";
import { baselineOf } from "../baseline-endpoints.ts";
import type { Window } from "../window.ts";
import type { CodeContext } from "./code-claims.ts";
import { matchProfiles, type ProfileInput } from "./service-profiles.ts";

/** What limits the throughput, where it is a processor or an event loop, and how the endpoints were in the baseline. */
export function codeContext(
  { limiter }: Report["throughput"],
  baseline: Window | undefined,
  baselineProfiles: readonly ProfileInput[],
): CodeContext {
  const before = baseline === undefined ? undefined : baselineOf(baseline);
  const isCpu = limiter !== undefined && (limiter.resource === "cpu" || limiter.resource === "event-loop");
  return {
    ...(isCpu ? { limiter } : {}),
    ...(before === undefined
      ? {}
      : {
          p99Before: (view) => {
            const held = before(view).baseline;
            return held === undefined ? undefined : held.p99Ms * 1e6;
          },
          before: matchProfiles(baseline!, baselineProfiles).services,
        }),
  };
}
