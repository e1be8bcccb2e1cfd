import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Browser, Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { openBrowser, watchedPage } from "../src/testing/browser.ts";
import { ROOT } from "./longpole.ts";

/** Both stories as their user meets them: the sample system runs, and a browser shows what the server makes of it. */
const folder = mkdtempSync(join(tmpdir(), "longpole-e2e-stories-"));
let browser: Browser;
beforeAll(async () => void (browser = await openBrowser()));
afterAll(async () => {
  await browser.close();
  rmSync(folder, { recursive: true, force: true });
});

let running: ChildProcess | undefined;
afterEach(() => void running?.kill("SIGKILL"));

const MINUTES = 60_000;

describe("from the start page to the cause, by hand, in three clicks at most, while the system runs", () => {
  test(
    "the database that doubled: its statement, and the slow request that waited for it",
    { timeout: 5 * MINUTES, retry: 2 },
    async () => {
      const demo = await startDemo("database-doubled");
      const { page, complaints } = await open(demo.url);
      // No click: the first finding names the statement and what to do.
      await page
        .getByText(/WHERE name = \?/)
        .first()
        .waitFor({ timeout: MINUTES })
        .catch(async (error: unknown) => {
          // What came first instead, and what that rests on.
          console.error((await page.locator("body").innerText()).slice(0, 4000));
          throw error;
        });
      expect(await firstFinding(page)).toMatch(/records grew|an index on/);
      await page.getByText("INDEX CONCURRENTLY ON records (name)").first().waitFor();
      // One click: a slow request. Two: its span with the statement as it was sent.
      await page.getByRole("button", { name: "Slow trace" }).first().click();
      const spans = await page.getByRole("treeitem").filter({ hasText: "pg.query:SELECT" }).all();
      const statements: string[] = [];
      for (const span of spans) {
        await span.click();
        statements.push(...(await page.getByRole("region", { name: "Span" }).getByRole("cell").allTextContents()));
      }
      expect(statements.join("\n")).toMatch(/select .* from records where name = /is);
      expect(complaints).toEqual([]);
      await page.close();
      expect(await demo.stop()).toEqual({ code: 0, left: [] });
    },
  );

  test(
    "the hungry ingestion: its function, and where that stands in the profile",
    { timeout: 5 * MINUTES, retry: 1 },
    async () => {
      const demo = await startDemo("hungry-ingest");
      const { page, complaints } = await open(demo.url);
      // No click: a finding names the line of the parser.
      await page
        .getByText(/parse-points\.[jt]s:\d+/)
        .first()
        .waitFor({ timeout: MINUTES });
      // One click: the same function in the profile of its service.
      await page.getByRole("button", { name: "Code in the flame graph" }).first().click();
      await page
        .getByRole("region", { name: "By function" })
        .getByText(/parse-points/)
        .first()
        .waitFor();
      expect(complaints).toEqual([]);
      await page.close();
      expect(await demo.stop()).toEqual({ code: 0, left: [] });
    },
  );
});

async function open(url: string): Promise<{ page: Page; complaints: readonly string[] }> {
  const watched = await watchedPage(browser);
  await watched.page.goto(url);
  return watched;
}

const firstFinding = async (page: Page): Promise<string> =>
  (await page.getByRole("region", { name: "Findings" }).getByRole("listitem").first().textContent()) ?? "";

interface RunningDemo {
  readonly url: string;
  stop(): Promise<{ code: number | null; left: readonly string[] }>;
}

/** Resolves when it says where to look. */
function startDemo(fault: string): Promise<RunningDemo> {
  const main = join(ROOT, "dist", "cli", "main.js");
  const child = spawn(process.execPath, [main, "demo", "--ui", "--fault", fault], {
    cwd: ROOT,
    env: { PATH: process.env["PATH"] ?? "", LANG: "C.UTF-8", HOME: process.env["HOME"] ?? "", TMPDIR: folder },
    stdio: ["ignore", "ignore", "pipe"],
  });
  running = child;
  const ended = new Promise<number | null>((resolve) => child.once("close", resolve));
  let stderr = "";
  return new Promise((resolve, reject) => {
    child.stderr.on("data", (chunk: Buffer) => {
      stderr += chunk.toString();
      const url = /Look into it: +(\S+)\n/.exec(stderr)?.[1];
      if (url === undefined) return;
      resolve({
        url,
        stop: async () => {
          child.kill("SIGINT");
          const code = await ended;
          // What it said, where it did not end well.
          if (code !== 0) console.error(stderr);
          return { code, left: readdirSync(folder).filter((name) => name.startsWith("longpole-")) };
        },
      });
    });
    void ended.then((code) => reject(new Error(`the demo ended with ${code}: ${stderr}`)));
  });
}
