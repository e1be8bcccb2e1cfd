import type { Fault } from "../faults/fault.ts";
import type { PhaseName, PhaseRecording } from "../recording/lab-truth.ts";
import { recordingTarget, writeRecording } from "../recording/write-recording.ts";
import { openLab, phasesOf } from "./experiment.ts";

export interface RecordOptions {
  readonly seed: number;
  /** overrules the fault's own */
  readonly seconds?: number;
  /** false: the fix is not run */
  readonly fix: boolean;
  /** false: no profiles are taken */
  readonly profile: boolean;
  readonly signal: AbortSignal;
}

/** Runs a fault through all its phases, each on the same started system, and keeps the recording in `folder`. */
export async function recordFault(fault: Fault, folder: string, options: RecordOptions): Promise<void> {
  const { seed, seconds, signal } = options;
  await recordingTarget(folder);
  const lab = await openLab(fault, { signal, log: () => {} });
  try {
    const phases: Partial<Record<PhaseName, PhaseRecording>> = {};
    for (const phase of phasesOf(fault, { before: true, fix: options.fix })) {
      phases[phase] = await lab.run(fault, phase, {
        seed,
        profile: options.profile,
        ...(seconds === undefined ? {} : { seconds }),
        progress: () => {},
      });
    }
    await writeRecording(folder, { fault, seed, recordedAt: new Date(), phases });
  } finally {
    await lab.close();
  }
}
