/**
 * The throughput path against the simulator: which resource limits, at what rate, what comes next, and what a change of
 * the limiter does to p99 and to the ceiling.
 *
 *   npm run bench:capacity -- [--cases 40] [--first-seed 1] [--busy] [--verbose] [--json FILE]
 *   npm run bench:capacity -- --calibrate FILE[,FILE]      fits the error of the model to cases that --json wrote
 *   npm run bench:capacity -- --again FILE[,FILE]          the figures of such cases, with the error as it is now
 *
 * Recordings are taken at 35 to 60 % of the limit (`--busy`: 75 to 88 %); the truth is the same system overloaded, and
 * played again with the change. Metrics are what a host would count, every second. The error of the model is fitted on
 * other seeds than those that its intervals are reported on.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { parseArgs } from "node:util";
import type { PairedEstimate } from "../src/analysis/bootstrap.ts";
import { fitModelError, predictionInterval } from "../src/engine/prediction-interval.ts";
import { replayChanged } from "../src/engine/what-if.ts";
import type { Limiter } from "../src/model/report.ts";
import { capacityCase } from "../src/testing/accuracy/capacity-case.ts";

const { values } = parseArgs({
  options: {
    cases: { type: "string", default: "40" },
    "first-seed": { type: "string", default: "1" },
    busy: { type: "boolean", default: false },
    verbose: { type: "boolean", default: false },
    json: { type: "string" },
    calibrate: { type: "string" },
    again: { type: "string" },
  },
});

interface Score {
  readonly seed: number;
  readonly system: string;
  readonly change: string;
  readonly limiter: boolean;
  readonly next: boolean;
  readonly ceiling: Prediction;
  /** undefined where what-if says that it cannot tell */
  readonly p99?: Prediction;
  readonly p99Now: number;
  /** as the replay leaves it, for the fit of the model's error */
  readonly pair: PairedEstimate;
  readonly stretch: number;
  readonly ceilingAfter?: Prediction;
}

interface Prediction {
  readonly said: number;
  readonly low: number;
  readonly high: number;
  readonly truth: number;
}

const errorOf = ({ said, truth }: Prediction): number => Math.abs(said / truth - 1);
const isCovered = ({ low, high, truth }: Prediction): boolean => low <= truth && truth <= high;
const same = (a: object | undefined, b: { service: string; resource: string }): boolean =>
  a !== undefined && "service" in a && a.service === b.service && "resource" in a && a.resource === b.resource;
const ceilingOf = (limiter: Limiter, truth: number): Prediction => ({
  said: limiter.ceilingPerSecond,
  low: limiter.lowPerSecond,
  high: limiter.highPerSecond,
  truth,
});

async function score(seed: number): Promise<Score | string> {
  const { table, resources, truth, system } = capacityCase(seed, values.busy);
  const { window, endpoints, load, cannotTell } = await replayChanged(table, [truth.change], { resources });
  const { limiter, next, status, detail } = load.throughput.report;
  if (limiter === undefined) return `${status}: ${detail}`;
  const { service, operation } = truth.endpoint;
  const { p99: pair } = endpoints.find(
    (e) => window.text(e.service) === service && window.text(e.operation) === operation,
  )!;
  const stretch = 1 / (1 - Math.min(load.fullest, 0.99));
  const { value, low, high } = predictionInterval(pair, stretch);
  const { ceiling } = load;
  return {
    seed,
    system,
    change: truth.change,
    limiter: same(limiter, truth.limiter),
    next: same(next, truth.next),
    ceiling: ceilingOf(limiter, truth.ceilingPerSecond),
    ...(cannotTell.some((text) => text.startsWith(truth.change))
      ? {}
      : { p99: { said: value / 1e6, low: low / 1e6, high: high / 1e6, truth: truth.afterChange.p99Ms } }),
    p99Now: truth.nowP99Ms,
    pair,
    stretch,
    ...(ceiling === null
      ? {}
      : {
          ceilingAfter: {
            said: ceiling.predicted,
            low: ceiling.low,
            high: ceiling.high,
            truth: truth.afterChange.ceilingPerSecond,
          },
        }),
  };
}

