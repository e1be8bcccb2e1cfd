import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Fault, FixStep } from "../faults/fault.ts";
import { LabError } from "../lab-error.ts";
import { USUAL_LOAD, type LoadPlan } from "../load/load-plan.ts";
import type { LoadProgress } from "../load/run-load.ts";
import type { PhaseName } from "../recording/lab-truth.ts";
import { HEALTHY, withSettings, type SystemSettings } from "../settings.ts";
import { startSink, type TakenRequest, type TelemetrySink } from "../../load/telemetry-sink.ts";
import { startSystem, type RunningSystem } from "../system/start-system.ts";
import { runPhase, type PhasePlan, type PhaseRecord, type Stage } from "./phase.ts";

export interface LabOptions {
  readonly signal: AbortSignal;
  /** what happens, a line each, for people */
  readonly log: (line: string) => void;
  /** false: the services run without the SDK, to measure what observing costs */
  readonly observe?: boolean;
  /** folders of the caller's that go, too, where this process is killed */
  readonly removeIfKilled?: readonly string[];
  /** the database is looked into as `longpole agent --postgres` does */
  readonly looksWithin?: boolean;
  /** hears all that the services send, as they send it */
  readonly onTelemetry?: (taken: TakenRequest) => void;
}

export interface PhaseOptions {
  readonly seed: number;
  /** overrules the fault's own */
  readonly seconds?: number;
  readonly perSecond?: number;
  /** false: no profiles are taken */
  readonly profile?: boolean;
  readonly progress: (progress: LoadProgress) => void;
  /** ends this phase, not the lab */
  readonly signal?: AbortSignal;
}

/** The sample system, running, to be broken and mended. One phase at a time. */
export interface Lab {
  readonly system: RunningSystem;
  /** runs a phase of the fault and returns what was recorded; profiles stay until `close` */
  run(fault: Fault, phase: PhaseName, options: PhaseOptions): Promise<PhaseRecord>;
  /** ends every process and removes what it wrote */
  close(): Promise<void>;
}

/** Starts the healthy system, for the settings that `fault` wants in earlier times. Throws LabError with one clear sentence. */
export async function openLab(first: Fault, options: LabOptions): Promise<Lab> {
  const folder = await temporaryFolder("longpole-lab-");
  let sink: TelemetrySink | undefined;
  let system: RunningSystem | undefined;
  const close = async (): Promise<void> => {
    await system?.stop();
    await sink?.close();
    await rm(folder, { recursive: true, force: true });
  };
  try {
    sink = await startSink(options.onTelemetry === undefined ? {} : { onTaken: options.onTelemetry });
    system = await startSystem({
      settings: settingsOf(first, "before"),
      telemetryUrl: options.observe === false ? undefined : sink.url,
      folder,
      removeAtEnd: [folder, ...(options.removeIfKilled ?? [])],
      signal: options.signal,
      log: options.log,
      looksWithin: options.looksWithin === true,
    });
    options.log((await system.health()).line);
  } catch (error) {
    await close();
    throw error;
  }
  const stage: Stage = { system, sink, folder };
  const signal = AbortSignal.any([options.signal, system.failure]);
  return {
    system,
    run: (fault, phase, wanted) =>
      runPhase(stage, planOf(fault, phase, wanted), {
        signal: wanted.signal === undefined ? signal : AbortSignal.any([signal, wanted.signal]),
        progress: wanted.progress,
      }).catch((error: unknown) => {
        // A process that died is the cause of whatever broke after it.
        throw signal.aborted ? signal.reason : error;
      }),
    close,
  };
}

/** A fresh folder for what does not outlive the run. Throws a LabError where there is no place for it. */
export async function temporaryFolder(prefix: string): Promise<string> {
  try {
    return await mkdtemp(join(tmpdir(), prefix));
  } catch (error) {
    throw new LabError("folder", `no folder can be made in ${tmpdir()}: ${(error as Error).message}`, { cause: error });
  }
}

/** The phases of a fault in their order, the fix (or its steps) last. */
export function phasesOf(fault: Fault, wanted: { readonly before: boolean; readonly fix: boolean }): PhaseName[] {
  const fixes: PhaseName[] =
    !wanted.fix || fault.truths.length === 0
      ? []
      : fault.steps === undefined
        ? ["fixed"]
        : fault.steps.map((_, i) => (i === fault.steps!.length - 1 ? "fixed" : (`fixed-${i + 1}` as const)));
  return [...(wanted.before ? (["before"] as const) : []), "fault", ...fixes];
}

function planOf(fault: Fault, phase: PhaseName, { seed, seconds, perSecond, profile = true }: PhaseOptions): PhasePlan {
  const usual: LoadPlan = { ...USUAL_LOAD, ...fault.load };
  const load: LoadPlan = { ...usual, ...(phase === "fault" ? fault.brokenLoad : {}), seed };
  // Another rate or length leaves the fault what it is: a load that trebles trebles the wanted one.
  const faster = perSecond === undefined ? 1 : perSecond / usual.perSecond;
  const longer = seconds === undefined ? 1 : seconds / usual.seconds;
  const wanted = { ...load, perSecond: load.perSecond * faster, seconds: load.seconds * longer };
  return {
    settings: settingsOf(fault, phase),
    load: phase === "before" ? { ...wanted, seconds: Math.min(wanted.seconds, BEFORE_SECONDS) } : wanted,
    during:
      phase === "fault"
        ? (fault.during ?? []).map(({ atSeconds, sql }) => ({ atSeconds: atSeconds * longer, sql }))
        : [],
    // Of the system as it is now; earlier times and mended systems are measured, not explained.
    profile: profile && phase === "fault",
  };
}

/** Earlier times need fewer requests: they are only compared with. At 40/s 480 requests, 24 beyond the p95. */
const BEFORE_SECONDS = 12;

export function settingsOf(fault: Fault, phase: PhaseName): SystemSettings {
  const broken = withSettings(HEALTHY, fault.broken);
  if (phase === "before") return withSettings(HEALTHY, fault.before ?? {});
  if (phase === "fault") return broken;
  const steps = stepsUntil(fault, phase);
  if (steps.length > 0) return steps.reduce((settings, step) => withSettings(settings, step.settings), broken);
  return fault.fixed === undefined ? HEALTHY : withSettings(broken, fault.fixed);
}

function stepsUntil({ steps = [] }: Fault, phase: PhaseName): readonly FixStep[] {
  return phase === "fixed" ? steps : steps.slice(0, Number(phase.slice("fixed-".length)));
}
