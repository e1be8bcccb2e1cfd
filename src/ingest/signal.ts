/** What a request carries. */
export const SIGNALS = ["traces", "metrics", "profiles", "logs"] as const;
export type Signal = (typeof SIGNALS)[number];

/** Signals that are kept, and by what their items are called in messages and figures. */
export type KeptSignal = Exclude<Signal, "logs">;
export const KEPT_SIGNALS: readonly KeptSignal[] = ["traces", "metrics", "profiles"];

export const ITEMS: Readonly<Record<Signal, string>> = {
  traces: "spans",
  metrics: "points",
  profiles: "samples",
  logs: "log records",
};
