/**
 * The throughput path against the simulator: which resource limits, at what rate, what comes next, and what a change of
 * the limiter does to p99 and to the ceiling.
 *
 *   npm run bench:capacity -- [--cases 40] [--first-seed 1] [--busy] [--verbose]
 *
 * Recordings are taken at 35 to 60 % of the limit (`--busy`: 75 to 88 %); the truth is the same system overloaded, and
 * played again with the change. Metrics are what a host would count, every second.
 */
import { parseArgs } from "node:util";
import { diagnose } from "../src/engine/diagnose.ts";
import { whatIf } from "../src/engine/what-if.ts";
import { capacityCase } from "../src/testing/accuracy/capacity-case.ts";

const { values } = parseArgs({
  options: {
    cases: { type: "string", default: "40" },
    "first-seed": { type: "string", default: "1" },
    busy: { type: "boolean", default: false },
    verbose: { type: "boolean", default: false },
  },
});

interface Score {
  readonly limiter: boolean;
  readonly next: boolean;
  readonly ceiling: number;
  readonly covered: boolean;
  readonly p99: number;
  readonly p99Covered: boolean;
  readonly ceilingAfter: number;
}

const errorOf = (said: number, truth: number): number => Math.abs(said / truth - 1);
const same = (a: object | undefined, b: { service: string; resource: string }): boolean =>
  a !== undefined && "service" in a && a.service === b.service && "resource" in a && a.resource === b.resource;

async function score(seed: number): Promise<Score | string> {
  const { table, resources, truth, system } = capacityCase(seed, values.busy);
  const { throughput } = await diagnose({ spans: table, resources });
  const { limiter, next } = throughput;
  if (limiter === undefined) return `${throughput.status}: ${throughput.detail}`;
  const predicted = await whatIf(table, [truth.change], { resources });
  const endpoint = predicted.endpoints.find(
    (e) => e.service === truth.endpoint.service && e.operation === truth.endpoint.operation,
  )!;
  const result = {
    limiter: same(limiter, truth.limiter),
    next: same(next, truth.next),
    ceiling: errorOf(limiter.ceilingPerSecond, truth.ceilingPerSecond),
    covered: limiter.lowPerSecond <= truth.ceilingPerSecond && truth.ceilingPerSecond <= limiter.highPerSecond,
    p99: predicted.cannotTell.some((text) => text.startsWith(truth.change))
      ? Number.NaN
      : errorOf(endpoint.p99.predicted, truth.afterChange.p99Ms),
    p99Covered: endpoint.p99.low <= truth.afterChange.p99Ms && truth.afterChange.p99Ms <= endpoint.p99.high,
    ceilingAfter:
      predicted.ceiling === null
        ? Number.NaN
        : errorOf(predicted.ceiling.predicted, truth.afterChange.ceilingPerSecond),
  };
  if (values.verbose) {
    console.log(
      seed,
      system,
      truth.load.toFixed(2),
      "| limiter",
      truth.limiter.service,
      truth.limiter.resource,
      truth.ceilingPerSecond.toFixed(0),
      "said",
      limiter.service,
      limiter.resource,
      `${limiter.ceilingPerSecond} [${limiter.lowPerSecond}, ${limiter.highPerSecond}]`,
      "| next",
      truth.next.service,
      truth.next.resource,
      truth.nextPerSecond.toFixed(0),
      "said",
      next?.service,
      next?.resource,
      next?.ceilingPerSecond,
      "|",
      truth.change,
      "p99",
      truth.nowP99Ms.toFixed(1),
      "->",
      truth.afterChange.p99Ms.toFixed(1),
      "said",
      endpoint.p99.predicted.toFixed(1),
      "ceiling",
      truth.afterChange.ceilingPerSecond.toFixed(0),
      "said",
      predicted.ceiling?.predicted,
      predicted.cannotTell.join("; "),
    );
  }
  return result;
}

const scores: Score[] = [];
const first = Number(values["first-seed"]);
const cases = Number(values.cases);
for (let seed = first; seed < first + cases; seed++) {
  const result = await score(seed);
  if (typeof result === "string") console.log(`seed ${seed}: no ceiling: ${result}`);
  else scores.push(result);
}
const percent = (share: number): string => `${(100 * share).toFixed(1)} %`;
const share = (of: (s: Score) => boolean): string => percent(scores.filter(of).length / scores.length);
const errors = (of: (s: Score) => number): string => {
  const sorted = scores
    .map(of)
    .filter((e) => !Number.isNaN(e))
    .sort((a, b) => a - b);
  const at = (p: number): string => percent(sorted[Math.ceil(p * sorted.length) - 1]!);
  return `median ${at(0.5)}, p90 ${at(0.9)}, largest ${at(1)} of ${sorted.length}`;
};
console.log(
  `${scores.length} of ${cases} cases with a ceiling, seeds ${first} to ${first + cases - 1}${values.busy ? ", busy" : ""}`,
);
console.log(`limiter right: ${share((s) => s.limiter)}; next limiter right: ${share((s) => s.next)}`);
console.log(`ceiling, error: ${errors((s) => s.ceiling)}; 90 % interval covers: ${share((s) => s.covered)}`);
console.log(`p99 after a change, error: ${errors((s) => s.p99)}; 90 % interval covers: ${share((s) => s.p99Covered)}`);
console.log(`ceiling after a change, error: ${errors((s) => s.ceilingAfter)}`);
