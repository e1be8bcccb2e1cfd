import { existsSync } from "node:fs";
import type { ProfileInput } from "../../engine/code/service-profiles.ts";
import { diagnose } from "../../engine/diagnose.ts";
import { whatIf } from "../../engine/what-if.ts";
import { loadInputs, type LoadedInputs } from "../../formats/load-inputs.ts";
import { loadProfiles } from "../../formats/load-profiles.ts";
import type { ProcessLedger } from "../../model/process-ledger.ts";
import type { Report } from "../../model/report.ts";
import type { WhatIfReport } from "../../model/what-if-report.ts";
import { LabError } from "../lab-error.ts";

/** A phase of a recording → its report, as `longpole analyze PHASE [--baseline PHASE]` makes it. */
export async function diagnosePhase(folder: string, baseline?: string, signal?: AbortSignal): Promise<Report> {
  const { spans, metrics, intake } = await read(folder, signal);
  const before = baseline !== undefined && existsSync(baseline) ? await read(baseline, signal) : undefined;
  const hooks = signal === undefined ? {} : { signal };
  const baselines =
    before === undefined
      ? {}
      : {
          baseline: before.spans,
          baselineMetrics: before.metrics,
          baselineProfiles: (await readProfiles(baseline!, signal)).profiles,
        };
  const { profiles, ledgers } = await readProfiles(folder, signal);
  return diagnose({ spans, metrics, intake, profiles, ledgers, ...baselines }, hooks);
}

async function readProfiles(
  folder: string,
  signal?: AbortSignal,
): Promise<{ profiles: ProfileInput[]; ledgers: readonly ProcessLedger[] }> {
  const loaded = await loadProfiles([folder], { others: "pass-over", ...(signal === undefined ? {} : { signal }) });
  const [error] = loaded.errors;
  if (error !== undefined) throw new LabError("recording-damaged", error.message, { cause: error });
  return { profiles: loaded.profiles.map(({ file, stacks }) => ({ source: file, stacks })), ledgers: loaded.ledgers };
}

/** What `longpole what-if PHASE --change ...` says. */
export async function predictPhase(folder: string, changes: readonly string[]): Promise<WhatIfReport> {
  const { spans, metrics } = await read(folder);
  return whatIf(spans, changes, { metrics });
}

async function read(folder: string, signal?: AbortSignal): Promise<LoadedInputs> {
  const loading = loadInputs([folder], signal === undefined ? {} : { signal });
  for (;;) {
    const step = await loading.next();
    if (step.done !== true) continue;
    const [error] = step.value.intake.errors;
    if (error !== undefined) throw new LabError("recording-damaged", error.message, { cause: error });
    return step.value;
  }
}
