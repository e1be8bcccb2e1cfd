import { loadSpans, type LoadedSpans, type LoadProgress } from "../formats/load-spans.ts";
import { count } from "./render/numbers.ts";

/** Spans of all `paths` in one table, with its progress told in words. What cannot be read stands in `intake.errors`. */
export async function readSpans(
  paths: readonly string[],
  tell: (text: string) => void,
  signal: AbortSignal,
): Promise<LoadedSpans> {
  const began = performance.now();
  const loading = loadSpans(paths, { signal });
  for (;;) {
    const step = await loading.next();
    if (step.done === true) return step.value;
    tell(progressText(step.value, (performance.now() - began) / 1000));
  }
}

/** "reading 12 MB of 40 MB, 210k spans, 160k/s". */
export function progressText(progress: LoadProgress, seconds: number): string {
  const total = progress.bytesTotal < 0 ? "" : ` of ${megabytes(progress.bytesTotal)}`;
  const speed = seconds > 0 ? `, ${thousands(progress.spans / seconds)}/s` : "";
  return `reading ${megabytes(progress.bytesRead)}${total}, ${thousands(progress.spans)} spans${speed}`;
}

export function megabytes(bytes: number): string {
  return bytes < 1e7 ? `${(bytes / 1e6).toFixed(1)} MB` : `${count(bytes / 1e6)} MB`;
}

function thousands(value: number): string {
  return value < 10_000 ? count(value) : `${count(value / 1000)}k`;
}
