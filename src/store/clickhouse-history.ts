import type { Link, QueryOptions, Settings } from "./connection.ts";
import type { LedgerEntry, SettingChange, StoredEvent, StoredSetting, StoredStatement } from "./history.ts";
import {
  type EventRow,
  eventValues,
  type LedgerRow,
  READ_EVENTS,
  READ_LEDGER,
  READ_SETTINGS,
  READ_STATEMENTS,
  type SettingRow,
  settingValues,
  type StatementRow,
  statementValues,
  storedEvent,
  storedSetting,
  storedStatement,
} from "./queries/history.ts";
import { decimalSeconds, rangeParameters } from "./queries/time-range.ts";
import type { History, TimeRange } from "./store.ts";

/** The tables of what is kept besides telemetry. */
export class ClickHouseHistory implements History {
  private readonly link: Link;
  private readonly database: string;
  private readonly settings: Settings;

  /** settings: of inserts */
  constructor(link: Link, database: string, settings: Settings) {
    this.link = link;
    this.database = database;
    this.settings = settings;
  }

  saveEvents(events: readonly StoredEvent[]): Promise<void> {
    return this.insert("events", events.map(eventValues));
  }

  async readEvents(range: TimeRange): Promise<readonly StoredEvent[]> {
    return (await this.rows<EventRow>(READ_EVENTS, { parameters: rangeParameters(range) })).map(storedEvent);
  }

  saveStatements(statements: readonly StoredStatement[]): Promise<void> {
    return this.insert("statements", statements.map(statementValues));
  }

  async readStatements(range: TimeRange): Promise<readonly StoredStatement[]> {
    return (await this.rows<StatementRow>(READ_STATEMENTS, { parameters: rangeParameters(range) })).map(
      storedStatement,
    );
  }

  async saveSettings(settings: readonly StoredSetting[]): Promise<readonly SettingChange[]> {
    if (settings.length === 0) return [];
    const keyOf = ({ service, instance, name }: StoredSetting): string => JSON.stringify([service, instance, name]);
    const ordered = settings.toSorted((a, b) => (a.timeUnixNs < b.timeUnixNs ? -1 : 1));
    const held = new Map((await this.readSettings(ordered.at(-1)!.timeUnixNs)).map((one) => [keyOf(one), one]));
    const changes: SettingChange[] = [];
    for (const after of ordered) {
      const before = held.get(keyOf(after));
      if (before?.value === after.value) continue;
      held.set(keyOf(after), after);
      changes.push({ before, after });
    }
    await this.insert(
      "settings",
      changes.map(({ after }) => settingValues(after)),
    );
    return changes;
  }

  async readSettings(atUnixNs: bigint): Promise<readonly StoredSetting[]> {
    return (await this.rows<SettingRow>(READ_SETTINGS, { parameters: { at: atUnixNs } })).map(storedSetting);
  }

  saveLedger(totals: readonly LedgerEntry[], timeUnixNs: bigint): Promise<void> {
    return this.insert(
      "ledger",
      totals.map((entry) => ({ ...entry, time: decimalSeconds(timeUnixNs) })),
    );
  }

  readLedger(range: TimeRange): Promise<readonly LedgerEntry[]> {
    return this.rows<LedgerRow>(READ_LEDGER, { parameters: rangeParameters(range) });
  }

  private async insert(table: string, values: readonly Readonly<Record<string, string | number>>[]): Promise<void> {
    if (values.length === 0) return;
    await this.link.insertRows(`${this.database}.${table}`, values, { settings: this.settings });
  }

  private rows<Row>(query: string, options: QueryOptions): Promise<Row[]> {
    return this.link.rows<Row>(query, options);
  }
}
