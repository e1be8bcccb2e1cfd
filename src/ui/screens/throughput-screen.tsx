import type { JSX } from "react";
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
  const greatest = Math.max(now, ...rows.map((row) => row.ceilingPerSecond ?? 0), 1);
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
        <p className={`${styles["pad"]} ${throughput.status === "gate-failed" ? styles["over"] : styles["muted"]}`}>
          {throughput.detail}
        </p>
      </Panel>
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
                            width: `${(100 * row.ceilingPerSecond) / greatest}%`,
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
