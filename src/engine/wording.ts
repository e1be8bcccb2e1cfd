import { NS_PER_MS } from "../model/units.ts";

/** Numbers as people say them; three significant digits at the most. */

export function ms(ns: number): string {
  const value = ns / NS_PER_MS;
  if (Math.abs(value) >= 10_000) return `${trim(value / 1000, 1)} s`;
  if (Math.abs(value) >= 100) return `${Math.round(value)} ms`;
  if (Math.abs(value) >= 10) return `${trim(value, 1)} ms`;
  return `${trim(value, 2)} ms`;
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
  return Number.isInteger(value) ? String(value) : trim(value, value >= 10 ? 0 : 1);
}

/** A statement short enough for a line; the whole stands in the subject. */
export function shorten(text: string, length: number): string {
  const characters = Array.from(text);
  return characters.length <= length ? text : `${characters.slice(0, length - 1).join("")}…`;
}

function trim(value: number, digits: number): string {
  return String(Number(value.toFixed(digits)));
}
