import type { WaitClass } from "../../analysis/wait-class.ts";
import type { ProcessRecording } from "../../model/process-recording.ts";
import type { Evidence, Mechanism, Severity, Subject } from "../../model/report.ts";
import type { ThreadTime, TimeLedger } from "./time-ledger.ts";

/** What the explanations of a recording look at. */
export interface MicroCase {
  readonly recording: ProcessRecording;
  readonly ledger: TimeLedger;
  /** per sample of `recording.offCpu` */
  readonly waits: readonly WaitClass[];
  /** how to record again with these flags, for evidence that can be checked */
  readonly again: (flags: string) => string;
}

/** One thing that a thread's time goes to, and would not have to. */
export interface MicroCause {
  readonly mechanism: Mechanism;
  readonly kind: "latency" | "resource" | "code" | "config";
  readonly title: string;
  readonly why: string;
  readonly subject: Omit<Subject, "service">;
  /** the thread that spends most of it */
  readonly thread: ThreadTime;
  /** that thread's time that would be gone, and between what and what as far as sampling tells */
  readonly gainNs: number;
  readonly lowNs: number;
  readonly highNs: number;
  /** at most: a habit of good programs, too, is no more than a note */
  readonly most: Severity;
  readonly confidence: number;
  readonly evidence: readonly Evidence[];
  readonly counter: readonly string[];
  readonly refutedBy: string;
  readonly remedy: { readonly text: string; readonly change?: string };
}

/** Time in which a thread did, or wanted to do, something: its wall time without sleep and waits for work. */
export const busyNs = ({ thread, ns, idleNs }: ThreadTime): number => Math.max(0, thread.wallNs - ns.sleep - idleNs);
