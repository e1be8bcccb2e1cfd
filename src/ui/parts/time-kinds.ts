/** Kinds of time by hue, as the legend names them: src/model/time-kind.ts has the kinds. */
export interface Hue {
  readonly name: string;
  /** a custom property of tokens.css */
  readonly color: string;
}

export const HUES: Readonly<Record<"wait" | "net" | "io" | "lock" | "cpu" | "gc" | "rest", Hue>> = {
  wait: { name: "Queue, pool", color: "--wait" },
  net: { name: "Network", color: "--net" },
  io: { name: "Disk, database, remote", color: "--io" },
  lock: { name: "Lock", color: "--lock" },
  cpu: { name: "CPU", color: "--cpu" },
  gc: { name: "GC, event loop", color: "--gc" },
  rest: { name: "Unexplained", color: "--rest" },
};

const HUE_OF_KIND: Readonly<Record<string, Hue>> = {
  "pool-wait": HUES.wait,
  queue: HUES.wait,
  lock: HUES.lock,
  callee: HUES.io,
  disk: HUES.io,
  transit: HUES.net,
  network: HUES.net,
  cpu: HUES.cpu,
  runnable: HUES.cpu,
  gc: HUES.gc,
  "event-loop": HUES.gc,
};

export const hueOf = (timeKind: string): Hue => HUE_OF_KIND[timeKind] ?? HUES.rest;

export const colorOf = (timeKind: string): string => `var(${hueOf(timeKind).color})`;

const WORDS: Readonly<Record<string, string>> = {
  "pool-wait": "pool wait",
  queue: "in a queue",
  lock: "lock wait",
  callee: "remote",
  transit: "in transit",
  cpu: "CPU",
  runnable: "CPU wait",
  gc: "GC",
  "event-loop": "event loop",
};

export const wordOf = (timeKind: string): string => WORDS[timeKind] ?? timeKind;

/** The kind of time that a cause spends, for the mark before a finding. */
const HUE_OF_MECHANISM: Readonly<Record<string, Hue>> = {
  "pool-exhausted": HUES.wait,
  "queue-backlog": HUES.wait,
  "thread-starvation": HUES.wait,
  "accept-queue": HUES.wait,
  "lock-contention": HUES.lock,
  "slow-query": HUES.io,
  "missing-index": HUES.io,
  "n-plus-one": HUES.io,
  "duplicate-calls": HUES.io,
  "data-growth": HUES.io,
  "cache-miss": HUES.io,
  "disk-saturated": HUES.io,
  fsync: HUES.io,
  "excessive-syscalls": HUES.io,
  "external-dependency": HUES.net,
  "network-latency": HUES.net,
  "network-loss": HUES.net,
  "connection-churn": HUES.net,
  retries: HUES.net,
  timeout: HUES.net,
  "payload-size": HUES.net,
  "garbage-collection": HUES.gc,
  "event-loop-blocked": HUES.gc,
  "memory-pressure": HUES.gc,
  "memory-leak": HUES.gc,
  "slow-code": HUES.cpu,
  "cpu-saturated": HUES.cpu,
  "cpu-throttled": HUES.cpu,
  "run-queue": HUES.cpu,
  "noisy-neighbour": HUES.cpu,
};

export const hueOfMechanism = (mechanism: string): Hue => HUE_OF_MECHANISM[mechanism] ?? HUES.rest;
