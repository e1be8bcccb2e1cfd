import { type JSX, useState } from "react";
import type { WhatIfPoint } from "../../model/page.ts";
import type { Finding } from "../../model/report.ts";
import { digits, ms, percent, signedMs } from "../parts/numbers.ts";
import { useSelection } from "../state/selection.ts";
import styles from "./home.module.css";

/** What the fix brings, at the strength that is chosen: each position was computed by replaying the recorded requests. */
export function WhatIf({ finding }: { finding: Finding }): JSX.Element {
  const { page } = useSelection();
  const points = page.whatIf.find((curve) => curve.finding === finding.id)?.points ?? [];
  const own = Math.max(
    0,
    points.findIndex((point) => point.change === finding.remedy.whatIf),
  );
  // The curves may come after the finding.
  const [moved, setMoved] = useState<number>();
  const at = moved ?? own;
  const point = points[at];
  if (point === undefined) return <Predicted finding={finding} />;
  return (
    <div>
      <label style={{ fontWeight: 600 }}>
        {changeText(point)}
        {points.length > 1 && (
          <input
            type="range"
            min={0}
            max={points.length - 1}
            value={at}
            aria-valuetext={changeText(point)}
            onChange={(event) => setMoved(Number(event.target.value))}
          />
        )}
      </label>
      <Outcome point={point} />
      <p className={styles["small"]}>
        <code>--change '{point.change}'</code>
      </p>
    </div>
  );
}

function Outcome({ point }: { point: WhatIfPoint }): JSX.Element {
  const { p99, p50, ceiling, cannotTell } = point;
  return (
    <>
      <div>
        p99 <b>{ms(p99.predicted)}</b> <span className={styles["gain"]}>{signedMs(p99.predicted - p99.now)}</span>
      </div>
      <div className={styles["muted"]}>
        {ms(p99.low)}–{ms(p99.high)} (90 %), p50 {ms(p50.predicted)}
      </div>
      {ceiling !== null && (
        <div className={styles["muted"]}>
          ceiling {digits(ceiling.now)} → {digits(ceiling.predicted)}/s; next limit: {ceiling.limiterAfter.service}{" "}
          {ceiling.limiterAfter.resource}
        </div>
      )}
      {cannotTell.map((text) => (
        <div key={text} className={styles["small"]}>
          not known: {text}
        </div>
      ))}
    </>
  );
}

function Predicted({ finding }: { finding: Finding }): JSX.Element {
  const { now, predicted, low, high, unit, metric, method } = finding.impact;
  const amount = (value: number): string => (unit === "ms" ? ms(value) : `${digits(value)}/s`);
  return (
    <div>
      <div style={{ fontWeight: 600 }}>{metric} after the fix</div>
      <div>
        {amount(now)} → <b>{amount(predicted)}</b>
      </div>
      <div className={styles["muted"]}>
        {amount(low)}–{amount(high)} (90 %)
      </div>
      {method !== undefined && <div className={styles["small"]}>{method}</div>}
    </div>
  );
}

/** What is varied, in words. */
function changeText({ change, value }: WhatIfPoint): string {
  const last = change.slice(change.lastIndexOf(",") + 1);
  if (value !== undefined && last.startsWith("time=")) return `takes ${percent(value)} of its time`;
  if (value !== undefined && last.startsWith("cache=")) return `${percent(value)} of the calls come from a cache`;
  if (value !== undefined && last.startsWith("pool:"))
    return `pool ${last.slice(5, last.indexOf("="))}: ${digits(value)} connections`;
  if (value !== undefined && last.startsWith("replicas=")) return `${digits(value)} replicas`;
  if (last === "remove") return "without this call";
  if (last === "batch") return "as one call";
  if (last === "parallel") return "calls side by side";
  return last;
}
