// The thread in which windows are read and analysed, so that the server answers meanwhile. Tasks are done one after the
// other: two at a time would both take twice as long and twice the memory.
import { parentPort, workerData } from "node:worker_threads";
import { otlpMetricLines } from "../../formats/write-otlp-metrics-json.ts";
import { otlpTraceLines } from "../../formats/write-otlp-traces-json.ts";
import { writePprof } from "../../formats/write-pprof.ts";
import { checkpointOf } from "../../engine/diagnose.ts";
import { pageDocument } from "../../engine/page/page-document.ts";
import { pageTrace } from "../../engine/page/page-traces.ts";
import { whatIfIn } from "../../engine/what-if.ts";
import { buildWindow, type Window } from "../../engine/window.ts";
import type { MetricTable } from "../../model/metric-table.ts";
import type { PageDocument } from "../../model/page.ts";
import type { Report } from "../../model/report.ts";
import { connect } from "../../store/connect.ts";
import type { Connection } from "../../store/connection.ts";
import type { Store, TimeRange } from "../../store/store.ts";
import type { FromThread, Task, ThreadSetUp, ToThread } from "./analysis-messages.ts";
import { BlockCache } from "./block-cache.ts";
import { PackedTexts } from "./packed-texts.ts";
import type { GatheredWindow } from "./read-window.ts";
import {
  diagnoseLive,
  prepareLive,
  readWindowData,
  type HeldReport,
  type LiveHooks,
  type LiveReader,
} from "./live-diagnosis.ts";

/** Windows of which decoded spans are kept: the one asked for and its baseline. */
const WINDOWS_KEPT = 2;

/** Pages that show a fixed window ask for it again and again. */
const REPORTS_KEPT = 8;
const reports = new Map<string, HeldReport>();
/** Of pages, their texts are kept, packed. */
const pages = new PackedTexts<{ readonly signature: string }>(8e6);
const plainBigint = (_key: string, value: unknown): unknown => (typeof value === "bigint" ? String(value) : value);

const port = parentPort!;
const { budget, operations } = workerData as ThreadSetUp;
const cache = new BlockCache(WINDOWS_KEPT * budget);
const kept: LiveReader["kept"] = {};
const rows: LiveReader["rows"] = {};
const aborts = new Map<number, AbortController>();
/** Called when the receiver has taken a chunk. */
const takers = new Map<number, () => void>();
let opened: { readonly key: string; readonly store: Promise<Store> } | undefined;
let last: Promise<void> = Promise.resolve();

port.on("message", (message: ToThread) => {
  switch (message.kind) {
    case "task": {
      const abort = new AbortController();
      aborts.set(message.id, abort);
      last = last.then(() => run(message.id, message.task, message.connection, abort.signal));
      return;
    }
    case "cancel":
      aborts.get(message.id)?.abort(new Error("nobody waits for the answer any more"));
      takers.get(message.id)?.();
      return;
    case "taken":
      takers.get(message.id)?.();
  }
});

async function run(id: number, task: Task, connection: Connection, signal: AbortSignal): Promise<void> {
  const send = (message: FromThread): void => port.postMessage(message);
  try {
    signal.throwIfAborted();
    const reader: LiveReader = {
      store: await storeOf(connection),
      cache,
      kept,
      rows,
      budget,
      operations,
      nowUnixNs: () => BigInt(Date.now()) * 1_000_000n,
    };
    send({ kind: "done", id, json: await work(reader, id, task, signal, send) });
  } catch (error) {
    const { name, code, message } = error as Error & { code?: unknown };
    send({ kind: "failed", id, name, code: typeof code === "string" ? code : "", message });
  } finally {
    aborts.delete(id);
    takers.delete(id);
  }
}

