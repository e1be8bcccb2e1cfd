import type { JSX } from "react";
import type { PageStatement } from "../../model/page.ts";
import { ms, percent, perSecond, plural } from "../parts/numbers.ts";
import { Empty, Panel } from "../parts/panel.tsx";
import { useSelection } from "../state/selection.ts";
import { FindingTable } from "./finding-table.tsx";
import styles from "./screens.module.css";

/** Statements by the time that all requests together spend in them. */
export function DatabaseScreen(): JSX.Element {
  const { page } = useSelection();
  const { statements, statementsLeft } = page;
  return (
    <div className={styles["screen"]}>
      <FindingTable
        title="Findings about databases"
        kinds={[]}
        isToo={({ subject }) => subject.statement !== undefined || subject.resource?.startsWith("table:") === true}
      />
      <Panel
        title="Statements"
        sub={statementsLeft > 0 ? `most time first; ${plural(statementsLeft, "other")} left out` : "most time first"}
      >
        {statements.length === 0 && (
          <Empty>No span of a database call in these data: instrument the database client.</Empty>
        )}
        <div className={styles["table"]}>
          <table>
            <thead>
              <tr>
                <th>statement</th>
                <th>database</th>
                <th>called by</th>
                {["share of time", "rate", "mean", "p50", "p99", "errors"].map((name) => (
                  <th key={name} className={styles["num"]}>
                    {name}
                  </th>
                ))}
              </tr>
            </thead>
            <tbody>
              {statements.map((statement) => (
                <Row
                  key={`${statement.database} ${statement.operation} ${statement.statement}`}
                  statement={statement}
                />
              ))}
            </tbody>
          </table>
        </div>
      </Panel>
    </div>
  );
}

function Row({ statement }: { statement: PageStatement }): JSX.Element {
  return (
    <tr>
      <td>
        <code>{statement.statement === "" ? statement.operation : statement.statement}</code>
      </td>
      <td>{statement.database}</td>
      <td className={styles["muted"]}>{statement.services.join(", ")}</td>
      <td className={styles["num"]}>
        {percent(statement.share)}
        <span className={styles["gauge"]} aria-hidden="true">
          <i style={{ width: `${100 * statement.share}%`, background: "var(--io)" }} />
        </span>
      </td>
      <td className={styles["num"]}>{perSecond(statement.perSecond)}</td>
      <td className={styles["num"]}>{ms(statement.meanMs)}</td>
      <td className={styles["num"]}>{ms(statement.p50Ms)}</td>
      <td className={styles["num"]}>{ms(statement.p99Ms)}</td>
      <td className={`${styles["num"]} ${statement.errorRatio > 0.02 ? styles["over"] : ""}`}>
        {percent(statement.errorRatio)}
      </td>
    </tr>
  );
}
