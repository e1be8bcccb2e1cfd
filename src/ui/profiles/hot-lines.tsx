import type { JSX } from "react";
import type { HotLines as Lines } from "../../model/flame-report.ts";
import { percent, plural } from "../parts/numbers.ts";
import { Panel } from "../parts/panel.tsx";
import styles from "./profiles.module.css";

/** The code around the hottest lines of the functions with most samples, each with its share of the function's own. */
export function HotLines({ hot, find }: { hot: readonly Lines[]; find: (name: string) => void }): JSX.Element {
  return (
    <Panel title="Hottest lines" sub="share of each function's own samples">
      {hot.map((one) => (
        <section key={`${one.function} ${one.file} ${one.lines[0]?.line}`} className={styles["hot"]}>
          <h3>
            <button onClick={() => find(one.function)}>{one.function}</button> <code>{one.file}</code>
          </h3>
          <p>
            {percent(one.share)} of what the program&apos;s own code takes, {plural(one.samples, "sample")}
          </p>
          {one.remark !== "" && <p>{one.remark}</p>}
          <table className={styles["lines"]}>
            <tbody>
              {one.lines.map(({ line, share, text }) => (
                <tr key={line}>
                  <td>{share > 0 ? percent(share) : ""}</td>
                  <td>{line}</td>
                  <td style={{ backgroundSize: `${100 * share}% 100%` }}>
                    <code>{text ?? ""}</code>
                  </td>
                </tr>
              ))}
            </tbody>
          </table>
        </section>
      ))}
    </Panel>
  );
}
