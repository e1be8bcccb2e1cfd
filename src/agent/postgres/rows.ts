import type { Figure } from "./figures.ts";

/** Counts come as text where they may not fit a double. */
export type Row = Readonly<Record<string, string | number | boolean | null>>;

/** What asks the database: a connection, with the time that its answers took added up. */
export interface Ask {
  rows(sql: string, values?: readonly unknown[]): Promise<readonly Row[]>;
}

/** NaN for what the server does not tell: figures of it are left out, never zero. */
export const numberOf = (value: Row[string] | undefined): number =>
  value === null || value === undefined || value === "" ? Number.NaN : Number(value);

export const textOf = (value: Row[string] | undefined): string =>
  value === null || value === undefined ? "" : String(value);

/** `postgresql.NAME` with the value of a column. */
export function figure(
  name: string,
  unit: string,
  kind: Figure["kind"],
  value: Row[string] | undefined,
  attributes: Figure["attributes"] = {},
  resource: Figure["resource"] = {},
): Figure {
  return { name: `postgresql.${name}`, unit, kind, value: numberOf(value), attributes, resource };
}
