import type { RunScore, Verdict } from "./score-recording.ts";

export const LAB_SCORES_SCHEMA = "longpole.lab/1";

/** What `npm run lab` keeps: `summary` is what a later run is held against. */
export interface LabScores {
  readonly schema: typeof LAB_SCORES_SCHEMA;
  /** ISO 8601 */
  readonly at: string;
  readonly machine: { readonly node: string; readonly cores: number };
  readonly summary: LabSummary;
  readonly runs: readonly RunScore[];
  /** runs that broke off: misses, every one */
  readonly failed: readonly FailedRun[];
  /** what this machine does not allow, with the reason */
  readonly skipped: readonly { readonly fault: string; readonly reason: string }[];
}

export interface FailedRun extends Pick<RunScore, "fault" | "seenFrom"> {
  readonly hasCause: boolean;
  readonly reason: string;
}

export interface LabSummary {
  /** runs with something wrong that traces and metrics can show */
  readonly visible: Shares;
  /** those that only profiles show */
  readonly inside: Shares;
  /** runs with nothing wrong: healthy ones, and red herrings alone */
  readonly healthyRuns: number;
  readonly healthyWithAlarm: number;
  /** share of the truths with a limiter in which the report names it; null where none was judged */
  readonly limiterRight: number | null;
  /** |error| of `what-if` with the fix of the truth, at equal load; null where none was made */
  readonly medianErrorP50: number | null;
  readonly medianErrorP99: number | null;
  /** |error| of what the finding that names the cause predicted unasked, whatever percentile it speaks of */
  readonly medianErrorOfFindings: number | null;
}

/** By (service, mechanism), of the gravest cause. */
export interface Shares {
  readonly runs: number;
  readonly rank1: number;
  readonly top3: number;
  readonly serviceRank1: number;
}

export function summarise(runs: readonly RunScore[], failed: readonly FailedRun[] = []): LabSummary {
  const wrong = runs.filter((run) => run.verdict.ranks.length > 0);
  const healthy = runs.filter((run) => run.verdict.ranks.length === 0);
  const missed = failed.filter(({ hasCause }) => hasCause);
  const limiters = wrong.flatMap((run) => run.verdict.limiterRight ?? []);
  const errors = (by: "finding" | "what-if", metric: "p50" | "p95" | "p99"): number | null =>
    median(
      runs.flatMap(({ predictions }) =>
        predictions.filter((one) => one.by === by && one.metric === metric).map((one) => Math.abs(one.error)),
      ),
    );
  return {
    visible: sharesOf(wrong.filter(isVisible), missed.filter(isVisible).length),
    inside: sharesOf(wrong.filter(isInside), missed.filter(isInside).length),
    healthyRuns: healthy.length,
    healthyWithAlarm: healthy.filter((run) => run.verdict.alarms > 0).length,
    limiterRight: limiters.length === 0 ? null : limiters.filter(Boolean).length / limiters.length,
    medianErrorP50: errors("what-if", "p50"),
    medianErrorP99: errors("what-if", "p99"),
    medianErrorOfFindings: median(
      runs.flatMap(({ predictions }) =>
        predictions.filter(({ by }) => by === "finding").map((one) => Math.abs(one.error)),
      ),
    ),
  };
}

const isInside = ({ seenFrom }: Pick<RunScore, "seenFrom">): boolean => seenFrom === "profiles";
const isVisible = (run: Pick<RunScore, "seenFrom">): boolean => !isInside(run);

function sharesOf(runs: readonly RunScore[], failed: number): Shares {
  const all = runs.length + failed;
  const share = (holds: (verdict: Verdict) => boolean): number =>
    all === 0 ? 0 : runs.filter((run) => holds(run.verdict)).length / all;
  const within = (rank: number, most: number): boolean => rank > 0 && rank <= most;
  return {
    runs: all,
    rank1: share(({ ranks }) => within(ranks[0]!.byServiceAndMechanism, 1)),
    top3: share(({ ranks }) => within(ranks[0]!.byServiceAndMechanism, 3)),
    serviceRank1: share(({ ranks }) => within(ranks[0]!.byService, 1)),
  };
}

