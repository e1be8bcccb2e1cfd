import type { JSX } from "react";
import type { RecordReport } from "../../model/record-report.ts";
import { digits, ms, percent, plural } from "../parts/numbers.ts";
import { Panel } from "../parts/panel.tsx";
import styles from "./profiles.module.css";

/** What all this rests on: whole stacks, named frames, what was lost or not observed, and what looking cost. */
export function RecordedQuality({ record }: { record: RecordReport }): JSX.Element {
  const { quality, cost, collector } = record.recording;
  const rows: readonly (readonly [string, string])[] = [
    ["seen by", collector],
    ["samples", digits(quality.samples)],
    ["stacks that reach their root", percent(quality.rooted)],
    ["frames with a name", percent(quality.named)],
    ["samples lost", digits(quality.lostSamples)],
    ...(cost === null
      ? []
      : ([["cost", `${percent(cost.coreShare)} of a core, attached in ${ms(cost.attachMs)}`]] as const)),
  ];
  return (
    <Panel title="Data" sub={plural(quality.notObserved.length, "thing not observed", "things not observed")}>
      <dl className={styles["quality"]}>
        {rows.map(([name, value]) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd>{value}</dd>
          </div>
        ))}
      </dl>
      <ul className={styles["notes"]}>
        {quality.notObserved.map(({ what, why }) => (
          <li key={what}>
            not observed: {what} ({why})
          </li>
        ))}
        {quality.remarks.map((remark) => (
          <li key={remark}>{remark}</li>
        ))}
      </ul>
    </Panel>
  );
}
