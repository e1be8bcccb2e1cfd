import type { MetricEntry } from "./metric-entries.ts";

/** How far a replica was behind, as it tells itself or as the server tells that sends to it. */
export interface ReplicaStatistics {
  readonly database: string;
  /** "host:port/database" of one that tells itself, else the name and address that the sender has of it */
  readonly name: string;
  /** of the times at which somebody looked; seconds */
  readonly lagSeconds: number;
  /** until what was sent is written there: the way, without what the replica does; NaN where it tells itself */
  readonly writeLagSeconds: number;
  /** scans of its tables, by index or not, within the window; NaN where only the sender tells of it */
  readonly scans: number;
}

interface OpenReplica {
  readonly database: string;
  readonly name: string;
  lag: Float64Array;
  writeLag: Float64Array;
}

/** Gathers what replicas and those that send to them tell. */
export class ReplicaLags {
  readonly #replicas = new Map<string, OpenReplica>();
  readonly #scans = new Map<string, number>();

  /** `wal_delay` of a replica, or one operation of `wal_lag` of a sender. */
  add(entry: MetricEntry, database: string): void {
    const { labels, name, values } = entry;
    const isOwn = name === "wal_delay";
    const operation = labels.get("operation");
    // A replica is one of the server, whichever of its databases is looked at.
    const who = isOwn ? instanceOf(entry) : (labels.get("replication_client") ?? "");
    const key = JSON.stringify([isOwn, who]);
    const held = this.#replicas.get(key) ?? { database, name: who, lag: NONE, writeLag: NONE };
    this.#replicas.set(key, held);
    if (isOwn || operation === "replay") held.lag = values;
    else if (operation === "write") held.writeLag = values;
  }

  addScans(entry: MetricEntry, scans: number): void {
    const instance = instanceOf(entry);
    if (!Number.isNaN(scans)) this.#scans.set(instance, (this.#scans.get(instance) ?? 0) + scans);
  }

  all(): ReplicaStatistics[] {
    return [...this.#replicas].map(([key, { database, name, lag, writeLag }]) => ({
      database,
      name,
      lagSeconds: middle(lag),
      writeLagSeconds: middle(writeLag),
      scans: key.startsWith("[true") ? (this.#scans.get(name) ?? 0) : Number.NaN,
    }));
  }
}

const NONE = new Float64Array();

const instanceOf = ({ labels }: MetricEntry): string =>
  labels.get("service_instance_id") ?? labels.get("postgresql_database_name") ?? "";

/** The median: one long transaction that is replayed is no lag. */
const middle = (values: Float64Array): number => values.toSorted()[values.length >> 1] ?? Number.NaN;
