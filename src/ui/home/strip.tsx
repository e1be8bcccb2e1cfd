import type { JSX } from "react";
import type { BlameRow, EndpointReport } from "../../model/report.ts";
import { ms, percent, perSecond, plural, signedMs } from "../parts/numbers.ts";
import { colorOf, HUES, hueOf, wordOf } from "../parts/time-kinds.ts";
import { chosenEndpoint, useSelection } from "../state/selection.ts";
import styles from "./home.module.css";
import { NoRequests } from "./no-requests.tsx";

/** The headline: p99 of the endpoint against objective and baseline, and where the slowest requests spend their time. */
export function Strip(): JSX.Element {
  const selection = useSelection();
  const chosen = chosenEndpoint(selection);
  if (chosen === undefined) return <NoRequests />;
  return (
    <section className={styles["strip"]} aria-label="Where the time goes">
      <Headline endpoint={chosen.report} />
      <TimeBar endpoint={chosen.report} />
    </section>
  );
}

function Headline({ endpoint }: { endpoint: EndpointReport }): JSX.Element {
  const { page } = useSelection();
  const objective = page.report.objectives?.find(
    (held) => held.endpoint?.service === endpoint.service && held.endpoint.operation === endpoint.operation,
  );
  const explained = sum(rowsOf(endpoint).filter((row) => row.timeKind !== "unexplained"));
  const change = endpoint.baseline === undefined ? undefined : endpoint.p99Ms - endpoint.baseline.p99Ms;
  return (
    <div>
      <div className={styles["muted"]}>
        {endpoint.service} {endpoint.operation}, p99
      </div>
      <div>
        <span className={styles["big"]}>{ms(endpoint.p99Ms)}</span>{" "}
        {change !== undefined && (
          <span className={change > 0 ? styles["over"] : ""}>
            {change > 0 ? "▲" : "▼"} {signedMs(change)}
          </span>
        )}{" "}
        {change !== undefined && <span className={styles["muted"]}>against the baseline</span>}
      </div>
      <div className={styles["muted"]}>
        {objective !== undefined && (
          <>
            <span className={objective.met === false ? styles["over"] : ""}>
              objective {objective.metric} {ms(objective.limitMs)}{" "}
              {objective.met === false ? "missed" : objective.met === true ? "met" : "unknown"}
            </span>
            {" · "}
          </>
        )}
        p50 {ms(endpoint.p50Ms)} · {perSecond(endpoint.perSecond)} · {percent(endpoint.errorRatio)} errors ·{" "}
        {ms(explained)} explained
      </div>
      {endpoint.caution !== undefined && <div className={styles["over"]}>{endpoint.caution}</div>}
    </div>
  );
}

/** Where hosts were looked at, the ledger tells more of the same time than spans alone. */
const rowsOf = (endpoint: EndpointReport): readonly BlameRow[] => endpoint.ledger?.rows ?? endpoint.blame;

/** Kinds that are in the bar, most first, the unexplained last. */
function inOrder(rows: readonly BlameRow[]): BlameRow[] {
  const isRest = (row: BlameRow): number => (row.timeKind === "unexplained" ? 1 : 0);
  return rows.filter((row) => row.p99Ms > 0).toSorted((a, b) => isRest(a) - isRest(b) || b.p99Ms - a.p99Ms);
}

function TimeBar({ endpoint }: { endpoint: EndpointReport }): JSX.Element {
  const { go } = useSelection();
  const total = sum(rowsOf(endpoint));
  const rows = inOrder(rowsOf(endpoint));
  const shownHues = new Set(rows.map((row) => hueOf(row.timeKind).name));
  return (
    <div>
      <div className={styles["stripHead"]}>
        <h2>
          Where the slowest 1 % spend their time{" "}
          <span className={styles["muted"]}>
            – mean critical path around the p99 of {plural(endpoint.requests, "request")}
          </span>
        </h2>
        <span className={styles["legend"]}>
          {Object.values(HUES)
            .filter((hue) => shownHues.has(hue.name))
            .map((hue) => (
              <span key={hue.name}>
                <span className={styles["tag"]} style={{ background: `var(${hue.color})` }} />
                {hue.name}
              </span>
            ))}
        </span>
      </div>
      <div
        className={styles["bar"]}
        role="img"
        aria-label={`Critical path: ${rows.map(labelOf).join(", ")}`}
        onClick={() => go({ view: "endpoint" })}
      >
        {rows.map((row) => {
          const label = labelOf(row);
          return (
            <span
              key={`${row.service} ${row.operation} ${row.timeKind}`}
              style={{ flex: row.p99Ms, background: colorOf(row.timeKind) }}
              data-rest={row.timeKind === "unexplained" || undefined}
              title={`${label} (${ms(row.lowMs)}–${ms(row.highMs)}), ${percent(row.p99Ms / total)}; typical ${ms(row.p50Ms)}`}
            >
              {row.p99Ms / total > 0.04 ? label : ""}
            </span>
          );
        })}
      </div>
      <div className={styles["axis"]} aria-hidden="true">
        {[0, 0.25, 0.5, 0.75, 1].map((share) => (
          <span key={share}>{share === 0 ? "0" : ms(total * share)}</span>
        ))}
      </div>
    </div>
  );
}

const labelOf = (row: BlameRow): string => `${row.service} ${row.operation} ${wordOf(row.timeKind)} ${ms(row.p99Ms)}`;

const sum = (rows: readonly BlameRow[]): number => rows.reduce((total, row) => total + row.p99Ms, 0);
