import type { JSX } from "react";
import type { Evidence, Finding } from "../../model/report.ts";
import { percent } from "../parts/numbers.ts";
import { endpointOf, useSelection } from "../state/selection.ts";
import styles from "./home.module.css";
import { WhatIf } from "./what-if.tsx";

/** One finding in full: the chain from symptom to cause, its evidence, the exact place, what to change, what speaks against it. */
export function FindingDetail({ finding }: { finding: Finding }): JSX.Element {
  const { subject, remedy } = finding;
  return (
    <div className={styles["detail"]}>
      <div>
        <p>{finding.why}</p>
        {subject.statement !== undefined && (
          <pre className={styles["code"]} data-hot>
            {subject.statement}
          </pre>
        )}
        {subject.frame !== undefined && (
          <pre className={styles["code"]} data-hot>
            {subject.frame}
          </pre>
        )}
        {finding.chain.length > 0 && <Chain finding={finding} />}
        <p>
          <b>Do:</b> {remedy.text}
        </p>
        {remedy.change !== undefined && <pre className={styles["code"]}>{remedy.change}</pre>}
        <Links finding={finding} />
        <details>
          <summary>
            Evidence ({finding.evidence.length}), what speaks against it ({finding.counter.length}), what would refute
            it
          </summary>
          <ol>
            {finding.evidence.map((one, i) => (
              <EvidenceItem key={i} evidence={one} />
            ))}
          </ol>
          {finding.counter.length > 0 && (
            <ul>
              {finding.counter.map((text) => (
                <li key={text}>against: {text}</li>
              ))}
            </ul>
          )}
          <p>Wrong if: {finding.refutedBy}</p>
        </details>
      </div>
      <div className={styles["whatIf"]}>
        <WhatIf finding={finding} />
        <p className={styles["small"]}>
          {finding.mechanism}, confidence {percent(finding.confidence)}
        </p>
      </div>
    </div>
  );
}

function Chain({ finding }: { finding: Finding }): JSX.Element {
  return (
    <ol aria-label="From symptom to cause">
      {finding.chain.map((link) => (
        <li key={link.claim}>
          {link.claim}
          {link.evidence.length > 0 && (
            <span className={styles["muted"]}> [{link.evidence.map((at) => at + 1).join(", ")}]</span>
          )}
        </li>
      ))}
    </ol>
  );
}

function EvidenceItem({ evidence }: { evidence: Evidence }): JSX.Element {
  const { page, go } = useSelection();
  const trace = page.traces.find(
    (held) => evidence.text.includes(held.traceId) || evidence.query.includes(held.traceId),
  );
  return (
    <li>
      {evidence.text}
      {evidence.query !== "" && (
        <div className={styles["small"]}>
          check: <code>{evidence.query}</code>
        </div>
      )}
      {trace !== undefined && (
        <button onClick={() => go({ view: "traces", trace: trace.traceId, endpoint: trace.endpoint })}>
          Open the trace
        </button>
      )}
    </li>
  );
}

/** Where the cause can be seen: the profile of its service, a slow request, its time at all levels. */
function Links({ finding }: { finding: Finding }): JSX.Element {
  const { page, go } = useSelection();
  const endpoint = Math.max(0, endpointOf(page, finding));
  const profile = page.flames.findIndex(
    (flame) => flame.kind === "profile" && flame.service === finding.subject.service,
  );
  const named = new Set(
    finding.evidence.flatMap((one) => /\b[0-9a-f]{32}\b/.exec(`${one.text} ${one.query}`)?.[0] ?? []),
  );
  const trace =
    page.traces.find((held) => named.has(held.traceId)) ??
    page.traces.find((held) => held.endpoint === endpoint && held.role === "slow");
  const place = finding.subject.frame?.split(" (")[0] ?? "";
  return (
    <div className={styles["buttons"]}>
      {profile >= 0 && (
        <button className={styles["primary"]} onClick={() => go({ view: "flame", flame: profile, search: place })}>
          Code in the flame graph
        </button>
      )}
      {trace !== undefined && (
        <button onClick={() => go({ view: "traces", trace: trace.traceId, endpoint: trace.endpoint, span: "" })}>
          Slow trace
        </button>
      )}
      <button onClick={() => go({ view: "flame", flame: -1, endpoint, search: finding.subject.operation ?? "" })}>
        Critical path
      </button>
      {(finding.kind === "resource" || finding.kind === "throughput" || finding.kind === "config") && (
        <button onClick={() => go({ view: finding.kind === "throughput" ? "throughput" : "resources" })}>
          Resources
        </button>
      )}
    </div>
  );
}
