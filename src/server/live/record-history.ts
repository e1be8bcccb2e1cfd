import { levelChanges, type LevelChange } from "../../engine/history-change.ts";
import type { LedgerEntry, StoredEvent } from "../../store/history.ts";
import type { Store, TimeRange } from "../../store/store.ts";
import type { SignalCounts } from "../context.ts";
import type { Log } from "../log.ts";
import { endpointHistories } from "./baseline.ts";
import { recordDatabases } from "./record-databases.ts";

const MINUTE_NS = 60_000_000_000n;
const HOUR_NS = 60n * MINUTE_NS;
/** The past in which change points are looked for, by the minute. */
const PAST_NS = 4n * HOUR_NS;
/** The same change is found again a step or two aside as more is known of it. */
const SAME_NS = 10n * MINUTE_NS;
/** Hours that are rolled up late, after a time in which the server did not run. */
const CATCH_UP_NS = 7n * 24n * HOUR_NS;
/** An hour is over when its last spans have come. */
const GRACE_NS = 10n * MINUTE_NS;

const LEDGER_EVERY_MS = 60_000;
const REST_EVERY_MS = 5 * 60_000;
/** Settings are told each minute: of what is read again the last counts. */
const DATABASES_NS = 6n * MINUTE_NS;

type Kept = Pick<Store, "history" | "red" | "rollUpEdges" | "readMetrics">;

/** Writes down, now and then, what the server knows and a restart or a retention would lose. Returns how to stop that. */
export function recordHistory(
  store: Kept,
  signals: () => Readonly<Record<string, SignalCounts>>,
  nowUnixNs: () => bigint,
  log: Log,
): () => Promise<void> {
  const ledger = new LedgerRecord(store);
  const stop = new AbortController();
  let running: Promise<void> = Promise.resolve();
  const run = (what: string, work: () => Promise<unknown>): void => {
    running = running.then(work).then(
      () => undefined,
      (error: unknown) => log("warn", `${what} could not be written down`, { error }),
    );
  };
  const tellLedger = (): void => run("the ledger", () => ledger.write(signals(), nowUnixNs()));
  const tellRest = (): void => {
    const now = nowUnixNs();
    run("change points", () => recordChangePoints(store, now));
    run("statements and settings", () => recordDatabases(store, { fromUnixNs: now - DATABASES_NS, toUnixNs: now }));
    const over = { fromUnixNs: ((now - CATCH_UP_NS) / HOUR_NS) * HOUR_NS, toUnixNs: now - GRACE_NS };
    run("calls between services", async () => {
      // Ended by the end of the server: the next start catches up.
      if (stop.signal.aborted) return;
      await store.rollUpEdges(over, { signal: stop.signal }).catch((error: unknown) => {
        if (!stop.signal.aborted) throw error;
      });
    });
  };
  const timers = [setInterval(tellLedger, LEDGER_EVERY_MS), setInterval(tellRest, REST_EVERY_MS)];
  return async () => {
    for (const timer of timers) clearInterval(timer);
    tellLedger();
    stop.abort();
    await running;
  };
}

/** Totals of the ledger, when they changed. */
export class LedgerRecord {
  private readonly store: Pick<Store, "history">;
  private written = "";

  constructor(store: Pick<Store, "history">) {
    this.store = store;
  }

  async write(signals: Readonly<Record<string, SignalCounts>>, timeUnixNs: bigint): Promise<void> {
    const totals = Object.entries(signals).flatMap(([signal, counts]) => entriesOf(signal, counts));
    const text = JSON.stringify(totals);
    if (text === this.written || totals.length === 0) return;
    await this.store.history.saveLedger(totals, timeUnixNs);
    this.written = text;
  }
}

function entriesOf(signal: string, { received, stored, rejected, dropped }: SignalCounts): LedgerEntry[] {
  const of = (outcome: string, reasons: Readonly<Record<string, number>>): LedgerEntry[] =>
    Object.entries(reasons).map(([reason, items]) => ({ signal, outcome, reason, items }));
  const entries = [
    ...of("received", { "": received }),
    ...of("stored", { "": stored }),
    ...of("rejected", rejected),
    ...of("dropped", dropped),
  ];
  return entries.filter(({ items }) => items > 0);
}

/** Keeps the lasting changes of endpoints' levels that are not kept yet; returns those. */
export async function recordChangePoints(
  store: Pick<Store, "history" | "red">,
  nowUnixNs: bigint,
): Promise<readonly StoredEvent[]> {
  const past: TimeRange = { fromUnixNs: nowUnixNs - PAST_NS, toUnixNs: nowUnixNs };
  const changes = levelChanges(await endpointHistories(store, past, 60, undefined));
  if (changes.length === 0) return [];
  const known = (await store.history.readEvents({ ...past, fromUnixNs: past.fromUnixNs - SAME_NS })).filter(
    ({ kind }) => kind === CHANGE_POINT,
  );
  const found = changes.map(eventOf);
  const isKnown = (event: StoredEvent): boolean =>
    known.some((one) => one.id.startsWith(subjectOf(event.id)) && abs(one.timeUnixNs - event.timeUnixNs) <= SAME_NS);
  const fresh = found.filter((event) => !isKnown(event));
  await store.history.saveEvents(fresh);
  return fresh;
}

const CHANGE_POINT = "change-point";

const abs = (value: bigint): bigint => (value < 0n ? -value : value);

/** What an id says besides the time. */
const subjectOf = (id: string): string => id.slice(0, id.lastIndexOf(" ") + 1);

function eventOf({ service, operation, metric, beforeNs, afterNs, atUnixNs, pValue }: LevelChange): StoredEvent {
  const [beforeMs, afterMs] = [beforeNs / 1e6, afterNs / 1e6];
  const text = (ms: number): string => ms.toPrecision(3);
  const way = afterMs > beforeMs ? "rose" : "fell";
  return {
    id: `${CHANGE_POINT} ${JSON.stringify([service, operation, metric])} ${atUnixNs}`,
    timeUnixNs: atUnixNs,
    kind: CHANGE_POINT,
    service,
    title: `${metric} of ${operation} ${way} from ${text(beforeMs)} to ${text(afterMs)} ms`,
    json: JSON.stringify({ operation, metric, beforeMs, afterMs, pValue }),
  };
}
