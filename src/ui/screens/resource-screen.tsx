import type { JSX } from "react";
import type { ResourceRow } from "../../model/report.ts";
import { percent } from "../parts/numbers.ts";
import { Empty, Panel } from "../parts/panel.tsx";
import { useSelection } from "../state/selection.ts";
import { CostPanel } from "./cost-panel.tsx";
import { FindingTable } from "./finding-table.tsx";
import styles from "./screens.module.css";

/** How much of each resource is used, in the mean and in its worst window. */
export function ResourceScreen(): JSX.Element {
  const { page } = useSelection();
  const rows = page.report.throughput.resources ?? [];
  return (
    <div className={styles["screen"]}>
      <FindingTable title="Findings about resources" kinds={["resource", "growth"]} />
      <CostPanel />
      <Panel title="Resources" sub="most used first">
        {rows.length === 0 && (
          <Empty>
            No metrics of resources in these data. OTLP metrics or Prometheus text beside the traces bring them.
          </Empty>
        )}
        <div className={styles["table"]}>
          <table>
            <thead>
              <tr>
                <th>service</th>
                <th>resource</th>
                <th>instance, host</th>
                {["in use", "worst window", "time above the line"].map((name) => (
                  <th key={name} className={styles["num"]}>
                    {name}
                  </th>
                ))}
              </tr>
            </thead>
            <tbody>
              {rows.map((row) => (
                <Row key={`${row.service} ${row.resource} ${row.instance ?? ""} ${row.host ?? ""}`} row={row} />
              ))}
            </tbody>
          </table>
        </div>
      </Panel>
    </div>
  );
}

function Row({ row }: { row: ResourceRow }): JSX.Element {
  const worst = row.worstUtilisation;
  return (
    <tr>
      <td>{row.service}</td>
      <td>{row.resource}</td>
      <td className={styles["muted"]}>{[row.instance, row.host].filter((part) => part !== undefined).join(", ")}</td>
      <td className={styles["num"]}>
        {percent(row.utilisation)}
        <span className={styles["gauge"]} aria-hidden="true">
          <i
            style={{
              width: `${100 * Math.min(1, row.utilisation)}%`,
              background: row.utilisation > 0.85 ? "var(--over)" : "var(--muted)",
            }}
          />
        </span>
      </td>
      <td className={`${styles["num"]} ${worst !== undefined && worst > 0.95 ? styles["over"] : ""}`}>
        {worst === undefined ? "–" : percent(worst)}
      </td>
      <td className={styles["num"]}>{row.shareAboveLine === undefined ? "–" : percent(row.shareAboveLine)}</td>
    </tr>
  );
}
