/** What happened besides telemetry. */
export interface StoredEvent {
  /** an event of the same id is replaced */
  readonly id: string;
  readonly timeUnixNs: bigint;
  /** "deploy", "change-point", ... */
  readonly kind: string;
  /** "" for one of the whole system */
  readonly service: string;
  readonly title: string;
  /** what else is known of it: a JSON object */
  readonly json: string;
}

/** A statement of a database. Its counters are metrics; here is what does not change with each reading. */
export interface StoredStatement {
  /** of the database, not of who calls it */
  readonly service: string;
  readonly database: string;
  /** what the database calls it by */
  readonly id: string;
  readonly text: string;
  /** its plan as JSON, "" where none is known */
  readonly planJson: string;
  readonly seenUnixNs: bigint;
}

/** A setting and what it is from a time on. */
export interface StoredSetting {
  readonly service: string;
  /** which of the service's processes, "" for all */
  readonly instance: string;
  readonly name: string;
  readonly value: string;
  /** where the value was read */
  readonly source: string;
  readonly timeUnixNs: bigint;
}

export interface SettingChange {
  readonly before: StoredSetting | undefined;
  readonly after: StoredSetting;
}

/** Items of a signal that came to an end: received, stored, or rejected or dropped for a reason. */
export interface LedgerEntry {
  readonly signal: string;
  readonly outcome: string;
  /** "" where the outcome needs none */
  readonly reason: string;
  readonly items: number;
}
