import { type JSX, useRef } from "react";
import { Empty } from "../parts/panel.tsx";
import { useKeys } from "../state/keys.ts";
import { chosenEndpoint, useSelection } from "../state/selection.ts";
import { FlameGraph } from "./flame-graph.tsx";
import styles from "./flame.module.css";

/** Critical paths and profiles as flame graphs, and the same as a table. */
export function FlameScreen(): JSX.Element {
  const selection = useSelection();
  const { page, state, go } = selection;
  const search = useRef<HTMLInputElement>(null);
  useKeys({ "ctrl+f": () => search.current?.focus() });
  const endpoint = chosenEndpoint(selection)?.index ?? -1;
  const own = page.flames.findIndex((flame) => flame.kind === "critical-path" && flame.endpoint === endpoint);
  const index = state.flame >= 0 && state.flame < page.flames.length ? state.flame : own;
  const flame = page.flames[index];
  if (flame === undefined)
    return (
      <Empty>
        No traces and no profiles. Files of profiles beside the traces bring flame graphs: .cpuprofile, pprof, perf
        script, folded stacks.
      </Empty>
    );
  return (
    <div className={styles["screen"]}>
      <div className={styles["tools"]}>
        <select aria-label="Flame graph" value={index} onChange={(event) => go({ flame: Number(event.target.value) })}>
          {page.flames.map((held, i) => (
            <option key={i} value={i}>
              {held.kind === "profile" ? `profile: ${held.tree.title}` : `critical path: ${held.tree.title}`}
            </option>
          ))}
        </select>
        <input
          ref={search}
          type="search"
          aria-label="Search functions"
          placeholder="search"
          value={state.search}
          onChange={(event) => go({ search: event.target.value }, true)}
        />
      </div>
      <FlameGraph key={index} tree={flame.tree} idle={flame.idle ?? 0} search={state.search} />
    </div>
  );
}
