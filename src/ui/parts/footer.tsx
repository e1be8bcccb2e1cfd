import type { JSX } from "react";
import styles from "../app.module.css";
import { useSelection } from "../state/selection.ts";
import { type ServerStatus, sumOf, unixMs } from "../state/server-status.ts";
import { ago, moment, zone } from "./clock.ts";
import { digits, plural } from "./numbers.ts";

/** What the page rests on, and since when; live: what comes in. */
export function Footer({ stage, showKeys }: { stage: string; showKeys: () => void }): JSX.Element {
  const { page, go, link } = useSelection();
  const { dataQuality: data, window } = page.report;
  const end = unixMs(window.endUnixNs);
  const status = link.kind === "heard" ? link.status : undefined;
  return (
    <footer className={styles["footer"]}>
      <div className={styles["facts"]}>
        {status !== undefined && <LiveStatus status={status} />}
        {link.kind === "away" && <span className={styles["warn"]}>○ no server</span>}
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
        {stage !== "" && <span role="status">{stage} …</span>}
      </div>
      <span className={styles["dated"]}>
        data to {moment(end)}
        {zone()}
        {status !== undefined && `, ${ago(unixMs(status.nowUnixNs) - end)} ago`} · Longpole {page.producer}
      </span>
      <button className={styles["tab"]} onClick={showKeys}>
        <kbd>J</kbd> <kbd>K</kbd> move <kbd>?</kbd> keys
      </button>
    </footer>
  );
}

const SIGNALS: Readonly<Record<string, string>> = { traces: "spans", metrics: "points", profiles: "samples" };

function LiveStatus({ status }: { status: ServerStatus }): JSX.Element {
  const signals = Object.entries(status.ingest);
  const waiting = signals.reduce((sum, [, signal]) => sum + signal.waiting, 0);
  const lost = signals.reduce((sum, [, { dropped, rejected }]) => sum + sumOf(dropped) + sumOf(rejected), 0);
  const lags = signals.flatMap(([, { lagMs }]) => (lagMs === undefined ? [] : [lagMs]));
  const { now } = status.analysis;
  return (
    <>
      <span>
        <span className={styles["live"]} data-ready={status.ready || undefined} aria-hidden="true" />
        {status.ready ? "Live" : "Store away"}
      </span>
      {signals
        .filter(([, signal]) => signal.received > 0)
        .map(([name, signal]) => (
          <span key={name} title={`${digits(signal.received)} received, ${digits(signal.stored)} stored`}>
            {SIGNALS[name] ?? name} {digits(signal.perSecond)}/s
          </span>
        ))}
      {lags.length > 0 && <span>lag {ago(Math.min(...lags))}</span>}
      {waiting > 0 && <span>{digits(waiting)} on their way to the store</span>}
      {lost > 0 && <span className={styles["warn"]}>▲ {digits(lost)} lost or refused</span>}
      {now !== undefined && (
        <span>
          {now.stage}
          {now.total > 1 && ` ${digits(now.done)} of ${digits(now.total)}`}
        </span>
      )}
    </>
  );
}
