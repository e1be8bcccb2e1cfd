import { type DatabaseStatistics, readDatabaseStatistics } from "../../engine/database/database-statistics.ts";
import { serverName, serversOf } from "../../engine/database/database-servers.ts";
import { POSTGRES_SETTINGS } from "../../model/postgres-settings.ts";
import type { SettingChange, StoredSetting, StoredStatement } from "../../store/history.ts";
import type { Store, TimeRange } from "../../store/store.ts";

/** What a collector tells of statements and settings, whoever sent it. */
const NAMES: readonly string[] = [
  "postgresql.statement.calls",
  "postgresql.plan.sequential_scan.cost",
  ...POSTGRES_SETTINGS.map((name) => `postgresql.setting.${name}`),
];

/**
 * Keeps the texts of databases' statements and what their settings are from when on, longer than the metrics that told of
 * them. A setting that changed becomes an event of the kind "setting", which stands among the changes of a window.
 */
export async function recordDatabases(
  store: Pick<Store, "history" | "readMetrics">,
  range: TimeRange,
): Promise<readonly SettingChange[]> {
  const statistics = readDatabaseStatistics(await store.readMetrics(range, { names: NAMES }));
  if (statistics === undefined) return [];
  await store.history.saveStatements(statementsOf(statistics, range.toUnixNs));
  const serverOf = ({ instance, service }: StoredSetting): string =>
    serversOf(statistics, service).size <= 1 ? "" : ` (${serverName(instance, service)})`;
  const changes = await store.history.saveSettings(settingsOf(statistics, range.toUnixNs));
  // What it was at the first look is no change.
  const changed = changes.filter(({ before }) => before !== undefined);
  await store.history.saveEvents(
    changed.map(({ before, after }) => ({
      id: `setting ${JSON.stringify([after.service, after.instance, after.name])} ${after.timeUnixNs}`,
      timeUnixNs: after.timeUnixNs,
      kind: "setting",
      service: after.service,
      title: `${after.name} of ${after.service}${serverOf(after)}: ${before!.value} -> ${after.value}`,
      json: JSON.stringify({ setting: after.name, before: before!.value, after: after.value }),
    })),
  );
  return changed;
}

/** Statements without an id are those of servers that tell none. */
function statementsOf({ statements }: DatabaseStatistics, seenUnixNs: bigint): StoredStatement[] {
  return statements
    .filter(({ queryId }) => queryId !== "")
    .map(({ database, queryId, statement, scans }) => ({
      service: database,
      database,
      id: queryId,
      text: statement,
      planJson: scans.length === 0 ? "" : JSON.stringify({ sequentialScans: scans }),
      seenUnixNs,
    }));
}

function settingsOf({ databases }: DatabaseStatistics, timeUnixNs: bigint): StoredSetting[] {
  return databases.flatMap(({ server, database, settings }) =>
    [...settings].map(([name, value]) => ({
      service: database,
      instance: server,
      name,
      value: textOf(name, value),
      source: "pg_settings",
      timeUnixNs,
    })),
  );
}

/** Sizes as people write them; all else as the number that it is. */
function textOf(name: string, value: number): string {
  if (!/(mem|buffers|_size)$/.test(name) || value <= 0) return String(value);
  for (const [unit, bytes] of [
    ["GB", 2 ** 30],
    ["MB", 2 ** 20],
  ] as const)
    if (value % bytes === 0) return `${value / bytes} ${unit}`;
  return `${value / 2 ** 10} kB`;
}