const percent = (share: number): string => `${(100 * share).toFixed(1)} %`;
const text = ({ said, low, high, truth }: Prediction): string =>
  `${said.toFixed(1)} [${low.toFixed(1)}, ${high.toFixed(1)}] truth ${truth.toFixed(1)}`;

function lineOf(s: Score): string {
  const p99 = s.p99 === undefined ? "cannot tell" : text(s.p99);
  const after = s.ceilingAfter === undefined ? "cannot tell" : text(s.ceilingAfter);
  const right = (ok: boolean): string => (ok ? "right" : "WRONG");
  return `${s.seed} ${s.system} | limiter ${right(s.limiter)}, next ${right(s.next)}, ceiling ${text(s.ceiling)} | ${s.change}: p99 ${s.p99Now.toFixed(1)} -> ${p99}, ceiling ${after}`;
}

function errors(list: readonly (Prediction | undefined)[]): string {
  const known = list.filter((p) => p !== undefined);
  if (known.length === 0) return "none";
  const sorted = known.map(errorOf).sort((a, b) => a - b);
  const at = (p: number): string => percent(sorted[Math.ceil(p * sorted.length) - 1]!);
  const covered = percent(known.filter(isCovered).length / known.length);
  return `median ${at(0.5)}, p90 ${at(0.9)}, largest ${at(1)} of ${sorted.length}; 90 % interval covers ${covered}`;
}

async function run(): Promise<void> {
  const scores: Score[] = [];
  const first = Number(values["first-seed"]);
  const cases = Number(values.cases);
  for (let seed = first; seed < first + cases; seed++) {
    const result = await score(seed);
    if (typeof result === "string") console.log(`seed ${seed}: no ceiling: ${result}`);
    else {
      scores.push(result);
      if (values.verbose) console.log(lineOf(result));
    }
  }
  if (values.json !== undefined) writeFileSync(values.json, `${JSON.stringify(scores, null, 1)}\n`);
  console.log(
    `${scores.length} of ${cases} cases with a ceiling, seeds ${first} to ${first + cases - 1}${values.busy ? ", busy" : ""}`,
  );
  summarise(scores);
}

function summarise(scores: readonly Score[]): void {
  const share = (of: (s: Score) => boolean): string => percent(scores.filter(of).length / scores.length);
  console.log(`limiter right: ${share((s) => s.limiter)}; next limiter right: ${share((s) => s.next)}`);
  console.log(`ceiling, error: ${errors(scores.map((s) => s.ceiling))}`);
  console.log(`p99 after a change, error: ${errors(scores.map((s) => s.p99))}`);
  console.log(`ceiling after a change, error: ${errors(scores.map((s) => s.ceilingAfter))}`);
}

const readCases = (files: string): Score[] =>
  files.split(",").flatMap((file) => JSON.parse(readFileSync(file, "utf8")) as Score[]);

/** The interval as the error of the model makes it now; what was measured stays. */
function withInterval(score: Score): Score {
  if (score.p99 === undefined) return score;
  const { value, low, high } = predictionInterval(score.pair, score.stretch);
  return { ...score, p99: { ...score.p99, said: value / 1e6, low: low / 1e6, high: high / 1e6 } };
}

function calibrate(scores: readonly Score[]): void {
  const told = scores.flatMap(({ pair, stretch, p99 }) =>
    p99 === undefined ? [] : [{ pair, stretch, measured: p99.truth * 1e6 }],
  );
  console.log(JSON.stringify({ cases: told.length, ...fitModelError(told) }));
}

if (values.calibrate !== undefined) calibrate(readCases(values.calibrate));
else if (values.again !== undefined) summarise(readCases(values.again).map(withInterval));
else await run();
