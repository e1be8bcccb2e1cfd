import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Browser } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { PageDocument } from "../src/model/page.ts";
import { openBrowser, watchedPage } from "../src/testing/browser.ts";
import { replay } from "./replay.ts";
import { START_TIMEOUT_MS, startUp, type RunningUp } from "./running-up.ts";

const folder = mkdtempSync(join(tmpdir(), "longpole-live-page-"));
let up: RunningUp;
let browser: Browser;

beforeAll(async () => {
  [up, browser] = await Promise.all([startUp(join(folder, "data")), openBrowser()]);
}, START_TIMEOUT_MS);
afterAll(async () => {
  await browser.close();
  up.kill("SIGKILL");
  await up.ended;
  rmSync(folder, { recursive: true, force: true });
});

describe("the home screen of a running server", () => {
  test("before any data it says what is missing; nothing complains", async () => {
    const { page, complaints } = await watchedPage(browser);
    await page.goto(`${up.apiUrl}/`);
    await page.getByText("OTEL_EXPORTER_OTLP_ENDPOINT").waitFor();
    expect(complaints).toEqual([]);
    await page.close();
  });

  test("what comes in is diagnosed, and the statement is two clicks from its slow request", async () => {
    await replay("examples/missing-index/fault", up.otlpUrl, BigInt(Date.now()) * 1_000_000n);
    const { page, complaints } = await watchedPage(browser);
    await page.goto(`${up.apiUrl}/?last=5m`);
    await page.getByText("an index on", { exact: false }).first().waitFor();
    const answer = await page.request.get(`${up.apiUrl}/api/v1/page?last=5m`);
    const document = (await answer.json()) as PageDocument;
    expect(document.report.findings[0]).toMatchObject({ mechanism: "missing-index" });
    // Click one: a slow request. Click two: the span of the statement.
    await page.getByRole("button", { name: "Slow trace" }).first().click();
    const statement = document.report.findings[0]!.subject.statement!;
    const { operation } = document.report.findings[0]!.subject;
    // Spans hold literals or placeholders where the finding has "?".
    const pattern = new RegExp(
      statement
        .split(/\?|\$\d+/)
        .map((part) =>
          part
            .trim()
            .replaceAll(/[.*+?^${}()|[\]\\]/g, "\\$&")
            .replaceAll(/\s+/g, "\\s+"),
        )
        .join(".*"),
      "is",
    );
    const spans = page.getByRole("treeitem").filter({ hasText: operation! });
    const seen: string[] = [];
    for (const span of await spans.all()) {
      await span.click();
      seen.push(...(await page.getByRole("region", { name: "Span" }).getByRole("cell").allTextContents()));
    }
    expect(seen.filter((cell) => pattern.test(cell)).length).toBeGreaterThan(0);
    expect(complaints).toEqual([]);
    await page.close();
  });

  test("another window is a choice, and stands in the address", async () => {
    const { page } = await watchedPage(browser);
    await page.goto(`${up.apiUrl}/?last=5m`);
    await page.getByRole("combobox", { name: "Window" }).selectOption("1h");
    await page.waitForURL(/last=1h/);
    await page.getByText("an index on", { exact: false }).first().waitFor();
    expect(await page.getByRole("combobox", { name: "Window" }).inputValue()).toBe("1h");
    await page.close();
  });
});
