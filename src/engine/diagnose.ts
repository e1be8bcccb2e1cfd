import type { Intake } from "../model/intake.ts";
import {
  REPORT_SCHEMA,
  type DataQuality,
  type EndpointReport,
  type Finding,
  type ObjectiveResult,
  type Report,
} from "../model/report.ts";
import type { MetricTable } from "../model/metric-table.ts";
import type { ProcessLedger } from "../model/process-ledger.ts";
import type { ResourceSamples } from "../model/resource-samples.ts";
import type { SpanTable } from "../model/span-table.ts";
import { againstBaseline, sinceChange } from "./against-baseline.ts";
import { ownTime, type Case } from "./case.ts";
import { explainChange } from "./change-claims.ts";
import { splitAtChange } from "./change-in-window.ts";
import { codeContext } from "./code/code-context.ts";
import { joinCode, nameFunctions, type CodeContext } from "./code/code-claims.ts";
import { nameInFindings } from "./code/name-findings.ts";
import { withKernelPaths } from "./code/kernel-paths.ts";
import { matchProfiles, type MatchedProfiles, type ProfileInput } from "./code/service-profiles.ts";
import { baselineOf } from "./baseline-endpoints.ts";
import { checkedNotCause } from "./checked.ts";
import { foldConsequences } from "./consequences.ts";
import { checkConfiguration, settingsThatFit, type Configuration } from "./configuration/check-configuration.ts";
import { nameSettings } from "./configuration/named-settings.ts";
import type { ConfigurationCase } from "./configuration/configuration-check.ts";
import { withSettings } from "./configuration/with-settings.ts";
import { requestCosts } from "./cost/request-costs.ts";
import { dataQuality } from "./data-quality.ts";
import { type DatabaseStatistics, readDatabaseStatistics } from "./database/database-statistics.ts";
import { databaseWarnings } from "./database/database-warnings.ts";
import { lockClaims } from "./database/lock-claims.ts";
import { statementFindings } from "./database/statement-findings.ts";
import { withDatabaseEvidence } from "./database/with-database-evidence.ts";
import { withObjectiveForecast } from "./objective-forecast.ts";
import { reportEndpoint } from "./endpoint-report.ts";
import { MIN_TRACES, viewEndpoint, type EndpointView } from "./endpoint-view.ts";
import { explain } from "./explain.ts";
import { rankFindings, type Claim } from "./findings.ts";
import { newlyRefusing } from "./explain/connection-retry.ts";
import { explainQueues } from "./explain/queue-backlog.ts";
import { checkObjectives, endpointWeight, type Objective } from "./objective.ts";
import { explainRegressions } from "./regression/explain-regressions.ts";
import { agentLedgers } from "./ledger/agent-ledgers.ts";
import { endpointLedger, type HostEvidence } from "./ledger/endpoint-ledger.ts";
import { hostEvidence } from "./ledger/host-evidence.ts";
import { withWaitClaims } from "./ledger/wait-claims.ts";
import { withHostLinks } from "./ledger/host-links.ts";
import { matchLedgers, type MatchedLedgers } from "./ledger/services-of-ledgers.ts";
import { furtherUse } from "./resources/further-use.ts";
import { judgeClaims } from "./resources/judge-claims.ts";
import type { Measures } from "./resources/read-measures.ts";
import { resourceContext, withoutProcessorTimes, type ResourceContext } from "./resources/resource-context.ts";
import { resourceFindings } from "./resources/resource-findings.ts";
import { withTableGrowth } from "./resources/table-growth.ts";
import { resourceSamples, withUse } from "./resources/use-table.ts";
import { replayPredictor } from "./replay-predictor.ts";
import { objectiveLoads } from "./throughput/objective-load.ts";
import { withLimiter } from "./throughput/limiter-finding.ts";
import { analyseThroughput, type Throughput } from "./throughput/throughput.ts";
import { idleServices } from "./code/idle-services.ts";
import { unexplainedTime } from "./unexplained.ts";
import { buildWindow, type Checkpoint, type Window } from "./window.ts";
import { mapToFloats } from "../model/map-column.ts";

export interface DiagnoseInput {
  readonly spans: SpanTable;
  /** counts of what was read; absent when the table was not read from files */
  readonly intake?: Intake;
  readonly baseline?: SpanTable;
  /** what `buildWindow` made of `baseline` before, where the same baseline is compared with again and again */
  readonly baselineWindow?: Window;
  /** metrics of the same window, and of the baseline's */
  readonly metrics?: MetricTable;
  readonly baselineMetrics?: MetricTable;
  /** how busy hosts, processes and pools were, where that is known from elsewhere than `metrics` */
  readonly resources?: ResourceSamples;
  /** profiles of the services at the time of the baseline */
  readonly baselineProfiles?: readonly ProfileInput[];
  /** profiles of the services at the same time */
  readonly profiles?: readonly ProfileInput[];
  /** what the threads of their processes spent their time on, as `longpole record --json` tells it */
  readonly ledgers?: readonly ProcessLedger[];
  /** what the endpoints are to reach; a missed one weighs more in the ranking */
  readonly objectives?: readonly Objective[];
  /** keeps only endpoints whose "SERVICE OPERATION" contains this text (case-insensitive) */
  readonly endpoint?: string;
  /** seed of all resampling; the same data and seed give the same report */
  readonly seed?: number;
}

