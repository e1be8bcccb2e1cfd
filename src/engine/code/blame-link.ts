import type { EndpointLedger, Evidence, LedgerLink } from "../../model/report.ts";
import { NS_PER_MS } from "../../model/units.ts";
import type { EndpointView } from "../endpoint-view.ts";
import { ms, percent } from "../wording.ts";

/** The link between a service and its function: what kind of time the endpoint spends there, and the function's part of it. */
export interface BlameLink {
  readonly claim: string;
  readonly evidence: Evidence;
  /** "13.1 ms of the p99 (5 %)" */
  readonly share: string;
}

const HOW: Readonly<Record<LedgerLink, string>> = {
  spans: "by spans",
  "span-id": "by the span ids of samples",
  "thread-time": "by thread and time of samples",
  statistical: "statistically",
  metrics: "by metrics alone",
  none: "",
};

/** causeNs: of the slow requests' time in the service that is the function's. Undefined without a ledger of the service. */
export function timeKindLink(
  ledger: EndpointLedger | undefined,
  service: string,
  view: EndpointView,
  causeNs: number,
): BlameLink | undefined {
  const rows =
    ledger?.rows.filter((row) => row.service === service && row.link !== "spans" && row.callee === undefined) ?? [];
  const all = rows.reduce((sum, row) => sum + row.p99Ms, 0);
  if (!(all > 0)) return undefined;
  const sums = new Map<string, number>();
  for (const { timeKind, p99Ms } of rows) sums.set(timeKind, (sums.get(timeKind) ?? 0) + p99Ms);
  const kinds = [...sums]
    .sort((a, b) => b[1] - a[1])
    .filter(([, value]) => value >= 0.02 * all)
    .map(([kind, value]) => `${kind} ${ms(value * NS_PER_MS)}`);
  const known = rows.filter(({ link }) => link !== "none");
  const strongest = known.toSorted((a, b) => b.p99Ms - a.p99Ms)[0];
  const how = strongest === undefined ? "" : ` (${HOW[strongest.link]})`;
  return {
    claim: `inside ${service} at p99: ${kinds.join(", ")}${how}`,
    evidence: {
      kind: "statistic",
      text: `time of the slow requests inside ${service} by kind: ${kinds.join(", ")}${how}${strongest?.source === undefined ? "" : `, from ${strongest.source}`}`,
      query: "endpoints[].ledger of the report (docs/time-kinds.md)",
    },
    share: `${ms(causeNs)} of the p99 (${percent(causeNs / view.p99)})`,
  };
}
