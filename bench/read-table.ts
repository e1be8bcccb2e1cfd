import { loadInputs } from "../src/formats/load-inputs.ts";
import type { SpanTable } from "../src/model/span-table.ts";

/** Spans of files and folders, as the command line reads them. Throws the first InputError. */
export async function readTable(paths: readonly string[]): Promise<SpanTable> {
  const loading = loadInputs(paths);
  for (;;) {
    const step = await loading.next();
    if (step.done !== true) continue;
    const { errors } = step.value.intake;
    if (errors.length > 0) throw errors[0]!;
    return step.value.spans;
  }
}
