import { checkpointOf, diagnose, type DiagnoseInput } from "../../engine/diagnose.ts";
import type { ProfileInput } from "../../engine/code/service-profiles.ts";
import { buildWindow, type Window } from "../../engine/window.ts";
import type { Objective } from "../../engine/objective.ts";
import type { MetricTable } from "../../model/metric-table.ts";
import type { LiveWindow, Report } from "../../model/report.ts";
import type { SpanTable } from "../../model/span-table.ts";
import type { Store, TimeRange } from "../../store/store.ts";
import { chooseBaseline } from "./baseline.ts";
import { readWindow, shareWithin, type GatheredWindow, type WindowReader } from "./read-window.ts";

/** What a window is held against. `auto`: what the history of the endpoints suggests. */
export type BaselineChoice =
  | { readonly kind: "auto" }
  | { readonly kind: "none" }
  | { readonly kind: "range"; readonly range: TimeRange };

export interface LiveQuery {
  readonly range: TimeRange;
  readonly baseline: BaselineChoice;
  readonly endpoint?: string;
  readonly objectives: readonly Objective[];
}

export interface LiveHooks {
  readonly signal?: AbortSignal;
  readonly progress?: (stage: string, done: number, total: number) => void;
  /** an answer from a small sample, before the whole one */
  readonly partial?: (report: Report) => void;
}

/** The baseline that was compared with last, and what was made of it: it stays where it is while windows move on. */
export interface KeptBaseline {
  readonly gathered: GatheredWindow;
  readonly window: Window;
}

export interface LiveReader extends WindowReader {
  /** written here: what is kept from one diagnosis to the next */
  readonly kept: { baseline?: KeptBaseline };
  readonly store: Pick<Store, "readSpans" | "readMetrics" | "readStacks" | "red" | "spansIn" | "trace">;
}

/** Everything that a diagnosis of a window is computed from. */
export interface WindowData {
  readonly spans: SpanTable;
  readonly metrics: MetricTable;
  readonly profiles: readonly ProfileInput[];
  readonly share: number;
  readonly spansInWindow: number;
  /** from the store; 0 where all of them were still held and nothing came since */
  readonly spansRead: number;
  readonly gathered: GatheredWindow;
}

/** A sample of so many spans is diagnosed in some 0.3 s. */
const PARTIAL_SPANS = 16_000;
/** Below so many spans the whole answer is not much later than a part of it. */
const PARTIAL_FROM = 4 * PARTIAL_SPANS;

/** A report that was made before, and what tells whether it still holds. */
export interface HeldReport {
  readonly report: Report;
  readonly signature: string;
}

/**
 * The window's report, as `longpole analyze` makes it of the window's export, with `live` saying what was read. One that
 * is held is the answer where nothing came since.
 */
export async function diagnoseLive(
  reader: LiveReader,
  query: LiveQuery,
  hooks: LiveHooks = {},
  held?: HeldReport,
): Promise<HeldReport> {
  if (held === undefined) await diagnosePart(reader, query, hooks);
  const { input, live, signature, spansRead, gathered } = await prepareLive(reader, query, hooks);
  if (held !== undefined && spansRead === 0 && held.signature === signature) return held;
  const whole = { ...input, ...(await keptBaseline(reader, gathered, hooks)) };
  return { report: { ...(await diagnose(whole, hooks)), live }, signature };
}

/** What a diagnosis of the window is made from, its baseline included, and what of it was read. */
export async function prepareLive(
  reader: LiveReader,
  query: LiveQuery,
  hooks: LiveHooks,
): Promise<{
  input: DiagnoseInput;
  live: LiveWindow;
  signature: string;
  spansRead: number;
  /** of the baseline, where there is one */
  gathered: GatheredWindow | undefined;
}> {
  hooks.progress?.("reading spans", 0, 4);
  const data = await readWindowData(reader, query.range, hooks);
  hooks.progress?.("choosing a baseline", 3, 4);
  const chosen = await baselineRange(reader, query, signalOf(hooks));
  const before =
    chosen === undefined
      ? undefined
      : await readWindowData(reader, chosen.range, signalOf(hooks), reader.kept.baseline?.gathered);
  const counts = [data, before].map((part) => [
    part?.spans.rowCount,
    part?.metrics.points.rowCount,
    part?.profiles.map(({ stacks }) => stacks.samples.rowCount),
  ]);
  const hasBefore = before !== undefined && (before.spans.rowCount > 0 || before.metrics.points.rowCount > 0);
  return {
    signature: JSON.stringify([counts, chosen?.why, ...Object.values(chosen?.range ?? {}).map(String)]),
    spansRead: data.spansRead + (before?.spansRead ?? 0),
    gathered: hasBefore && before.spans.rowCount > 0 ? before.gathered : undefined,
    input: {
      ...inputOf(query, data),
      metrics: data.metrics,
      profiles: data.profiles,
      ...(hasBefore
        ? { baseline: before.spans, baselineMetrics: before.metrics, baselineProfiles: before.profiles }
        : {}),
    },
    live: {
      fromUnixNs: String(query.range.fromUnixNs),
      toUnixNs: String(query.range.toUnixNs),
      traceShare: data.share,
      spansInWindow: data.spansInWindow,
      ...(chosen === undefined || !hasBefore
        ? {}
        : {
            baseline: {
              fromUnixNs: String(chosen.range.fromUnixNs),
              toUnixNs: String(chosen.range.toUnixNs),
              traceShare: before.share,
              why: chosen.why,
            },
          }),
    },
  };
}

