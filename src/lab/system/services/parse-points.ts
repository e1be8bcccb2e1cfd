import type { IngestSettings } from "../../settings.ts";

/** One measurement: `metric,tag=value,tag=value 12.5 1700000000000` */
export interface Point {
  /** metric and tags as they came; points of one series have equal ones */
  readonly series: string;
  readonly value: number;
  readonly timeUnixMs: number;
}

export interface ParsedPoints {
  readonly points: Point[];
  /** lines that are none */
  readonly rejected: number;
}

/** A point per line. */
export function parsePoints(bytes: Buffer, parser: IngestSettings["parser"]): ParsedPoints {
  return parser === "scan" ? scan(bytes) : match(bytes.toString("utf8"));
}

const NEWLINE = 10;
const SPACE = 32;

function scan(bytes: Buffer): ParsedPoints {
  const points: Point[] = [];
  let rejected = 0;
  for (let start = 0; start < bytes.length;) {
    const found = bytes.indexOf(NEWLINE, start);
    const end = found < 0 ? bytes.length : found;
    if (end > start) {
      const point = scanLine(bytes, start, end);
      if (point === undefined) rejected++;
      else points.push(point);
    }
    start = end + 1;
  }
  return { points, rejected };
}

function scanLine(bytes: Buffer, start: number, end: number): Point | undefined {
  const afterSeries = bytes.indexOf(SPACE, start);
  if (afterSeries <= start || afterSeries >= end) return undefined;
  const afterValue = bytes.indexOf(SPACE, afterSeries + 1);
  if (afterValue <= afterSeries + 1 || afterValue >= end - 1) return undefined;
  const value = Number(bytes.toString("latin1", afterSeries + 1, afterValue));
  const timeUnixMs = Number(bytes.toString("latin1", afterValue + 1, end));
  if (!Number.isFinite(value) || !Number.isSafeInteger(timeUnixMs)) return undefined;
  return { series: bytes.toString("utf8", start, afterSeries), value, timeUnixMs };
}

function match(text: string): ParsedPoints {
  const lines = text.split("\n").filter((line) => line.trim() !== "");
  const points = lines.flatMap((line) => {
    const parts =
      /^(?<metric>[^\s,]+)(?<tags>(?:,[^\s,=]+=[^\s,]*)*) (?<value>-?[\d.]+(?:[eE][-+]?\d+)?) (?<time>\d+)$/.exec(line);
    if (parts?.groups === undefined) return [];
    const { metric = "", tags = "", value, time } = parts.groups;
    const pairs = tags
      .split(",")
      .filter((tag) => /\S/.test(tag))
      .map((tag) => tag.split("=", 2));
    const labels = Object.fromEntries(pairs) as Record<string, string>;
    const series = [metric, ...Object.entries(labels).map(([name, label]) => `${name}=${label}`)].join(",");
    const point = { ...parts.groups, labels, series, value: Number(value), timeUnixMs: Number(time) };
    return [{ series: point.series, value: point.value, timeUnixMs: point.timeUnixMs }];
  });
  return { points, rejected: lines.length - points.length };
}
