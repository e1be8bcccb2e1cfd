import { ITEMS, type Signal, SIGNALS } from "./signal.ts";

/** Counts by reason. */
export type Reasons = Record<string, number>;

/**
 * Items (spans, points, samples, log records) of a signal, each in one place:
 * received = stored + the sum of rejected + the sum of dropped + inWal.
 */
export interface SignalCounts {
  received: number;
  /** the store has confirmed them */
  stored: number;
  /** refused when they came, and the sender was told so */
  rejected: Reasons;
  /** acknowledged, and lost afterwards */
  dropped: Reasons;
  /** acknowledged and on the disk; the store has not got them yet */
  inWal: number;
}

export interface LedgerCounts {
  signals: Record<Signal, SignalCounts>;
  /**
   * Requests by outcome: "taken", or the reason why nothing of a request was taken. Items of refused requests are in no
   * other count: those that the sender may try again are still its own, and of damaged ones nobody knows how many they held.
   */
  requests: Reasons;
}

/** Where every item that came has gone. Follows the log: counts change when their record is on the disk. */
export class Ledger {
  readonly counts: LedgerCounts = empty();

  /** A request of which `accepted` items were put into the log. */
  take(signal: Signal, accepted: number, rejected: Reasons): void {
    const counts = this.counts.signals[signal];
    counts.received += accepted;
    counts.inWal += accepted;
    this.reject(signal, rejected);
  }

  reject(signal: Signal, rejected: Reasons): void {
    const counts = this.counts.signals[signal];
    for (const [reason, count] of Object.entries(rejected)) {
      counts.received += count;
      add(counts.rejected, reason, count);
    }
  }

  /** Items leave the log: `stored` of them are in the store, the others lost. */
  settle(signal: Signal, stored: number, dropped: Reasons): void {
    const counts = this.counts.signals[signal];
    counts.stored += stored;
    counts.inWal -= stored;
    for (const [reason, count] of Object.entries(dropped)) {
      counts.inWal -= count;
      add(counts.dropped, reason, count);
    }
  }

  /** Items that were put into the log so far. */
  accepted(signal: Signal): number {
    const { received, rejected } = this.counts.signals[signal];
    return received - sumOf(rejected);
  }

  request(outcome: string, count = 1): void {
    add(this.counts.requests, outcome, count);
  }

  /** Goes on from counts that were written down. */
  restore(counts: LedgerCounts): void {
    for (const signal of SIGNALS) Object.assign(this.counts.signals[signal], counts.signals[signal]);
    this.counts.requests = { ...counts.requests };
  }
}

export const sumOf = (reasons: Reasons): number => Object.values(reasons).reduce((sum, count) => sum + count, 0);

const add = (reasons: Reasons, reason: string, count: number): void => {
  if (count !== 0) reasons[reason] = (reasons[reason] ?? 0) + count;
};

function empty(): LedgerCounts {
  const none = (): SignalCounts => ({ received: 0, stored: 0, rejected: {}, dropped: {}, inWal: 0 });
  return {
    signals: { traces: none(), metrics: none(), profiles: none(), logs: none() },
    requests: {},
  };
}

/** The counts in Prometheus' text format. */
export function ledgerText({ signals, requests }: LedgerCounts): string {
  const lines: string[] = [];
  const family = (name: string, type: string, help: string): void => {
    lines.push(`# HELP ${name} ${help}`, `# TYPE ${name} ${type}`);
  };
  const sample = (name: string, labels: Record<string, string>, value: number): void => {
    const text = Object.entries(labels).map(([key, label]) => `${key}="${escaped(label)}"`);
    lines.push(`${name}{${text.join(",")}} ${value}`);
  };
  family("longpole_ingest_received_total", "counter", `Items that came: ${Object.values(ITEMS).join(", ")}.`);
  for (const signal of SIGNALS) sample("longpole_ingest_received_total", { signal }, signals[signal].received);
  family("longpole_ingest_stored_total", "counter", "Items that the store has confirmed.");
  for (const signal of SIGNALS) sample("longpole_ingest_stored_total", { signal }, signals[signal].stored);
  family("longpole_ingest_in_wal", "gauge", "Items that were acknowledged and wait for the store.");
  for (const signal of SIGNALS) sample("longpole_ingest_in_wal", { signal }, signals[signal].inWal);
  for (const fate of ["rejected", "dropped"] as const) {
    const name = `longpole_ingest_${fate}_total`;
    family(
      name,
      "counter",
      fate === "rejected" ? "Items refused when they came." : "Items lost after they were taken.",
    );
    for (const signal of SIGNALS) {
      for (const [reason, count] of Object.entries(signals[signal][fate])) sample(name, { signal, reason }, count);
    }
  }
  family("longpole_ingest_requests_total", "counter", "Requests by outcome.");
  for (const [outcome, count] of Object.entries(requests)) sample("longpole_ingest_requests_total", { outcome }, count);
  return `${lines.join("\n")}\n`;
}

const escaped = (text: string): string => text.replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("\n", "\\n");
