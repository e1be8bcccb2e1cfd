import { PAGE_SCHEMA, type PageDocument, type PageFlame, type PageSource } from "../../model/page.ts";
import type { FlameTree } from "../../model/flame-tree.ts";
import type { StackTable } from "../../model/stack-table.ts";
import { diagnoseInDepth, type DiagnoseHooks, type DiagnoseInput } from "../diagnose.ts";
import { MIN_TRACES } from "../endpoint-view.ts";
import type { ProfileInput } from "../code/service-profiles.ts";
import { flameTree } from "../flame-tree.ts";
import { heatMap } from "./heat-map.ts";
import { pageSeries } from "./page-series.ts";
import { pageStatements } from "./page-statements.ts";
import { pageTraces } from "./page-traces.ts";
import { pathFlame } from "./path-flame.ts";
import { requestSample } from "./request-sample.ts";
import { serviceMap } from "./service-map.ts";
import { whatIfCurves } from "./what-if-curves.ts";

/** Endpoints that are drawn; the others are in the report's list only. */
const ENDPOINTS = 12;

export interface PageInput extends DiagnoseInput {
  readonly producer: string;
  readonly source: PageSource;
}

export interface PageHooks extends DiagnoseHooks {
  /** the page without what fixes bring, which takes longest */
  readonly partial?: (page: PageDocument) => void;
}

/** The same diagnosis as `diagnose` makes, with what a person looks into. */
export async function pageDocument(input: PageInput, hooks: PageHooks = {}): Promise<PageDocument> {
  const { report, window, views, profiles, measures, samples } = await diagnoseInDepth(input, hooks);
  const drawn = views.slice(0, ENDPOINTS).filter((view) => view.endpoint.traces.length >= MIN_TRACES);
  const { traces, left } = pageTraces(window, drawn, samples);
  const serviceOf = (profile: ProfileInput): string | undefined =>
    [...profiles.services.values()].find(({ sources }) => sources.includes(profile.source))?.service ?? profile.service;
  const options = {
    ...(input.metrics === undefined ? {} : { metrics: input.metrics }),
    ...(input.resources === undefined ? {} : { resources: input.resources }),
    ...(input.seed === undefined ? {} : { seed: input.seed }),
  };
  const calls = pageStatements(window);
  const shown = pageSeries(measures);
  const page: PageDocument = {
    schema: PAGE_SCHEMA,
    producer: input.producer,
    source: input.source,
    report,
    endpoints: drawn.map((view) => ({
      service: view.service,
      operation: view.operation,
      heat: heatMap(window, view),
      requests: requestSample(window, view),
      map: serviceMap(window, view, report.throughput.resources ?? []),
    })),
    traces,
    tracesLeft: left,
    flames: [
      ...drawn.map((view, endpoint): PageFlame => ({ kind: "critical-path", endpoint, tree: pathFlame(window, view) })),
      ...(input.profiles ?? []).map((profile): PageFlame =>
        profileFlame(profile.stacks, serviceOf(profile), profile.source),
      ),
    ],
    statements: calls.statements,
    statementsLeft: calls.left,
    series: shown.series,
    seriesLeft: shown.left,
    whatIf: [],
  };
  hooks.partial?.(page);
  return { ...page, whatIf: await whatIfCurves(window, report, options, hooks) };
}

/** The profile's time, or what else it counts first, without the time in which its threads had nothing to do. */
function profileFlame(stacks: StackTable, service: string | undefined, source: string): PageFlame {
  const time = stacks.valueTypes.findIndex(({ unit }) => unit === "nanoseconds" || unit === "microseconds");
  const { tree, idle } = withoutIdle(flameTree(stacks, Math.max(0, time), source));
  return { kind: "profile", ...(service === undefined ? {} : { service }), idle, tree };
}

/** Idle frames stand right below the root or a process: they are taken from these. */
function withoutIdle(tree: FlameTree): { tree: FlameTree; idle: number } {
  const value = [...tree.value];
  const place = new Int32Array(value.length).fill(-1);
  const rows: number[] = [];
  for (const [row, of] of tree.function.entries()) {
    const up = tree.parent[row]!;
    if (up >= 0 && place[up]! < 0) continue;
    if (tree.functions[of]![2] !== "idle") {
      place[row] = rows.push(row) - 1;
      continue;
    }
    for (let above = up; above >= 0; above = tree.parent[above]!) value[above]! -= tree.value[row]!;
  }
  return {
    tree: {
      ...tree,
      parent: rows.map((row) => (row === 0 ? -1 : place[tree.parent[row]!]!)),
      function: rows.map((row) => tree.function[row]!),
      value: rows.map((row) => value[row]!),
    },
    idle: (tree.value[0] ?? 0) - (value[0] ?? 0),
  };
}
