import type { Intake } from "../model/intake.ts";
import type { Reasons } from "./ledger.ts";

/** By what name messages call the bytes of a request. */
export const REQUEST = "request";

/** An item that the store would not keep. */
export const TOO_OLD = "older-than-retention";

/** Counts are of one request: of a reason the first example is kept, and each request shall tell its own. */
export function clear(intake: Intake): void {
  intake.received = intake.accepted = 0;
  intake.rejected.clear();
  intake.points.received = intake.points.accepted = 0;
  intake.points.rejected.clear();
  intake.errors.length = 0;
}

/** Rejected items by reason, and the first example. */
export function rejectedSpans(rejected: Intake["rejected"]): { rejected: Reasons; example: string } {
  return summed(Array.from(rejected, ([reason, { spans, example }]) => [reason, spans, example]));
}

export function rejectedPoints(rejected: Intake["points"]["rejected"]): { rejected: Reasons; example: string } {
  return summed(Array.from(rejected, ([reason, held]) => [reason, held.points, held.example]));
}

function summed(all: readonly [reason: string, count: number, example: string][]): {
  rejected: Reasons;
  example: string;
} {
  return {
    rejected: Object.fromEntries(all.map(([reason, count]) => [reason, count])),
    example: all[0]?.[2] ?? "",
  };
}

/** Upper and lower word of milliseconds since 1970 as nanoseconds. */
export function nsWords(ms: number): { high: number; low: number } {
  const ns = BigInt(Math.floor(ms)) * 1_000_000n;
  return { high: Number(ns >> 32n), low: Number(ns & 0xffff_ffffn) };
}
