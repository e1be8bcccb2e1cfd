import { createRoot } from "react-dom/client";
import { App } from "./app.tsx";
import { loadPage } from "./state/load-page.ts";
import { followTheme } from "./state/theme.ts";
import "./tokens.css";

followTheme();
createRoot(document.getElementById("root")!).render(<App load={loadPage} />);
