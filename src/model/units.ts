/**
 * All units of Longpole. A number that carries a unit has it in its name and, at
 * the edges of a module, in its type; the brands are made only here.
 *
 * Inside columns (Float64Array) a brand cannot be carried: there the name of the
 * column ends in its unit (`startOffsetNs`).
 */

declare const unit: unique symbol;

/** Nanoseconds since 1970-01-01T00:00Z. A bigint: in a double it would be off by up to 128 ns. */
export type UnixNs = bigint & { readonly [unit]: "unix-ns" };

/** A share between 0 and 1. */
export type Ratio = number & { readonly [unit]: "ratio" };

export const NS_PER_US = 1e3;
export const NS_PER_MS = 1e6;
export const NS_PER_S = 1e9;

export const unixNs = (value: bigint): UnixNs => value as UnixNs;
export const ratio = (value: number): Ratio => value as Ratio;
