import { loadInputs } from "../src/formats/load-inputs.ts";
import type { MetricTable } from "../src/model/metric-table.ts";
import type { SpanTable } from "../src/model/span-table.ts";

export interface Recording {
  readonly spans: SpanTable;
  readonly metrics: MetricTable;
}

/** Spans and metrics of files and folders, as the command line reads them. Throws the first InputError. */
export async function readRecording(paths: readonly string[]): Promise<Recording> {
  const loading = loadInputs(paths);
  for (;;) {
    const step = await loading.next();
    if (step.done !== true) continue;
    const [error] = step.value.intake.errors;
    // A recording of nothing is a recording.
    if (error !== undefined && error.code !== "empty") throw error;
    return step.value;
  }
}

/** The spans alone. */
export const readTable = async (paths: readonly string[]): Promise<SpanTable> => (await readRecording(paths)).spans;
