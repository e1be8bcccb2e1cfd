import { finish, heading } from "./frame.ts";
import { ratioBar } from "./bar.ts";
import { clipMiddle, padEnd, padStart, wrap } from "./layout.ts";
import { count, duration, percent, plural, rate, span } from "./numbers.ts";
import { penFor, type Look, type Pen } from "./pen.ts";
import { safeText } from "./safe-text.ts";

/** A step as far as it is drawn. */
interface ShownStep {
  readonly perSecond: number;
  readonly throughputPerSecond: number;
  readonly p50Ms: number | null;
  readonly p95Ms: number | null;
  readonly p99Ms: number | null;
  readonly inFlight: number;
  readonly failures: number;
  readonly requests: number;
  readonly verdict: string;
  readonly recovered: boolean;
}

/** A ramp as far as it is drawn; see `RampDocument`. */
export interface ShownRamp {
  readonly target: string;
  readonly requests: number;
  readonly arrivals: string;
  readonly seed: number;
  readonly objective: string | null;
  readonly stop: { readonly reason: string; readonly detail: string };
  readonly knee: {
    readonly lowPerSecond: number | null;
    readonly highPerSecond: number | null;
    readonly reason: string | null;
    readonly detail: string | null;
  };
  readonly ceiling: {
    readonly perSecond: number;
    readonly lowPerSecond: number;
    readonly highPerSecond: number;
    readonly from: string;
    readonly collapsesToPerSecond: number | null;
  } | null;
  readonly usl:
    | {
        readonly status: "ok" | "no-peak";
        readonly detail: string;
        readonly alpha: number;
        readonly beta: number;
        readonly peakLoad: number | null;
        readonly peakThroughput: number | null;
        readonly limit: number | null;
      }
    | { readonly status: "insufficient-data"; readonly detail: string };
  readonly limiter: {
    readonly status: string;
    readonly detail: string;
    readonly limiter?: {
      readonly service: string;
      readonly resource: string;
      readonly ceilingPerSecond: number;
      readonly lowPerSecond: number;
      readonly highPerSecond: number;
    };
    readonly next?: { readonly service: string; readonly resource: string; readonly ceilingPerSecond: number };
    readonly finding?: string;
  };
  readonly generator: { readonly ok: boolean; readonly mostBusy: number | null; readonly mostLateP99Ms: number | null };
  readonly seconds: number;
  readonly recorded: string | null;
  readonly steps: readonly ShownStep[];
}

/** What a verdict on a step means, in a word or two. */
export const VERDICTS: Readonly<Record<string, string>> = {
  steady: "steady",
  unsettled: "not settled",
  "queue-grows": "queue grows",
  objective: "too slow",
  errors: "errors",
  generator: "generator's limit",
};

/** The answer first, then each step's load, throughput and latency, then the law and what limits. */
export function renderRamp(ramp: ShownRamp, look: Look, command: string): string[] {
  const pen = penFor({ ...look, width: Math.max(60, look.width) });
  const lines = [pen.strong(answer(ramp)), ...ceilingLines(ramp, pen)];
  lines.push(...wrapped(`Stopped after ${span(ramp.seconds * 1000)}: ${ramp.stop.detail}.`, pen));
  if (ramp.steps.length > 0) lines.push("", ...table(ramp, pen));
  lines.push("", ...law(ramp, pen), ...limiter(ramp, pen));
  if (ramp.recorded !== null) {
    const analyze = `${command} analyze ${ramp.recorded}/knee --baseline ${ramp.recorded}/below`;
    lines.push("", `${pen.faint("What happens at the knee:")} ${pen.code(analyze)}`);
  }
  return finish(lines, look);
}

function answer({ knee: { lowPerSecond: low, highPerSecond: high, reason }, stop }: ShownRamp): string {
  const why = reason === null ? "" : ` (${VERDICTS[reason] ?? reason})`;
  if (low !== null && high !== null) return `Sustains ${rate(low)}, and no longer ${rate(high)}${why}`;
  if (low !== null && stop.reason === "max-rate") return `Sustains ${rate(low)}, the largest rate that was wanted`;
  if (low !== null) return `Sustains ${rate(low)}; how much more cannot be told`;
  return high === null ? "Cannot tell what it sustains" : `Does not sustain ${rate(high)}${why}`;
}

function ceilingLines({ ceiling, knee }: ShownRamp, pen: Pen): string[] {
  if (ceiling === null)
    return knee.highPerSecond === null ? [] : wrapped("No queue grew: its ceiling was not seen.", pen);
  const { perSecond, lowPerSecond, highPerSecond, from, collapsesToPerSecond } = ceiling;
  const by =
    from === "overload"
      ? "what it answered while its queue grew"
      : "what it sustained, since it answers less when its queue grows";
  const falls =
    collapsesToPerSecond === null ? "" : ` Under the heaviest load it answered ${rate(collapsesToPerSecond)} only.`;
  const interval = `${rate(lowPerSecond).replace("/s", "")}–${rate(highPerSecond)}`;
  return wrapped(`Ceiling ${rate(perSecond)} (${interval}): ${by}.${falls}`, pen);
}

