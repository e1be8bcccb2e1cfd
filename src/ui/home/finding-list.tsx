import type { JSX } from "react";
import type { Finding, Report } from "../../model/report.ts";
import { digits, ms, percent, plural } from "../parts/numbers.ts";
import { hueOfMechanism } from "../parts/time-kinds.ts";
import { Empty } from "../parts/panel.tsx";
import { useKeys } from "../state/keys.ts";
import { chosenFinding, endpointOf, useSelection } from "../state/selection.ts";
import { FindingDetail } from "./finding-detail.tsx";
import styles from "./home.module.css";

/** Ranked findings, one of them open; notes apart. j and k move, Enter opens and closes. */
export function FindingList(): JSX.Element {
  const selection = useSelection();
  const { page, go } = selection;
  const { report } = page;
  const open = chosenFinding(selection);
  const faults = report.findings.filter((finding) => finding.severity !== "note");
  const notes = report.findings.filter((finding) => finding.severity === "note");
  const choose = (finding: Finding | undefined): void => {
    if (finding === undefined) return;
    const endpoint = endpointOf(page, finding);
    go({ finding: finding.id, ...(endpoint < 0 ? {} : { endpoint }) }, true);
  };
  const step = (by: number): void => {
    const at = report.findings.findIndex((finding) => finding.id === open?.id);
    choose(report.findings[Math.max(0, Math.min(report.findings.length - 1, at + by))]);
  };
  useKeys({ j: () => step(1), k: () => step(-1), Enter: () => go({ finding: open === undefined ? "" : "-" }, true) });
  const row = (finding: Finding): JSX.Element => (
    <FindingRow
      key={finding.id}
      finding={finding}
      isOpen={finding.id === open?.id}
      toggle={() => (finding.id === open?.id ? go({ finding: "-" }) : choose(finding))}
    />
  );
  return (
    <>
      {faults.length === 0 && <Empty>{nothing(report)}</Empty>}
      {faults.length > 0 && <ol className={styles["list"]}>{faults.map(row)}</ol>}
      {notes.length > 0 && (
        <details open={open?.severity === "note" || undefined}>
          <summary className={styles["part"]}>
            <h2>{plural(notes.length, "note")}</h2>
            <span className={styles["muted"]}>
              work that could be left out, with no sign that something is wrong with it
            </span>
          </summary>
          <ol className={styles["list"]}>{notes.map(row)}</ol>
        </details>
      )}
    </>
  );
}

function nothing(report: Report): string {
  if (report.endpoints.length === 0) return "No requests, no findings: these data hold no complete trace.";
  if (report.healthy) return "Nothing to fix: nothing in these data looks like a fault.";
  return "No finding above a note. What could not be judged is said below and on the Data screen.";
}

function FindingRow({
  finding,
  isOpen,
  toggle,
}: {
  finding: Finding;
  isOpen: boolean;
  toggle: () => void;
}): JSX.Element {
  const { page } = useSelection();
  const hue = hueOfMechanism(finding.mechanism);
  const spent = spentMs(page.report, finding);
  const { impact } = finding;
  const total = page.report.endpoints.find(
    (endpoint) => endpoint.service === impact.endpoint.service && endpoint.operation === impact.endpoint.operation,
  )?.p99Ms;
  return (
    <li className={styles["finding"]} data-open={isOpen || undefined}>
      <button className={styles["row"]} aria-expanded={isOpen} onClick={toggle}>
        <span className={styles["rank"]}>{finding.rank}</span>
        <span>
          <span className={styles["title"]}>
            <span className={styles["tag"]} style={{ background: `var(${hue.color})` }} />
            {finding.title}
          </span>
          <span className={styles["where"]}>{whereOf(finding)}</span>
        </span>
        <span>
          {spent === undefined ? (
            <span className={styles["small"]}>not in the path</span>
          ) : (
            <>
              {ms(spent)}{" "}
              <span className={styles["muted"]}>{total === undefined ? "" : percent(Math.min(1, spent / total))}</span>
              <span className={styles["meter"]} style={{ display: "block" }}>
                <i
                  style={{
                    width: `${Math.min(100, (100 * spent) / (total ?? spent))}%`,
                    background: `var(${hue.color})`,
                  }}
                />
              </span>
            </>
          )}
        </span>
        <Gain finding={finding} />
      </button>
      {isOpen && <FindingDetail finding={finding} />}
    </li>
  );
}

function Gain({ finding }: { finding: Finding }): JSX.Element {
  const { now, predicted, low, high, unit, metric } = finding.impact;
  const amount = (value: number): string => (unit === "ms" ? ms(value) : `${digits(value)}/s`);
  const gain = predicted - now;
  const half = Math.abs(high - low) / 2;
  return (
    <span className={styles["num"]}>
      <span className={styles["gain"]}>
        {gain > 0 ? "+" : "−"}
        {amount(Math.abs(gain))}
      </span>
      <br />
      <span className={styles["small"]}>
        {metric} ±{amount(half)}
      </span>
    </span>
  );
}

/** Time of the endpoint's slowest requests at the place that a finding names; nothing where they don't spend any there. */
function spentMs(report: Report, { subject, impact }: Finding): number | undefined {
  const endpoint = report.endpoints.find(
    (held) => held.service === impact.endpoint.service && held.operation === impact.endpoint.operation,
  );
  const rows = endpoint?.blame.filter(
    (row) =>
      row.operation === subject.operation || (subject.operation === undefined && row.service === subject.service),
  );
  const spent = rows?.reduce((sum, row) => sum + row.p99Ms, 0) ?? 0;
  return spent > 0 ? spent : undefined;
}

/** "orders › SELECT orders › pool:postgres": from the service to the most exact place that is known. */
export function whereOf({ subject }: Finding): string {
  return [subject.service, subject.instance, subject.operation, subject.resource, subject.frame, subject.setting]
    .filter((part) => part !== undefined && part !== "")
    .join(" › ");
}
