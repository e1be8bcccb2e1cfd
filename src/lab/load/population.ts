/** What the sample system's database is filled with, and what the users ask for. */
export const ACCOUNTS = 2000;
export const ZONES = 5000;

/** The name of the n-th record, n from 0; those from the number of records on do not exist. */
export function recordName(n: number): string {
  return `host-${n}.example`;
}