/**
 * The window of the baseline: that of before where the baseline is the same, to be used again by the next diagnosis. One is
 * kept, of as many spans as an analysis takes at most (`limits.analysisSpans`).
 */
async function keptBaseline(
  reader: LiveReader,
  gathered: GatheredWindow | undefined,
  hooks: LiveHooks,
): Promise<{ baselineWindow?: Window }> {
  if (gathered === undefined) return {};
  const held = reader.kept.baseline;
  if (held?.gathered.spans === gathered.spans) return { baselineWindow: held.window };
  delete reader.kept.baseline;
  const window = await buildWindow(gathered.spans, checkpointOf(hooks));
  reader.kept.baseline = { gathered, window };
  return { baselineWindow: window };
}

const signalOf = ({ signal }: LiveHooks): { readonly signal?: AbortSignal } => (signal === undefined ? {} : { signal });

/** Spans, metrics and profiles of a window. */
export async function readWindowData(
  reader: LiveReader,
  range: TimeRange,
  hooks: LiveHooks,
  held?: GatheredWindow,
): Promise<WindowData> {
  const stop = signalOf(hooks);
  const read = await readWindow(reader, range, { ...stop, held });
  hooks.progress?.("reading metrics", 1, 4);
  const metrics = await reader.store.readMetrics(range, stop);
  hooks.progress?.("reading profiles", 2, 4);
  return { ...read, metrics, profiles: await profilesIn(reader, range, stop) };
}

const inputOf = (query: LiveQuery, { spans }: { readonly spans: SpanTable }): DiagnoseInput => ({
  spans,
  objectives: query.objectives,
  ...(query.endpoint === undefined ? {} : { endpoint: query.endpoint }),
});

/** Where the window is large, what a small sample of its traces says, told by `partial` and marked as incomplete. */
async function diagnosePart(reader: LiveReader, query: LiveQuery, hooks: LiveHooks): Promise<void> {
  // Who watches a window that moves has the whole answer of some seconds ago, which says more than a part of the next.
  if (hooks.partial === undefined || reader.rows.held?.covers(query.range) === true) return;
  const stop = signalOf(hooks);
  const rows = await reader.store.red({ ...query.range, stepSeconds: 60 }, stop);
  const total = rows.reduce((sum, { count }) => sum + count, 0);
  if (total < PARTIAL_FROM) return;
  const share = shareWithin(total, PARTIAL_SPANS);
  const part = await readWindow(reader, query.range, { share, ...stop });
  if (part.spans.rowCount === 0) return;
  const report = await diagnose(inputOf(query, part), stop);
  const { dataQuality } = report;
  const warning = `a first answer from 1 of ${1 / share} traces, without metrics and profiles; the whole one follows`;
  hooks.partial({
    ...report,
    dataQuality: { ...dataQuality, complete: false, warnings: [warning, ...dataQuality.warnings] },
    live: {
      fromUnixNs: String(query.range.fromUnixNs),
      toUnixNs: String(query.range.toUnixNs),
      traceShare: share,
      spansInWindow: total,
    },
  });
}

/** A table per service, since that is how profiles are joined with traces. */
async function profilesIn(
  reader: LiveReader,
  range: TimeRange,
  stop: { readonly signal?: AbortSignal },
): Promise<ProfileInput[]> {
  const all = await reader.store.readStacks(range, stop);
  if (all.samples.rowCount === 0) return [];
  const services = [...new Set(Array.from(all.processes.service, (id) => all.strings.get(id)))].filter((s) => s !== "");
  const inputs: ProfileInput[] = [];
  for (const service of services.sort()) {
    const stacks = services.length === 1 ? all : await reader.store.readStacks(range, { service, ...stop });
    inputs.push({ source: `${service}.pprof`, stacks, service });
  }
  return inputs;
}

async function baselineRange(
  reader: LiveReader,
  { range, baseline, endpoint }: LiveQuery,
  stop: { readonly signal?: AbortSignal },
): Promise<{ range: TimeRange; why: string } | undefined> {
  switch (baseline.kind) {
    case "none":
      return undefined;
    case "range":
      return { range: baseline.range, why: "as asked" };
    case "auto":
      return chooseBaseline(reader.store, range, endpoint, stop);
  }
}
