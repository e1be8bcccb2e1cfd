import type { TraceReport } from "../../model/trace-report.ts";
import { ratioBar } from "./bar.ts";
import { finish, heading } from "./frame.ts";
import { clip, columns, padEnd, padStart } from "./layout.ts";
import { count, duration, plural } from "./numbers.ts";
import { penFor, toAscii, type Look } from "./pen.ts";
import { safeTexts } from "./safe-text.ts";

type Interval = TraceReport["intervals"][number];

/** Of the heat map: powers of two from 256 ns to 4 s; what lies beyond is counted in the outermost. */
const LOWEST = 8;
const HIGHEST = 32;
const SHADES = " ·░▒▓█";

/** A second as one line of a heat map: the time, how many, and a cell per power of two, darker where more lie. */
export function traceLine({ atSeconds, count: all, buckets }: Interval, unit: TraceReport["unit"], look: Look): string {
  const pen = penFor(look);
  const label = `${padStart(`${atSeconds.toFixed(0)} s`, 6)} ${padStart(count(all), 9)}  `;
  if (unit === "count") return look.ascii ? toAscii(label) : label;
  const cells = Array.from({ length: HIGHEST - LOWEST + 1 }, () => 0);
  for (const { low, count: held } of buckets) {
    const power = Math.min(HIGHEST, Math.max(LOWEST, Math.floor(Math.log2(Math.max(1, low)))));
    cells[power - LOWEST]! += held;
  }
  const most = Math.max(1, ...cells);
  // By the logarithm: a few slow ones are what one looks for.
  const shade = (value: number): string =>
    value === 0 ? SHADES[0]! : SHADES[1 + Math.floor((Math.log1p(value) / Math.log1p(most)) * (SHADES.length - 2))]!;
  const line = label + pen.worse(cells.map((cell) => shade(cell).repeat(2)).join(""));
  return look.ascii ? toAscii(line) : line;
}

const ROWS = 12;
const BUCKETS_OF = 3;

/** The whole: a row per key with its percentiles, and the histograms of the most frequent. */
export function renderTrace(report: TraceReport, look: Look): string[] {
  const pen = penFor({ ...look, width: Math.max(60, look.width) });
  const safe = safeTexts(report);
  const scale = `${" ".repeat(18)}${"256 ns".padEnd(16)}${"66 µs".padEnd(20)}${"67 ms"}`;
  const lines = [
    ...(safe.intervals.length > 0 && safe.unit === "nanoseconds" && safe.probe !== "program"
      ? [pen.faint(scale), ""]
      : []),
    pen.strong(`${safe.title} · ${plural(safe.hits, "hit")} in ${duration(safe.seconds * 1000)}`),
  ];
  if (safe.hits === 0 && safe.printed.length === 0) lines.push("Nothing happened that the probe would have seen.");
  const first = Math.min(40, Math.max(8, ...safe.totals.map(({ key }) => columns(key))));
  if (safe.unit === "nanoseconds" && safe.totals.length > 0 && safe.probe !== "program")
    lines.push(pen.faint(`${padEnd("", first)} ${padStart("count", 9)} ${padStart("p50", 9)} ${padStart("p99", 9)}`));
  for (const { key, count: held, p50, p99 } of safe.totals.slice(0, ROWS)) {
    const times =
      p50 === null || p99 === null || safe.probe === "program"
        ? ""
        : ` ${padStart(duration(p50 / 1e6), 9)} ${padStart(duration(p99 / 1e6), 9)}`;
    lines.push(`${padEnd(clip(key === "" ? "all" : key, first), first)} ${padStart(count(held), 9)}${times}`);
  }
  const left = safe.totals.length - ROWS;
  if (left > 0) lines.push(pen.faint(`${plural(left, "further row")}: --json has all.`));
  const withEdges = safe.totals.filter(({ buckets }) => buckets.some(({ high }) => high !== Infinity));
  for (const { key, buckets } of withEdges.slice(0, BUCKETS_OF)) {
    lines.push("", heading(key === "" ? "Histogram" : key, "", pen));
    const most = Math.max(...buckets.map((bucket) => bucket.count));
    for (const bucket of buckets)
      lines.push(
        `${padStart(edge(bucket.low, report), 9)} – ${padEnd(edge(bucket.high, report), 9)} ${padStart(count(bucket.count), 9)}  ${pen.worse(ratioBar(bucket.count / most, Math.max(10, pen.look.width - 36)))}`,
      );
  }
  return finish([...lines, ...safe.printed.map((text) => text.trimEnd())], look);
}

/** Maps of a given program have units that only it knows. */
const edge = (value: number, { probe }: TraceReport): string =>
  value === Infinity ? "…" : probe === "program" ? count(value) : duration(value / 1e6);

/** The ready probes, and how to use one. */
export function renderProbes(
  probes: readonly { readonly name: string; readonly title: string; readonly takesPid: boolean }[],
  command: string,
  look: Look,
): string[] {
  const pen = penFor(look);
  const all = [
    ...probes.map(({ name, title, takesPid }) => ({
      name,
      title: takesPid ? `${title}; -p PID for one process` : title,
    })),
    { name: "syscall:NAME", title: "time in one system call, by program; -p PID for one process" },
    { name: "uprobe:/PATH:FUNCTION", title: "time in a function of a program or library" },
  ];
  const first = Math.max(...all.map(({ name }) => name.length));
  return finish(
    [
      ...all.map(({ name, title }) => `${padEnd(name, first)}  ${pen.faint(title)}`),
      "",
      pen.code(`${command} trace block-io --seconds 5`),
    ],
    look,
  );
}
