import type { JSX, KeyboardEvent } from "react";
import styles from "../app.module.css";
import { VIEWS, type View } from "../state/page-state.ts";
import { useSelection } from "../state/selection.ts";

const NAMES: Readonly<Record<View, string>> = {
  findings: "Findings",
  endpoint: "Endpoint",
  traces: "Traces",
  search: "Search",
  flame: "Flame graphs",
  throughput: "Throughput",
  resources: "Resources",
  database: "Database",
  configuration: "Configuration",
  hosts: "Hosts",
  metrics: "Metrics",
  data: "Data",
};

/** Screens on the same selection. Arrow keys go from tab to tab. */
export function Tabs(): JSX.Element {
  const { state, go } = useSelection();
  const move = (event: KeyboardEvent): void => {
    const step = event.key === "ArrowRight" ? 1 : event.key === "ArrowLeft" ? -1 : 0;
    if (step === 0) return;
    event.preventDefault();
    const next = VIEWS[(VIEWS.indexOf(state.view) + step + VIEWS.length) % VIEWS.length]!;
    go({ view: next });
    document.getElementById(`tab-${next}`)?.focus();
  };
  return (
    <div className={styles["tabs"]} role="tablist" aria-label="Screens" onKeyDown={move}>
      {VIEWS.map((view) => (
        <button
          key={view}
          id={`tab-${view}`}
          role="tab"
          className={styles["tab"]}
          aria-selected={view === state.view}
          aria-controls="screen"
          tabIndex={view === state.view ? 0 : -1}
          onClick={() => go({ view })}
        >
          {NAMES[view]}
        </button>
      ))}
    </div>
  );
}

export const nameOfView = (view: View): string => NAMES[view];
