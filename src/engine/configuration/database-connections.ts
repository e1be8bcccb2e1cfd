import { SpanRole } from "../../model/span-facts.ts";
import type { MeasureSeries } from "../resources/read-measures.ts";
import { largestOf, meanOf } from "../resources/service-measures.ts";
import { count, percent } from "../wording.ts";
import { NOTHING, type CheckResult, type ConfigurationCase, type ConfigurationCheck } from "./configuration-check.ts";
import { errorsLike } from "./error-texts.ts";

/** What PostgreSQL (53300), MySQL (1040), and the poolers before them say. */
const REFUSED =
  /too many (clients|connections)|remaining connection slots|\b53300\b|\b1040\b|max_connections|max_client_conn/i;
/** From here on the next deploy, which runs old and new replicas at once, finds none free. */
const FULL = 0.9;
/** PostgreSQL keeps three for superusers, and people want to look in as well. */
const KEPT_FREE = 5;

/**
 * All the connections that pools may open against what the database grants. Each replica of each service may fill its
 * pool at the same moment; the sum is what counts.
 */
export const databaseConnections: ConfigurationCheck = {
  what: "connections of the database",
  run: (theCase) => {
    const { resources } = theCase;
    if (resources === undefined) return refusals(theCase, undefined);
    const { series } = resources.measures;
    const limits = series.filter(({ measure }) => measure === "db-connections-max");
    if (limits.length === 0) return refusals(theCase, undefined);
    const pools = new Map<string, MeasureSeries[]>();
    for (const one of series) {
      if (one.measure !== "pool-max") continue;
      const held = pools.get(one.resource);
      if (held === undefined) pools.set(one.resource, [one]);
      else held.push(one);
    }
    const results = [...pools].map(([pool, ofPool]) => judge(theCase, pool, ofPool, limits));
    return { problems: results.flatMap((r) => r.problems), fine: results.flatMap((r) => r.fine) };
  },
};

function judge(
  theCase: ConfigurationCase,
  pool: string,
  pools: readonly MeasureSeries[],
  limits: readonly MeasureSeries[],
): CheckResult {
  // Of several servers the one that is named so; a pool of a server that tells no limit is not judged by another's.
  const named = limits.filter(({ service, resource }) => service === pool || resource === pool);
  const found = named[0] ?? (limits.length === 1 ? limits[0] : undefined);
  const most = meanOf(found?.values);
  if (!(most > 0)) return NOTHING;
  const sizes = pools.map(({ values }) => meanOf(values));
  const sum = sizes.reduce((a, b) => a + b, 0);
  const arithmetic = `${sizesText(pools)} = ${count(Math.round(sum))} connections of max_connections ${count(Math.round(most))}`;
  if (sum <= most - KEPT_FREE)
    return { problems: [], fine: [{ text: `${pool}: ${arithmetic}`, tightness: sum / most }] };
  const refused = refusals(theCase, { pool, most, arithmetic, pools });
  if (refused.problems.length > 0) return refused;
  const used = theCase.resources!.measures.series.filter(
    (one) => one.measure === "db-connections" && one.service === pool,
  );
  const open = used.reduce((all, { values }) => all + largestOf(values), 0);
  const isFull = open >= FULL * most;
  return {
    problems: [
      {
        ...problemOf(pool, most, arithmetic, pools),
        ...(isFull
          ? { harm: { text: `${count(open)} of ${count(most)} connections are open (${percent(open / most)})` } }
          : {}),
      },
    ],
    fine: [],
  };
}

const sizesText = (pools: readonly MeasureSeries[]): string => {
  const byService = new Map<string, number[]>();
  for (const { service, values } of pools) byService.set(service, [...(byService.get(service) ?? []), meanOf(values)]);
  return [...byService].map(([service, sizes]) => `${service} ${sizes.length} × ${Math.round(sizes[0]!)}`).join(" + ");
};

function problemOf(
  pool: string,
  most: number,
  arithmetic: string,
  pools: readonly MeasureSeries[],
): Omit<CheckResult["problems"][number], "harm"> {
  const each = Math.max(1, Math.floor((most - KEPT_FREE) / Math.max(1, pools.length)));
  const now = Math.max(...pools.map(({ values }) => Math.round(meanOf(values))));
  return {
    service: pool,
    resource: "connections",
    setting: "max_connections",
    change: `pool.max: ${now} -> ${Math.min(now, each)}`,
    mechanism: "misconfiguration",
    saidAs: new Set(["pool-exhausted", "error-handling"]),
    alsoSaidOf: [...new Set(pools.map(({ service }) => service))],
    arithmetic,
    title: `the pools towards ${pool} may open more connections than it grants`,
    remedy: `Make the pools smaller, so that replicas × pool stays ${KEPT_FREE} below max_connections, put a pooler (PgBouncer) before the database, or raise max_connections: each costs the server some MB.`,
    reference: "PostgreSQL: max_connections, superuser_reserved_connections",
    query: "db.client.connection.max of all instances against postgresql.connection.max",
    refutedBy: "the replicas never open all of their connections at once",
    confidence: 0.7,
  };
}

interface Known {
  readonly pool: string;
  readonly most: number;
  readonly arithmetic: string;
  readonly pools: readonly MeasureSeries[];
}

/** Connections that were refused: harm, whatever the sum is. */
function refusals({ window }: ConfigurationCase, known: Known | undefined): CheckResult {
  const [worst] = errorsLike(window, REFUSED);
  if (worst === undefined) return NOTHING;
  const { facts, text } = window;
  const callee = worst.rows.map((row) => facts.callee[row]!).find((id) => id >= 0);
  const pool = known?.pool ?? (callee === undefined ? "its database" : text(callee));
  const isCall = worst.rows.some((row) => facts.role[row] === SpanRole.database || facts.role[row] === SpanRole.pool);
  if (!isCall) return NOTHING;
  const told = `${count(worst.rows.length)} calls of ${worst.service} (${percent(worst.share)}) fail with "${worst.example}"`;
  const base =
    known === undefined
      ? { ...problemOf(pool, Number.NaN, told, []), alsoSaidOf: [worst.service] }
      : problemOf(pool, known.most, known.arithmetic, known.pools);
  const { change, ...rest } = base;
  return {
    problems: [
      {
        ...rest,
        ...(known === undefined || change === undefined ? {} : { change }),
        title: `${pool} refuses connections: more are asked for than it grants`,
        confidence: 0.9,
        harm: { text: told, loss: worst.share },
      },
    ],
    fine: [],
  };
}
