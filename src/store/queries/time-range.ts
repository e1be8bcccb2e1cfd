import type { TimeRange } from "../store.ts";

/** `column` in [{from:Int64}, {to:Int64}), nanoseconds since 1970. */
export function inRange(column: string): string {
  return `${column} >= fromUnixTimestamp64Nano({from:Int64}, 'UTC') AND ${column} < fromUnixTimestamp64Nano({to:Int64}, 'UTC')`;
}

export function rangeParameters({ fromUnixNs, toUnixNs }: TimeRange): { from: bigint; to: bigint } {
  return { from: fromUnixNs, to: toUnixNs };
}
