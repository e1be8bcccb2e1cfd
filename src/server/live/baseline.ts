import {
  levelChanges,
  riseBefore,
  type EndpointHistory,
  type HistoryStep,
  type LevelChange,
} from "../../engine/history-change.ts";
import type { RedRow, Store, TimeRange } from "../../store/store.ts";

/** The near past in minutes, and the far one in quarters of an hour: some 250 steps each, which change points need 10 ms for. */
const HORIZONS: readonly { readonly lengthNs: bigint; readonly stepSeconds: number }[] = [
  { lengthNs: 4n * 3_600_000_000_000n, stepSeconds: 60 },
  { lengthNs: 72n * 3_600_000_000_000n, stepSeconds: 900 },
];
/** Endpoints with most time in the window; the others can't have made it slow. */
const MOST_ENDPOINTS = 20;

type Histories = Pick<Store, "red">;
interface Stop {
  readonly signal?: AbortSignal;
}

/** The stretch before the rise that the window is under, as long as the window; undefined where nothing rose. */
export async function chooseBaseline(
  store: Histories,
  range: TimeRange,
  endpoint: string | undefined,
  stop: Stop = {},
): Promise<{ range: TimeRange; why: string } | undefined> {
  for (const { lengthNs, stepSeconds } of HORIZONS) {
    const past = { fromUnixNs: range.toUnixNs - lengthNs, toUnixNs: range.toUnixNs };
    const changes = levelChanges(await endpointHistories(store, past, stepSeconds, endpoint, stop));
    const rise = riseBefore(changes, range.fromUnixNs);
    if (rise === undefined) continue;
    const length = range.toUnixNs - range.fromUnixNs;
    const from = rise.atUnixNs - length;
    return {
      range: { fromUnixNs: from > rise.sinceUnixNs ? from : rise.sinceUnixNs, toUnixNs: rise.atUnixNs },
      why: told(rise),
    };
  }
  return undefined;
}

/** Steps of the endpoints with most time, from the store's rollups. The last step, which is still filling, is left out. */
export async function endpointHistories(
  store: Histories,
  range: TimeRange,
  stepSeconds: number,
  endpoint: string | undefined,
  stop: Stop = {},
): Promise<EndpointHistory[]> {
  const rows = await store.red({ ...range, stepSeconds, rootsOnly: true }, stop);
  const histories: { time: number; history: EndpointHistory }[] = [];
  for (const { service, operation, steps } of byEndpoint(rows)) {
    const name = `${service} ${operation}`.toLowerCase();
    if (endpoint !== undefined && !name.includes(endpoint.toLowerCase())) continue;
    const whole = steps.slice(0, -1);
    const time = whole.reduce((sum, { requests, meanNs }) => sum + requests * meanNs, 0);
    histories.push({ time, history: { service, operation, steps: whole } });
  }
  histories.sort((a, b) => b.time - a.time);
  return histories.slice(0, MOST_ENDPOINTS).map(({ history }) => history);
}

/** Kinds of one operation (server and internal, say) are one endpoint; the p99 is that of the kind with most calls. */
function byEndpoint(rows: readonly RedRow[]): EndpointHistory[] {
  const endpoints = new Map<string, { service: string; operation: string; steps: Map<bigint, Step> }>();
  for (const { service, operation, ...row } of rows) {
    if (row.count === 0) continue;
    const key = JSON.stringify([service, operation]);
    const held = endpoints.get(key) ?? { service, operation, steps: new Map<bigint, Step>() };
    endpoints.set(key, held);
    held.steps.set(row.startUnixNs, withRow(held.steps.get(row.startUnixNs), row));
  }
  return [...endpoints.values()].map(({ steps, ...name }) => ({
    ...name,
    steps: [...steps.values()].sort((a, b) => Number(a.startUnixNs - b.startUnixNs)),
  }));
}

/** With the calls of the kind that the p99 is of. */
type Step = HistoryStep & { readonly most: number };

function withRow(held: Step | undefined, row: Omit<RedRow, "service" | "operation">): Step {
  const requests = (held?.requests ?? 0) + row.count;
  const sumNs = (held === undefined ? 0 : held.meanNs * held.requests) + row.sumNs;
  const isMost = held === undefined || row.count > held.most;
  const { startUnixNs } = row;
  const p99Ns = isMost ? row.p99Ns : held.p99Ns;
  return { startUnixNs, requests, meanNs: sumNs / requests, p99Ns, most: isMost ? row.count : held.most };
}

function told({ service, operation, metric, beforeNs, afterNs, atUnixNs }: LevelChange): string {
  const ms = (ns: number): string => (ns / 1e6).toPrecision(3);
  const at = new Date(Number(atUnixNs / 1_000_000n)).toISOString().slice(0, 16);
  return `before the ${metric} of ${service} ${operation} rose from ${ms(beforeNs)} to ${ms(afterNs)} ms at ${at}Z`;
}
