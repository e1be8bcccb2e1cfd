import { DurationHistogram } from "./duration-histogram.ts";

/**
 * What the time until an acknowledgement is made of, in the order in which it passes.
 * Of a request: decompressing and decoding it, the wait until the group before is synced. Of a group of requests: handing
 * it to the file system, and until it is on the disk. Of a request again: all of it, from its last byte to its answer.
 */
type Phase = "decode" | "wait" | "write" | "sync" | "acknowledge";

const NAME = "longpole_ingest_phase_seconds";

/** How long the phases of an acknowledgement took since the start. */
export class PhaseTimes {
  private readonly histograms: Readonly<Record<Phase, DurationHistogram>> = {
    decode: new DurationHistogram(),
    wait: new DurationHistogram(),
    write: new DurationHistogram(),
    sync: new DurationHistogram(),
    acknowledge: new DurationHistogram(),
  };

  /** Counts a phase that began at `sinceMs` of performance.now(); gives the present. */
  since(phase: Phase, sinceMs: number): number {
    const nowMs = performance.now();
    this.histograms[phase].addMs(nowMs - sinceMs);
    return nowMs;
  }

  /** In Prometheus' text format. */
  text(): string {
    const help =
      "What an acknowledgement waits for: of a request decode, wait (for the group before) and acknowledge (all of it), of a group of requests write and sync.";
    const samples = Object.entries(this.histograms).map(([phase, times]) => times.text(NAME, `phase="${phase}"`));
    return `# HELP ${NAME} ${help}\n# TYPE ${NAME} histogram\n${samples.join("")}`;
  }
}
