import type { StoredEvent, StoredSetting, StoredStatement } from "../history.ts";
import { decimalSeconds, inRange, nanoseconds } from "./time-range.ts";

export interface EventRow {
  readonly id: string;
  readonly at: string;
  readonly kind: string;
  readonly service: string;
  readonly title: string;
  readonly json: string;
}

export const READ_EVENTS: string = `SELECT id, ${nanoseconds("time")} AS at, kind, service, title, json
FROM events FINAL
WHERE ${inRange("time")}
ORDER BY time DESC, id`;

export const eventValues = ({ timeUnixNs, ...event }: StoredEvent): Record<string, string> => ({
  ...event,
  time: decimalSeconds(timeUnixNs),
});

export const storedEvent = ({ at, ...event }: EventRow): StoredEvent => ({ ...event, timeUnixNs: BigInt(at) });

export interface StatementRow {
  readonly service: string;
  readonly database: string;
  readonly id: string;
  readonly text: string;
  readonly plan: string;
  readonly at: string;
}

export const READ_STATEMENTS: string = `SELECT service, database, id, text, plan, ${nanoseconds("seen")} AS at
FROM statements FINAL
WHERE ${inRange("seen")}
ORDER BY service, database, id`;

export const statementValues = ({ planJson, seenUnixNs, ...statement }: StoredStatement): Record<string, string> => ({
  ...statement,
  plan: planJson,
  seen: decimalSeconds(seenUnixNs),
});

export const storedStatement = ({ at, plan, ...statement }: StatementRow): StoredStatement => ({
  ...statement,
  planJson: plan,
  seenUnixNs: BigInt(at),
});

export interface SettingRow {
  readonly service: string;
  readonly instance: string;
  readonly name: string;
  readonly value: string;
  readonly source: string;
  readonly at: string;
}

/** The last value of each at a time. */
export const READ_SETTINGS: string = `SELECT service, instance, name, argMax(value, time) AS value,
  argMax(source, time) AS source, ${nanoseconds("max(time)")} AS at
FROM settings
WHERE time <= fromUnixTimestamp64Nano({at:Int64}, 'UTC')
GROUP BY service, instance, name
ORDER BY service, instance, name`;

export const settingValues = ({ timeUnixNs, ...setting }: StoredSetting): Record<string, string> => ({
  ...setting,
  time: decimalSeconds(timeUnixNs),
});

export const storedSetting = ({ at, ...setting }: SettingRow): StoredSetting => ({
  ...setting,
  timeUnixNs: BigInt(at),
});

export interface LedgerRow {
  readonly signal: string;
  readonly outcome: string;
  readonly reason: string;
  readonly items: number;
}

/** Increases from row to row; the first row of all begins at nothing. */
export const READ_LEDGER: string = `SELECT signal, outcome, reason, sum(added) AS items
FROM (
  SELECT signal, outcome, reason, time, toFloat64(items) AS held,
    lagInFrame(toFloat64(items), 1, 0) OVER (PARTITION BY signal, outcome, reason ORDER BY time, items ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS before,
    if(held >= before, held - before, held) AS added
  FROM ledger
)
WHERE ${inRange("time")}
GROUP BY signal, outcome, reason
HAVING items > 0
ORDER BY signal, outcome, reason`;
