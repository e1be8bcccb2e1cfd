import type { ObjectiveResult } from "../../model/report.ts";
import { wrap } from "./layout.ts";
import { duration } from "./numbers.ts";
import type { Pen } from "./pen.ts";

/** A line or two per objective: met, missed (red: over the limit) or not to be told, and by how much. */
export function renderObjectives(results: readonly ObjectiveResult[], pen: Pen): string[] {
  return results.flatMap((result) => {
    const { told, paint } = verdict(result, pen);
    const detail = result.detail === undefined ? [] : [result.detail];
    const text = `${told}: ${result.text} · ${[...figures(result), ...detail].join("; ")}`;
    return wrap(text, pen.look.width - 2, 4).map((line, i) => paint(i === 0 ? line : `  ${line}`));
  });
}

function verdict({ met }: ObjectiveResult, pen: Pen): { told: string; paint: (text: string) => string } {
  switch (met) {
    case true:
      return { told: "✓ objective met", paint: pen.better };
    case false:
      return { told: "■ objective missed", paint: pen.error };
    case null:
      return { told: "▲ objective cannot be told", paint: pen.worse };
  }
}

function figures({ endpoint, nowMs, limitMs }: ObjectiveResult): string[] {
  if (endpoint === null || nowMs === null) return [];
  const now = `${duration(nowMs)} at ${endpoint.service}`;
  // In per cent where a factor would read as "1.0 times".
  if (nowMs >= 1.1 * limitMs) return [`${now}, ${(nowMs / limitMs).toFixed(1)} times the limit`];
  return nowMs >= limitMs ? [`${now}, ${((nowMs / limitMs - 1) * 100).toFixed(1)} % over the limit`] : [now];
}
