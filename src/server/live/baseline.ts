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
  const services = await store.red({ ...range, rootsOnly: true }, stop);
  const names = [...new Set(services.map(({ service }) => service))];
  const histories: { time: number; history: EndpointHistory }[] = [];
  for (const service of names) {
    const rows = await store.red({ ...range, service, stepSeconds, rootsOnly: true }, stop);
    for (const [operation, steps] of byOperation(rows)) {
      const name = `${service} ${operation}`.toLowerCase();
      if (endpoint !== undefined && !name.includes(endpoint.toLowerCase())) continue;
      const whole = steps.slice(0, -1);
      const time = whole.reduce((sum, { requests, meanNs }) => sum + requests * meanNs, 0);
      histories.push({ time, history: { service, operation, steps: whole } });
    }
  }
  histories.sort((a, b) => b.time - a.time);
  return histories.slice(0, MOST_ENDPOINTS).map(({ history }) => history);
}

/** Kinds of one operation (server and internal, say) are one endpoint; the p99 is that of the kind with most calls. */
function byOperation(rows: readonly RedRow[]): Map<string, HistoryStep[]> {
  const operations = new Map<string, Map<bigint, HistoryStep & { most: number }>>();
  for (const row of rows) {
    if (row.count === 0) continue;
    const steps = operations.get(row.operation) ?? new Map<bigint, HistoryStep & { most: number }>();
    operations.set(row.operation, steps);
    const held = steps.get(row.startUnixNs);
    const requests = (held?.requests ?? 0) + row.count;
    const sum = (held === undefined ? 0 : held.meanNs * held.requests) + row.sumNs;
    const isMost = held === undefined || row.count > held.most;
    steps.set(row.startUnixNs, {
      startUnixNs: row.startUnixNs,
      requests,
      meanNs: sum / requests,
      p99Ns: isMost ? row.p99Ns : held.p99Ns,
      most: isMost ? row.count : held.most,
    });
  }
  const ascending = (steps: Iterable<HistoryStep>): HistoryStep[] =>
    [...steps].sort((a, b) => Number(a.startUnixNs - b.startUnixNs));
  return new Map([...operations].map(([operation, steps]) => [operation, ascending(steps.values())]));
}

function told({ service, operation, metric, beforeNs, afterNs, atUnixNs }: LevelChange): string {
  const ms = (ns: number): string => (ns / 1e6).toPrecision(3);
  const at = new Date(Number(atUnixNs / 1_000_000n)).toISOString().slice(0, 16);
  return `before the ${metric} of ${service} ${operation} rose from ${ms(beforeNs)} to ${ms(afterNs)} ms at ${at}Z`;
}