export interface DiagnoseHooks {
  /** a stage and how far it is; called between steps of at most some 100 ms each where possible */
  readonly progress?: (stage: string, done: number, total: number) => void;
  /** aborted: what is known by then is reported, marked as incomplete */
  readonly signal?: AbortSignal;
}

/** Endpoints that are looked into; the others appear with their percentiles only. Most total time first. */
const MAX_ENDPOINTS_EXPLAINED = 40;

/** A report with what it was derived from, to look into. */
export interface Diagnosis {
  readonly report: Report;
  readonly window: Window;
  /** of `report.endpoints`, in their order */
  readonly views: readonly EndpointView[];
  /** the profiles by the service that they are of */
  readonly profiles: MatchedProfiles;
  /** what the metrics say over time; absent without metrics */
  readonly measures: Measures | undefined;
  /** what samples show of segments of critical paths, by service */
  readonly samples: HostEvidence["samples"];
}

/** A window of spans and metrics, or one of them (and maybe a baseline) → ranked findings with predictions. Never throws for lack of data. */
export async function diagnose(input: DiagnoseInput, hooks: DiagnoseHooks = {}): Promise<Report> {
  return (await diagnoseInDepth(input, hooks)).report;
}

/** The same, with what it was derived from. */
export async function diagnoseInDepth(input: DiagnoseInput, hooks: DiagnoseHooks = {}): Promise<Diagnosis> {
  const seed = input.seed ?? 1;
  const checkpoint = checkpointOf(hooks);
  const window = await buildWindow(input.spans, checkpoint);
  // A baseline of metrics alone says nothing of the spans.
  const spansBefore = input.baseline?.rowCount === 0 && hasPoints(input.baselineMetrics) ? undefined : input.baseline;
  const baseline =
    spansBefore === undefined ? undefined : (input.baselineWindow ?? (await buildWindow(spansBefore, checkpoint)));
  const views = window.endpoints
    .map((_, index) => viewEndpoint(window, index))
    .filter((view) => input.endpoint === undefined || view.name.toLowerCase().includes(input.endpoint.toLowerCase()));
  await checkpoint("reading metrics", 0, 1);
  const told = resourceContext(input.metrics, input.baselineMetrics, window, baseline);
  const span = windowOf(window, input.metrics);
  const before = baseline === undefined ? undefined : baselineOf(baseline);
  const profiles = matchProfiles(window, input.profiles ?? []);
  const ofAgents = input.metrics === undefined ? [] : agentLedgers(input.metrics);
  const ledgers = matchLedgers(window, input.ledgers ?? [], ofAgents);
  const endpoints = views.map((view) => ({
    ...reportEndpoint(window, view, Number(span.end - span.start), seed),
    ...before?.(view),
  }));
  const objectives = checkObjectives(endpoints, input.objectives ?? []);
  await checkpoint("looking for the limit", 0, 1);
  const throughput = analyseThroughput(window, input.resources ?? (told && resourceSamples(told.measures)), seed);
  const resources = isMistimed(throughput)
    ? resourceContext(input.metrics, input.baselineMetrics, window, baseline, withoutProcessorTimes)
    : told;
  const database = input.metrics === undefined ? undefined : readDatabaseStatistics(input.metrics);
  const evidence = { ...hostEvidence(window, ledgers.services, profiles.inputs, resources?.now), database };
  const falls = objectiveLoads(window, throughput, objectives, seed);
  const reported = falls.length === 0 ? throughput.report : { ...throughput.report, objectives: falls };
  const ledgered = withLedgers(window, views, endpoints, evidence);
  const code: CodeContext = {
    ...codeContext(throughput.report, baseline, input.baselineProfiles ?? []),
    ledgerOf: (view) => ledgered[views.indexOf(view)]?.ledger,
  };
  const {
    findings: causes,
    cases,
    unchanged,
    stopped,
  } = await findCauses(
    window,
    baseline,
    { profiles, ledgers },
    code,
    views,
    objectives,
    resources,
    database,
    seed,
    hooks,
    checkpoint,
  );
  const configuration = await configurationOf(
    input,
    {
      window,
      views,
      resources,
      ...(database === undefined ? {} : { database }),
      quotas: quotasOf(throughput.report),
    },
    baseline,
    checkpoint,
  );
  const settled = withSettings(
    nameSettings(withLimiter(causes, throughput, views), window),
    configuration.problems,
    window,
    views.filter((view) => view.endpoint.traces.length >= MIN_TRACES),
    replayPredictor(window, ownTime(window.segments, window.spans.rowCount), seed),
  );
  const findings = withHostLinks(nameInFindings(settled, profiles.services), ledgers.services, window);
  const quality = dataQuality(window, input.intake, views, stopped, resources, [
    ...profiles.warnings,
    ...ledgers.warnings,
    ...databaseWarnings(database),
  ]);
  const report: Report = {
    schema: REPORT_SCHEMA,
    window: { startUnixNs: String(span.start), endUnixNs: String(span.end) },
    dataQuality: { ...quality, gates: [...quality.gates, ...gatesOf(throughput)] } satisfies DataQuality,
    ...(objectives.length === 0 ? {} : { objectives }),
    endpoints: ledgered,
    throughput: resources === undefined ? reported : withUse(reported, resources.readings, furtherUse(resources.now)),
    ...requestCosts(window, resources, seed),
    findings,
    healthy:
      !stopped &&
      (views.some((view) => view.caution === undefined) || resources?.before !== undefined) &&
      !findings.some((f) => f.severity !== "note"),
    checkedNotCause: [
      ...unchanged.map((detail) => ({ what: "against the baseline", detail })),
      ...checkedNotCause(cases, findings),
      ...settingsThatFit(configuration, findings),
      ...idleServices(profiles.services, findings),
    ],
    unexplained: unexplainedTime(window, views, ledgered, {
      profiled: profiles.services,
      recorded: ledgers.services,
    }),
  };
  return { report, window, views, profiles, measures: resources?.measures, samples: evidence.samples };
}

