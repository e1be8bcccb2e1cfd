import type { Finding, Report } from "../../model/report.ts";

/** Characters of an answer: an assistant reads it all, and what it does not need pushes out what it does. */
export const MOST_CHARACTERS = 24_000;

const FINDINGS = 6;
const NOTES = 8;
const ENDPOINTS = 10;
const RULED_OUT = 10;
const WARNINGS = 8;
const TEXT = 600;

/**
 * What matters of a report, bounded: the worst findings whole but for long texts, notes by their titles, endpoints by
 * their percentiles. What is left out is counted.
 */
export function briefReport(report: Report): object {
  const full = report.findings.filter(({ severity }) => severity !== "note");
  const notes = report.findings.filter(({ severity }) => severity === "note");
  const { dataQuality: quality } = report;
  return {
    healthy: report.healthy,
    findings: full.slice(0, FINDINGS).map(briefFinding),
    ...leftOut("findings", full.length - FINDINGS),
    notes: notes.slice(0, NOTES).map(({ title, mechanism }) => ({ title: cut(title), mechanism })),
    ...leftOut("notes", notes.length - NOTES),
    ...(report.objectives === undefined ? {} : { objectives: report.objectives }),
    endpoints: report.endpoints.slice(0, ENDPOINTS).map(({ blame, ...endpoint }) => ({
      ...endpoint,
      slowestSpend: blame
        .slice(0, 4)
        .map(({ service, operation, timeKind, p99Ms }) => ({ in: cut(`${service} ${operation}`), timeKind, p99Ms })),
    })),
    ...leftOut("endpoints", report.endpoints.length - ENDPOINTS),
    throughput: {
      status: report.throughput.status,
      detail: cut(report.throughput.detail),
      limiter: report.throughput.limiter,
      next: report.throughput.next,
    },
    checkedNotCause: report.checkedNotCause.slice(0, RULED_OUT).map(({ what, detail }) => `${what}: ${cut(detail)}`),
    unexplained: report.unexplained.slice(0, RULED_OUT),
    dataQuality: {
      traces: quality.traces,
      incompleteTraces: quality.incompleteTraces,
      spans: quality.spans,
      sampling: quality.sampling,
      complete: quality.complete,
      warnings: quality.warnings.slice(0, WARNINGS).map(cut),
    },
    ...(report.live === undefined ? {} : { window: report.live }),
  };
}

function briefFinding(finding: Finding): object {
  const { title, why, evidence, chain, counter, remedy, refutedBy, ...rest } = finding;
  return {
    ...rest,
    title: cut(title),
    why: cut(why),
    chain: chain.map(({ claim }) => cut(claim)),
    evidence: evidence.slice(0, 5).map(({ kind, text, query }) => ({ kind, text: cut(text), check: cut(query) })),
    against: counter.slice(0, 4).map(cut),
    refutedBy: cut(refutedBy),
    remedy: { ...remedy, text: cut(remedy.text) },
  };
}

const leftOut = (what: string, count: number): object => (count > 0 ? { [`${what}LeftOut`]: count } : {});

/** No longer than a paragraph. */
function cut(text: string): string {
  return text.length <= TEXT ? text : `${text.slice(0, TEXT)} … (${text.length - TEXT} more characters)`;
}

/** The text whole, or its beginning with how much is missing. */
export function bounded(text: string): string {
  if (text.length <= MOST_CHARACTERS) return text;
  const kept = text.slice(0, MOST_CHARACTERS - 80);
  return `${kept}\n… cut here: ${text.length - kept.length} of ${text.length} characters left out`;
}