async function work(
  reader: LiveReader,
  id: number,
  task: Task,
  signal: AbortSignal,
  send: (message: FromThread) => void,
): Promise<string> {
  const progress = (stage: string, done: number, total: number): void =>
    send({ kind: "progress", id, stage, done, total });
  switch (task.kind) {
    case "report": {
      const key = JSON.stringify(task.query, plainBigint);
      const partial = (part: Report): void => send({ kind: "partial", id, json: JSON.stringify(part) });
      const made = await diagnoseLive(reader, task.query, { signal, progress, partial }, reports.get(key));
      signal.throwIfAborted();
      // Asked last stands last.
      reports.delete(key);
      reports.set(key, made);
      for (const [oldest] of reports) {
        if (reports.size <= REPORTS_KEPT) break;
        reports.delete(oldest);
      }
      return JSON.stringify(made.report);
    }
    case "page": {
      const key = JSON.stringify([task.query, task.producer], plainBigint);
      const { input, live, signature, spansRead } = await prepareLive(reader, task.query, { signal, progress });
      const held = spansRead === 0 && pages.noteOf(key)?.signature === signature ? await pages.get(key) : undefined;
      if (held !== undefined) return held.text;
      const source = { files: ["longpole up"], baseline: live.baseline === undefined ? [] : [live.baseline.why] };
      const json = (page: PageDocument): string => JSON.stringify({ ...page, report: { ...page.report, live } });
      const page = await pageDocument(
        { ...input, producer: task.producer, source },
        { signal, progress, partial: (part) => send({ kind: "partial", id, json: json(part) }) },
      );
      signal.throwIfAborted();
      const text = json(page);
      await pages.keep(key, text, { signature });
      return text;
    }
    case "trace": {
      const spans = await reader.store.trace(task.traceId, { signal });
      if (spans.rowCount === 0) return "null";
      const window = await buildWindow(spans, checkpointOf({ signal, progress }));
      return JSON.stringify(pageTrace(window, 0, -1, "found"));
    }
    case "what-if": {
      const { window, metrics } = await windowOf(reader, task.range, { signal, progress });
      const prediction = await whatIfIn(window, task.changes, { metrics }, { signal, progress });
      signal.throwIfAborted();
      return JSON.stringify(prediction);
    }
    case "export": {
      const { spans, metrics, share } = await readWindowData(reader, task.range, { signal });
      for (const lines of [otlpTraceLines(spans), otlpMetricLines(metrics)]) {
        for (const line of lines) await chunk(id, line, signal, send);
      }
      return JSON.stringify({ traceShare: share });
    }
    case "export-profile": {
      const stacks = await reader.store.readStacks(task.range, { service: task.service, signal });
      await chunk(id, writePprof(stacks), signal, send);
      return JSON.stringify({ samples: stacks.samples.rowCount });
    }
  }
}

/** The window that predictions were made for last: a slider asks for one after the other. */
let built: { readonly gathered: GatheredWindow; readonly window: Window } | undefined;

async function windowOf(
  reader: LiveReader,
  range: TimeRange,
  hooks: LiveHooks & Required<Pick<LiveHooks, "progress">>,
): Promise<{ window: Window; metrics: MetricTable }> {
  const { spans, metrics, gathered } = await readWindowData(reader, range, hooks, built?.gathered);
  // The same rows only where nothing came since, whoever read it: a report of the same window may have been asked for between.
  if (built?.gathered.spans !== spans) {
    built = undefined;
    const checkpoint = checkpointOf({ progress: hooks.progress });
    built = { gathered, window: await buildWindow(spans, checkpoint) };
  }
  return { window: built.window, metrics };
}

/** One chunk at a time is on its way: a slow receiver must not fill the memory. */
async function chunk(
  id: number,
  data: string | Uint8Array,
  signal: AbortSignal,
  send: (message: FromThread) => void,
): Promise<void> {
  signal.throwIfAborted();
  const taken = new Promise<void>((resolve) => takers.set(id, resolve));
  send({ kind: "chunk", id, data });
  await taken;
  signal.throwIfAborted();
}

async function storeOf(connection: Connection): Promise<Store> {
  const key = JSON.stringify(connection);
  if (opened?.key !== key) {
    const before = opened;
    opened = { key, store: connect(connection, { isMigrated: true }) };
    // A connection that failed is tried anew by the next task.
    opened.store.catch(() => (opened = undefined));
    await before?.store.then((store) => store.close()).catch(() => undefined);
  }
  return opened.store;
}
