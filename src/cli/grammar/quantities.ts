import { InvalidArgumentError } from "commander";
import { parseObjective, type Objective } from "../../engine/objective.ts";
import type { RampObjective } from "../commands/ramp.ts";

export function lastOf(text: string): string {
  if (!/^\d+(\.\d+)?[smhd]$/.test(text)) throw new InvalidArgumentError("Expected a duration as 90s, 15m, 12h or 7d.");
  return text;
}

export const repeated = (text: string, before: readonly string[] | undefined): string[] => [...(before ?? []), text];

export function port(text: string): number {
  const value = Number(text);
  if (text.trim() === "" || !Number.isInteger(value) || value < 0 || value > 65_535)
    throw new InvalidArgumentError("Expected a port, 0 to 65535.");
  return value;
}

export function width(text: string): number {
  const columns = Number(text);
  if (!Number.isInteger(columns) || columns < 60 || columns > 1000) {
    throw new InvalidArgumentError("Expected a whole number of columns between 60 and 1000.");
  }
  return columns;
}

export function objective(text: string, before: readonly Objective[] | undefined): Objective[] {
  const parsed = parseObjective(text);
  if (parsed.kind === "objective") return [...(before ?? []), parsed];
  const found = parsed.part === "" ? "" : `, found "${parsed.part}"`;
  throw new InvalidArgumentError(`Expected ${parsed.expected}${found}.`);
}

/** "5%", "5 %" or "0.05". */
export function share(text: string): number {
  const match = /^(\d+(?:\.\d+)?|\.\d+)\s*(%?)$/.exec(text.trim());
  const value = match === null ? Number.NaN : Number(match[1]) / (match[2] === "%" ? 100 : 1);
  // Without a sign, 5 would mean 500 %: nobody does.
  if (!(value >= 0 && value < 1)) throw new InvalidArgumentError("Expected a share below 1, as 5% or 0.05.");
  return value;
}

export function wholeNumber(text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1) throw new InvalidArgumentError("Expected a whole number above zero.");
  return value;
}

/** Ten minutes are the most that the load generator runs at one go. */
export function seconds(text: string): number {
  const value = Number(text);
  if (!(value >= 5 && value <= 600)) throw new InvalidArgumentError("Expected seconds between 5 and 600.");
  return value;
}

/** Milliseconds. */
export function interval(text: string): number {
  const match = /^(\d+(?:\.\d+)?)(ms|s|m)$/.exec(text.trim());
  const value = Number(match?.[1]) * { ms: 1, s: 1000, m: 60_000 }[(match?.[2] ?? "s") as "ms" | "s" | "m"];
  if (!(value >= 100 && value <= 3_600_000))
    throw new InvalidArgumentError("Expected a time between 100ms and 60m, as 10s.");
  return value;
}

const SIZES: Readonly<Record<string, number>> = {
  "": 1,
  k: 1e3,
  m: 1e6,
  g: 1e9,
  ki: 2 ** 10,
  mi: 2 ** 20,
  gi: 2 ** 30,
};

export function bytes(text: string): number {
  const match = /^(\d+(?:\.\d+)?)\s*([kmg]i?)?b?$/i.exec(text.trim());
  const value = match === null ? Number.NaN : Number(match[1]) * SIZES[match[2]?.toLowerCase() ?? ""]!;
  if (!(value >= 1)) throw new InvalidArgumentError("Expected a size, as 250MB or 1GiB.");
  return value;
}

export function recordSeconds(text: string): number {
  const value = Number(text);
  if (!(value >= 0.1 && value <= 3600)) throw new InvalidArgumentError("Expected seconds between 0.1 and 3600.");
  return value;
}

export function hertz(text: string): number {
  const value = Number(text);
  if (!(Number.isInteger(value) && value >= 1 && value <= 999))
    throw new InvalidArgumentError("Expected a whole number between 1 and 999.");
  return value;
}

export function positive(text: string): number {
  const value = Number(text);
  if (!(value > 0 && value <= 5000)) throw new InvalidArgumentError("Expected a number above 0, at most 5000.");
  return value;
}

/** More than one process can send, so that a slip of the finger does not fill the memory with requests. */
const MOST_PER_SECOND = 20_000;

export function rate(text: string): number {
  const value = Number(text);
  if (!(value > 0 && value <= MOST_PER_SECOND))
    throw new InvalidArgumentError(`Expected a number above 0, at most ${MOST_PER_SECOND}.`);
  return value;
}

export function rampStep(text: string): { kind: "times" | "plus"; by: number } {
  const match = /^([x+])(\d+(?:\.\d+)?)$/.exec(text.trim());
  const by = Number(match?.[2]);
  const kind = match?.[1] === "x" ? "times" : "plus";
  if (!(kind === "times" ? by > 1 && by <= 10 : by > 0 && by <= MOST_PER_SECOND))
    throw new InvalidArgumentError("Expected x and a factor above 1 and up to 10, or + and a rate: x2, +50.");
  return { kind, by };
}

/** Ten stretches of a step are compared; below some seconds chance is all there is in them. */
export function stepSeconds(text: string): number {
  const value = Number(text);
  if (!(value >= 1 && value <= 600)) throw new InvalidArgumentError("Expected seconds between 1 and 600.");
  return value;
}

export function warmUp(text: string): number {
  const value = Number(text);
  if (text.trim() === "" || !(value >= 0 && value <= 600))
    throw new InvalidArgumentError("Expected seconds between 0 and 600.");
  return value;
}

/** The limit of a percentile as in `objective`; there is one endpoint, so it has no name. */
export function rampObjective(text: string): RampObjective {
  const parsed = parseObjective(`load ${text}`);
  if (parsed.kind !== "objective" || parsed.endpoint !== "load")
    throw new InvalidArgumentError("Expected p50, p95 or p99 below a time, as p99 < 300ms.");
  return { text: text.trim(), metric: parsed.metric, limitMs: parsed.limitMs };
}

export function probability(text: string): number {
  const value = Number(text);
  if (text.trim() === "" || !(value > 0 && value < 1))
    throw new InvalidArgumentError("Expected a number between 0 and 1.");
  return value;
}
