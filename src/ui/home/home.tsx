import type { JSX } from "react";
import { HeatPanel } from "../heat/heat-panel.tsx";
import { MapPanel } from "../map/map-panel.tsx";
import { Checked } from "./checked.tsx";
import { FindingList } from "./finding-list.tsx";
import { Strip } from "./strip.tsx";
import styles from "./home.module.css";
import { Panel } from "../parts/panel.tsx";

/** The first screen: what is slow, why, what the fix brings, and what was ruled out. */
export function Home(): JSX.Element {
  return (
    <div className={styles["home"]}>
      <Strip />
      <div className={styles["body"]}>
        <Panel
          title="Findings"
          sub="most to gain first"
          className={styles["left"]}
          tools={
            <span className={styles["columns"]}>
              <span>time at its p99</span>
              <span title="Gains are for one change alone; they do not add up">gain alone</span>
            </span>
          }
        >
          <FindingList />
          <Checked />
        </Panel>
        <div className={styles["right"]}>
          <MapPanel />
          <HeatPanel />
        </div>
      </div>
    </div>
  );
}
