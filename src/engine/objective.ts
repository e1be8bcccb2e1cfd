import { nearestWord } from "../analysis/nearest-word.ts";
import type { EndpointReport, ObjectiveResult } from "../model/report.ts";

/** What a percentile of an endpoint has to stay below. */
export interface Objective {
  readonly kind: "objective";
  /** as it was given */
  readonly text: string;
  /** "OPERATION" or "SERVICE OPERATION" */
  readonly endpoint: string;
  readonly metric: ObjectiveResult["metric"];
  readonly limitMs: number;
}

/** Which part of an objective is wrong, and what stands there in one that is right. */
export interface ObjectiveError {
  readonly kind: "objective-error";
  /** the part that is wrong; "" where something is missing */
  readonly part: string;
  readonly expected: string;
}

const FORM = "[SERVICE] OPERATION p50|p95|p99 < LIMIT, for example GET /orders p99 < 300ms";
const METRICS: readonly ObjectiveResult["metric"][] = ["p50", "p95", "p99"];
const MS_PER_UNIT: Readonly<Record<string, number>> = { us: 1e-3, µs: 1e-3, μs: 1e-3, ms: 1, s: 1e3, min: 6e4 };

/**
 * Reads `GET /orders p99 < 300ms` or `SERVICE OPERATION p95 < 1s`. Whatever stands before the last `pNN <` names the
 * endpoint, so that operations may hold spaces and signs.
 */
export function parseObjective(text: string): Objective | ObjectiveError {
  const sign = text.lastIndexOf("<");
  if (sign < 0) return wrong(text.trim(), FORM);
  const left = text.slice(0, sign).trim();
  const right = text.slice(sign + 1).trim();
  const space = left.search(/\s\S*$/);
  const metric = left.slice(space + 1);
  const known = METRICS.find((name) => name === metric.toLowerCase());
  if (known === undefined) return wrong(metric, `p50, p95 or p99 before the "<"`);
  const endpoint = left.slice(0, Math.max(0, space)).trim().replace(/\s+/g, " ");
  if (endpoint === "") return wrong("", "the name of an endpoint before the percentile, for example GET /orders");
  const limit = /^(\d+(?:\.\d+)?|\.\d+)\s*([a-zµμ]+)$/i.exec(right);
  const factor = limit === null ? undefined : MS_PER_UNIT[limit[2]!.toLowerCase()];
  const limitMs = limit === null || factor === undefined ? 0 : Number(limit[1]) * factor;
  if (!(limitMs > 0)) return wrong(right, "a time above zero with its unit (us, ms, s, min), for example 300ms");
  return { kind: "objective", text: text.trim(), endpoint, metric: known, limitMs };
}

const wrong = (part: string, expected: string): ObjectiveError => ({ kind: "objective-error", part, expected });

/**
 * Objectives against the endpoints that they name: one result per objective and endpoint, since several services may
 * have an operation of the same name. An objective that names none is not met and not missed: it cannot be told.
 */
export function checkObjectives(
  endpoints: readonly EndpointReport[],
  objectives: readonly Objective[],
): ObjectiveResult[] {
  return objectives.flatMap((objective): ObjectiveResult[] => {
    const { text, metric, limitMs } = objective;
    const named = endpoints.filter((endpoint) => isNamed(endpoint, objective.endpoint));
    if (named.length === 0) {
      return [
        { text, endpoint: null, metric, limitMs, nowMs: null, met: null, detail: notThere(endpoints, objective) },
      ];
    }
    return named.map(({ service, operation, caution, ...endpoint }) => {
      const nowMs = endpoint[`${metric}Ms`];
      const result = { text, endpoint: { service, operation }, metric, limitMs, nowMs, met: nowMs < limitMs };
      return caution === undefined ? result : { ...result, detail: caution };
    });
  });
}

interface Named {
  readonly service: string;
  readonly operation: string;
}

const fullName = ({ service, operation }: Named): string => `${service} ${operation}`;

/** Runs of spaces are one: shells and people differ in how they pass them. */
function isNamed(endpoint: Named, name: string): boolean {
  const plain = (text: string): string => text.trim().replace(/\s+/g, " ");
  return plain(endpoint.operation) === name || plain(fullName(endpoint)) === name;
}

function notThere(endpoints: readonly Named[], { endpoint }: Objective): string {
  const nearest = nearestWord(
    endpoint,
    endpoints.flatMap((entry) => [entry.operation, fullName(entry)]),
  );
  const hint = nearest === undefined ? "" : `; the nearest is ${nearest}`;
  return `no endpoint of this report is named ${endpoint}${hint}`;
}

/** How much more an endpoint counts whose objective is missed: it outranks two others of the same traffic together. */
const MISSED_FACTOR = 3;

/**
 * What a gain at this endpoint counts in the ranking: its share of the traffic (0 .. 1), three times that while one of
 * its objectives is missed. So weights may exceed 1; only their order and ratio matter.
 */
export function endpointWeight(
  view: Named & { readonly traffic: number },
  objectives: readonly ObjectiveResult[],
): number {
  const missed = objectives.some(
    ({ met, endpoint }) => met === false && endpoint?.service === view.service && endpoint.operation === view.operation,
  );
  return missed ? MISSED_FACTOR * view.traffic : view.traffic;
}
