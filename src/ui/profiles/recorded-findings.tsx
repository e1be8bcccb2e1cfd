import type { JSX } from "react";
import type { Finding } from "../../model/report.ts";
import type { RecordReport } from "../../model/record-report.ts";
import { plural } from "../parts/numbers.ts";
import { Empty, Panel } from "../parts/panel.tsx";
import { hueOfMechanism } from "../parts/time-kinds.ts";
import styles from "./profiles.module.css";

interface RecordedFindingsProps {
  readonly record: RecordReport;
  /** looks for a function in the flame graph */
  readonly find: (name: string) => void;
}

/** What stands out in a recording, most to gain first. */
export function RecordedFindings({ record, find }: RecordedFindingsProps): JSX.Element {
  const { findings } = record;
  return (
    <Panel title="What stands out" sub={plural(findings.length, "finding")}>
      {findings.length === 0 && <Empty>Nothing takes so much of the time that it would be worth a change.</Empty>}
      <ol className={styles["findings"]}>
        {findings.map((finding) => (
          <li key={finding.id}>
            <Recorded finding={finding} find={find} />
          </li>
        ))}
      </ol>
    </Panel>
  );
}

function Recorded({ finding, find }: { finding: Finding; find: (name: string) => void }): JSX.Element {
  const { subject, remedy } = finding;
  const name = subject.frame?.split(" (")[0] ?? "";
  return (
    <>
      <h3>
        <span className={styles["tag"]} style={{ background: `var(${hueOfMechanism(finding.mechanism).color})` }} />{" "}
        {finding.title}
      </h3>
      <p>{finding.why}</p>
      {subject.frame !== undefined && <pre>{subject.frame}</pre>}
      <p>
        <b>Do:</b> {remedy.text}
      </p>
      {name !== "" && <button onClick={() => find(name)}>In the flame graph</button>}
      <details>
        <summary>Evidence, and what would refute it</summary>
        <ul>
          {finding.evidence.map(({ text, query }) => (
            <li key={text}>
              {text}
              {query !== "" && (
                <>
                  {" "}
                  <code>{query}</code>
                </>
              )}
            </li>
          ))}
          {finding.counter.map((text) => (
            <li key={text}>against: {text}</li>
          ))}
        </ul>
        <p>Wrong if: {finding.refutedBy}</p>
      </details>
    </>
  );
}
