import { type JSX, useCallback, useEffect, useReducer, useState } from "react";
import type { PageDocument } from "../model/page.ts";
import type { ProfilesDocument } from "../model/profiles-page.ts";
import styles from "./app.module.css";
import { Banners } from "./parts/banners.tsx";
import { showTimesAs } from "./parts/clock.ts";
import { Footer } from "./parts/footer.tsx";
import { Header } from "./parts/header.tsx";
import { KeyHelp } from "./parts/key-help.tsx";
import { Palette } from "./parts/palette.tsx";
import { Tabs } from "./parts/tabs.tsx";
import { ProfilesPage } from "./profiles/profiles-page.tsx";
import { SCREENS } from "./screens/screens.tsx";
import { useKeys, useKeysAfter } from "./state/keys.ts";
import type { Loading, loadPage } from "./state/load-page.ts";
import { VIEW_KEYS, VIEWS } from "./state/page-state.ts";
import { SelectionContext } from "./state/selection.ts";
import { unixMs, useServerStatus } from "./state/server-status.ts";
import { usePageState } from "./state/use-page-state.ts";

/** What is shown, what is on its way, and why the last attempt brought nothing. */
interface Held {
  readonly page: PageDocument | undefined;
  readonly profiles?: ProfilesDocument;
  /** when the page was answered, where a newer one is on its way */
  readonly heldUnixNs?: string;
  /** what is being done; "" when nothing is */
  readonly stage: string;
  readonly failed: string;
}

/** A page that is shown stays until there is another one. */
function next(held: Held, loading: Loading): Held {
  switch (loading.kind) {
    case "loading":
      return { ...held, stage: loading.stage, failed: "" };
    case "loaded":
      return { page: loading.page, stage: loading.isWhole ? "" : "trying fixes", failed: "" };
    case "held":
      return { page: loading.page, heldUnixNs: loading.madeUnixNs, stage: "making a newer answer", failed: "" };
    case "profiles":
      return { page: undefined, profiles: loading.profiles, stage: "", failed: "" };
    case "waiting":
      // Where a page is shown, that there is no newer one stands above it.
      return held.page === undefined
        ? { ...held, stage: `${loading.why}; it is asked again`, failed: "" }
        : { ...held, stage: "asking again", failed: loading.why };
    case "failed":
      return { ...held, stage: "", failed: loading.why };
  }
}

/** The whole UI: what is loaded, or how far that is. */
export function App({ load }: { load: typeof loadPage }): JSX.Element {
  const [held, tell] = useReducer(next, { page: undefined, stage: "reading the page", failed: "" });
  useEffect(() => void load(tell, false), [load]);
  const refresh = useCallback(() => void load(tell, true), [load]);
  const { page, ...rest } = held;
  if (page !== undefined) return <Page page={page} {...rest} refresh={refresh} />;
  if (held.profiles !== undefined) return <ProfilesPage document={held.profiles} />;
  if (held.failed === "") return <Message title="Longpole">{held.stage} …</Message>;
  return (
    <Message title="The data could not be loaded">
      {held.failed}. <button onClick={() => void load(tell, false)}>Try again</button>
    </Message>
  );
}

function Message({ title, children }: { title: string; children: React.ReactNode }): JSX.Element {
  return (
    <main className={styles["message"]} role="status">
      <h1>{title}</h1>
      <p>{children}</p>
    </main>
  );
}

interface PageProps {
  readonly page: PageDocument;
  readonly heldUnixNs?: string;
  readonly stage: string;
  readonly failed: string;
  readonly refresh: () => void;
}

function Page({ page, heldUnixNs, stage, failed, refresh }: PageProps): JSX.Element {
  const [state, go] = usePageState();
  const [dialog, setDialog] = useState<"" | "keys" | "palette">("");
  const link = useServerStatus();
  const isBack = page.report.live?.stale !== undefined && link.kind === "heard" && link.status.ready;
  // What was answered while the store was away is asked for again when it is back.
  useEffect(() => {
    if (isBack) refresh();
  }, [isBack, refresh]);
  showTimesAs(state.times, unixMs(page.report.window.startUnixNs));
  useKeys({
    "?": () => setDialog("keys"),
    "ctrl+k": () => setDialog("palette"),
    "/": () => setDialog("palette"),
    ...Object.fromEntries(VIEWS.slice(0, 9).map((view, i) => [String(i + 1), () => go({ view })])),
  });
  useKeysAfter("g", Object.fromEntries(VIEWS.map((view) => [VIEW_KEYS[view], () => go({ view })])));
  const Screen = SCREENS[state.view];
  return (
    <SelectionContext value={{ page, state, go, link, refresh }}>
      <div className={styles["app"]}>
        <Header openPalette={() => setDialog("palette")} />
        <Tabs />
        <Banners failed={failed} heldUnixNs={heldUnixNs} />
        <main className={styles["main"]} id="screen" role="tabpanel" aria-labelledby={`tab-${state.view}`} tabIndex={0}>
          <Screen key={state.times} />
        </main>
        <Footer stage={stage} showKeys={() => setDialog("keys")} />
        {dialog === "keys" && <KeyHelp close={() => setDialog("")} />}
        {dialog === "palette" && <Palette close={() => setDialog("")} />}
      </div>
    </SelectionContext>
  );
}
