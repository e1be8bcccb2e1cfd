import type { JSX, ReactNode } from "react";
import styles from "../app.module.css";
import { useSelection } from "../state/selection.ts";
import { unixMs } from "../state/server-status.ts";
import { ago, moment, zone } from "./clock.ts";

/** A window that ends in the past of its server by more than this shows old data. */
const OLD_MS = 10 * 60_000;

/**
 * What is wrong with what is shown: old, cut off, of another version. Each says since when. `heldUnixNs`: when what is shown
 * was answered, while a newer answer is on its way, which is nothing wrong.
 */
export function Banners({ failed, heldUnixNs }: { failed: string; heldUnixNs: string | undefined }): JSX.Element {
  const { page, refresh } = useSelection();
  const said = useTroubles();
  if (failed !== "") {
    said.unshift(
      <>
        Loading anew failed: {failed}. Shown are data to {moment(endOf(page.report.window.endUnixNs))}
        {zone()}.
      </>,
    );
  }
  return (
    <>
      {said.length > 0 && (
        <div className={styles["banners"]} role="alert">
          {said.map((text, i) => (
            <div key={i}>
              ▲ {text} {i === 0 && <button onClick={refresh}>Try again</button>}
            </div>
          ))}
        </div>
      )}
      {heldUnixNs !== undefined && failed === "" && (
        <div className={styles["banners"]} role="status">
          This was answered at {moment(endOf(heldUnixNs))}
          {zone()}. A newer answer is being made.
        </div>
      )}
    </>
  );
}

const endOf = (ns: string): number => unixMs(ns);

function useTroubles(): ReactNode[] {
  const { page, link } = useSelection();
  const { live, window } = page.report;
  const said: ReactNode[] = [];
  if (live?.stale !== undefined) {
    said.push(
      <>
        The store does not answer ({live.stale.why}). This was answered at {moment(endOf(live.stale.madeUnixNs))}
        {zone()}.
      </>,
    );
  }
  if (link.kind === "away") {
    said.push(
      <>
        The server has not answered since {moment(link.sinceMs)}
        {zone()}. Shown are data to {moment(endOf(window.endUnixNs))}
        {zone()}.
      </>,
    );
  }
  if (link.kind === "other-version") {
    said.push(
      <>
        This page reads "longpole.status/1", the server speaks "{link.schema}": reload the page to get the one that
        belongs to it.
      </>,
    );
  }
  if (link.kind !== "heard") return said;
  const { status } = link;
  if (!status.ready && live?.stale === undefined) {
    const since = status.store.awaySinceUnixNs;
    said.push(
      <>
        The store is not ready ({status.store.state}){since !== undefined && ` since ${moment(endOf(since))}${zone()}`}.
        What is received waits in the log on disk.
      </>,
    );
  }
  const now = endOf(status.nowUnixNs);
  const newest = status.store.newestSpanUnixNs;
  if (status.ready && newest !== undefined && now - endOf(newest) > OLD_MS) {
    said.push(
      <>
        No spans for {ago(now - endOf(newest))}: the newest is of {moment(endOf(newest))}
        {zone()}.
      </>,
    );
  }
  return said;
}
