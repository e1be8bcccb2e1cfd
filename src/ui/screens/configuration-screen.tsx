import type { JSX } from "react";
import { Panel } from "../parts/panel.tsx";
import { useSelection } from "../state/selection.ts";
import { FindingTable } from "./finding-table.tsx";
import styles from "./screens.module.css";

/** Settings that hurt, with the exact change, and those that were checked. */
export function ConfigurationScreen(): JSX.Element {
  const { page } = useSelection();
  return (
    <div className={styles["screen"]}>
      <FindingTable
        title="Settings to change"
        kinds={["config"]}
        isToo={({ subject }) => subject.setting !== undefined}
      />
      <Panel title="Checked, not a cause">
        <div className={styles["table"]}>
          <table>
            <tbody>
              {page.report.checkedNotCause.map(({ what, detail }) => (
                <tr key={`${what} ${detail}`}>
                  <td style={{ width: 220 }}>{what}</td>
                  <td className={styles["muted"]}>{detail}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      </Panel>
    </div>
  );
}
