/** What the sample system's database is filled with, and what its users ask for and send. */

/** Ids from 1 to ACCOUNTS. */
export const ACCOUNTS = 2000;
/** Ids from 1 to ZONES. */
export const ZONES = 5000;

/** The name of the n-th record, n from 0. */
export function recordName(n: number): string {
  return `host-${n}.example`;
}

/** A name that no record has, however many there are. */
export function missingName(n: number): string {
  return `missing-${n}.example`;
}

/** What a request to `create` carries, as JSON. */
export interface NewRecord {
  readonly name: string;
  readonly type: "A";
  /** an IPv4 address */
  readonly content: string;
  readonly ttl: number;
}
