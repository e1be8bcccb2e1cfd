import { SpanRole } from "../../model/span-facts.ts";
import { spanRows } from "../case.ts";
import { programOf } from "../replay-predictor.ts";
import type { Window } from "../window.ts";
import { count, percent } from "../wording.ts";
import { NOTHING, type ConfigurationCheck } from "./configuration-check.ts";

/** A level that repeats a twentieth of its calls is seen to retry. */
const MIN_FACTOR = 1.05;
/** Half as many calls again reach the last service of the chain: no longer noise in its load. */
const MIN_PRODUCT = 1.5;

interface Level {
  readonly node: number;
  /** calls over requests for a call */
  readonly factor: number;
  readonly most: number;
}

/**
 * Retries at several levels of a chain of calls multiply: three attempts at each of three levels are 27 calls of the last
 * service for one request, just when it fails. One level should repeat, the one right above the failure.
 */
export const retryAmplification: ConfigurationCheck = {
  what: "retries along the chain",
  run: ({ window }) => {
    const chains = chainsOf(window).filter((levels) => levels.length >= 2);
    const worst = chains.toSorted((a, b) => productOf(b) - productOf(a))[0];
    if (worst === undefined || productOf(worst) < MIN_PRODUCT) return NOTHING;
    const { paths, text } = window;
    const service = (level: Level): string => text(paths.service[level.node]!);
    const last = worst.at(-1)!;
    const outer = worst.slice(0, -1);
    const callee = paths.callee[last.node]! < 0 ? text(paths.operation[last.node]!) : text(paths.callee[last.node]!);
    const product = productOf(worst);
    const most = worst.reduce((all, level) => all * level.most, 1);
    const loss = failedShare(window, outer[0]!.node);
    return {
      problems: [
        {
          service: service(outer[0]!),
          resource: `edge:${service(outer[0]!)}->${service(worst[1]!)}`,
          setting: "retries",
          change: outer.map((level) => `${service(level)} retries: ${level.most - 1} -> 0`).join(", "),
          mechanism: "retries",
          saidAs: new Set(["retries"]),
          alsoSaidOf: worst.slice(1).map(service),
          arithmetic: `${worst.map((level) => `${service(level)} ${level.factor.toFixed(2)}`).join(" × ")} = ${product.toFixed(2)} calls of ${callee} for each that is needed, up to ${worst.map((level) => level.most).join(" × ")} = ${count(most)}`,
          title: `retries at ${count(worst.length)} levels multiply: ${callee} gets ${product.toFixed(1)} times the calls that are needed`,
          remedy: `Repeat at one level only, in ${service(last)}, right above ${callee}; let the others pass the failure on, marked as one not to repeat.`,
          reference: "Beyer et al., Site Reliability Engineering, chapter 22: retries",
          query: `calls under one parent after a failed one, by level, down to ${callee}`,
          refutedBy: "the calls of one parent ask for different things",
          confidence: 0.8,
          harm: { text: `${percent(1 - 1 / product)} of the calls of ${callee} are repetitions`, loss },
        },
      ],
      fine: [],
    };
  },
};

const productOf = (levels: readonly Level[]): number => levels.reduce((product, { factor }) => product * factor, 1);

/** Per call path: the levels above it, itself last, that repeat their calls. */
function chainsOf(window: Window): Level[][] {
  const { paths, forest } = window;
  const { retryOf } = programOf(window);
  const chains: Level[][] = Array.from({ length: paths.nodeCount }, () => []);
  for (let node = 0; node < paths.nodeCount; node++) {
    const above = paths.parent[node]! < 0 ? [] : chains[paths.parent[node]!]!;
    chains[node] = above;
    if (paths.role[node] !== SpanRole.client && paths.role[node] !== SpanRole.database) continue;
    const rows = spanRows(window, node);
    const retries = rows.filter((row) => retryOf[row]! >= 0).length;
    const factor = rows.length / Math.max(1, rows.length - retries);
    if (factor < MIN_FACTOR) continue;
    let most = 1;
    for (const row of rows) {
      let attempts = 1;
      for (let before = retryOf[row]!; before >= 0; before = retryOf[before]!) attempts++;
      most = Math.max(most, attempts);
    }
    chains[node] = [...above, { node, factor, most }];
  }
  return chains.filter((_, node) => forest.rows.length > 0 && spanRows(window, node).length > 0);
}

/** Share of the calls that fail at the first level, whatever was repeated below. */
function failedShare(window: Window, node: number): number {
  const rows = spanRows(window, node);
  return rows.filter((row) => window.facts.error[row] === 1).length / Math.max(1, rows.length);
}
