import { formatChange, parseChange } from "../../analysis/parse-change.ts";
import type { Change } from "../../model/change.ts";
import type { WhatIfCurve, WhatIfPoint } from "../../model/page.ts";
import type { Finding, Report } from "../../model/report.ts";
import type { DiagnoseHooks } from "../diagnose.ts";
import { ChangeError } from "../change-error.ts";
import { whatIfIn, type WhatIfOptions } from "../what-if.ts";
import type { Window } from "../window.ts";

/** Findings whose fix is tried. */
const FINDINGS = 6;
/** Traces that are replayed for all of them together; each finding's own fix is tried whatever it costs. */
const REPLAYS = 200_000;

/** For the first findings with a fix that the replay can try: what it brings, and what more or less of it would. */
export async function whatIfCurves(
  window: Window,
  report: Report,
  options: WhatIfOptions,
  hooks: DiagnoseHooks,
): Promise<WhatIfCurve[]> {
  const curves: WhatIfCurve[] = [];
  const tried = report.findings.filter((finding) => finding.remedy.whatIf !== undefined).slice(0, FINDINGS);
  const each = Math.max(1, Math.floor(REPLAYS / Math.max(1, window.forest.traceCount) / Math.max(1, tried.length)));
  for (const [i, finding] of tried.entries()) {
    if (hooks.signal?.aborted === true) break;
    hooks.progress?.("trying fixes", i, tried.length);
    const points: WhatIfPoint[] = [];
    for (const { change, value } of strengths(finding.remedy.whatIf!).slice(0, each)) {
      const point = await pointOf(window, finding, change, value, options);
      if (point !== undefined) points.push(point);
    }
    points.sort((a, b) => (a.value ?? 0) - (b.value ?? 0));
    if (points.length > 0) curves.push({ finding: finding.id, points });
  }
  return curves;
}

/** The finding's own fix first, then others of its kind, nearest first. */
function strengths(spec: string): { change: string; value?: number }[] {
  const change = parseChange(spec);
  if (change.kind === "change-spec-error") return [];
  const varied = VARIED[change.kind]?.(change);
  if (varied === undefined) return [{ change: spec }];
  const { now, others, at } = varied;
  const rest = others.filter((value) => value !== now).toSorted((a, b) => Math.abs(a - now) - Math.abs(b - now));
  return [{ change: spec, value: now }, ...rest.map((value) => ({ change: formatChange(at(value)), value }))];
}

interface Varied {
  readonly now: number;
  readonly others: readonly number[];
  at(value: number): Change;
}

const VARIED: { readonly [K in Change["kind"]]?: (change: Change) => Varied | undefined } = {
  time: (change) =>
    change.kind !== "time"
      ? undefined
      : {
          now: change.factor,
          others: [0.75, 0.5, 0.35, 0.25, 0.1, 0.05],
          at: (factor) => ({ ...change, factor }),
        },
  cache: (change) =>
    change.kind !== "cache"
      ? undefined
      : { now: change.hitRatio, others: [0.3, 0.5, 0.7, 0.8, 0.95], at: (hitRatio) => ({ ...change, hitRatio }) },
  pool: (change) =>
    change.kind !== "pool"
      ? undefined
      : { now: change.size, others: around(change.size), at: (size) => ({ ...change, size }) },
  replicas: (change) =>
    change.kind !== "replicas"
      ? undefined
      : { now: change.replicas, others: around(change.replicas), at: (replicas) => ({ ...change, replicas }) },
};

/** Whole numbers from half to double. */
const around = (now: number): number[] => [
  ...new Set([0.5, 0.75, 1.25, 1.5, 2].map((factor) => Math.max(1, Math.round(now * factor)))),
];

async function pointOf(
  window: Window,
  finding: Finding,
  change: string,
  value: number | undefined,
  options: WhatIfOptions,
): Promise<WhatIfPoint | undefined> {
  try {
    const { endpoints, ceiling, cannotTell } = await whatIfIn(window, [change], options);
    const { service, operation } = finding.impact.endpoint;
    const at = endpoints.find((endpoint) => endpoint.service === service && endpoint.operation === operation);
    if (at === undefined) return undefined;
    const varied = value === undefined ? {} : { value };
    return { change, ...varied, p50: at.p50, p95: at.p95, p99: at.p99, ceiling, cannotTell };
  } catch (error) {
    // A fix that names nothing the replay can change is told in words only.
    if (error instanceof ChangeError) return undefined;
    throw error;
  }
}
