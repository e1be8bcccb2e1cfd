import type { Objective } from "../../engine/objective.ts";
import type { PageDocument } from "../../model/page.ts";
import type { Report, Severity } from "../../model/report.ts";
import { EXIT, exitCodeOf } from "../exit-code.ts";
import { jsonDocument } from "../json-document.ts";
import { writePage } from "../../web/page-html.ts";
import { progressOn, type Progress } from "../progress.ts";
import { count } from "../render/numbers.ts";
import { renderReport } from "../render/report.ts";
import { safeText } from "../render/safe-text.ts";
import { ServerClient, ServerError } from "../server-client.ts";
import { lookOf, type LookOptions, type Terminal } from "../terminal.ts";

export interface LiveOptions {
  readonly url: string;
  readonly tokenFile?: string;
  readonly last?: string;
  readonly from?: string;
  readonly to?: string;
}

export interface DiagnoseOptions extends LookOptions, LiveOptions {
  readonly endpoint?: string;
  readonly baseline?: string;
  readonly objective?: readonly Objective[];
  readonly failOn?: Severity;
  readonly watch?: boolean;
  /** where to write the page to look into */
  readonly html?: string;
  readonly every: number;
  readonly json?: boolean;
  readonly quiet?: boolean;
}

/** `longpole diagnose`: the report of a running server; with --watch again and again until Ctrl-C. */
export async function diagnose(options: DiagnoseOptions, terminal: Terminal): Promise<number> {
  const progress = progressOn(terminal, options.quiet === true);
  const abort = new AbortController();
  const stopListening = terminal.onInterrupt(() => abort.abort());
  let last: Report | undefined;
  try {
    const client = new ServerClient(options, terminal.environment);
    if (options.watch !== true) {
      last = await ask(client, options, progress, abort.signal);
      print(last, options, terminal);
      if (options.html !== undefined) await savePage(options.html, client, last, options, terminal, abort.signal);
      return exitCodeOf(last, options.failOn, false);
    }
    for (;;) {
      const report = await ask(client, options, progress, abort.signal);
      if (last === undefined || answerOf(report) !== answerOf(last)) {
        if (terminal.outIsTty && options.json !== true) terminal.out("\x1b[H\x1b[2J\x1b[3J");
        print(report, options, terminal);
        last = report;
      }
      await pause(options.every * 1000, abort.signal);
    }
  } catch (error) {
    progress.clear();
    if (abort.signal.aborted) return last === undefined ? EXIT.interrupted : exitCodeOf(last, options.failOn, false);
    if (!(error instanceof ServerError)) throw error;
    terminal.err(`longpole: ${safeText(error.message)}\n`);
    return EXIT.unusable;
  } finally {
    progress.clear();
    stopListening();
  }
}

/** The page of the same window as the report's, which ended when it was asked for. */
async function savePage(
  file: string,
  client: ServerClient,
  { live }: Report,
  options: DiagnoseOptions,
  terminal: Terminal,
  signal: AbortSignal,
): Promise<void> {
  const window = live === undefined ? options : { url: client.url, from: live.fromUnixNs, to: live.toUnixNs };
  const page = JSON.parse(
    await client.get(`/api/v1/page?${queryOf(window, options).toString()}`, signal),
  ) as PageDocument;
  await writePage(file, page);
  if (options.quiet !== true) terminal.err(`longpole: wrote ${safeText(file)}\n`);
}

async function ask(
  client: ServerClient,
  options: DiagnoseOptions,
  progress: Progress,
  signal: AbortSignal,
): Promise<Report> {
  const query = queryOf(options, options);
  for await (const { event, data } of client.events(`/api/v1/report/events?${query.toString()}`, signal)) {
    switch (event) {
      case "progress": {
        const { stage, done, total } = JSON.parse(data) as { stage: string; done: number; total: number };
        progress.report(`${safeText(stage)} (${count(done)} of ${count(total)})`);
        break;
      }
      case "partial": {
        const first = (JSON.parse(data) as Report).findings[0];
        progress.report(
          `first answer, from a sample: ${first === undefined ? "nothing found" : safeText(first.title)}`,
        );
        break;
      }
      case "report":
        progress.clear();
        return JSON.parse(data) as Report;
      case "problem":
        throw new ServerError(`${client.url} answers: ${(JSON.parse(data) as { detail: string }).detail}`);
    }
  }
  throw new ServerError(`${client.url} ended the answer before the report`);
}

/** A report's parameters as the API takes them. */
function queryOf(window: LiveOptions, { endpoint, baseline, objective }: DiagnoseOptions): URLSearchParams {
  const query = windowParameters(window);
  if (endpoint !== undefined) query.set("endpoint", endpoint);
  if (baseline !== undefined) query.set("baseline", baseline);
  for (const { text } of objective ?? []) query.append("objective", text);
  return query;
}

/** The window as the API takes it. */
export function windowParameters({ last, from, to }: LiveOptions): URLSearchParams {
  const query = new URLSearchParams();
  if (from !== undefined) query.set("from", from);
  if (to !== undefined) query.set("to", to);
  if (last !== undefined) query.set("last", last);
  return query;
}

function print(report: Report, options: DiagnoseOptions, terminal: Terminal): void {
  if (options.json === true) {
    // With --watch a report on each line, else one document.
    if (options.watch === true) terminal.out(`${JSON.stringify(report)}\n`);
    else for (const piece of jsonDocument(report)) terminal.out(piece);
    return;
  }
  const { live } = report;
  const sources = {
    files: [`${options.url} ${windowText(options)}`],
    arguments: [
      "--url",
      options.url,
      ...(live === undefined ? [] : ["--from", live.fromUnixNs, "--to", live.toUnixNs]),
    ],
    baseline: live?.baseline === undefined ? [] : [baselineText(live.baseline)],
    command: terminal.command,
    ...(options.endpoint === undefined ? {} : { endpoint: options.endpoint }),
  };
  terminal.out(`${renderReport(report, sources, lookOf(options, terminal)).join("\n")}\n`);
}

const windowText = ({ last, from, to }: LiveOptions): string =>
  from === undefined ? `last ${last ?? "15m"}` : `from ${from}${to === undefined ? "" : ` to ${to}`}`;

function baselineText({ fromUnixNs, toUnixNs, why }: NonNullable<NonNullable<Report["live"]>["baseline"]>): string {
  const clock = (ns: string): string => new Date(Number(BigInt(ns) / 1_000_000n)).toISOString().slice(11, 16);
  return `${clock(fromUnixNs)}–${clock(toUnixNs)} UTC (${why})`;
}

/** What a reader would call the same answer: the findings and how bad they are, and what is healthy. Figures move always. */
function answerOf({ findings, healthy, objectives, dataQuality }: Report): string {
  return JSON.stringify([
    healthy,
    dataQuality.complete,
    dataQuality.traces > 0,
    findings.map(({ id, severity }) => [id, severity]),
    objectives?.map(({ met }) => met),
  ]);
}

/** Resolves after `ms`; rejects when the signal comes first. */
function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const stop = (): void => {
      clearTimeout(timer);
      reject(signal.reason as Error);
    };
    const timer = setTimeout(() => {
      signal.removeEventListener("abort", stop);
      resolve();
    }, ms);
    if (signal.aborted) stop();
    else signal.addEventListener("abort", stop, { once: true });
  });
}
