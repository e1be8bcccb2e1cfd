import type { JSX } from "react";
import type { ProfilesDocument } from "../../model/profiles-page.ts";
import { FlameGraph } from "../flame/flame-graph.tsx";
import flameStyles from "../flame/flame.module.css";
import { Empty } from "../parts/panel.tsx";
import { useKeys } from "../state/keys.ts";
import { switchTheme } from "../state/theme.ts";
import { usePageState } from "../state/use-page-state.ts";
import { HotLines } from "./hot-lines.tsx";
import styles from "./profiles.module.css";
import { RecordedFindings } from "./recorded-findings.tsx";
import { RecordedQuality } from "./recorded-quality.tsx";
import { TimeLedger } from "./time-ledger.tsx";

const SEARCH = "search-functions";

/** Profiles alone: what a recording found and where its time went, if there was one, and a flame graph of each profile. */
export function ProfilesPage({ document: shown }: { document: ProfilesDocument }): JSX.Element {
  const [state, go] = usePageState();
  const { trees, record, hotLines } = shown;
  const index = state.flame >= 0 && state.flame < trees.length ? state.flame : 0;
  const tree = trees[index];
  const search = (): void => document.getElementById(SEARCH)?.focus();
  useKeys({ "/": search, "ctrl+f": search });
  return (
    <div className={styles["page"]}>
      <header className={styles["head"]}>
        <b>Longpole</b>
        <div className={styles["title"]}>
          <h1>{shown.title}</h1>
          {record !== undefined && record.recording.command !== record.recording.name && (
            <code>{record.recording.command}</code>
          )}
        </div>
        <button onClick={switchTheme}>Light / dark</button>
      </header>
      <main className={styles["main"]}>
        {record !== undefined && (
          <div className={styles["columns"]}>
            <RecordedFindings record={record} find={(name) => go({ search: name })} />
            <div>
              <TimeLedger record={record} />
              <RecordedQuality record={record} />
            </div>
          </div>
        )}
        {hotLines !== undefined && hotLines.length > 0 && (
          <HotLines hot={hotLines} find={(name) => go({ search: name })} />
        )}
        <div className={flameStyles["tools"]}>
          {trees.length > 1 && (
            <select aria-label="Profile" value={index} onChange={(event) => go({ flame: Number(event.target.value) })}>
              {trees.map((held, i) => (
                <option key={held.title} value={i}>
                  {held.title}
                </option>
              ))}
            </select>
          )}
          <input
            id={SEARCH}
            type="search"
            aria-label="Search functions"
            placeholder="search (Ctrl-F)"
            value={state.search}
            onChange={(event) => go({ search: event.target.value }, true)}
          />
        </div>
        {tree === undefined || tree.parent.length === 0 ? (
          <Empty>There is no sample in this profile.</Empty>
        ) : (
          <FlameGraph key={index} tree={tree} idle={0} search={state.search} />
        )}
      </main>
      <footer className={styles["foot"]}>Longpole {shown.producer}</footer>
    </div>
  );
}
