import type { JSX } from "react";
import type { RecordReport } from "../../model/record-report.ts";
import { digits, ms, percent } from "../parts/numbers.ts";
import { Panel } from "../parts/panel.tsx";
import { colorOf, wordOf } from "../parts/time-kinds.ts";
import styles from "./profiles.module.css";

/** Parts of a kind of time that are shown; the others are counted. */
const SHOWN = 3;

/** Where the wall time of all threads went: a bar, and a row for each kind with what it consists of. */
export function TimeLedger({ record }: { record: RecordReport }): JSX.Element {
  const { recording } = record;
  const rows = record.ledger.filter(({ ms: length }) => length > 0);
  const threads = recording.threads.length + recording.threadsLeft;
  return (
    <Panel
      title="Where the time went"
      sub={`wall time of ${digits(threads)} threads over ${ms(recording.durationMs)}: ${ms(recording.threadMs)}`}
    >
      <div className={styles["bar"]} aria-hidden>
        {rows.map(({ timeKind, share }) => (
          <span key={timeKind} style={{ flex: share, background: colorOf(timeKind) }} />
        ))}
      </div>
      <table className={styles["ledger"]}>
        <thead>
          <tr>
            <th>time</th>
            <th>share</th>
            <th>length</th>
            <th>of it</th>
          </tr>
        </thead>
        <tbody>
          {rows.map(({ timeKind, share, ms: length, parts }) => (
            <tr key={timeKind}>
              <td>
                <span className={styles["tag"]} style={{ background: colorOf(timeKind) }} /> {wordOf(timeKind)}
              </td>
              <td>{percent(share)}</td>
              <td>{ms(length)}</td>
              <td>
                {parts
                  .slice(0, SHOWN)
                  .map(({ what, ms: part }) => `${what} ${ms(part)}`)
                  .join(", ")}
                {parts.length > SHOWN && `, ${digits(parts.length - SHOWN)} more`}
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </Panel>
  );
}