/** Columns that are left for two bars; without it there are none. */
const WITH_BARS = 96;
const BAR = 12;

function table({ steps, target, arrivals, seed, requests }: ShownRamp, pen: Pen): string[] {
  const hasBars = pen.look.width >= WITH_BARS;
  const bar = (value: number, most: number): string =>
    hasBars ? ` ${ratioBar(most > 0 ? value / most : 0, BAR)}` : "";
  const gap = hasBars ? " ".repeat(BAR + 1) : "";
  const mostAnswered = Math.max(...steps.map((step) => step.throughputPerSecond));
  // Of those that were sustained, or one overload would flatten all others.
  const steady = steps.filter(({ verdict }) => verdict === "steady").map(({ p99Ms }) => p99Ms ?? 0);
  const mostP99 = 2 * Math.max(0, ...steady);
  const time = (ms: number | null): string => (ms === null ? "–" : duration(ms));
  const what = `${requests === 1 ? clipMiddle(safeText(target), 40) : plural(requests, "request")} · ${arrivals} · seed ${seed}`;
  const head = `  ${padStart("offered", 8)}${padStart("answered", 9)}${gap}${padStart("p50", 9)}${padStart("p95", 9)}${padStart("p99", 9)}${gap}${padStart("in flight", 10)}`;
  const rows = steps
    .toSorted((a, b) => a.perSecond - b.perSecond)
    .map((step) => {
      const p99 = pen.strong(padStart(time(step.p99Ms), 9));
      const load = `${padStart(rate(step.perSecond), 8)}${padStart(rate(step.throughputPerSecond), 9)}${bar(step.throughputPerSecond, mostAnswered)}`;
      const times = `${padStart(time(step.p50Ms), 9)}${padStart(time(step.p95Ms), 9)}${p99}${bar(step.p99Ms ?? 0, mostP99)}`;
      return `  ${load}${times}${padStart(inside(step.inFlight), 10)}  ${verdictOf(step, pen)}`;
    });
  return [heading("Load against throughput and latency", what, pen), pen.faint(head), ...rows];
}

const inside = (value: number): string => (value < 99.95 ? value.toFixed(1) : count(value));

function verdictOf({ verdict, failures, requests, recovered }: ShownStep, pen: Pen): string {
  const failed = failures > 0 ? ` (${percent(failures / requests)} failed)` : "";
  const word = `${VERDICTS[verdict] ?? verdict}${failed}${recovered ? "" : ", not recovered"}`;
  if (verdict === "steady") return pen.faint(word);
  return verdict === "errors" || verdict === "objective" ? pen.error(word) : pen.worse(word);
}

function law({ usl }: ShownRamp, pen: Pen): string[] {
  const title = heading("Scalability law", "of the steady steps; its load is the requests in flight", pen);
  if (usl.status === "insufficient-data") return [title, ...wrapped(`Cannot be fitted: ${usl.detail}.`, pen)];
  const peak =
    usl.peakThroughput !== null
      ? `throughput peaks at ${rate(usl.peakThroughput)} with ${inside(usl.peakLoad ?? 0)} in flight`
      : usl.limit === null
        ? "throughput grows with the load"
        : `throughput approaches ${rate(usl.limit)}`;
  const parameters = `contention ${usl.alpha.toPrecision(3)}, coherency ${usl.beta.toPrecision(3)}`;
  return [title, ...wrapped(`${peak[0]!.toUpperCase()}${peak.slice(1)} (${parameters}); ${usl.detail}.`, pen)];
}

function limiter({ limiter: found }: ShownRamp, pen: Pen): string[] {
  const title = heading("What limits", "by the traces and metrics at the knee", pen);
  const lines = ["", title];
  const { limiter: first, next } = found;
  if (first !== undefined) {
    const interval = `90 % interval ${rate(first.lowPerSecond).replace("/s", "")}–${rate(first.highPerSecond)}`;
    const place = clipMiddle(safeText(`${first.service} › ${first.resource}`), pen.look.width - 50);
    lines.push(`  ${padEnd("limit", 8)}${pen.strong(rate(first.ceilingPerSecond))}  ${place}  ${pen.faint(interval)}`);
  }
  if (next !== undefined) {
    const place = clipMiddle(safeText(`${next.service} › ${next.resource}`), pen.look.width - 50);
    lines.push(`  ${padEnd("then", 8)}${pen.strong(rate(next.ceilingPerSecond))}  ${place}`);
  }
  lines.push(...wrapped(safeText(`${found.detail[0]!.toUpperCase()}${found.detail.slice(1)}.`), pen));
  if (found.finding !== undefined) lines.push(...wrapped(`First finding there: ${safeText(found.finding)}`, pen));
  return lines;
}

const wrapped = (text: string, pen: Pen): string[] => wrap(text, pen.look.width - 2).map((line) => `  ${line}`);
