export type LogLevel = "info" | "warn" | "error";

/** Writes one event; fields are plain values that belong to it. */
export type Log = (level: LogLevel, event: string, fields?: Readonly<Record<string, unknown>>) => void;

/** One JSON object a line: `{"time":"2026-..","level":"info","event":"...",...}`. */
export function jsonLog(write: (line: string) => void, now: () => Date = () => new Date()): Log {
  return (level, event, fields = {}) =>
    write(`${JSON.stringify({ time: now().toISOString(), level, event, ...fields }, plain)}\n`);
}

/** Errors and big numbers as text: a log line must not fail. */
function plain(_key: string, value: unknown): unknown {
  if (typeof value === "bigint") return String(value);
  if (value instanceof Error) return `${value.name}: ${value.message}`;
  return value;
}
