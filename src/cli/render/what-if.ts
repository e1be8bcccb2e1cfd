import { clipMiddle, columns, padEnd, padStart, wrap } from "./layout.ts";
import { difference, fromTo, range } from "./numbers.ts";
import { penFor, type Look, type Pen } from "./pen.ts";
import { finish, heading } from "./frame.ts";
import { safeTexts } from "./safe-text.ts";

/** A prediction as far as it is drawn; see `longpole.what-if/1`. */
export interface ShownPrediction {
  readonly changes: readonly string[];
  readonly endpoints: readonly (Readonly<Record<Percentile, ShownPercentile>> & {
    readonly service: string;
    readonly operation: string;
  })[];
  readonly assumptions: readonly string[];
  readonly cannotTell: readonly string[];
}

type Percentile = "p50" | "p95" | "p99";

interface ShownPercentile {
  readonly now: number;
  readonly predicted: number;
  readonly low: number;
  readonly high: number;
}

/** The changes, what they would bring each endpoint, and what that rests on. */
export function renderWhatIf(prediction: ShownPrediction, look: Look): string[] {
  const pen = penFor({ ...look, width: Math.max(60, look.width) });
  const safe = safeTexts(prediction);
  const lines = [heading("What if", "all changes together", pen)];
  for (const change of safe.changes)
    lines.push(...wrap(change, pen.look.width - 4, 4).map((line) => `  ${pen.code(line)}`));
  for (const endpoint of safe.endpoints) {
    const operation = clipMiddle(endpoint.operation, pen.look.width >> 1);
    const service = clipMiddle(endpoint.service, pen.look.width - columns(operation) - 2);
    lines.push("", `${pen.strong(operation)}  ${pen.faint(service)}`);
    for (const name of ["p50", "p95", "p99"] as const) lines.push(percentileLine(name, endpoint[name], pen));
  }
  lines.push(...remarks("Taken for granted", safe.assumptions, pen), ...remarks("Cannot tell", safe.cannotTell, pen));
  return finish(lines, look);
}

function percentileLine(name: Percentile, value: ShownPercentile, pen: Pen): string {
  const change = value.predicted - value.now;
  const unchanged = Math.abs(change) < 0.005 * value.now;
  const text = padStart(unchanged ? "unchanged" : difference(change), 9);
  const painted = unchanged ? pen.faint(text) : change < 0 ? pen.better(text) : pen.worse(text);
  const interval = pen.faint(`90 % interval ${range(value.low, value.high)}`);
  return `  ${pen.strong(name)}  ${padEnd(fromTo(value.now, value.predicted), 20)} ${painted}   ${interval}`;
}

function remarks(title: string, texts: readonly string[], pen: Pen): string[] {
  if (texts.length === 0) return [];
  const lines = texts.flatMap((text) =>
    wrap(text, pen.look.width - 4, 4).map((line, i) => `  ${i === 0 ? "·" : " "} ${line}`),
  );
  return ["", heading(title, "", pen), ...lines];
}
