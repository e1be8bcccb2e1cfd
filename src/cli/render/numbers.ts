/** Numbers as people of the field read them: three digits that count, a unit, no more. */

/** "1.84 s", "412 ms", "60.2 ms", "5.10 ms", "420 µs". */
export function duration(ms: number): string {
  const [digits, unit] = scaled(ms, ms);
  return `${digits} ${unit}`;
}

/** "88.0 → 31.0 ms": both in the unit of the larger one, so that they can be compared. */
export function fromTo(fromMs: number, toMs: number): string {
  const larger = Math.max(Math.abs(fromMs), Math.abs(toMs));
  const [from, unit] = scaled(fromMs, larger);
  return `${from} → ${scaled(toMs, larger)[0]} ${unit}`;
}

/** "27.0–36.0 ms". */
export function range(lowMs: number, highMs: number): string {
  const [low, unit] = scaled(lowMs, highMs);
  return `${low}–${scaled(highMs, highMs)[0]} ${unit}`;
}

/** "+57.0 ms" or "−57.0 ms", with a real minus. */
export function difference(ms: number): string {
  return `${ms < 0 ? "−" : "+"}${duration(Math.abs(ms))}`;
}

/** Digits of `ms` in the unit and with the decimals that suit `measure`. */
function scaled(ms: number, measure: number): [string, string] {
  const size = Math.abs(measure);
  const [factor, unit] = size >= 999.5 ? [1e-3, "s"] : size >= 0.9995 || size === 0 ? [1, "ms"] : [1e3, "µs"];
  const decimals = decimalsFor(size * factor);
  return [
    (ms * factor).toLocaleString("en", { minimumFractionDigits: decimals, maximumFractionDigits: decimals }),
    unit,
  ];
}

/** Three digits in all: 5.10, 60.2, 412. The limits are where rounding would add a digit. */
function decimalsFor(size: number): number {
  if (size === 0 || size >= 99.95) return 0;
  return size >= 9.995 ? 1 : 2;
}

/** "12,034". */
export const count = (value: number): string => value.toLocaleString("en", { maximumFractionDigits: 0 });

/** "166/s", "12.5/s", "0.25/s". */
export function rate(perSecond: number): string {
  const decimals = decimalsFor(perSecond);
  return `${perSecond.toLocaleString("en", { minimumFractionDigits: decimals, maximumFractionDigits: decimals })}/s`;
}

/** "68 %", "0.1 %"; a share that is not nothing never reads as 0 %. */
export function percent(ratio: number): string {
  const value = ratio * 100;
  if (value > 0 && value < 0.01) return "< 0.01 %";
  const decimals = value === 0 || value >= 9.95 ? 0 : value >= 0.95 ? 1 : 2;
  return `${value.toFixed(decimals)} %`;
}

/** "30 min", "1 h 5 min", "1 min 40 s", "12.0 s". */
export function span(ms: number): string {
  if (ms < 59_500) return duration(ms);
  const seconds = Math.round(ms / 1000);
  // Of ten minutes and more nobody counts the seconds.
  if (seconds < 600)
    return seconds % 60 === 0 ? `${seconds / 60} min` : `${Math.floor(seconds / 60)} min ${seconds % 60} s`;
  const minutes = Math.round(ms / 60_000);
  if (minutes < 60) return `${minutes} min`;
  return minutes % 60 === 0 ? `${minutes / 60} h` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

/** "1 trace", "2 traces". */
export const plural = (value: number, noun: string): string => `${count(value)} ${noun}${value === 1 ? "" : "s"}`;

/** "p99 88.0 → 31.0 ms", "ceiling 412 → 690/s". */
export function impactText(impact: {
  metric: string;
  now: number;
  predicted: number;
  unit: "ms" | "requests/s";
}): string {
  const { metric, now, predicted, unit } = impact;
  return `${metric} ${unit === "ms" ? fromTo(now, predicted) : `${rate(now).replace("/s", "")} → ${rate(predicted)}`}`;
}

/** "27.0–36.0 ms", "380–450/s". */
export function impactRange({ low, high, unit }: { low: number; high: number; unit: "ms" | "requests/s" }): string {
  return unit === "ms" ? range(low, high) : `${rate(low).replace("/s", "")}–${rate(high)}`;
}

/** "512 B", "1.20 kB", "3.40 MB". */
export function bytes(value: number): string {
  const size = Math.abs(value);
  const [factor, unit] =
    size >= 999.5e6 ? [1e-9, "GB"] : size >= 999.5e3 ? [1e-6, "MB"] : size >= 999.5 ? [1e-3, "kB"] : [1, "B"];
  const scaledValue = value * factor;
  return `${scaledValue.toFixed(unit === "B" ? 0 : decimalsFor(Math.abs(scaledValue)))} ${unit}`;
}

/** "3.4 MB", "340 MB": what was read so far, always in the one unit. */
export function megabytes(size: number): string {
  return size < 1e7 ? `${(size / 1e6).toFixed(1)} MB` : `${count(size / 1e6)} MB`;
}
