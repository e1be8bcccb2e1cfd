import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Browser } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { PageDocument } from "../src/model/page.ts";
import { openBrowser, watchedPage } from "../src/testing/browser.ts";
import { violations } from "../src/testing/wcag.ts";
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
    await page.getByText(`longpole agent --endpoint ${up.otlpUrl}`).first().waitFor();
    expect(complaints).toEqual([]);
    expect(await violations(page)).toEqual([]);
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

  test("the line of status says what comes in; the screen of hosts asks the server", async () => {
    const { page } = await watchedPage(browser);
    await page.goto(`${up.apiUrl}/?last=5m#/hosts`);
    const line = page.getByRole("contentinfo");
    await line.getByText("Live", { exact: true }).waitFor();
    await line.getByText(/^spans [\d.]+\/s$/).waitFor();
    await page.getByRole("heading", { name: "Hosts" }).or(page.getByText("No host is named")).first().waitFor();
    expect(await page.getByRole("alert").count()).toBe(0);
    await page.close();
  });

  test("a search is over all that is stored, and opens traces that the page does not hold", async () => {
    const { page, complaints } = await watchedPage(browser);
    const q = "{ kind = server } >> { span.db.system.name != nil || span.db.system != nil }";
    await page.goto(`${up.apiUrl}/?last=5m#/search?query=${encodeURIComponent(q)}`);
    await page.getByRole("combobox", { name: "At most" }).selectOption("100");
    await page.getByText(/candidates looked at/).waitFor();
    const answer = await page.request.get(`${up.apiUrl}/api/v1/page?last=5m`);
    const held = new Set(((await answer.json()) as PageDocument).traces.map(({ traceId }) => traceId));
    const buttons = await page.getByRole("row").getByRole("button").all();
    const ids = await Promise.all(buttons.map((button) => button.getAttribute("title")));
    const other = ids.findIndex((id) => !held.has(id!));
    expect(other).toBeGreaterThanOrEqual(0);
    await buttons[other]!.click();
    await page.getByRole("tree", { name: "Spans" }).waitFor();
    await page.getByRole("button", { name: ids[other]! }).waitFor();
    expect(complaints).toEqual([]);
    await page.close();
  });

  test("scripts in all that a sender can name: nothing runs, on any screen that asks the server", async () => {
    const evil = `"'><img src=x onerror=alert(1)><script>alert(2)</script>`;
    const text = (key: string): object => ({ key, value: { stringValue: evil } });
    const now = BigInt(Date.now()) * 1_000_000n;
    const body = {
      resourceSpans: [
        {
          resource: { attributes: ["service.name", "host.name", "service.instance.id", evil].map(text) },
          scopeSpans: [
            {
              spans: [1, 2].map((span) => ({
                traceId: "e".repeat(32),
                spanId: `000000000000000${span}`,
                ...(span === 1 ? {} : { parentSpanId: "0000000000000001" }),
                name: evil,
                kind: span === 1 ? 2 : 3,
                startTimeUnixNano: String(now),
                endTimeUnixNano: String(now + 5_000_000n),
                attributes: ["db.system.name", "db.query.text", evil].map(text),
                status: { code: 2, message: evil },
              })),
            },
          ],
        },
      ],
    };
    const sent = await fetch(`${up.otlpUrl}/v1/traces`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(body),
    });
    expect(sent.status).toBe(200);
    const { page, complaints } = await watchedPage(browser);
    await page.goto(`${up.apiUrl}/?last=5m#/search?query=${encodeURIComponent("{ status = error }")}`);
    await page.getByText(evil).first().waitFor();
    expect(await violations(page)).toEqual([]);
    await page.getByRole("row").getByRole("button", { name: evil }).first().click();
    await page.getByRole("tree", { name: "Spans" }).waitFor();
    expect(await violations(page)).toEqual([]);
    await page.goto(`${up.apiUrl}/?last=5m#/hosts`);
    await page.getByRole("heading", { name: "Hosts" }).or(page.getByText("No host is named")).first().waitFor();
    expect(await violations(page)).toEqual([]);
    expect(complaints).toEqual([]);
    await page.close();
  });

  test(
    "a page that was answered before is there at once, dated, after a restart too, until the newer one comes",
    async () => {
      const seesHeld = async (): Promise<string> => {
        const { page, complaints } = await watchedPage(browser);
        const watch = `new MutationObserver(() => {
        const text = document.body?.textContent ?? "";
        if (text.includes("A newer answer is being made")) globalThis.seen ??= text;
      }).observe(document, { childList: true, subtree: true, characterData: true })`;
        await page.addInitScript({ content: watch });
        await page.goto(`${up.apiUrl}/?last=5m`);
        await page.getByText("an index on", { exact: false }).first().waitFor();
        await page.getByText("A newer answer is being made").waitFor({ state: "detached" });
        const seen = await page.evaluate<string>("globalThis.seen");
        expect(await page.getByText("an index on", { exact: false }).count()).toBeGreaterThan(0);
        expect(complaints).toEqual([]);
        await page.close();
        return seen;
      };
      expect(await seesHeld()).toMatch(/This was answered at \d{4}-\d\d-\d\d .*an index on/s);
      up.kill("SIGTERM");
      await up.ended;
      up = await startUp(join(folder, "data"));
      expect(await seesHeld()).toMatch(/This was answered at \d{4}-\d\d-\d\d .*an index on/s);
    },
    START_TIMEOUT_MS,
  );

  test("a server that goes away leaves the page as it is, dated", async () => {
    const { page } = await watchedPage(browser);
    await page.goto(`${up.apiUrl}/?last=5m`);
    await page.getByRole("contentinfo").getByText("Live", { exact: true }).waitFor();
    up.kill("SIGKILL");
    await page
      .getByRole("alert")
      .getByText(/The server has not answered since \d{4}-\d\d-\d\d .*Shown are data to/)
      .waitFor();
    await page.getByRole("alert").getByRole("button", { name: "Try again" }).click();
    await page.getByRole("alert").getByText("Loading anew failed: the server does not answer").waitFor();
    expect(await violations(page)).toEqual([]);
    expect(await page.getByText("an index on", { exact: false }).count()).toBeGreaterThan(0);
    await page.close();
  });
});

describe("a server with tokens", () => {
  const TOKEN = "3f9d-token-of-a-test";
  let closed: RunningUp;

  beforeAll(async () => {
    const file = join(folder, "tokens");
    writeFileSync(file, `${TOKEN}\n`);
    closed = await startUp(join(folder, "closed"), ["--token-file", file]);
  }, START_TIMEOUT_MS);
  afterAll(async () => {
    closed.kill("SIGKILL");
    await closed.ended;
  });

  test("a browser is asked for a password, the token is it, and the page's own requests and events carry it", async () => {
    const { page, complaints } = await watchedPage(browser, {
      httpCredentials: { username: "anybody", password: TOKEN },
    });
    const events = page.waitForResponse(/\/api\/v1\/page\/events/);
    expect((await page.goto(`${closed.apiUrl}/`))!.status()).toBe(200);
    expect((await events).status()).toBe(200);
    await page.getByText("OTEL_EXPORTER_OTLP_ENDPOINT").waitFor();
    // The first answer without a name and a password is what makes the browser ask.
    expect(complaints.filter((text) => !text.includes("401"))).toEqual([]);
    await page.close();
  });

  test("another password opens nothing", async () => {
    const { page } = await watchedPage(browser, { httpCredentials: { username: "anybody", password: "a wrong one" } });
    const answer = await page.goto(`${closed.apiUrl}/`);
    expect(answer!.status()).toBe(401);
    await page.close();
  });
});
