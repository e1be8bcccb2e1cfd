import type { JSX } from "react";
import { ms } from "../parts/numbers.ts";
import { useSelection } from "../state/selection.ts";
import styles from "./home.module.css";

/** What was ruled out, and what nobody can tell yet with how to find out. */
export function Checked(): JSX.Element {
  const { page } = useSelection();
  const { checkedNotCause, unexplained } = page.report;
  const rest = unexplained.reduce((sum, one) => sum + one.p99Ms, 0);
  return (
    <>
      <div className={styles["part"]}>
        <h2>Checked, not a cause</h2>
        <span className={styles["muted"]}>what you need not look at</span>
      </div>
      {checkedNotCause.length === 0 && (
        <div className={styles["checked"]}>
          <span>–</span>
          <span>nothing could be ruled out</span>
          <span />
        </div>
      )}
      {checkedNotCause.map(({ what, detail }) => (
        <div className={styles["checked"]} key={`${what} ${detail}`}>
          <span>–</span>
          <span>{what}</span>
          <span>{detail}</span>
        </div>
      ))}
      {unexplained.length > 0 && (
        <div className={styles["unexplained"]}>
          <b>{ms(rest)} has no cause yet.</b>
          {unexplained.map(({ service, p99Ms, collect }) => (
            <div key={service}>
              <span className={styles["muted"]}>
                {service} {ms(p99Ms)}:
              </span>{" "}
              <code>{collect}</code>
            </div>
          ))}
        </div>
      )}
    </>
  );
}
