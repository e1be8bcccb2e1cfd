import { loadInputs, type LoadedInputs, type LoadProgress } from "../formats/load-inputs.ts";
import { count, megabytes } from "./render/numbers.ts";

/** Spans and metrics of all `paths` in a table each, with the progress told in words. What cannot be read stands in `intake.errors`. */
export async function readInputs(
  paths: readonly string[],
  tell: (text: string) => void,
  signal: AbortSignal,
  profilesElsewhere = false,
): Promise<LoadedInputs> {
  const began = performance.now();
  const loading = loadInputs(paths, { signal, profilesElsewhere });
  for (;;) {
    const step = await loading.next();
    if (step.done === true) return step.value;
    tell(progressText(step.value, (performance.now() - began) / 1000));
  }
}

/** "reading 12 MB of 40 MB, 210k spans, 160k/s", with the points of metrics where there are any. */
export function progressText(progress: LoadProgress, seconds: number): string {
  const total = progress.bytesTotal < 0 ? "" : ` of ${megabytes(progress.bytesTotal)}`;
  const speed = seconds > 0 ? `, ${thousands((progress.spans + progress.points) / seconds)}/s` : "";
  const points = progress.points > 0 ? `, ${thousands(progress.points)} points of metrics` : "";
  return `reading ${megabytes(progress.bytesRead)}${total}, ${thousands(progress.spans)} spans${points}${speed}`;
}

function thousands(value: number): string {
  return value < 10_000 ? count(value) : `${count(value / 1000)}k`;
}
