import { createContext, useContext } from "react";
import type { PageDocument, PageEndpoint, PageTrace } from "../../model/page.ts";
import type { EndpointReport, Finding } from "../../model/report.ts";
import type { ServerLink } from "./server-status.ts";
import type { PageState } from "./page-state.ts";

/** The page, what is chosen in it, and how to choose something else. */
export interface Selection {
  readonly page: PageDocument;
  readonly state: PageState;
  readonly go: (patch: Partial<PageState>, replace?: boolean) => void;
  /** the server that the page comes from, if one does */
  readonly link: ServerLink;
  /** loads the page anew; what is shown stays until then */
  readonly refresh: () => void;
}

export const SelectionContext: React.Context<Selection | undefined> = createContext<Selection | undefined>(undefined);

export function useSelection(): Selection {
  const selection = useContext(SelectionContext);
  if (selection === undefined) throw new Error("a view outside of the page");
  return selection;
}

/** The chosen endpoint: what the report says of it and what can be drawn of it; absent where there are no requests. */
export function chosenEndpoint({
  page,
  state,
}: Selection): { report: EndpointReport; drawn: PageEndpoint; index: number } | undefined {
  const first = page.report.findings[0];
  const otherwise = first === undefined ? 0 : Math.max(0, endpointOf(page, first));
  const index = state.endpoint >= 0 && state.endpoint < page.endpoints.length ? state.endpoint : otherwise;
  const drawn = page.endpoints[index];
  if (drawn === undefined) return undefined;
  const report = page.report.endpoints.find((e) => e.service === drawn.service && e.operation === drawn.operation);
  return report === undefined ? undefined : { report, drawn, index };
}

/** The finding that is open: the chosen one, or the first. */
export function chosenFinding({ page, state }: Selection): Finding | undefined {
  if (state.finding === "-") return undefined;
  return page.report.findings.find((finding) => finding.id === state.finding) ?? page.report.findings[0];
}

/** Traces of the chosen endpoint, and the one that is open; a trace that is named and not in the page opens none. */
export function chosenTrace(selection: Selection): { traces: readonly PageTrace[]; open: PageTrace | undefined } {
  const { page, state } = selection;
  const index = chosenEndpoint(selection)?.index ?? 0;
  const named = page.traces.find((trace) => trace.traceId === state.trace);
  const traces = page.traces.filter((trace) => trace.endpoint === (named?.endpoint ?? index));
  return { traces, open: named ?? (state.trace === "" ? traces[0] : undefined) };
}

/** Index of the page's endpoints that a finding is about, or -1. */
export function endpointOf(page: PageDocument, finding: Finding): number {
  const { service, operation } = finding.impact.endpoint;
  return page.endpoints.findIndex((endpoint) => endpoint.service === service && endpoint.operation === operation);
}
