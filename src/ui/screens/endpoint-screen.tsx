import type { JSX } from "react";
import { ms, percent, perSecond, plural, signedMs } from "../parts/numbers.ts";
import { Empty, Panel } from "../parts/panel.tsx";
import { colorOf, wordOf } from "../parts/time-kinds.ts";
import { chosenEndpoint, useSelection } from "../state/selection.ts";
import { LedgerPanel } from "./ledger-panel.tsx";
import styles from "./screens.module.css";

/** Endpoints side by side, and where the time of the chosen one goes, typically and at the p99. */
export function EndpointScreen(): JSX.Element {
  const selection = useSelection();
  const { page, go } = selection;
  const chosen = chosenEndpoint(selection);
  const drawn = (service: string, operation: string): number =>
    page.endpoints.findIndex((endpoint) => endpoint.service === service && endpoint.operation === operation);
  return (
    <div className={styles["screen"]}>
      <Panel title="Endpoints" sub="most total time first">
        {page.report.endpoints.length === 0 && (
          <Empty>No complete trace, so no endpoint. The Data screen says what was read.</Empty>
        )}
        <div className={styles["table"]}>
          <table>
            <thead>
              <tr>
                <th>endpoint</th>
                {["requests", "rate", "errors", "p50", "p95", "p99", "p99 before"].map((name) => (
                  <th key={name} className={styles["num"]}>
                    {name}
                  </th>
                ))}
              </tr>
            </thead>
            <tbody>
              {page.report.endpoints.map((endpoint) => {
                const index = drawn(endpoint.service, endpoint.operation);
                return (
                  <tr key={`${endpoint.service} ${endpoint.operation}`}>
                    <td>
                      {index < 0 ? (
                        <>
                          {endpoint.service} {endpoint.operation}
                        </>
                      ) : (
                        <button
                          className={styles["link"]}
                          aria-pressed={index === chosen?.index}
                          onClick={() => go({ endpoint: index, trace: "", span: "", box: undefined })}
                        >
                          {endpoint.service} {endpoint.operation}
                        </button>
                      )}
                      {endpoint.caution !== undefined && <span className={styles["muted"]}> ▲ {endpoint.caution}</span>}
                    </td>
                    <td className={styles["num"]}>{endpoint.requests}</td>
                    <td className={styles["num"]}>{perSecond(endpoint.perSecond)}</td>
                    <td className={styles["num"]}>{percent(endpoint.errorRatio)}</td>
                    <td className={styles["num"]}>{ms(endpoint.p50Ms)}</td>
                    <td className={styles["num"]}>{ms(endpoint.p95Ms)}</td>
                    <td className={styles["num"]}>{ms(endpoint.p99Ms)}</td>
                    <td className={styles["num"]}>
                      {endpoint.baseline === undefined ? "–" : ms(endpoint.baseline.p99Ms)}
                    </td>
                  </tr>
                );
              })}
            </tbody>
          </table>
        </div>
      </Panel>
      {chosen?.report.ledger !== undefined && <LedgerPanel ledger={chosen.report.ledger} />}
      {chosen !== undefined && (
        <Panel
          title="Where the time goes"
          sub={`${chosen.report.operation}, ${plural(chosen.report.requests, "request")}: critical path, mean per request`}
        >
          <div className={styles["table"]}>
            <table>
              <thead>
                <tr>
                  <th>service, operation</th>
                  <th>kind of time</th>
                  <th className={styles["num"]}>typical</th>
                  <th className={styles["num"]}>at the p99</th>
                  <th className={styles["num"]}>90 % interval</th>
                  <th className={styles["num"]}>makes slow ones slow</th>
                </tr>
              </thead>
              <tbody>
                {chosen.report.blame.map((row) => {
                  const excess = row.p99Ms - row.p50Ms;
                  return (
                    <tr key={`${row.service} ${row.operation} ${row.timeKind}`}>
                      <td>
                        {row.service} {row.operation}
                      </td>
                      <td>
                        <span className={styles["tag"]} style={{ background: colorOf(row.timeKind) }} />
                        {wordOf(row.timeKind)}
                      </td>
                      <td className={styles["num"]}>{ms(row.p50Ms)}</td>
                      <td className={styles["num"]}>{ms(row.p99Ms)}</td>
                      <td className={styles["num"]}>
                        {ms(row.lowMs)}–{ms(row.highMs)}
                      </td>
                      <td className={`${styles["num"]} ${excess > 0 ? styles["more"] : styles["less"]}`}>
                        {signedMs(excess)}
                      </td>
                    </tr>
                  );
                })}
              </tbody>
            </table>
          </div>
        </Panel>
      )}
    </div>
  );
}
