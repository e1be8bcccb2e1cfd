import type { EndpointReport } from "../model/report.ts";
import { viewEndpoint, type EndpointView } from "./endpoint-view.ts";
import type { Window } from "./window.ts";

/** Finds the same endpoint in the baseline; nothing where it was not called then. */
export function baselineOf(
  baseline: Window,
): (view: EndpointView) => { baseline?: NonNullable<EndpointReport["baseline"]> } {
  const key = (service: string, operation: string): string => JSON.stringify([service, operation]);
  const places = new Map(
    baseline.endpoints.map((e, i) => [key(baseline.text(e.service), baseline.text(e.operation)), i]),
  );
  return (view) => {
    const index = places.get(key(view.service, view.operation));
    return index === undefined ? {} : { baseline: percentilesOf(baseline, index) };
  };
}

function percentilesOf(baseline: Window, index: number): NonNullable<EndpointReport["baseline"]> {
  const before = viewEndpoint(baseline, index);
  const inMs = (ns: number): number => Math.round(ns / 1e3) / 1e3;
  return {
    requests: before.endpoint.traces.length,
    p50Ms: inMs(before.p50),
    p95Ms: inMs(before.p95),
    p99Ms: inMs(before.p99),
  };
}
