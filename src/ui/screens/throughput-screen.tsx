import type { JSX } from "react";
import type { ObjectiveLoad } from "../../model/report.ts";
import { digits, ms, percent } from "../parts/numbers.ts";
import { Empty, Panel } from "../parts/panel.tsx";
import { useSelection } from "../state/selection.ts";
import styles from "./screens.module.css";

/** Which resource permits how much, what limits now, and what would limit next. */
export function ThroughputScreen(): JSX.Element {
  const { page } = useSelection();
  const { throughput, endpoints } = page.report;
  const now = endpoints.reduce((sum, endpoint) => sum + endpoint.perSecond, 0);
  const { limiter, next } = throughput;
  const rows = throughput.resources ?? [];
  // Ceilings far away need no drawing.
  const greatest = 10 * Math.max(now, limiter?.ceilingPerSecond ?? 0, 0.001);
  return (
    <div className={styles["screen"]}>
      <Panel title="What limits throughput" sub="the rate of all endpoints together, at the present mix">
        <div className={styles["cards"]}>
          <div>
            <div className={styles["muted"]}>now</div>
            <div className={styles["big"]}>{digits(now)}/s</div>
          </div>
          {limiter !== undefined && (
            <div>
              <div className={styles["muted"]}>
                ceiling: {limiter.service} {limiter.resource}
              </div>
              <div className={styles["big"]}>{digits(limiter.ceilingPerSecond)}/s</div>
              <div className={styles["muted"]}>
                {digits(limiter.lowPerSecond)}–{digits(limiter.highPerSecond)} (90 %), {percent(limiter.utilisation)} in
                use
              </div>
            </div>
          )}
          {next !== undefined && (
            <div>
              <div className={styles["muted"]}>
                then: {next.service} {next.resource}
              </div>
              <div className={styles["big"]}>{digits(next.ceilingPerSecond)}/s</div>
            </div>
          )}
        </div>
        {throughput.together !== undefined && (
          <p className={styles["pad"]}>
            {throughput.together.resources.map(({ service, resource }) => `${service} ${resource}`).join(" and ")} are
            full at nearly the same load: more of one alone gives {digits(throughput.together.onePerSecond)}/s, of both{" "}
            {digits(throughput.together.bothPerSecond)}/s.
          </p>
        )}
        {throughput.assumptions !== undefined && throughput.assumptions.length > 0 && (
          <ul className={styles["muted"]}>
            {throughput.assumptions.map((text) => (
              <li key={text}>{text}</li>
            ))}
          </ul>
        )}
        <p className={`${styles["pad"]} ${throughput.status === "gate-failed" ? styles["over"] : styles["muted"]}`}>
          {throughput.detail}
        </p>
      </Panel>
      {throughput.objectives !== undefined && throughput.objectives.length > 0 && (
        <Panel title="Objectives under load" sub="the rate of all endpoints at which each falls">
          <div className={styles["table"]}>
            <table>
              <tbody>
                {throughput.objectives.map((objective) => (
                  <ObjectiveRow
                    key={`${objective.endpoint.service} ${objective.endpoint.operation} ${objective.metric}`}
                    objective={objective}
                  />
                ))}
              </tbody>
            </table>
          </div>
        </Panel>
      )}
      <Panel title="Ceilings" sub="what each resource permits: capacity by demand per request">
        {rows.length === 0 && (
          <Empty>
            No resource was measured. Metrics of processes, pools and hosts beside the traces bring them: OTLP metrics,
            or Prometheus text.
          </Empty>
        )}
        <div className={styles["table"]}>
          <table>
            <thead>
              <tr>
                <th>resource</th>
                {["demand per request", "capacity", "in use", "ceiling"].map((name) => (
                  <th key={name} className={styles["num"]}>
                    {name}
                  </th>
                ))}
                <th />
              </tr>
            </thead>
            <tbody>
              {rows.map((row) => (
                <tr key={`${row.service} ${row.resource} ${row.instance ?? ""} ${row.host ?? ""}`}>
                  <td>
                    {row.service} {row.resource}{" "}
                    <span className={styles["muted"]}>{row.instance ?? row.host ?? ""}</span>
                  </td>
                  <td className={styles["num"]}>{row.demandMs === undefined ? "not known" : ms(row.demandMs)}</td>
                  <td className={styles["num"]}>{row.capacity === undefined ? "–" : digits(row.capacity)}</td>
                  <td className={styles["num"]}>{percent(row.utilisation)}</td>
                  <td className={styles["num"]}>
                    {row.ceilingPerSecond === undefined ? "–" : `${digits(row.ceilingPerSecond)}/s`}
                  </td>
                  <td>
                    {row.ceilingPerSecond !== undefined && (
                      <span className={styles["gauge"]} aria-hidden="true">
                        <i
                          style={{
                            width: `${Math.min(100, (100 * row.ceilingPerSecond) / greatest)}%`,
                            background: "var(--count-1)",
                            opacity: 0.35,
                          }}
                        />
                        <i style={{ width: `${(100 * now) / greatest}%`, background: "var(--share-3)" }} />
                      </span>
                    )}
                  </td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      </Panel>
    </div>
  );
}

function ObjectiveRow({ objective }: { objective: ObjectiveLoad }): JSX.Element {
  const { endpoint, metric, limitMs, fallsAtPerSecond, lowPerSecond, highPerSecond, detail } = objective;
  return (
    <tr>
      <td>
        {endpoint.service} {endpoint.operation} {metric} &lt; {ms(limitMs)}
      </td>
      <td className={styles["num"]}>
        {fallsAtPerSecond === null ? "not known" : `${digits(fallsAtPerSecond)}/s`}
        {lowPerSecond !== null && highPerSecond !== null && ` (${digits(lowPerSecond)}–${digits(highPerSecond)})`}
      </td>
      <td className={styles["muted"]}>{detail ?? ""}</td>
    </tr>
  );
}
