import type { JSX } from "react";
import type { EndpointLedger, LedgerLink } from "../../model/report.ts";
import { ms, percent } from "../parts/numbers.ts";
import { Panel } from "../parts/panel.tsx";
import { colorOf, wordOf } from "../parts/time-kinds.ts";
import styles from "./screens.module.css";

const LINKS: Readonly<Record<LedgerLink, string>> = {
  spans: "spans tell it",
  "span-id": "samples that name the span",
  "thread-time": "samples of its thread at its time",
  statistical: "by the shares of its service's samples",
  metrics: "by metrics of its process",
  none: "nothing tells it",
};

/** The time ledger of an endpoint's slowest requests: what each stretch was spent on, and what says so. */
export function LedgerPanel({ ledger }: { ledger: EndpointLedger }): JSX.Element {
  const rows = ledger.rows.filter((row) => row.p99Ms > 0);
  const kinds = new Map<string, number>();
  for (const row of rows) kinds.set(row.timeKind, (kinds.get(row.timeKind) ?? 0) + row.p99Ms);
  const sorted = [...kinds].toSorted((a, b) => b[1] - a[1]);
  return (
    <Panel
      title="Time ledger at the p99"
      sub={`${ms(ledger.ownMs)} within services that send spans, ${percent(ledger.explainedShare)} of that explained`}
      tools={sorted.map(([kind, length]) => (
        <span key={kind}>
          <span className={styles["tag"]} style={{ background: colorOf(kind) }} />
          {wordOf(kind)} {ms(length)}
        </span>
      ))}
    >
      <div className={styles["stacked"]} aria-hidden="true">
        {sorted.map(([kind, length]) => (
          <span key={kind} style={{ flex: length, background: colorOf(kind) }} />
        ))}
      </div>
      <div className={styles["table"]} role="group" aria-label="Time ledger" tabIndex={0}>
        <table>
          <thead>
            <tr>
              <th>service, operation</th>
              <th>kind of time</th>
              {["typical", "at the p99", "between", "share"].map((name) => (
                <th key={name} className={styles["num"]}>
                  {name}
                </th>
              ))}
              <th>known by</th>
            </tr>
          </thead>
          <tbody>
            {rows.map((row, i) => (
              <tr key={i}>
                <td>
                  <span className={styles["muted"]}>{row.service}</span> {row.operation}
                </td>
                <td>
                  <span className={styles["tag"]} style={{ background: colorOf(row.timeKind) }} />
                  {wordOf(row.timeKind)}
                </td>
                <td className={styles["num"]}>{ms(row.p50Ms)}</td>
                <td className={styles["num"]}>{ms(row.p99Ms)}</td>
                <td className={styles["num"]}>
                  {row.lowMs === row.highMs ? "–" : `${ms(row.lowMs)}–${ms(row.highMs)}`}
                </td>
                <td className={styles["num"]}>{percent(row.share)}</td>
                <td className={styles["muted"]}>
                  {LINKS[row.link]}
                  {row.source !== undefined && ` (${row.source})`}
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </Panel>
  );
}
