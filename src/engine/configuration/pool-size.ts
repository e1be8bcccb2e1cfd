import { meanOfTop } from "../../analysis/robust-deviation.ts";
import { erlangC } from "../../analysis/queueing-network.ts";
import { SpanRole } from "../../model/span-facts.ts";
import { NS_PER_S } from "../../model/units.ts";
import { largestOf, meanOf, measureOf, type ServiceMeasure } from "../resources/service-measures.ts";
import { releaseOf, spanPools } from "../throughput/span-pools.ts";
import type { Window } from "../window.ts";
import { ms, percent } from "../wording.ts";
import type { CheckResult, ConfigurationCase, ConfigurationCheck, SettingProblem } from "./configuration-check.ts";

/** One acquisition in twenty may wait: the usual aim of Erlang's formula, and what the p95 does not see. */
const MAY_WAIT = 0.05;
/** A wait below this is the bookkeeping of the pool. */
const WAITED_NS = 1e6;
/** Fewer uses than this tell no rate. */
const MIN_USES = 50;

/** How a service used its connections towards one database, per instance. */
interface PoolUse {
  readonly service: string;
  readonly pool: string;
  readonly operation: string;
  readonly instances: number;
  /** connections of one instance, NaN where not known */
  readonly size: number;
  /** mean connections in use of one instance in the busiest fifth of the time */
  readonly load: number;
  readonly sum: string;
  /** what shows that somebody waits; "" for nothing */
  readonly wait: string;
  readonly isInSpans: boolean;
}

/**
 * Pool size against the need. By Little's law the connections in use are the acquisitions per second times the time that
 * each is held; for random arrivals Erlang's C tells how many it takes that 95 of 100 find one free.
 */
export const poolSize: ConfigurationCheck = {
  what: "pool size",
  run: (theCase) => {
    const uses = [...usesInSpans(theCase), ...usesInMetrics(theCase)];
    const seen = new Set<string>();
    const results = uses.flatMap((use): CheckResult[] => {
      const key = JSON.stringify([use.service, use.pool]);
      if (seen.has(key)) return [];
      seen.add(key);
      return [judge(use)];
    });
    return { problems: results.flatMap((r) => r.problems), fine: results.flatMap((r) => r.fine) };
  },
};

function judge(use: PoolUse): CheckResult {
  const { service, pool, size, load, sum, wait } = use;
  const need = connectionsFor(load);
  if (!Number.isFinite(size)) return { problems: [], fine: [] };
  if (wait === "")
    return {
      problems: [],
      fine: [{ text: `${service} to ${pool}: ${sum}, of ${size} (${need} would do)`, tightness: need / size }],
    };
  // Who waits with connections to spare waits for something else.
  if (need <= size) return { problems: [], fine: [] };
  const full = erlangC(size, Math.min(load, size * 0.999));
  const problem: SettingProblem = {
    service,
    resource: `pool:${pool}`,
    setting: "pool.max",
    change: `pool.max: ${size} -> ${need}`,
    mechanism: "pool-exhausted",
    saidAs: new Set(["pool-exhausted", "load-increase", "thread-starvation"]),
    followsFrom: new Set(["missing-index", "slow-query", "data-growth", "n-plus-one", "lock-contention"]),
    alsoSaidOf: [pool],
    arithmetic: `${sum}; with ${size} of them ${percent(full)} of the requests for one wait, with ${need} at most ${percent(erlangC(need, load))} (Erlang C)`,
    title: `the pool of ${service} towards ${pool} has ${size} connections and needs ${need}`,
    remedy: `Let the pool have ${need} connections, as far as the database bears them (instances × pool must stay below max_connections), or hold each for a shorter time.`,
    reference: "Little's law; Erlang C",
    query: `acquisitions and statements of ${service} towards ${pool}: rate × time held`,
    refutedBy: "requests wait for a connection while some are free",
    confidence: 0.85,
    harm: {
      text: wait,
      ...(use.isInSpans
        ? { undo: [{ kind: "change", change: { kind: "remove", service, operation: use.operation } }] }
        : {}),
    },
  };
  return { problems: [problem], fine: [] };
}

/** Fewest servers of which, at this mean in use, at most one request in twenty finds none free. */
export function connectionsFor(load: number): number {
  let servers = Math.max(1, Math.ceil(load + 1e-9));
  while (servers <= load || erlangC(servers, load) > MAY_WAIT) servers++;
  return servers;
}

function usesInSpans({ window, resources }: ConfigurationCase): PoolUse[] {
  const groups = new Map<string, number[]>();
  const { forest } = window;
  for (const row of forest.rows) {
    if (forest.facts.role[row] !== SpanRole.pool || forest.facts.callee[row]! < 0) continue;
    const key = `${forest.facts.service[row]} ${forest.facts.callee[row]}`;
    const held = groups.get(key);
    if (held === undefined) groups.set(key, [row]);
    else held.push(row);
  }
  return [...groups.values()].flatMap((rows) => {
    const use = rows.length < MIN_USES ? undefined : useInSpans(window, rows, resources);
    return use === undefined ? [] : [use];
  });
}

