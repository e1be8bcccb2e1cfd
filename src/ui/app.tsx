import { type JSX, useEffect, useState } from "react";
import type { PageDocument } from "../model/page.ts";
import styles from "./app.module.css";
import { Footer } from "./parts/footer.tsx";
import { Header } from "./parts/header.tsx";
import { KeyHelp } from "./parts/key-help.tsx";
import { Palette } from "./parts/palette.tsx";
import { Tabs } from "./parts/tabs.tsx";
import { SCREENS } from "./screens/screens.tsx";
import { useKeys } from "./state/keys.ts";
import type { Loading } from "./state/load-page.ts";
import { VIEWS } from "./state/page-state.ts";
import { SelectionContext } from "./state/selection.ts";
import { usePageState } from "./state/use-page-state.ts";

/** The whole UI: what is loaded, or how far that is. */
export function App({ load }: { load: (tell: (loading: Loading) => void) => Promise<void> }): JSX.Element {
  const [loading, setLoading] = useState<Loading>({ kind: "loading", stage: "reading the page" });
  useEffect(() => void load(setLoading), [load]);
  switch (loading.kind) {
    case "loading":
      return <Message title="Longpole">{loading.stage} …</Message>;
    case "failed":
      return (
        <Message title="The data could not be loaded">
          {loading.why}. <button onClick={() => location.reload()}>Try again</button>
        </Message>
      );
    case "loaded":
      return <Page page={loading.page} />;
  }
}

function Message({ title, children }: { title: string; children: React.ReactNode }): JSX.Element {
  return (
    <main className={styles["message"]} role="status">
      <h1>{title}</h1>
      <p>{children}</p>
    </main>
  );
}

function Page({ page }: { page: PageDocument }): JSX.Element {
  const [state, go] = usePageState();
  const [dialog, setDialog] = useState<"" | "keys" | "palette">("");
  useKeys({
    "?": () => setDialog("keys"),
    "ctrl+k": () => setDialog("palette"),
    "/": () => setDialog("palette"),
    ...Object.fromEntries(VIEWS.slice(0, 9).map((view, i) => [String(i + 1), () => go({ view })])),
  });
  const Screen = SCREENS[state.view];
  return (
    <SelectionContext value={{ page, state, go }}>
      <div className={styles["app"]}>
        <Header openPalette={() => setDialog("palette")} />
        <Tabs />
        <main className={styles["main"]} id="screen" role="tabpanel" aria-labelledby={`tab-${state.view}`} tabIndex={0}>
          <Screen />
        </main>
        <Footer showKeys={() => setDialog("keys")} />
        {dialog === "keys" && <KeyHelp close={() => setDialog("")} />}
        {dialog === "palette" && <Palette close={() => setDialog("")} />}
      </div>
    </SelectionContext>
  );
}