/** Endpoints with the kinds of their time, where a host was looked at. */
function withLedgers(
  window: Window,
  views: readonly EndpointView[],
  endpoints: readonly EndpointReport[],
  evidence: HostEvidence,
): EndpointReport[] {
  const areWaitsKnown = evidence.database?.statements.some(({ waits }) => waits.length > 0) === true;
  if (evidence.hosts.size + evidence.samples.size === 0 && !areWaitsKnown) return [...endpoints];
  return endpoints.map((one, i) => ({ ...one, ledger: endpointLedger(window, views[i]!, evidence) }));
}

/** What the settings that spans and metrics tell of are like; the baseline is looked at only where one does harm. */
async function configurationOf(
  input: DiagnoseInput,
  now: ConfigurationCase,
  baseline: Window | undefined,
  checkpoint: Checkpoint,
): Promise<Configuration> {
  await checkpoint("checking settings", 0, 1);
  const result = checkConfiguration(now, undefined);
  if (input.baseline === undefined || result.problems.every(({ harm }) => harm === undefined)) return result;
  const before = baseline ?? (await buildWindow(input.baseline, checkpoint));
  const views = before.endpoints.map((_, index) => viewEndpoint(before, index));
  const resources = resourceContext(input.baselineMetrics, undefined, before, undefined);
  const database = input.baselineMetrics === undefined ? undefined : readDatabaseStatistics(input.baselineMetrics);
  return checkConfiguration(now, { window: before, views, resources, ...(database === undefined ? {} : { database }) });
}

/** Cores per instance, by service, of the quotas that the capacity analysis knows or estimates. */
function quotasOf({ resources = [] }: Report["throughput"]): ReadonlyMap<string, number> {
  return new Map(
    resources.flatMap(({ service, resource, capacity }) =>
      resource === "quota" && capacity !== undefined ? [[service, capacity]] : [],
    ),
  );
}

/** The laws that were checked for the throughput; where nothing was measured, what they say concerns nobody. */
const gatesOf = ({ gates, measured }: Throughput): DataQuality["gates"] =>
  measured.length === 0 ? [] : gates.map(({ name, ok, detail }) => ({ name, ok, detail }));

/** Times of processors or event loops that cannot be: no finding may rest on them. */
const isMistimed = ({ gates }: Throughput): boolean =>
  gates.some(({ name, ok }) => !ok && (name === "least-work" || name === "clock-law"));

