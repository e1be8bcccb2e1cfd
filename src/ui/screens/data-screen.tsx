import type { JSX } from "react";
import { digits } from "../parts/numbers.ts";
import { Panel } from "../parts/panel.tsx";
import { useSelection } from "../state/selection.ts";
import styles from "./screens.module.css";

/** What the answers rest on: what was read, left out or rejected, and which laws of the data hold. */
export function DataScreen(): JSX.Element {
  const { page } = useSelection();
  const { dataQuality: data } = page.report;
  const counts: readonly (readonly [string, string])[] = [
    ["files", [...page.source.files, ...page.source.baseline.map((file) => `${file} (baseline)`)].join(", ") || "–"],
    ["spans received", digits(data.ledger.received)],
    ["analysed", digits(data.ledger.analysed)],
    ["in traces with missing spans, left out", digits(data.ledger.incomplete)],
    ...data.ledger.rejected.map(
      ({ reason, spans, example }) => [`rejected: ${reason}`, `${digits(spans)} (${example})`] as const,
    ),
    ["sampling", data.sampling],
    ["hosts with other clocks", String(data.skewedHosts.length)],
    [
      "points of metrics",
      data.metricPoints === undefined
        ? "none"
        : `${digits(data.metricPoints.received)}, ${digits(data.metricPoints.analysed)} used`,
    ],
  ];
  return (
    <div className={styles["screen"]}>
      <Panel title="What was read">
        <div className={styles["table"]}>
          <table>
            <tbody>
              {counts.map(([name, value]) => (
                <tr key={name}>
                  <td style={{ width: 300 }}>{name}</td>
                  <td>{value}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      </Panel>
      {data.warnings.length > 0 && (
        <Panel title="Warnings">
          <ul>
            {data.warnings.map((warning) => (
              <li key={warning}>{warning}</li>
            ))}
          </ul>
        </Panel>
      )}
      <Panel title="Laws of the data" sub="where one fails, nothing is concluded from it">
        <div className={styles["table"]}>
          <table>
            <tbody>
              {data.gates.map((gate) => (
                <tr key={`${gate.name} ${gate.detail}`}>
                  <td style={{ width: 220 }}>{gate.name}</td>
                  <td className={gate.ok ? styles["muted"] : styles["over"]}>{gate.ok ? "holds" : "fails"}</td>
                  <td>{gate.detail}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      </Panel>
    </div>
  );
}
