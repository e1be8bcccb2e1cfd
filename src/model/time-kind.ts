/** What time was spent on; see docs/time-kinds.md. The order is the order of display. */
export const TIME_KINDS = [
  "pool-wait",
  "queue",
  "lock",
  "callee",
  "transit",
  "network",
  "disk",
  "cpu",
  "runnable",
  "gc",
  "event-loop",
  "sleep",
  "unexplained",
] as const;

export type TimeKind = (typeof TIME_KINDS)[number];

/** Number of a kind, for columns. */
export const timeKindId = (kind: TimeKind): number => TIME_KINDS.indexOf(kind);
