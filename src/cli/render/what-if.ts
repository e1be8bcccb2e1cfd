import { clipMiddle, columns, padEnd, padStart, wrap } from "./layout.ts";
import { difference, fromTo, range, rate } from "./numbers.ts";
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
  readonly ceiling: ShownCeiling | null;
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

interface ShownCeiling extends ShownPercentile {
  readonly limiterNow: { readonly service: string; readonly resource: string };
  readonly limiterAfter: { readonly service: string; readonly resource: string };
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
  if (safe.ceiling !== null) lines.push("", ...ceilingLines(safe.ceiling, pen));
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

function ceilingLines({ now, predicted, low, high, limiterNow, limiterAfter }: ShownCeiling, pen: Pen): string[] {
  const isSame = Math.abs(predicted - now) < 0.005 * now;
  const change = `${predicted < now ? "−" : "+"}${rate(Math.abs(predicted - now))}`;
  const text = padStart(isSame ? "unchanged" : change, 9);
  const painted = isSame ? pen.faint(text) : predicted > now ? pen.better(text) : pen.worse(text);
  const interval = pen.faint(`90 % interval ${rate(low).replace("/s", "")}–${rate(high)}`);
  const figures = `${rate(now).replace("/s", "")} → ${rate(predicted)}`;
  const name = ({ service, resource }: { service: string; resource: string }): string => `${service} › ${resource}`;
  const limits = `limited by ${name(limiterNow)} now, by ${name(limiterAfter)} then`;
  return [
    `${pen.strong("ceiling")}  ${pen.faint("requests/s of all endpoints together")}`,
    `       ${padEnd(figures, 20)} ${painted}   ${interval}`,
    ...wrap(limits, pen.look.width - 4, 3).map((line) => `       ${line}`),
  ];
}

function remarks(title: string, texts: readonly string[], pen: Pen): string[] {
  if (texts.length === 0) return [];
  const lines = texts.flatMap((text) =>
    wrap(text, pen.look.width - 4, 4).map((line, i) => `  ${i === 0 ? "·" : " "} ${line}`),
  );
  return ["", heading(title, "", pen), ...lines];
}
