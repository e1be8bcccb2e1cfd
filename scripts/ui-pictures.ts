/**
 * Pictures of the web UI on a recorded system, for the README: `npm run pictures`. Look at them before they are committed.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { spawnSync } from "node:child_process";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { openBrowser } from "../src/testing/browser.ts";
import { VIEWS } from "../src/ui/state/page-state.ts";

const QUERY = encodeURIComponent('{ resource.service.name = "ingest" } >> { duration > 60ms }');
const ROOT = resolve(import.meta.dirname, "..");

async function main(): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "longpole-pictures-"));
  const page = join(folder, "page.html");
  const recording = "examples/lab/hungry-ingest";
  const args = [
    "dist/cli/main.js",
    "analyze",
    `${recording}/fault`,
    "--baseline",
    `${recording}/before`,
    "-q",
    "--html",
    page,
  ];
  const made = spawnSync(process.execPath, args, { cwd: ROOT, encoding: "utf8" });
  if (made.status !== 0) throw new Error(made.stderr);
  const browser = await openBrowser();
  try {
    for (const colorScheme of ["light", "dark"] as const) {
      const tab = await browser.newPage({ viewport: { width: 1440, height: 900 }, colorScheme });
      const picture = async (hash: string, name: string): Promise<void> => {
        await tab.goto(`${pathToFileURL(page).href}#/${hash}`);
        await tab.getByRole("tab", { selected: true }).waitFor();
        await tab.screenshot({ path: join(ROOT, "docs", "ui", `${name}-${colorScheme}.png`) });
      };
      for (const view of VIEWS) await picture(view === "search" ? `search?query=${QUERY}` : view, view);
      await tab.setViewportSize({ width: 3840, height: 2160 });
      await picture("findings", "findings-wide");
      await tab.setViewportSize({ width: 390, height: 844 });
      await picture("findings", "findings-phone");
    }
  } finally {
    await browser.close();
    rmSync(folder, { recursive: true });
  }
}

await main();