async function findCauses(
  window: Window,
  baseline: Window | undefined,
  { profiles, ledgers }: { readonly profiles: MatchedProfiles; readonly ledgers: MatchedLedgers },
  code: CodeContext,
  views: readonly EndpointView[],
  objectives: readonly ObjectiveResult[],
  resources: ResourceContext | undefined,
  database: DatabaseStatistics | undefined,
  seed: number,
  hooks: DiagnoseHooks,
  checkpoint: Checkpoint,
): Promise<{ findings: Finding[]; cases: Case[]; unchanged: string[]; stopped: boolean }> {
  const explained = views.slice(0, MAX_ENDPOINTS_EXPLAINED).filter((view) => view.endpoint.traces.length >= MIN_TRACES);
  const ownNs = ownTime(window.segments, window.spans.rowCount);
  const claims: Claim[] = [];
  const cases: Case[] = [];
  let stopped = false;
  for (const [i, view] of explained.entries()) {
    if (hooks.signal?.aborted === true) {
      stopped = true;
      break;
    }
    await checkpoint("explaining endpoints", i, explained.length);
    const theCase: Case = { window, view, ownNs };
    cases.push(theCase);
    for (const explanation of explain(theCase)) claims.push({ view, explanation });
  }
  if (!stopped) claims.push(...explainQueues(window, explained, seed));
  await checkpoint("comparing", 0, 1);
  const regressions =
    baseline === undefined ? undefined : explainRegressions({ window }, { window: baseline }, explained, seed);
  const split = baseline === undefined && !stopped ? splitAtChange(window, explained, seed) : undefined;
  const judged =
    regressions !== undefined && baseline !== undefined
      ? againstBaseline(
          claims,
          regressions.claims,
          regressions.newFailures,
          queuesOf(baseline, seed),
          newlyRefusing(window, baseline),
        )
      : split !== undefined
        ? sinceChange(claims, explainChange(window, explained, split))
        : claims;
  await checkpoint("predicting gains", 0, 1);
  const folded = foldConsequences(window, judged);
  const measured =
    resources === undefined
      ? folded
      : // Again: what the metrics showed to grow may be what holds the connections.
        foldConsequences(
          window,
          withDatabaseEvidence(
            [
              ...withTableGrowth(judgeClaims(folded, resources), window, resources.measures, seed),
              ...lockClaims(cases, database),
            ],
            window,
            database,
            baseline === undefined,
          ),
        );
  const foretold = withObjectiveForecast(measured, objectives);
  const joined = joinCode(window, ownNs, explained, foretold, profiles.services, code);
  const named = withWaitClaims(
    window,
    explained,
    ownNs,
    withKernelPaths(nameFunctions(window, joined, profiles.services), ledgers.services),
    { recorded: ledgers.services, ...code },
  );
  const findings = rankFindings(
    named,
    replayPredictor(window, ownNs, seed),
    (view) => endpointWeight(view, objectives),
    (told) => [
      ...(resources === undefined ? [] : resourceFindings(resources, told)),
      // Where spans show who waits for a database, they say which of its statements matter.
      ...(explained.length === 0 ? statementFindings(database, told.loud) : []),
    ],
  );
  return { findings, cases, unchanged: regressions?.unchanged ?? [], stopped };
}

/** What waits in queues of a window, told as of the window itself. */
function queuesOf(window: Window, seed: number): Claim[] {
  const views = window.endpoints.map((_, index) => viewEndpoint(window, index));
  return explainQueues(window, views, seed);
}

export function checkpointOf(hooks: DiagnoseHooks): Checkpoint {
  return async (stage, done, total) => {
    hooks.progress?.(stage, done, total);
    // A turn of the event loop, so that signals and timers are served between long steps.
    await new Promise<void>((resolve) => setImmediate(resolve));
  };
}

const hasPoints = (metrics: MetricTable | undefined): boolean => metrics !== undefined && metrics.points.rowCount > 0;

/** First start and last end of all spans, or of the metrics where there are none, nanoseconds since 1970. */
function windowOf(window: Window, metrics: MetricTable | undefined): { start: bigint; end: bigint } {
  const { startNs, endNs, rows } = window.forest;
  if (rows.length === 0 && metrics !== undefined && metrics.points.rowCount > 0)
    return rangeOf(metrics.baseUnixNs, metrics.points.timeOffsetNs, metrics.points.timeOffsetNs);
  if (rows.length === 0) return { start: window.spans.baseUnixNs, end: window.spans.baseUnixNs };
  return rangeOf(
    window.spans.baseUnixNs,
    mapToFloats(rows, (row) => startNs[row]!),
    mapToFloats(rows, (row) => endNs[row]!),
  );
}

function rangeOf(baseUnixNs: bigint, from: ArrayLike<number>, to: ArrayLike<number>): { start: bigint; end: bigint } {
  let first = Number.POSITIVE_INFINITY;
  let last = Number.NEGATIVE_INFINITY;
  for (let i = 0; i < from.length; i++) {
    first = Math.min(first, from[i]!);
    last = Math.max(last, to[i]!);
  }
  return { start: baseUnixNs + BigInt(Math.round(first)), end: baseUnixNs + BigInt(Math.round(last)) };
}
