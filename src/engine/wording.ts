import { NS_PER_MS } from "../model/units.ts";

/** Numbers as people say them, as the tables of a report write them: three digits that count, and a unit. */

/** "1.84 s", "412 ms", "24.0 ms", "340 µs". */
export function ms(ns: number): string {
  const value = ns / NS_PER_MS;
  const size = Math.abs(value);
  if (size >= 999.5) return `${threeDigits(value / 1000)} s`;
  return size >= 0.9995 || size === 0 ? `${threeDigits(value)} ms` : `${threeDigits(value * 1000)} µs`;
}

/** The limits are where rounding would add a digit. */
function threeDigits(value: number): string {
  const size = Math.abs(value);
  return value.toFixed(size === 0 || size >= 99.95 ? 0 : size >= 9.995 ? 1 : 2);
}

export function percent(share: number): string {
  const value = share * 100;
  if (value > 0 && value < 1) return `${trim(value, 1)} %`;
  return `${Math.round(value)} %`;
}

export function times(factor: number): string {
  return factor >= 10 ? `${Math.round(factor)}×` : `${trim(factor, 1)}×`;
}

export function count(value: number): string {
  return Number.isInteger(value) ? value.toLocaleString("en") : trim(value, value >= 10 ? 0 : 1);
}

/** "1 call", "2,660 calls". */
export const plural = (value: number, noun: string): string => `${count(value)} ${noun}${value === 1 ? "" : "s"}`;

/** A statement short enough for a line; the whole stands in the subject. */
export function shorten(text: string, length: number): string {
  const characters = Array.from(text);
  return characters.length <= length ? text : `${characters.slice(0, length - 1).join("")}…`;
}

function trim(value: number, digits: number): string {
  return String(Number(value.toFixed(digits)));
}
