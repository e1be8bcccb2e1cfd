import type { JSX } from "react";
import type { CostRow } from "../../model/cost-report.ts";
import { digits, ms, percent, perSecond } from "../parts/numbers.ts";
import { Panel } from "../parts/panel.tsx";
import { useSelection } from "../state/selection.ts";
import styles from "./screens.module.css";

/** Who uses it all: endpoints and tenants by what they cost, with the costs of everything that they call. */
export function CostPanel(): JSX.Element | null {
  const { page } = useSelection();
  const { costs, costTotals } = page.report;
  if (costs === undefined || costTotals === undefined) return null;
  const hasBytes = costs.some((row) => row.bytesPerRequest !== undefined);
  return (
    <Panel
      title="Who uses it all"
      sub={`share of ${costTotals.of === "cpu" ? "all CPU that was measured" : "the time of databases"}, what they call included`}
    >
      <div className={styles["table"]}>
        <table>
          <thead>
            <tr>
              <th>endpoint, tenant</th>
              {[
                "share",
                "rate",
                "CPU per request",
                "database per request",
                ...(hasBytes ? ["bytes per request"] : []),
              ].map((name) => (
                <th key={name} className={styles["num"]}>
                  {name}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {costs.map((row) => (
              <Row
                key={`${row.endpoint.service} ${row.endpoint.operation} ${row.tenant ?? ""}`}
                row={row}
                hasBytes={hasBytes}
              />
            ))}
            {costTotals.unattributed.map((rest) => (
              <tr key={`${rest.service} ${rest.resource}`}>
                <td className={styles["muted"]} colSpan={hasBytes ? 6 : 5}>
                  caused by no recorded request: {rest.service} {rest.resource}, {digits(rest.perSecond)} per second
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      {costTotals.notMeasured.length > 0 && (
        <p className={styles["pad"]}>
          No metric tells the CPU of {costTotals.notMeasured.join(", ")}: their part is not in the figures.
        </p>
      )}
    </Panel>
  );
}

function Row({ row, hasBytes }: { row: CostRow; hasBytes: boolean }): JSX.Element {
  return (
    <tr>
      <td>
        {row.endpoint.service} {row.endpoint.operation}
        {row.tenantAttribute !== undefined && (
          <span className={styles["muted"]}>
            {" "}
            {row.tenantAttribute} = {row.tenant ?? "none"}
          </span>
        )}
      </td>
      <td className={styles["num"]}>
        {percent(row.share)}{" "}
        <span className={styles["muted"]}>
          ({percent(row.low)}–{percent(row.high)})
        </span>
      </td>
      <td className={styles["num"]}>{perSecond(row.requestsPerSecond)}</td>
      <td className={styles["num"]}>{row.cpuMsPerRequest === undefined ? "not measured" : ms(row.cpuMsPerRequest)}</td>
      <td className={styles["num"]}>{ms(row.dbMsPerRequest)}</td>
      {hasBytes && (
        <td className={styles["num"]}>{row.bytesPerRequest === undefined ? "–" : digits(row.bytesPerRequest)}</td>
      )}
    </tr>
  );
}