function useInSpans(
  window: Window,
  rows: readonly number[],
  resources: ConfigurationCase["resources"],
): PoolUse | undefined {
  const { forest, text } = window;
  const { startNs, endNs, facts, trace, weight } = forest;
  const service = text(facts.service[rows[0]!]!);
  const pool = text(facts.callee[rows[0]!]!);
  let [fromNs, toNs, held, count, waited] = [Infinity, -Infinity, 0, 0, 0];
  const instances = new Set<number>();
  const holds = rows.map((row) => {
    const [from, to, w] = [endNs[row]!, releaseOf(window, row), weight[trace[row]!]!];
    fromNs = Math.min(fromNs, startNs[row]!);
    toNs = Math.max(toNs, to);
    held += w * (to - from);
    count += w;
    if (from - startNs[row]! >= WAITED_NS) waited += w;
    instances.add(facts.instance[row]!);
    return { from, to, w };
  });
  const seconds = (toNs - fromNs) / NS_PER_S;
  if (!(seconds > 1) || held === 0) return undefined;
  const inUse = perSecond(holds, fromNs, seconds);
  const load = meanOfTop(inUse, Math.max(1, Math.round(inUse.length / 5))) / instances.size;
  const each = held / count;
  const rate = count / seconds / instances.size;
  const limit = spanPools(window).find((one) => one.service === service && one.database === pool)?.limit;
  const size = poolMax(resources?.now.services.get(service), pool, instances.size) ?? limit?.limit ?? Number.NaN;
  return {
    service,
    pool,
    operation: text(facts.operation[rows[0]!]!),
    instances: instances.size,
    size,
    load,
    sum: `${rate.toFixed(1)}/s × ${ms(each)} held = ${((rate * each) / NS_PER_S).toFixed(2)} connections in use on average, ${load.toFixed(2)} in the busiest fifth of the time`,
    wait:
      waited / count >= MAY_WAIT
        ? `${percent(waited / count)} of the requests for a connection waited a millisecond or more`
        : "",
    isInSpans: true,
  };
}

/** Connections in use per second of the window. */
function perSecond(
  holds: readonly { readonly from: number; readonly to: number; readonly w: number }[],
  fromNs: number,
  seconds: number,
): Float64Array {
  const inUse = new Float64Array(Math.max(1, Math.floor(seconds)));
  for (const { from, to, w } of holds) {
    for (let s = Math.floor((from - fromNs) / NS_PER_S); s < inUse.length && fromNs + s * NS_PER_S < to; s++) {
      const start = fromNs + s * NS_PER_S;
      inUse[s]! += (w * Math.max(0, Math.min(to, start + NS_PER_S) - Math.max(from, start))) / NS_PER_S;
    }
  }
  return inUse;
}

/** The size that the metrics tell, of one instance. */
function poolMax(measures: readonly ServiceMeasure[] | undefined, pool: string, instances: number): number | undefined {
  const most = measureOf(measures, "pool-max", pool) ?? measures?.find((one) => one.measure === "pool-max");
  const size = meanOf(most?.values) / Math.max(most?.instances.length ?? 1, most === undefined ? instances : 1);
  return Number.isFinite(size) ? Math.round(size) : undefined;
}

function usesInMetrics({ resources }: ConfigurationCase): PoolUse[] {
  const uses: PoolUse[] = [];
  for (const [service, measures] of resources?.now.services ?? []) {
    for (const used of measures.filter((one) => one.measure === "pool-used")) {
      const { resource: pool } = used;
      const size = poolMax(measures, pool, used.instances.length) ?? Number.NaN;
      const instances = Math.max(1, used.instances.length);
      const known = used.values.filter((value) => Number.isFinite(value));
      if (known.length === 0 || !(size > 0)) continue;
      const load = meanOfTop(known, Math.max(1, Math.round(known.length / 5))) / instances;
      uses.push({
        service,
        pool: pool === "" ? "database" : pool,
        operation: "",
        instances,
        size,
        load,
        sum: `${(meanOf(known) / instances).toFixed(2)} connections in use on average, ${load.toFixed(2)} in the busiest fifth of the time`,
        wait: waitInMetrics(measures, pool),
        isInSpans: false,
      });
    }
  }
  return uses;
}

function waitInMetrics(measures: readonly ServiceMeasure[], pool: string): string {
  const waiting = measureOf(measures, "pool-waiting", pool);
  const time = measureOf(measures, "pool-wait", pool);
  const timeouts = measureOf(measures, "pool-timeouts", pool);
  if (largestOf(timeouts?.values) > 0) return "requests for a connection time out";
  if (meanOf(waiting?.values) >= 1)
    return `${meanOf(waiting?.values).toFixed(1)} requests wait for a connection on average`;
  const waitNs = meanOf(time?.values) * NS_PER_S;
  return waitNs >= WAITED_NS ? `a request for a connection waits ${ms(waitNs)} on average` : "";
}
