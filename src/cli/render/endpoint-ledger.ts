import type { EndpointLedger, EndpointLedgerRow, LedgerLink } from "../../model/report.ts";
import { columns, padEnd, padStart } from "./layout.ts";
import { duration, percent, range } from "./numbers.ts";
import type { Pen } from "./pen.ts";
import { safeText } from "./safe-text.ts";
import { timeKindWords } from "./time-kind-words.ts";

/** Kinds told one by one; below this share of the time inside services they say nothing. */
const SHOWN = 6;
const WORTH_A_ROW = 0.02;

/** What the time inside services was spent on, by kind and by what ties it to the requests. */
export function renderLedger(ledger: EndpointLedger | undefined, pen: Pen): string[] {
  if (ledger === undefined) return [];
  return [...renderOwn(ledger, pen), ...renderCallees(ledger, pen)];
}

/** What databases and others that are called tell of the time within them. */
function renderCallees({ rows }: EndpointLedger, pen: Pen): string[] {
  const callees = new Map<string, Map<string, Sum>>();
  for (const row of rows) {
    if (row.callee === undefined) continue;
    const sums = callees.get(row.callee) ?? new Map<string, Sum>();
    add(sums, row);
    callees.set(row.callee, sums);
  }
  return [...callees].flatMap(([callee, sums]) => {
    const kinds = [...sums.values()].toSorted((a, b) => b.p99Ms - a.p99Ms);
    const total = kinds.reduce((sum, { p99Ms }) => sum + p99Ms, 0);
    const shown = kinds.slice(0, SHOWN).filter(({ p99Ms }) => p99Ms > 0 && p99Ms >= WORTH_A_ROW * total);
    const title = `  Inside ${safeText(callee)} ${duration(total)} of it`;
    return shown.length === 0 ? [] : [pen.faint(title), ...shown.map((row) => line(row, total, pen))];
  });
}

function renderOwn(ledger: EndpointLedger, pen: Pen): string[] {
  if (!(ledger.ownMs > 0)) return [];
  const sums = new Map<string, Sum>();
  for (const row of ledger.rows.filter(({ link, callee }) => link !== "spans" && callee === undefined)) add(sums, row);
  const rows = [...sums.values()].toSorted((a, b) => b.p99Ms - a.p99Ms);
  const shown = rows.slice(0, SHOWN).filter(({ p99Ms }) => p99Ms >= WORTH_A_ROW * ledger.ownMs);
  if (shown.length === 0) return [];
  const title = `  Inside services ${duration(ledger.ownMs)} of it; ${percent(ledger.explainedShare)} is told`;
  return [pen.faint(title), ...shown.map((row) => line(row, ledger.ownMs, pen))];
}

interface Sum {
  readonly timeKind: string;
  readonly link: LedgerLink;
  p99Ms: number;
  lowMs: number;
  highMs: number;
}

function add(sums: Map<string, Sum>, { timeKind, link, p99Ms, lowMs, highMs }: EndpointLedgerRow): void {
  const held = sums.get(`${timeKind} ${link}`);
  if (held === undefined) sums.set(`${timeKind} ${link}`, { timeKind, link, p99Ms, lowMs, highMs });
  else {
    held.p99Ms += p99Ms;
    held.lowMs += lowMs;
    held.highMs += highMs;
  }
}

/** How the time is tied to the requests, the strongest link first; docs/time-kinds.md explains them. */
const LINK_WORDS: Readonly<Record<LedgerLink, string>> = {
  spans: "by spans",
  "span-id": "by span ids in samples",
  "thread-time": "by thread and time",
  statistical: "statistically",
  metrics: "by metrics alone",
  none: "",
};

function line(row: Sum, ownMs: number, pen: Pen): string {
  const { timeKind, link, p99Ms, lowMs, highMs } = row;
  const interval = link === "none" ? "" : range(lowMs, Math.min(highMs, ownMs));
  const figures = `${padStart(duration(p99Ms), 8)} ${padStart(percent(p99Ms / ownMs), 6)}  ${padEnd(interval, 15)}`;
  const name = `    ${pen.kind(timeKind, timeKindWords(timeKind))} ${pen.faint(LINK_WORDS[link])}`;
  const room = pen.look.width - columns(figures) - 11;
  return `${padEnd(name, room)} ${figures}`.trimEnd();
}
