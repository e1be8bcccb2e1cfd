import { type JSX, useState } from "react";
import styles from "../app.module.css";
import { chosenEndpoint, useSelection } from "../state/selection.ts";
import { switchTheme } from "../state/theme.ts";
import { isServed } from "../state/load-page.ts";
import { type PageState, TIME_STYLES } from "../state/page-state.ts";
import { unixMs } from "../state/server-status.ts";
import { moment, timeOfDay, zone } from "./clock.ts";
import { ms, plural } from "./numbers.ts";

/** Which endpoint and window are looked at, and what can be done with the page. */
export function Header({ openPalette }: { openPalette: () => void }): JSX.Element {
  const selection = useSelection();
  const { page, go } = selection;
  const [said, setSaid] = useState("");
  const say = (text: string): void => {
    setSaid(text);
    setTimeout(() => setSaid(""), 2500);
  };
  const share = (): void => {
    navigator.clipboard.writeText(location.href).then(
      () => say("link copied"),
      () => say("copy the address of this page: it holds what you see"),
    );
  };
  const start = unixMs(page.report.window.startUnixNs);
  const end = unixMs(page.report.window.endUnixNs);
  const { baseline } = page.source;
  return (
    <header className={styles["header"]}>
      <h1 className={styles["brand"]}>Longpole</h1>
      {page.endpoints.length > 0 && (
        <select
          aria-label="Endpoint"
          value={chosenEndpoint(selection)?.index ?? 0}
          onChange={(event) =>
            go({ endpoint: Number(event.target.value), trace: "", span: "", box: undefined, flame: -1 })
          }
        >
          {page.endpoints.map((endpoint, i) => (
            <option key={`${endpoint.service} ${endpoint.operation}`} value={i}>
              {endpoint.service} {endpoint.operation}
            </option>
          ))}
        </select>
      )}
      <span className={styles["window"]} title={`${new Date(start).toISOString()} to ${new Date(end).toISOString()}`}>
        {moment(start)}–{timeOfDay(end)}
        {zone()}
        {selection.state.times === "relative" && ` (${ms(end - start)})`}
        {baseline.length > 0 && `, against ${baseline.length === 1 ? baseline[0] : plural(baseline.length, "file")}`}
      </span>
      {isServed() && <WindowChoice />}
      <span className={styles["space"]} />
      <span role="status" className={styles["window"]}>
        {said}
      </span>
      <button onClick={openPalette}>
        Search or jump <kbd>Ctrl K</kbd>
      </button>
      <button
        onClick={() => go({ times: NEXT_TIMES[selection.state.times] }, true)}
        className={styles["hideSmall"]}
        title="how moments are written: local time, UTC, or after the start of the window"
      >
        {TIMES[selection.state.times]}
      </button>
      <button onClick={switchTheme} className={styles["hideSmall"]}>
        Light / dark
      </button>
      <button onClick={share}>Share</button>
      <button onClick={() => exportPage(say)} className={styles["hideSmall"]}>
        Export HTML
      </button>
    </header>
  );
}

const TIMES: Readonly<Record<PageState["times"], string>> = {
  local: "Local time",
  utc: "UTC",
  relative: "From the start",
};
const NEXT_TIMES = Object.fromEntries(
  TIME_STYLES.map((style, i) => [style, TIME_STYLES[(i + 1) % TIME_STYLES.length]!]),
) as Record<PageState["times"], PageState["times"]>;

const WINDOWS = ["5m", "15m", "1h", "6h", "24h"];

/** Which stretch of time until now: the page is loaded anew, so that its address says what it shows. */
function WindowChoice(): JSX.Element {
  const { refresh } = useSelection();
  const params = new URLSearchParams(location.search);
  const last = params.get("last") ?? (params.has("from") ? "" : "15m");
  return (
    <>
      <select
        aria-label="Window"
        value={last}
        onChange={(event) => {
          params.delete("from");
          params.delete("to");
          params.set("last", event.target.value);
          location.search = params.toString();
        }}
      >
        {(WINDOWS.includes(last) ? WINDOWS : [last, ...WINDOWS]).map((window) => (
          <option key={window} value={window}>
            {window === "" ? "as in the address" : `last ${window}`}
          </option>
        ))}
      </select>
      <button onClick={refresh}>Refresh</button>
    </>
  );
}

/** The page as one file: in a page from disk its own text, from the server what it makes of the same window. */
function exportPage(say: (text: string) => void): void {
  if (isServed()) {
    location.href = `api/v1/page.html${location.search}${location.hash}`;
    return;
  }
  const copy = document.documentElement.cloneNode(true) as HTMLElement;
  copy.querySelector("#root")?.replaceChildren();
  const text = `<!doctype html>\n${copy.outerHTML}`;
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([text], { type: "text/html" }));
  link.download = "longpole.html";
  link.click();
  URL.revokeObjectURL(link.href);
  say("saved as longpole.html");
}