function median(values: readonly number[]): number | null {
  if (values.length === 0) return null;
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

/** A run is noise to some extent: one in twenty may go the other way before it counts. */
const TOLERANCE = 0.05;

/** In which figures `now` is worse than `before`, a sentence each. */
export function worsened(before: LabScores, now: LabScores): string[] {
  const lines: string[] = [];
  const fell = (name: string, was: number | null, is: number | null): void => {
    if (was !== null && is !== null && is < was - TOLERANCE) lines.push(`${name}: ${percent(was)}, now ${percent(is)}`);
  };
  const rose = (name: string, was: number | null, is: number | null): void => fell(name, negative(was), negative(is));
  const [a, b] = [before.summary, now.summary];
  fell("first finding names the cause", a.visible.rank1, b.visible.rank1);
  fell("one of the first three names the cause", a.visible.top3, b.visible.top3);
  fell("inside a service, first finding names the cause", a.inside.rank1, b.inside.rank1);
  fell("limiter", a.limiterRight, b.limiterRight);
  rose("median error of p50", a.medianErrorP50, b.medianErrorP50);
  rose("median error of p99", a.medianErrorP99, b.medianErrorP99);
  rose("median error of findings", a.medianErrorOfFindings, b.medianErrorOfFindings);
  const alarmed = ({ healthyWithAlarm, healthyRuns }: LabSummary): number =>
    healthyWithAlarm / Math.max(1, healthyRuns);
  if (alarmed(b) > alarmed(a)) {
    const of = ({ healthyWithAlarm, healthyRuns }: LabSummary): string => `${healthyWithAlarm} of ${healthyRuns}`;
    lines.push(`runs with nothing wrong and an alarm: ${of(a)}, now ${of(b)}`);
  }
  for (const { fault, reason } of now.failed) lines.push(`${fault} failed: ${reason}`);
  return lines;
}

const negative = (value: number | null): number | null => (value === null ? null : -value);
const percent = (share: number): string => `${(Math.abs(share) * 100).toFixed(1)} %`;

/** The scores as a table in Markdown, and the summary below it. */
export function tableOf({ runs, failed, skipped, summary }: LabScores): string {
  const head = [
    "Fault",
    "p50 before → now → fixed (ms)",
    "p99",
    "Rank",
    "Rank alone",
    "Service",
    "Limiter",
    "False alarms",
    "What-if p50",
    "p99",
  ];
  const line = (cells: readonly string[]): string => `| ${cells.join(" | ")} |`;
  const rows = runs.map((run) => line(cellsOf(run)));
  const failures = failed.map(({ fault, reason }) => `- ${fault}: FAILED, counted as missed: ${reason}`);
  const skips = skipped.map(({ fault, reason }) => `- ${fault}: not run, ${reason}`);
  return [
    line(head),
    line(head.map(() => "---")),
    ...rows,
    "",
    ...failures,
    ...skips,
    "",
    ...summaryLines(summary),
  ].join("\n");
}

function cellsOf(run: RunScore): string[] {
  const { before, now, fixed, verdict, alone, predictions } = run;
  const three = (key: "p50Ms" | "p99Ms"): string =>
    [before, now, fixed].map((one) => (one === undefined ? "–" : one[key].toFixed(one[key] < 10 ? 1 : 0))).join(" → ");
  const ranks = (of: Verdict): string =>
    of.ranks.length === 0
      ? of.alarms === 0
        ? "no alarm"
        : "ALARM"
      : of.ranks.map((r) => r.byServiceAndMechanism || "missed").join(", ");
  const services = verdict.ranks.map((r) => r.byService || "missed").join(", ");
  const error = (metric: string): string => {
    const found = predictions.find((one) => one.by === "what-if" && one.metric === metric);
    return found === undefined ? "–" : `${found.error < 0 ? "−" : "+"}${percent(found.error)}`;
  };
  const limiter = verdict.limiterRight === undefined ? "–" : verdict.limiterRight ? "right" : "wrong";
  const falseAlarms = String(verdict.falseAlarms);
  return [
    run.fault,
    three("p50Ms"),
    three("p99Ms"),
    ranks(verdict),
    alone === undefined ? "–" : ranks(alone),
    services,
    limiter,
    falseAlarms,
    error("p50"),
    error("p99"),
  ];
}

function summaryLines(summary: LabSummary): string[] {
  const { visible, inside } = summary;
  const or = (share: number | null): string => (share === null ? "not judged" : percent(share));
  return [
    `- of ${visible.runs} runs with a cause that traces and metrics show: first finding names service and mechanism in ${percent(visible.rank1)}, one of the first three in ${percent(visible.top3)}; first finding names the service in ${percent(visible.serviceRank1)}`,
    `- of ${inside.runs} runs with a cause that only profiles show: ${percent(inside.rank1)}, ${percent(inside.top3)}; ${percent(inside.serviceRank1)}`,
    `- runs with nothing wrong (healthy, or a red herring alone) and a finding above a note: ${summary.healthyWithAlarm} of ${summary.healthyRuns}`,
    `- limiter right: ${or(summary.limiterRight)}`,
    `- what-if against the measured fix, median error: p50 ${or(summary.medianErrorP50)}, p99 ${or(summary.medianErrorP99)}; the finding's own prediction ${or(summary.medianErrorOfFindings)}`,
  ];
}
