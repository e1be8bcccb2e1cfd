import type { TimeKind } from "../../model/time-kind.ts";

/** What own time is told as: a span's kinds, and what a quota took away, which only a host sees. */
export type OwnKind = TimeKind | "throttled";

/** Kinds that a host can tell of own time. */
export type KnownKind = Extract<
  OwnKind,
  "cpu" | "gc" | "event-loop" | "runnable" | "throttled" | "lock" | "disk" | "network" | "sleep"
>;

/** In the order of display. */
export const OWN_KINDS: readonly KnownKind[] = [
  "cpu",
  "gc",
  "event-loop",
  "runnable",
  "throttled",
  "lock",
  "disk",
  "network",
  "sleep",
];
