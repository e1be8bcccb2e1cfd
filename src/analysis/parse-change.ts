import type { Change } from "../model/change.ts";
import { nearestWord } from "./nearest-word.ts";

/** Which part of a change spec is wrong, and what was meant, perhaps. */
export interface ChangeSpecError {
  readonly kind: "change-spec-error";
  /** the part of the spec that is wrong; "" where something is missing */
  readonly part: string;
  readonly expected: string;
  /** the nearest known word */
  readonly nearest?: string;
}

/**
 * Reads a change of the `what-if` grammar:
 *
 *     service=S,operation=OP,time=F | remove | cache=H | batch | parallel | retries=N | timeout=MS
 *     service=S,pool:NAME=N    service=S,replicas=N    service=S,cpu=N    host=H,without=S
 *
 * OP may hold commas and equals signs (statements do): it ends at the last comma. S ends at the first key behind it.
 */
export function parseChange(spec: string): Change | ChangeSpecError {
  const text = spec.trim();
  if (text.startsWith("host=")) return parseWithout(text);
  if (!text.startsWith("service=")) {
    const key = /^[^=,]*/.exec(text)![0];
    return specError(key, "service=NAME,... or host=NAME,without=SERVICE", key, ["service", "host"]);
  }
  const operation = /^service=(.*?),operation=(.*)$/s.exec(text);
  if (operation !== null) return parseOperationChange(operation[1]!, operation[2]!);
  return parseServiceChange(text);
}

/** The spec that `parseChange` reads as `change`. */
export function formatChange(change: Change): string {
  switch (change.kind) {
    case "time":
      return `service=${change.service},operation=${change.operation},time=${change.factor}`;
    case "cache":
      return `service=${change.service},operation=${change.operation},cache=${change.hitRatio}`;
    case "remove":
    case "batch":
    case "parallel":
      return `service=${change.service},operation=${change.operation},${change.kind}`;
    case "retries":
      return `service=${change.service},operation=${change.operation},retries=${change.retries}`;
    case "timeout":
      return `service=${change.service},operation=${change.operation},timeout=${change.timeoutMs}`;
    case "pool":
      return `service=${change.service},pool:${change.pool}=${change.size}`;
    case "replicas":
      return `service=${change.service},replicas=${change.replicas}`;
    case "cpu":
      return `service=${change.service},cpu=${change.cores}`;
    case "without":
      return `host=${change.host},without=${change.service}`;
  }
}

const ACTIONS = ["time", "remove", "cache", "batch", "parallel", "retries", "timeout"] as const;
const SETTINGS = ["operation", "pool", "replicas", "cpu"] as const;

function parseOperationChange(service: string, rest: string): Change | ChangeSpecError {
  const comma = rest.lastIndexOf(",");
  const operation = comma < 0 ? rest : rest.slice(0, comma);
  const part = comma < 0 ? "" : rest.slice(comma + 1).trim();
  if (service === "") return { kind: "change-spec-error", part: "service=", expected: "the name of a service" };
  if (operation === "") return { kind: "change-spec-error", part: "operation=", expected: "the name of an operation" };
  const equals = part.indexOf("=");
  const action = (equals < 0 ? part : part.slice(0, equals)).trim();
  const value = equals < 0 ? undefined : part.slice(equals + 1).trim();
  const at = { service, operation };
  switch (action) {
    case "remove":
    case "batch":
    case "parallel":
      if (value !== undefined) return { kind: "change-spec-error", part, expected: `${action} without a value` };
      return { kind: action, ...at };
    case "time":
      return numberOf(
        part,
        value,
        "a factor, 0 or more: time=0.5",
        (f) => f >= 0,
        (factor) => ({ kind: "time", ...at, factor }),
      );
    case "cache":
      return numberOf(
        part,
        value,
        "a share from 0 to 1: cache=0.8",
        (h) => h >= 0 && h <= 1,
        (hitRatio) => ({ kind: "cache", ...at, hitRatio }),
      );
    case "retries":
      return numberOf(part, value, "a whole number, 0 or more: retries=1", isCount, (retries) => ({
        kind: "retries",
        ...at,
        retries,
      }));
    case "timeout":
      return numberOf(
        part,
        value,
        "milliseconds above 0: timeout=500",
        (ms) => ms > 0,
        (timeoutMs) => ({ kind: "timeout", ...at, timeoutMs }),
      );
    default:
      return specError(part, `one of ${ACTIONS.join(", ")} behind the operation`, action, ACTIONS);
  }
}

function parseServiceChange(text: string): Change | ChangeSpecError {
  const poolAt = text.indexOf(",pool:");
  const comma = poolAt >= 0 ? poolAt : text.lastIndexOf(",");
  if (comma < 0) return specError("", `one of ${SETTINGS.join(", ")} behind the service`, "", SETTINGS);
  const service = text.slice("service=".length, comma);
  const part = text.slice(comma + 1);
  const equals = part.lastIndexOf("=");
  const value = equals < 0 ? undefined : part.slice(equals + 1).trim();
  const key = (equals < 0 ? part : part.slice(0, equals)).trim();
  if (service === "") return { kind: "change-spec-error", part: "service=", expected: "the name of a service" };
  const at = { service };
  const expected = "a whole number above 0";
  const isPositiveCount = (n: number): boolean => isCount(n) && n > 0;
  if (key.startsWith("pool:")) {
    const pool = key.slice("pool:".length);
    if (pool === "") return { kind: "change-spec-error", part, expected: "the name of a pool: pool:postgres=20" };
    return numberOf(part, value, expected, isPositiveCount, (size) => ({ kind: "pool", ...at, pool, size }));
  }
  if (key === "replicas")
    return numberOf(part, value, expected, isPositiveCount, (replicas) => ({ kind: "replicas", ...at, replicas }));
  if (key === "cpu")
    return numberOf(
      part,
      value,
      "cores above 0: cpu=2",
      (n) => n > 0,
      (cores) => ({ kind: "cpu", ...at, cores }),
    );
  return specError(part, `one of ${SETTINGS.join(", ")} behind the service`, key, [...SETTINGS, ...ACTIONS]);
}

function parseWithout(text: string): Change | ChangeSpecError {
  const match = /^host=(.*?),without=(.*)$/s.exec(text);
  if (match !== null && match[1] !== "" && match[2] !== "")
    return { kind: "without", host: match[1]!, service: match[2]! };
  const rest = /^host=[^,]*,?(.*)$/s.exec(text)![1]!;
  return specError(rest === "" ? text : rest, "host=NAME,without=SERVICE", /^[^=]*/.exec(rest)![0], ["without"]);
}

const isCount = (n: number): boolean => Number.isInteger(n) && n >= 0;

function numberOf(
  part: string,
  value: string | undefined,
  expected: string,
  isValid: (value: number) => boolean,
  make: (value: number) => Change,
): Change | ChangeSpecError {
  const number = value === undefined || value === "" ? NaN : Number(value);
  return Number.isFinite(number) && isValid(number) ? make(number) : { kind: "change-spec-error", part, expected };
}

function specError(part: string, expected: string, word: string, known: readonly string[]): ChangeSpecError {
  const nearest = word === "" ? undefined : nearestWord(word, known);
  return { kind: "change-spec-error", part, expected, ...(nearest === undefined ? {} : { nearest }) };
}
