import type { JSX } from "react";
import type { Finding, FindingKind } from "../../model/report.ts";
import { Empty, Panel } from "../parts/panel.tsx";
import { whereOf } from "../home/finding-list.tsx";
import { useSelection } from "../state/selection.ts";
import styles from "./screens.module.css";

/** Findings of some kinds, each leading to its place on the first screen. */
export function FindingTable({
  title,
  kinds,
  isToo,
}: {
  title: string;
  kinds: readonly FindingKind[];
  isToo?: (finding: Finding) => boolean;
}): JSX.Element {
  const { page, go } = useSelection();
  const found = page.report.findings.filter((finding) => kinds.includes(finding.kind) || isToo?.(finding) === true);
  return (
    <Panel title={title}>
      {found.length === 0 && <Empty>None.</Empty>}
      <div className={styles["table"]}>
        <table>
          <tbody>
            {found.map((finding) => (
              <tr key={finding.id}>
                <td style={{ width: 60 }}>{finding.severity}</td>
                <td>
                  <button className={styles["link"]} onClick={() => go({ view: "findings", finding: finding.id })}>
                    {finding.title}
                  </button>
                </td>
                <td className={styles["muted"]}>{whereOf(finding)}</td>
                <td>
                  <code>{finding.remedy.change ?? ""}</code>
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </Panel>
  );
}
