import type { JSX } from "react";
import styles from "../app.module.css";
import { useSelection } from "../state/selection.ts";
import { clock, dateOf, digits, plural } from "./numbers.ts";

/** What the page rests on, and since when. */
export function Footer({ showKeys }: { showKeys: () => void }): JSX.Element {
  const { page, go } = useSelection();
  const { dataQuality: data, window } = page.report;
  const end = Number(BigInt(window.endUnixNs) / 1_000_000n);
  return (
    <footer className={styles["footer"]}>
      <span>{plural(data.traces, "trace")}</span>
      <span>{plural(data.spans, "span")}</span>
      {data.metricPoints !== undefined && <span>{digits(data.metricPoints.received)} points of metrics</span>}
      <span>{plural(page.flames.filter((flame) => flame.kind === "profile").length, "profile")}</span>
      {!data.complete && <span className={styles["warn"]}>▲ stopped early: what was known by then</span>}
      {data.warnings.length > 0 && (
        <button className={styles["tab"]} onClick={() => go({ view: "data" })}>
          <span className={styles["warn"]}>▲ {plural(data.warnings.length, "warning")} about the data</span>
        </button>
      )}
      <span className={styles["space"]} />
      <span>
        data to {dateOf(end)} {clock(end)} · Longpole {page.producer}
      </span>
      <button className={styles["tab"]} onClick={showKeys}>
        <kbd>J</kbd> <kbd>K</kbd> move <kbd>?</kbd> keys
      </button>
    </footer>
  );
}
