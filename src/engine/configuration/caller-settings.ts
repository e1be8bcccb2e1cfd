import { quantileOf } from "../../analysis/weighted-quantile.ts";
import type { Finding } from "../../model/report.ts";
import { SpanRole } from "../../model/span-facts.ts";
import { NS_PER_S } from "../../model/units.ts";
import { isConnect } from "../explain/connection-churn.ts";
import { siblingCalls } from "../sibling-calls.ts";
import type { Window } from "../window.ts";
import { count, ms, percent } from "../wording.ts";
import type { NamedSetting } from "./configuration-check.ts";
import { nodesOf, rowsOf } from "./finding-spans.ts";
import { connectionsFor } from "./pool-size.ts";
import { mapToFloats } from "../../model/map-column.ts";

/** Room above what nearly all successful calls take. */
const MARGIN = 1.5;

/** How long to wait: what 99 of 100 successful calls take, and half as long again. */
export function timeoutOf(finding: Finding, window: Window): NamedSetting | undefined {
  const { forest, facts } = window;
  const rows = rowsOf(window, nodesOf(window, finding));
  const durations = (isError: number): Float64Array =>
    mapToFloats(
      rows.filter((row) => facts.error[row] === isError),
      (row) => forest.endNs[row]! - forest.startNs[row]!,
    );
  const [passed, failed] = [durations(0), durations(1)];
  if (passed.length < 20 || failed.length === 0) return undefined;
  const p99 = quantileOf(passed, 0.99);
  // Timers fire a little late: 1,001 ms are a setting of 1,000.
  const waitedMs = quantileOf(failed, 0.5) / 1e6;
  const now = waitedMs >= 100 ? Number(waitedMs.toPrecision(2)) : Math.round(waitedMs);
  const need = roundUp((MARGIN * p99) / 1e6);
  if (need >= now) return undefined;
  return {
    setting: "timeout",
    change: `timeout: ${now} ms -> ${need} ms`,
    arithmetic: `of ${count(passed.length)} calls that succeed 99 % take at most ${ms(p99)}; × ${MARGIN} = ${need} ms, and the ${count(failed.length)} that fail are waited for ${now} ms each`,
    remedy: "Wait no longer than nearly all answers take, and have something to say without one.",
    reference: "Beyer et al., Site Reliability Engineering, chapter 22: deadlines",
    query: `durations of "${finding.subject.operation}" of ${finding.subject.service} by status`,
  };
}

/** Two digits that people write: 62 → 70, 137 → 140. */
function roundUp(value: number): number {
  const step = 10 ** Math.max(0, Math.floor(Math.log10(Math.max(1, value))) - 1);
  return Math.ceil(value / step) * step;
}

/** How often to ask again: the load that the repetitions add, and what is left of it with one. */
export function retriesOf(finding: Finding, window: Window): NamedSetting | undefined {
  const groups = nodesOf(window, finding).flatMap((node) => siblingCalls(window, node));
  const calls = groups.reduce((sum, { rows }) => sum + rows.length, 0);
  const failed = groups.reduce((sum, { rows }) => sum + rows.filter((row) => window.facts.error[row] === 1).length, 0);
  const most = groups.reduce((max, { rows }) => Math.max(max, rows.length), 0) - 1;
  if (groups.length < 20 || most < 1) return undefined;
  const share = failed / calls;
  const load = calls / groups.length;
  return {
    setting: "retries",
    change: `retries: ${most} -> 1`,
    arithmetic: `${count(groups.length)} requests make ${count(calls)} calls of which ${percent(share)} fail: ${load.toFixed(2)} times the load; with one retry ${(1 + share).toFixed(2)} times`,
    remedy:
      "Ask again once, after a pause that is drawn at random, and only while fewer than a tenth of the calls are repetitions (a budget).",
    reference: "Beyer et al., Site Reliability Engineering, chapter 22: retries",
    query: `calls "${finding.subject.operation}" under one parent, by status`,
  };
}

/** How many connections a pool would keep where each request opens its own. */
export function poolInstead({ subject }: Finding, window: Window): NamedSetting | undefined {
  const { facts, forest, text } = window;
  let [busyNs, opened, fromNs, toNs] = [0, 0, Infinity, -Infinity];
  const instances = new Set<number>();
  for (const row of forest.rows) {
    if (facts.role[row] !== SpanRole.database || text(facts.service[row]!) !== subject.service) continue;
    const statement = facts.statement[row]! < 0 ? "" : text(facts.statement[row]!);
    fromNs = Math.min(fromNs, forest.startNs[row]!);
    toNs = Math.max(toNs, forest.endNs[row]!);
    instances.add(facts.instance[row]!);
    if (isConnect(SpanRole.database, text(facts.operation[row]!), statement)) opened++;
    else busyNs += (forest.endNs[row]! - forest.startNs[row]!) * forest.weight[forest.trace[row]!]!;
  }
  const seconds = (toNs - fromNs) / NS_PER_S;
  if (opened === 0 || !(seconds > 1)) return undefined;
  const load = busyNs / NS_PER_S / seconds / instances.size;
  const need = connectionsFor(load);
  return {
    setting: "pool.max",
    change: `pool.max: none -> ${need}`,
    arithmetic: `${count(opened)} connections were opened in ${Math.round(seconds)} s, while ${load.toFixed(2)} of them are in use at once on average: a pool of ${need} has one free for 95 of 100 requests (Erlang C)`,
    remedy: "Make one pool when the process starts, and take each connection from it.",
    reference: "Little's law; Erlang C",
    query: `statements of ${subject.service}: rate × duration`,
  };
}
