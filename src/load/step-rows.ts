import { Outcome, type StepRecord } from "../analysis/load-step.ts";

/** A step does not go on against a server that fails: so many requests one after the other, and none that succeeded. */
const FAILED_IN_A_ROW = 200;
/** Nor does it pile up more than this: some hundred megabytes of requests. */
const MOST_IN_FLIGHT = 50_000;

/** The columns of a step that is under way, and whether it should go on. */
export class StepRows {
  sent = 0;
  ended = 0;
  failed = 0;
  /** aborted when the step should send no more */
  readonly halt: AbortController = new AbortController();
  private readonly dueMs: Float64Array;
  private readonly lateMs: Float64Array;
  private readonly connectedMs: Float64Array;
  private readonly endedMs: Float64Array;
  private readonly outcome: Uint8Array;
  private readonly errors: Record<string, number> = {};
  private lastDueMs = 0;
  private failedInARow = 0;

  constructor(dueMs: Float64Array) {
    const unknown = (): Float64Array => new Float64Array(dueMs.length).fill(Number.NaN);
    this.dueMs = dueMs;
    this.lateMs = unknown();
    this.connectedMs = unknown();
    this.endedMs = unknown();
    this.outcome = new Uint8Array(dueMs.length).fill(Outcome.neverSent);
  }

  left(row: number, lateMs: number): void {
    this.lateMs[row] = Math.max(0, lateMs);
    this.lastDueMs = this.dueMs[row]!;
    if (++this.sent - this.ended > MOST_IN_FLIGHT) this.halt.abort();
  }

  connected(row: number, atMs: number): void {
    this.connectedMs[row] = atMs;
  }

  /** told: the status of the answer, or what was wrong where there was none */
  end(row: number, told: number | string, latencyMs: number): void {
    this.endedMs[row] = this.dueMs[row]! + latencyMs;
    this.ended++;
    const isAnswer = typeof told === "number";
    if (isAnswer && told < 400) {
      this.outcome[row] = Outcome.answered;
      this.failedInARow = 0;
      return;
    }
    this.outcome[row] = told === "timeout" ? Outcome.noAnswer : Outcome.failed;
    const kind = isAnswer ? `http ${told}` : told;
    this.errors[kind] = (this.errors[kind] ?? 0) + 1;
    this.failed++;
    if (++this.failedInARow >= FAILED_IN_A_ROW) this.halt.abort();
  }

  record(
    rest: Pick<StepRecord, "perSecond" | "startUnixMs" | "connections" | "generatorBusy">,
    seconds: number,
  ): StepRecord {
    const { dueMs, lateMs, connectedMs, endedMs, outcome, errors } = this;
    const lengthMs = this.halt.signal.aborted ? this.lastDueMs : seconds * 1000;
    return { ...rest, lengthMs, dueMs, lateMs, connectedMs, endedMs, outcome, errors };
  }
}
