import type { TimeRange } from "../../store/store.ts";
import type { WindowQuery } from "../api/window-query.ts";
import { durationMs } from "../config/quantities.ts";
import type { BaselineChoice } from "../live/live-diagnosis.ts";
import { HttpError } from "./http-error.ts";

const MS = 1_000_000n;
const DEFAULT_LAST_MS = 15 * 60_000;
/** A window that ends now ends at the next of these, so that those who ask at the same time ask the same. */
const GRAIN_NS = 1_000_000_000n;
const LONGEST_NS = 400n * 86_400n * 1_000_000_000n;

/** The range that a query asks for; nowUnixNs: the clock. */
export function rangeOf({ last, from, to }: WindowQuery, nowUnixNs: bigint): TimeRange {
  if (last !== undefined && from !== undefined)
    throw new HttpError(400, "give last or from, not both", { field: "last" });
  const toUnixNs = to === undefined ? (nowUnixNs / GRAIN_NS + 1n) * GRAIN_NS : timeOf(to, "to");
  const lengthMs = last === undefined ? DEFAULT_LAST_MS : durationMs(last)!;
  const fromUnixNs = from === undefined ? toUnixNs - BigInt(Math.round(lengthMs)) * MS : timeOf(from, "from");
  if (fromUnixNs >= toUnixNs)
    throw new HttpError(400, "from has to lie before to", { field: from === undefined ? "last" : "from" });
  if (toUnixNs - fromUnixNs > LONGEST_NS) throw new HttpError(400, "a window of at most 400 days", { field: "from" });
  return { fromUnixNs: fromUnixNs < 0n ? 0n : fromUnixNs, toUnixNs };
}

/** "2026-01-31T12:00:00Z" or nanoseconds since 1970. */
export function timeOf(text: string, field: string): bigint {
  if (/^\d{15,19}$/.test(text)) return BigInt(text);
  // Without a zone a time would be that of wherever the server runs.
  if (
    !/^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(:\d{2}(\.\d+)?)?(Z|[+-]\d{2}:\d{2})$/.test(text) ||
    Number.isNaN(Date.parse(text))
  ) {
    throw new HttpError(400, `${field}: expected a time as 2026-01-31T12:00:00Z or nanoseconds since 1970`, { field });
  }
  return BigInt(Date.parse(text)) * MS;
}

/** "auto", "none", "1h" (the same window so much earlier) or "FROM/TO". */
export function baselineOf(text: string | undefined, range: TimeRange): BaselineChoice {
  if (text === undefined || text === "auto") return { kind: "auto" };
  if (text === "none") return { kind: "none" };
  const earlierMs = durationMs(text);
  if (earlierMs !== undefined && earlierMs > 0) {
    const earlier = BigInt(Math.round(earlierMs)) * MS;
    const before = { fromUnixNs: range.fromUnixNs - earlier, toUnixNs: range.toUnixNs - earlier };
    return { kind: "range", range: before };
  }
  const [from, to] = text.split("/");
  if (from === undefined || to === undefined || from === "" || to === "") {
    throw new HttpError(400, "baseline: expected auto, none, a duration as 1h, or FROM/TO", { field: "baseline" });
  }
  return { kind: "range", range: rangeOf({ from, to }, 0n) };
}
