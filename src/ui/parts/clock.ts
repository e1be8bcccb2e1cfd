import type { TimeStyle } from "../state/page-state.ts";
import { ms } from "./numbers.ts";

/** How moments are written now. Kept here, as axes of canvases ask for it thousands of times; the page sets it before it is drawn. */
let style: TimeStyle = "local";
let zeroUnixMs = 0;

export function showTimesAs(chosen: TimeStyle, startUnixMs: number): void {
  style = chosen;
  zeroUnixMs = startUnixMs;
}

/** Time of day of milliseconds since 1970, or the time after the start of the window. */
export function clock(unixMs: number): string {
  if (style === "relative") return `${unixMs < zeroUnixMs ? "−" : "+"}${ms(Math.abs(unixMs - zeroUnixMs))}`;
  return timeOfDay(unixMs);
}

/** Day and time of day, also where moments are written after the start of the window. */
export function moment(unixMs: number): string {
  const date = new Date(unixMs);
  const [year, month, day] =
    style === "utc"
      ? [date.getUTCFullYear(), date.getUTCMonth(), date.getUTCDate()]
      : [date.getFullYear(), date.getMonth(), date.getDate()];
  return `${year}-${two(month + 1)}-${two(day)} ${timeOfDay(unixMs)}`;
}

/** "UTC" where that is written, "" elsewhere. */
export const zone = (): string => (style === "utc" ? " UTC" : "");

export function timeOfDay(unixMs: number): string {
  const date = new Date(unixMs);
  const parts =
    style === "utc"
      ? [date.getUTCHours(), date.getUTCMinutes(), date.getUTCSeconds()]
      : [date.getHours(), date.getMinutes(), date.getSeconds()];
  return parts.map(two).join(":");
}

/** How long ago, as people say it: 6 s, 3 min, 2 h, 4 days. */
export function ago(forMs: number): string {
  const seconds = Math.max(0, Math.round(forMs / 1000));
  if (seconds < 90) return `${seconds} s`;
  if (seconds < 90 * 60) return `${Math.round(seconds / 60)} min`;
  if (seconds < 36 * 3600) return `${Math.round(seconds / 3600)} h`;
  return `${Math.round(seconds / 86_400)} days`;
}

const two = (value: number): string => String(value).padStart(2, "0");
