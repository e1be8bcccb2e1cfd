import type { BlameRow, EndpointReport } from "../../model/report.ts";
import { stackedBar, texture } from "./bar.ts";
import { renderLedger } from "./endpoint-ledger.ts";
import { clip, clipMiddle, columns, padEnd, padStart, wrap } from "./layout.ts";
import { count, difference, duration, percent, plural, range, rate } from "./numbers.ts";
import type { Pen } from "./pen.ts";
import { timeKindWords } from "./time-kind-words.ts";

/** An endpoint: how it does, and where its slowest requests spend their time. */
export function renderEndpoint(endpoint: EndpointReport, pen: Pen): string[] {
  return [
    ...title(endpoint, pen),
    figures(endpoint, pen),
    ...baseline(endpoint, pen),
    ...caution(endpoint, pen),
    ...blame(endpoint, pen),
    ...renderLedger(endpoint.ledger, pen),
  ];
}

function title(endpoint: EndpointReport, pen: Pen): string[] {
  const right = `${plural(endpoint.requests, "request")} · ${rate(endpoint.perSecond)}`;
  const room = pen.look.width - columns(right) - 2;
  const service = clipMiddle(endpoint.service, Math.max(12, room >> 1));
  const operation = clipMiddle(endpoint.operation, room - columns(service) - 2);
  const left = `${pen.strong(operation)}  ${pen.faint(service)}`;
  return [`${padEnd(left, room)}  ${pen.faint(right)}`];
}

function figures(endpoint: EndpointReport, pen: Pen): string {
  const percentiles = (["p50", "p95", "p99"] as const).map((name) => {
    const text = `${name} ${padStart(duration(endpoint[`${name}Ms`]), 7)}`;
    return name === "p99" ? pen.strong(text) : text;
  });
  const errors = `errors ${percent(endpoint.errorRatio)}`;
  return `  ${[...percentiles, endpoint.errorRatio > 0 ? pen.error(errors) : pen.faint(errors)].join("   ")}`;
}

function baseline({ baseline: before, ...now }: EndpointReport, pen: Pen): string[] {
  if (before === undefined) return [];
  const cells = (["p50Ms", "p95Ms", "p99Ms"] as const).map((key) => {
    const change = now[key] - before[key];
    const text = `    ${padStart(difference(change), 8)}`;
    // Below a twentieth nobody would call it a change.
    if (Math.abs(change) < 0.05 * before[key]) return pen.faint(text);
    return change > 0 ? pen.worse(text) : pen.better(text);
  });
  const from = pen.look.width < WIDE ? "against baseline" : `against ${plural(before.requests, "request")} before`;
  return [` ${cells.join("  ")}   ${pen.faint(from)}`];
}

function caution({ caution: text }: EndpointReport, pen: Pen): string[] {
  return text === undefined
    ? []
    : wrap(text, pen.look.width - 4, 3).map((line, i) => `  ${pen.worse(i === 0 ? "▲" : " ")} ${line}`);
}

/** Rows of the legend; what is left is summed in one more row, so that the bar stays whole. */
const LEGEND_ROWS = 7;
const WORTH_A_ROW = 0.01;

function blame(endpoint: EndpointReport, pen: Pen): string[] {
  const rows = endpoint.blame.filter((row) => row.p99Ms > 0).toSorted((a, b) => b.p99Ms - a.p99Ms);
  const total = rows.reduce((sum, row) => sum + row.p99Ms, 0);
  if (total <= 0) return [];
  const named = rows.slice(0, LEGEND_ROWS).filter((row) => row.p99Ms >= WORTH_A_ROW * total);
  const parts: Entry[] = named.map((row) => ({ row, value: row.p99Ms, timeKind: row.timeKind }));
  const rest = rows.slice(named.length);
  if (rest.length > 0) {
    parts.push({ others: rest.length, value: rest.reduce((sum, row) => sum + row.p99Ms, 0), timeKind: "unexplained" });
  }
  const width = pen.look.width - 4;
  return [
    pen.faint(legendHead(`  Where p99 requests spend ${duration(total)}`, pen)),
    `  ${stackedBar(parts, width, pen)}`,
    ...parts.map((part, i) => legendRow(part, i, total, pen)),
  ];
}

function legendHead(title: string, pen: Pen): string {
  if (pen.look.width < WIDE) return title;
  const head = figureColumns("time", "share", "90 % interval", "typical", pen);
  return padEnd(title, pen.look.width - 1 - columns(head)) + head;
}

function figureColumns(time: string, share: string, interval: string, typical: string, pen: Pen): string {
  const narrow = `${padStart(time, 8)} ${padStart(share, 6)}`;
  return pen.look.width < WIDE ? narrow : `${narrow}  ${padEnd(interval, 15)} ${padStart(typical, 8)}`;
}

interface Entry {
  readonly row?: BlameRow;
  /** how many rows this one stands for */
  readonly others?: number;
  readonly value: number;
  readonly timeKind: string;
}

/** Below this there is no room for the interval and the typical time. */
const WIDE = 80;

function legendRow(entry: Entry, i: number, total: number, pen: Pen): string {
  const mark = pen.kind(entry.timeKind, texture(i, pen));
  const { row } = entry;
  const interval = row === undefined ? "" : range(row.lowMs, row.highMs);
  const typical = row === undefined ? "" : duration(row.p50Ms);
  const right = figureColumns(duration(entry.value), percent(entry.value / total), interval, typical, pen);
  const room = pen.look.width - 4 - columns(right) - 2;
  const kind = row === undefined ? "" : timeKindWords(row.timeKind);
  const name =
    row === undefined ? `${plural(entry.others ?? 0, "smaller part")}` : where(row, room - columns(kind) - 1);
  const left = row === undefined ? name : `${name} ${pen.kind(row.timeKind, kind)}`;
  return `  ${mark} ${padEnd(left, room)} ${right}`;
}

/** "orders › SELECT orders", with the service shortened first. */
function where(row: BlameRow, room: number): string {
  const service = clip(row.service, Math.max(8, room - 3 - Math.min(columns(row.operation), room >> 1)));
  return `${service} › ${clipMiddle(row.operation, Math.max(6, room - columns(service) - 3))}`;
}

/** The endpoints that need no bar: one line each, in columns. */
export function renderEndpointTable(endpoints: readonly EndpointReport[], pen: Pen): string[] {
  const head = `${padStart("requests", 10)} ${padStart("p50", 8)} ${padStart("p95", 8)} ${padStart("p99", 8)} ${padStart("errors", 8)}`;
  const room = pen.look.width - columns(head) - 2;
  const lines = [pen.faint(`  ${padEnd(clip("Other endpoints", room - 1), room)}${head}`)];
  for (const endpoint of endpoints) {
    const cells = [
      count(endpoint.requests),
      duration(endpoint.p50Ms),
      duration(endpoint.p95Ms),
      duration(endpoint.p99Ms),
    ];
    const errors = padStart(percent(endpoint.errorRatio), 8);
    const name = clipMiddle(`${endpoint.operation}  ${endpoint.service}`, room - 1);
    const numbers = cells.map((cell, i) => padStart(cell, i === 0 ? 10 : 8)).join(" ");
    lines.push(`  ${padEnd(name, room)}${numbers} ${endpoint.errorRatio > 0 ? pen.error(errors) : pen.faint(errors)}`);
  }
  return lines;
}
