import type { TimeRange } from "../store.ts";

/** `column` in [{from:Int64}, {to:Int64}), nanoseconds since 1970. */
export function inRange(column: string): string {
  return `${column} >= fromUnixTimestamp64Nano({from:Int64}, 'UTC') AND ${column} < fromUnixTimestamp64Nano({to:Int64}, 'UTC')`;
}

export function rangeParameters({ fromUnixNs, toUnixNs }: TimeRange): { from: bigint; to: bigint } {
  return { from: fromUnixNs, to: toUnixNs };
}

/** A column of times as text. */
export const nanoseconds = (column: string): string => `toString(toUnixTimestamp64Nano(${column}))`;

/** The text that ClickHouse reads as a DateTime64(9): seconds, and nine digits behind the point. */
export const decimalSeconds = (ns: bigint): string =>
  `${ns / 1_000_000_000n}.${String(ns % 1_000_000_000n).padStart(9, "0")}`;
