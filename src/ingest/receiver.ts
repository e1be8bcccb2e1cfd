import type { Written } from "../formats/remote-write.ts";
import { InputError } from "../model/intake.ts";
import type { Batcher } from "./batcher.ts";
import type { Body, BodyEncoding } from "./body.ts";
import { inflated, inflatedNow } from "./inflate.ts";
import { type Ledger, sumOf } from "./ledger.ts";
import type { IngestLimits } from "./limits.ts";
import { countLogRecords, countLogRecordsJson } from "./log-records.ts";
import type { PhaseTimes } from "./phases.ts";
import { ITEMS } from "./signal.ts";
import { type RefusalReason, type Wal, WalUnavailable } from "./wal/wal.ts";

/** What a sender is told, whatever its protocol. */
export type Outcome =
  /** all that was accepted is on the disk; `message` says what was not accepted, "" where all was */
  | {
      readonly kind: "taken";
      readonly accepted: number;
      readonly rejected: number;
      readonly message: string;
      readonly written?: Written;
    }
  /** never to be sent again */
  | { readonly kind: "bad"; readonly error: InputError }
  /** to be sent again later */
  | Unavailable;

export interface Unavailable {
  readonly kind: "unavailable";
  readonly reason: RefusalReason | "overloaded";
  readonly message: string;
  readonly retryAfterS: number;
}

/** Room for a request that is being read. */
export interface Lease {
  /** Asks for more; false when there is none. */
  grow(bytes: number): boolean;
  release(): void;
}

const OVERLOADED: Unavailable = {
  kind: "unavailable",
  reason: "overloaded",
  message: "too many requests are in work",
  retryAfterS: 1,
};
/** A disk that is full or fails does not mend within a second. */
const RETRY_AFTER_DISK_S = 5;

/** What all protocols have in common: budgets, decompression, decoding, the log, and the counts. */
export class Receiver {
  private bytes = 0;
  private requests = 0;
  private stopped = false;
  private readonly batcher: Batcher;
  private readonly wal: Wal;
  private readonly ledger: Ledger;
  private readonly limits: IngestLimits;
  private readonly phases: PhaseTimes;

  constructor(parts: { batcher: Batcher; wal: Wal; ledger: Ledger; limits: IngestLimits; phases: PhaseTimes }) {
    this.batcher = parts.batcher;
    this.wal = parts.wal;
    this.ledger = parts.ledger;
    this.limits = parts.limits;
    this.phases = parts.phases;
  }

  /** Room for a request of `bytes`, or why there is none: asked before a request is read. */
  admit(bytes: number): Lease | Unavailable {
    const refusal = this.refusal(bytes);
    if (refusal !== undefined) {
      this.ledger.request(refusal.reason);
      return refusal;
    }
    this.requests++;
    this.bytes += bytes;
    let held = bytes;
    return {
      grow: (more) => {
        if (this.bytes + more > this.limits.inFlightBytes) return false;
        held += more;
        this.bytes += more;
        return true;
      },
      release: () => {
        this.requests--;
        this.bytes -= held;
        held = 0;
      },
    };
  }

  /** What a sender is told for whose request there was no room any more while it was read. */
  overloaded(): Unavailable {
    this.ledger.request("overloaded");
    return OVERLOADED;
  }

  /** From now on everything is refused. */
  stop(): void {
    this.stopped = true;
  }

  /** Requests that have not been answered. */
  get inWork(): number {
    return this.requests;
  }

  async take(body: Body): Promise<Outcome> {
    const outcome = await this.outcomeOf(body);
    this.ledger.request(nameOf(outcome));
    return outcome;
  }

  /** Logs are not kept: the sender is told so, and how many it sent. */
  async takeLogs(sent: Uint8Array, encoding: BodyEncoding, isJson: boolean): Promise<Outcome> {
    const outcome = await this.logsOutcome(sent, encoding, isJson);
    this.ledger.request(nameOf(outcome));
    return outcome;
  }

  /** Counts a request that a protocol refused by itself. */
  refuse(outcome: string): void {
    this.ledger.request(outcome);
  }

  private refusal(bytes: number): Unavailable | undefined {
    if (this.stopped) return unavailable(new WalUnavailable("stopping", "the server is stopping"));
    const { inFlightBytes, inFlightRequests } = this.limits;
    if (this.requests >= inFlightRequests || this.bytes + bytes > inFlightBytes) return OVERLOADED;
    const refusal = this.wal.refusal(bytes);
    return refusal === undefined ? undefined : unavailable(refusal);
  }

  private async outcomeOf(body: Body): Promise<Outcome> {
    try {
      const startMs = performance.now();
      const { decompressedBytes } = this.limits;
      const bytes =
        inflatedNow(body.sent, body.encoding, decompressedBytes) ??
        (await inflated(body.sent, body.encoding, decompressedBytes));
      const { spanAgeMs, pointAgeMs } = this.limits;
      const ageMs = body.signal === "traces" ? spanAgeMs : body.signal === "metrics" ? pointAgeMs : Infinity;
      const oldestMs = Number.isFinite(ageMs) ? body.receivedMs - ageMs : undefined;
      const { decoded, written } = this.batcher.take({ ...body, oldestMs }, bytes);
      this.phases.since("decode", startMs);
      await written;
      this.phases.since("acknowledge", startMs);
      const rejected = sumOf(decoded.rejected);
      const what = ITEMS[body.signal];
      const reasons = Object.entries(decoded.rejected).map(([reason, count]) => `${count} ${reason}`);
      const message =
        rejected === 0 ? "" : `${rejected} ${what} rejected: ${reasons.join(", ")}; the first: ${decoded.example}`;
      const counts = { accepted: decoded.accepted, rejected, message };
      return { kind: "taken", ...counts, ...(decoded.written === undefined ? {} : { written: decoded.written }) };
    } catch (error) {
      return failed(error);
    }
  }

  private async logsOutcome(sent: Uint8Array, encoding: BodyEncoding, isJson: boolean): Promise<Outcome> {
    try {
      const bytes = await inflated(sent, encoding, this.limits.decompressedBytes);
      const rejected = isJson ? countLogRecordsJson(bytes) : countLogRecords(bytes);
      this.batcher.tally("logs", { "not-kept": rejected }, Date.now());
      const message = rejected === 0 ? "" : "logs are not kept here: turn their exporter off or send them elsewhere";
      return { kind: "taken", accepted: 0, rejected, message };
    } catch (error) {
      return failed(error);
    }
  }
}

function failed(error: unknown): Outcome {
  if (error instanceof InputError) return { kind: "bad", error };
  if (error instanceof WalUnavailable) return unavailable(error);
  throw error;
}

function unavailable({ reason, message }: WalUnavailable): Unavailable {
  return { kind: "unavailable", reason, message, retryAfterS: RETRY_AFTER_DISK_S };
}

function nameOf(outcome: Outcome): string {
  switch (outcome.kind) {
    case "taken":
      return "taken";
    case "bad":
      return outcome.error.code;
    case "unavailable":
      return outcome.reason;
  }
}
