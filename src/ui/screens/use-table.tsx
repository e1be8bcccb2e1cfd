import type { JSX } from "react";
import type { ResourceRow } from "../../model/report.ts";
import { digits, percent } from "../parts/numbers.ts";
import styles from "./screens.module.css";

/** Utilisation, saturation and errors of resources, those most used in their worst window first. */
export function UseTable({ rows }: { rows: readonly ResourceRow[] }): JSX.Element {
  return (
    <div className={styles["table"]} role="group" aria-label="Utilisation, saturation, errors" tabIndex={0}>
      <table>
        <thead>
          <tr>
            <th>of</th>
            <th>resource</th>
            <th>instance, host</th>
            {["in use", "worst window", "time above the line", "waiting", "errors"].map((name) => (
              <th key={name} className={styles["num"]}>
                {name}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {mostUsedFirst(rows).map((row, i) => (
            <UseRow key={i} row={row} />
          ))}
        </tbody>
      </table>
    </div>
  );
}

export function mostUsedFirst(rows: readonly ResourceRow[]): ResourceRow[] {
  const use = (row: ResourceRow): number => Math.max(row.utilisation, row.worstUtilisation ?? 0);
  return rows.toSorted((a, b) => use(b) - use(a));
}

/** Above this, queues form in most resources. */
const HIGH = 0.85;

function UseRow({ row }: { row: ResourceRow }): JSX.Element {
  const { utilisation, worstUtilisation: worst, shareAboveLine, waiting, errorsPerSecond: errors } = row;
  return (
    <tr>
      <td>{row.service}</td>
      <td>{row.resource}</td>
      <td className={styles["muted"]}>{[row.instance, row.host].filter((part) => part !== undefined).join(", ")}</td>
      <td className={styles["num"]}>
        {percent(utilisation)} <Gauge share={utilisation} />
      </td>
      <td className={`${styles["num"]} ${worst !== undefined && worst > 0.95 ? styles["over"] : ""}`}>
        {worst === undefined ? "–" : percent(worst)}
      </td>
      <td className={styles["num"]}>{shareAboveLine === undefined ? "–" : percent(shareAboveLine)}</td>
      <td className={styles["num"]}>{waiting === undefined ? "–" : digits(waiting)}</td>
      <td className={`${styles["num"]} ${(errors ?? 0) > 0 ? styles["over"] : ""}`}>
        {errors === undefined ? "–" : `${digits(errors)}/s`}
      </td>
    </tr>
  );
}

export const Gauge = ({ share }: { share: number }): JSX.Element => (
  <span className={styles["gauge"]} aria-hidden="true">
    <i
      style={{
        width: `${100 * Math.min(1, share)}%`,
        background: share > HIGH ? "var(--over)" : "var(--muted)",
      }}
    />
  </span>
);
