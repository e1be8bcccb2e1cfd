import type { JSX } from "react";
import { Empty, Panel } from "../parts/panel.tsx";
import { useSelection } from "../state/selection.ts";
import { CostPanel } from "./cost-panel.tsx";
import { FindingTable } from "./finding-table.tsx";
import styles from "./screens.module.css";
import { UseTable } from "./use-table.tsx";

/** How much of each resource is used, in the mean and in its worst window. */
export function ResourceScreen(): JSX.Element {
  const { page } = useSelection();
  const rows = page.report.throughput.resources ?? [];
  return (
    <div className={styles["screen"]}>
      <FindingTable title="Findings about resources" kinds={["resource", "growth"]} />
      <CostPanel />
      <Panel title="Utilisation, saturation, errors" sub="most used first">
        {rows.length === 0 && (
          <Empty>
            No metrics of resources in these data. OTLP metrics or Prometheus text beside the traces bring them.
          </Empty>
        )}
        {rows.length > 0 && <UseTable rows={rows} />}
      </Panel>
    </div>
  );
}
