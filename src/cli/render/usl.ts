import { uslThroughput } from "../../analysis/usl.ts";
import { finish } from "./frame.ts";
import { padEnd, padStart } from "./layout.ts";
import { plural } from "./numbers.ts";
import { penFor, type Look, type Pen } from "./pen.ts";

/** A fit as far as it is drawn; see `fitUsl`. */
export type ShownUsl =
  | {
      readonly status: "ok" | "no-peak";
      readonly alpha: number;
      readonly beta: number;
      readonly gamma: number;
      readonly peakLoad: number | null;
      readonly peakThroughput: number | null;
      readonly limit: number | null;
      readonly intervals: {
        readonly level: number;
        readonly alpha: ShownInterval;
        readonly beta: ShownInterval;
        readonly gamma: ShownInterval;
        readonly peakLoad: ShownInterval | null;
        readonly peakThroughput: ShownInterval | null;
      };
      readonly points: number;
      readonly detail: string;
    }
  | { readonly status: "insufficient-data"; readonly detail: string };

interface ShownInterval {
  readonly low: number | null;
  readonly high: number | null;
}

interface Measured {
  readonly load: Float64Array;
  readonly throughput: Float64Array;
}

/** The answer first, then the parameters with their intervals, then how the law and the measurements agree. */
export function renderUsl(fit: ShownUsl, measured: Measured, look: Look): string[] {
  const pen = penFor(look);
  if (fit.status === "insufficient-data") return finish([`Cannot tell: ${fit.detail}.`], look);
  const { intervals } = fit;
  const lines = [pen.strong(answer(fit)), `${fit.detail[0]!.toUpperCase()}${fit.detail.slice(1)}.`, ""];
  const row = (name: string, value: number | null, interval: ShownInterval | null, meaning: string): void => {
    if (value !== null) lines.push(parameter(name, value, interval, meaning, pen));
  };
  row("alpha", fit.alpha, intervals.alpha, "contention: share of the work that is done one at a time");
  row("beta", fit.beta, intervals.beta, "coherency: cost of keeping each pair of them in step");
  row("gamma", fit.gamma, intervals.gamma, "throughput at load 1");
  row("peak load", fit.peakLoad, intervals.peakLoad, "");
  row("at the peak", fit.peakThroughput, intervals.peakThroughput, "throughput");
  row("limit", fit.limit, null, "throughput that contention alone would allow");
  const level = Math.round(intervals.level * 100);
  lines.push(
    "",
    pen.faint(`${level} % intervals; ${plural(fit.points, "measurement")}`),
    "",
    ...curve(fit, measured, pen),
  );
  return finish(lines, look);
}

function answer(fit: Extract<ShownUsl, { status: "ok" | "no-peak" }>): string {
  if (fit.peakLoad !== null && fit.peakThroughput !== null)
    return `Throughput peaks at load ${short(fit.peakLoad)} with ${short(fit.peakThroughput)}`;
  return fit.limit === null ? "Throughput grows with the load" : `No peak; throughput approaches ${short(fit.limit)}`;
}

function parameter(name: string, value: number, interval: ShownInterval | null, meaning: string, pen: Pen): string {
  const ends = interval === null ? "" : `${end(interval.low)} – ${end(interval.high)}`;
  return `  ${padEnd(name, 11)} ${pen.strong(padEnd(short(value), 10))} ${padEnd(ends, 22)} ${pen.faint(meaning)}`.trimEnd();
}

const end = (value: number | null): string => (value === null ? "?" : short(value));

/** Each measurement beside what the law says there. */
function curve(
  law: { alpha: number; beta: number; gamma: number },
  { load, throughput }: Measured,
  pen: Pen,
): string[] {
  const lines = [pen.faint(`  ${padStart("load", 10)} ${padStart("measured", 12)} ${padStart("law", 12)}`)];
  for (let i = 0; i < load.length; i++) {
    const n = load[i]!;
    const expected = short(uslThroughput(law, n));
    lines.push(`  ${padStart(short(n), 10)} ${padStart(short(throughput[i]!), 12)} ${padStart(expected, 12)}`);
  }
  return lines;
}

const short = (value: number): string =>
  value !== 0 && Math.abs(value) < 1e-3
    ? value.toExponential(3)
    : Number(value.toPrecision(4)).toLocaleString("en", { maximumFractionDigits: 6 });
