import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import type { Browser } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { PageDocument } from "../src/model/page.ts";
import { openBrowser, watchedPage } from "../src/testing/browser.ts";
import { violations } from "../src/testing/wcag.ts";
import { VIEWS } from "../src/ui/state/page-state.ts";
import { longpole } from "./longpole.ts";

const STORIES = { hungry: "hungry-ingest", doubled: "database-doubled" } as const;

const folder = mkdtempSync(join(tmpdir(), "longpole-page-"));
let browser: Browser;

beforeAll(async () => {
  browser = await openBrowser();
  for (const [name, fault] of Object.entries(STORIES)) {
    const recording = `examples/lab/${fault}`;
    const { code, stderr } = longpole([
      "analyze",
      `${recording}/fault`,
      "--baseline",
      `${recording}/before`,
      "--objective",
      "GET /api/records/:name p99 < 50ms",
      "--html",
      file(name),
    ]);
    if (code !== 0) throw new Error(stderr);
  }
}, 180_000);

afterAll(async () => {
  await browser.close();
  rmSync(folder, { recursive: true });
});

const file = (name: string): string => join(folder, `${name}.html`);
const urlOf = (name: string, hash = ""): string => `${pathToFileURL(file(name)).href}${hash}`;

/** The document within a page that was written, and a page with another document in it. */
function documentOf(name: string): PageDocument {
  const text = readFileSync(file(name), "utf8");
  return JSON.parse(/<script type="application\/json" id="page">(.*?)<\/script>/s.exec(text)![1]!);
}
function writeWith(name: string, of: string, document: unknown): void {
  const json = JSON.stringify(document).replaceAll("<", "\\u003c");
  const text = readFileSync(file(of), "utf8");
  writeFileSync(
    file(name),
    text.replace(/(id="page">)(.*?)(<\/script>)/s, (_, open: string, __, close: string) => open + json + close),
  );
}

describe("a page from disk", () => {
  test.each(["light", "dark"] as const)(
    "every view, %s: nothing complains, nothing is loaded, WCAG 2.2 AA holds",
    async (colorScheme) => {
      const { page, complaints } = await watchedPage(browser, { colorScheme });
      const loaded: string[] = [];
      page.on("request", (request) => loaded.push(request.url()));
      for (const view of VIEWS) {
        await page.goto(urlOf("hungry", `#/${view}`));
        await page.getByRole("tab", { selected: true }).waitFor();
        expect(await violations(page), view).toEqual([]);
      }
      expect(complaints).toEqual([]);
      expect(loaded.filter((url) => !url.startsWith("file:"))).toEqual([]);
      await page.close();
    },
  );

  test("the first screen says what is slow, against what, and what to do", async () => {
    const { page } = await watchedPage(browser);
    const report = documentOf("doubled").report;
    await page.goto(urlOf("doubled"));
    const strip = page.getByRole("region", { name: "Where the time goes" });
    await strip.getByText("against the baseline").waitFor();
    expect(await strip.textContent()).toContain("objective p99 50 ms missed");
    const first = page.getByRole("listitem").filter({ hasText: report.findings[0]!.title }).first();
    await first.getByText(report.findings[0]!.remedy.change!).waitFor();
    await first.getByText(report.findings[0]!.subject.statement!).waitFor();
    await page.close();
  });

  test("from the first screen to the line of code in one click", async () => {
    const { page } = await watchedPage(browser);
    const { frame } = documentOf("hungry").report.findings[0]!.subject;
    await page.goto(urlOf("hungry"));
    await page.getByText(frame!, { exact: true }).first().waitFor();
    await page.getByRole("button", { name: "Code in the flame graph" }).click();
    await page
      .getByRole("cell", { name: frame!.split(" (")[0]! })
      .first()
      .waitFor();
    expect(new URL(page.url()).hash).toContain("/flame?");
    await page.close();
  });

  test("back and forward, and a link shows what was seen", async () => {
    const { page } = await watchedPage(browser);
    await page.goto(urlOf("hungry"));
    await page.getByRole("button", { name: "Slow trace" }).click();
    await page.getByRole("tree", { name: "Spans" }).waitFor();
    await page.keyboard.press("f");
    await page.keyboard.press("f");
    const address = page.url();
    const chosen = await page.getByRole("treeitem", { selected: true }).textContent();
    await page.goBack();
    await page.getByRole("heading", { name: "Service map" }).waitFor();
    await page.goForward();
    const other = await browser.newPage();
    await other.goto(address);
    expect(await other.getByRole("treeitem", { selected: true }).textContent()).toBe(chosen);
    await other.close();
    await page.close();
  });

  test("what is seen of a trace and of a flame graph stands in the address", async () => {
    const { page } = await watchedPage(browser);
    await page.goto(urlOf("hungry", "#/traces"));
    await page.getByRole("tree", { name: "Spans" }).waitFor();
    await page.keyboard.press("ArrowUp");
    await page.waitForURL(/range=0.25%2C0.75/);
    const [, , middle] = await page
      .getByRole("tree")
      .locator("xpath=preceding-sibling::*[1]")
      .locator("span span")
      .allTextContents();
    await page.goto(urlOf("hungry", "#/flame?flame=4"));
    await page.getByRole("button", { name: "Root above" }).click();
    await page.keyboard.press("w");
    await page.waitForURL(/range=0.25%2C0.75/);
    expect(page.url()).toContain("upright=1");
    await page.getByRole("table").getByRole("button").first().click();
    await page.getByRole("heading", { name: /^Who calls/ }).waitFor();
    await page.goBack();
    await page.waitForURL(/range=0.25%2C0.75/);
    await page.goBack();
    await page.getByText(middle!).first().waitFor();
    expect(new URL(page.url()).hash).toContain("/traces");
    await page.close();
  });

  test("maps and charts are there as tables", async () => {
    const { page } = await watchedPage(browser);
    await page.goto(urlOf("hungry"));
    await page.getByRole("button", { name: "As a table" }).click();
    await page.getByRole("columnheader", { name: "slowest" }).waitFor();
    const counts = await page
      .getByRole("group", { name: "Requests by time" })
      .locator("td:nth-child(2)")
      .allTextContents();
    const { heat } = documentOf("hungry").endpoints[0]!;
    // Counts are whole here, and small enough to be written without spaces.
    expect(counts.reduce((sum, text) => sum + Number(text), 0)).toBe(
      heat.requests.reduce((sum, value) => sum + value, 0),
    );
    expect(await violations(page)).toEqual([]);
    await page.goto(urlOf("hungry", "#/metrics"));
    await page.getByRole("button", { name: "As a table" }).click();
    await page.getByRole("columnheader", { name: "at the end" }).waitFor();
    expect(await violations(page)).toEqual([]);
    await page.close();
  });

  test("a box in the heat map is held against the rest", async () => {
    const { page } = await watchedPage(browser);
    await page.goto(urlOf("hungry"));
    const canvas = page.getByRole("img", { name: /by time and duration/ });
    const at = (await canvas.boundingBox())!;
    await page.mouse.move(at.x + 60, at.y + 10);
    await page.mouse.down();
    await page.mouse.move(at.x + at.width - 20, at.y + 90, { steps: 4 });
    await page.mouse.up();
    await page.getByRole("columnheader", { name: "in the box" }).waitFor();
    expect(page.url()).toContain("box=");
    await page.getByRole("button", { name: "Clear the box" }).click();
    await page.getByRole("button", { name: "Compare the slowest with the rest" }).click();
    await page.getByRole("columnheader", { name: "difference" }).waitFor();
    await page.close();
  });

  test("each position of the slider shows what the replay computed for it", async () => {
    const { page } = await watchedPage(browser);
    const document = documentOf("hungry");
    const curve = document.whatIf.find((held) => held.finding === document.report.findings[0]!.id)!;
    expect(curve.points.length).toBeGreaterThan(3);
    await page.goto(urlOf("hungry"));
    const slider = page.getByRole("slider").first();
    await slider.focus();
    await slider.press("Home");
    await page.getByText(curve.points[0]!.change.split(",").at(-1)!).first().waitFor();
    await slider.press("End");
    await page.getByText(curve.points.at(-1)!.change.split(",").at(-1)!).first().waitFor();
    await page.close();
  });

  test("the palette finds a trace by its id; ? shows the keys", async () => {
    const { page } = await watchedPage(browser);
    const trace = documentOf("hungry").traces[1]!;
    await page.goto(urlOf("hungry"));
    await page.getByRole("tab", { selected: true }).waitFor();
    await page.keyboard.press("Control+k");
    await page.keyboard.type(trace.traceId.slice(0, 12));
    await page.keyboard.press("Enter");
    await page.getByRole("tree", { name: "Spans" }).waitFor();
    expect(page.url()).toContain(trace.traceId);
    await page.keyboard.press("?");
    await page.getByRole("dialog", { name: "Keys" }).waitFor();
    expect(await violations(page)).toEqual([]);
    await page.close();
  });

  test("traces are searched by fields and by query; a query that does not fit shows where", async () => {
    const { page } = await watchedPage(browser);
    const { traces } = documentOf("hungry");
    await page.goto(urlOf("hungry"));
    await page.getByRole("tab", { selected: true }).waitFor();
    await page.keyboard.press("g");
    await page.keyboard.press("s");
    await page.getByLabel("Service").fill("zones");
    await page.getByRole("button", { name: "Find" }).click();
    const withZones = traces.filter((trace) => trace.service.some((id) => trace.strings[id] === "zones")).length;
    expect(withZones).toBeGreaterThan(0);
    await page.getByRole("heading", { name: `${withZones} traces` }).waitFor();
    expect(await page.getByLabel("Query").inputValue()).toBe('{ resource.service.name = "zones" }');
    expect(await violations(page)).toEqual([]);

    await page.getByLabel("Query").fill("{ duration > 5 }");
    await page.keyboard.press("Enter");
    await page.getByText('letter 14: expected a duration: 100ms, 1.5s, 20us, 2m, found "5"').waitFor();
    expect(await violations(page)).toEqual([]);

    await page.getByLabel("Query").fill('{ resource.service.name = "gateway" } > { resource.service.name = "ingest" }');
    await page.keyboard.press("Enter");
    await page.getByRole("row").nth(1).getByRole("button").click();
    await page.getByRole("tree", { name: "Spans" }).waitFor();
    // The spans that match are told apart from the others.
    await page.getByText(/^\d+ match(es)?$/).waitFor();
    await page.close();
  });

  test("moments are written in local time, UTC or from the start of the window", async () => {
    const { page } = await watchedPage(browser, { timezoneId: "Asia/Tokyo" });
    const { startUnixNs } = documentOf("hungry").report.window;
    const start = Number(BigInt(startUnixNs) / 1_000_000_000n);
    const day = (plusSeconds: number): string =>
      new Date((start + plusSeconds) * 1000).toISOString().slice(0, 19).replace("T", " ");
    await page.goto(urlOf("hungry"));
    await page
      .getByText(day(9 * 3600))
      .first()
      .waitFor();
    await page.getByRole("button", { name: "Local time" }).click();
    await page.getByText(day(0)).first().waitFor();
    expect(page.url()).toContain("times=utc");
    await page.getByRole("button", { name: "UTC" }).click();
    await page.goto(urlOf("hungry", "#/search?query=%7B%7D&times=relative"));
    await page.getByRole("cell", { name: /^\+\d/ }).first().waitFor();
    await page.close();
  });

  test("a trace that is not in the page is said to be missing", async () => {
    const { page } = await watchedPage(browser);
    await page.goto(urlOf("hungry", "#/traces?trace=0123"));
    await page.getByText("Trace 0123 is not in this page").waitFor();
    expect(await page.getByRole("tree").count()).toBe(0);
    await page.close();
  });

  test("what is exported is the same page", async () => {
    const { page } = await watchedPage(browser);
    await page.goto(urlOf("doubled", "#/throughput"));
    const [download] = await Promise.all([
      page.waitForEvent("download"),
      page.getByRole("button", { name: "Export HTML" }).click(),
    ]);
    await download.saveAs(file("exported"));
    const { page: again, complaints } = await watchedPage(browser);
    await again.goto(urlOf("exported"));
    await again.getByText(documentOf("doubled").report.findings[0]!.title).first().waitFor();
    expect(documentOf("exported")).toEqual(documentOf("doubled"));
    expect(complaints).toEqual([]);
    await again.close();
    await page.close();
  });
});

describe("hostile and odd data", () => {
  /** Every text of a document becomes `evil`, but for what tells kinds apart. */
  function poison(value: unknown, evil: string, key = ""): unknown {
    const KEPT = [
      "schema",
      "kind",
      "role",
      "timeKind",
      "severity",
      "mechanism",
      "metric",
      "unit",
      "status",
      "sampling",
      "startUnixNs",
      "endUnixNs",
      "traceId",
      "spanId",
      "type",
      "color",
    ];
    if (typeof value === "string") return KEPT.includes(key) ? value : evil;
    if (Array.isArray(value))
      return value.map((item) => poison(item, evil, key === "path" || key === "functions" ? "kind" : key));
    if (typeof value === "object" && value !== null) {
      return Object.fromEntries(Object.entries(value).map(([name, item]) => [name, poison(item, evil, name)]));
    }
    return value;
  }

  test.each([
    ["scripts", `"'><img src=x onerror=alert(1)><script>alert(2)</script><!-- ${"${alert(3)}"} javascript:alert(4)`],
    ["10,000 characters", "very-long-".repeat(1000)],
    ["right to left, emoji", "خدمة الطلبات 🐢 שירות"],
    ["nothing", ""],
  ])("%s in every name: each view shows, nothing runs", async (name, evil) => {
    writeWith("evil", "hungry", poison(documentOf("hungry"), evil));
    const { page, complaints } = await watchedPage(browser);
    for (const view of VIEWS) {
      await page.goto(urlOf("evil", `#/${view}`));
      await page.getByRole("tab", { selected: true }).waitFor();
      const sideways = await page.evaluate<number>("document.documentElement.scrollWidth - innerWidth");
      expect(sideways, `${name} makes ${view} wider than the screen`).toBeLessThanOrEqual(0);
    }
    // React warns of equal keys in development only; nothing else may be said.
    expect(complaints).toEqual([]);
    await page.close();
  });

  test("a page of another version, and one that is no page", async () => {
    const { page } = await watchedPage(browser);
    writeWith("other", "hungry", { ...documentOf("hungry"), schema: "longpole.page/9" });
    await page.goto(urlOf("other"));
    await page.getByText('this page shows "longpole.page/1", the data are "longpole.page/9"').waitFor();
    writeWith("none", "hungry", [1, 2]);
    await page.goto(urlOf("none"));
    await page.getByRole("heading").waitFor();
    expect(await page.textContent("main")).toContain('the data are "undefined"');
    await page.close();
  });

  test("no requests at all: every view says what is missing", async () => {
    const document = documentOf("hungry");
    const { baseline: _, ...nothing } = { ...document.report, baseline: 0 };
    writeWith("empty", "hungry", {
      ...document,
      endpoints: [],
      traces: [],
      flames: [],
      statements: [],
      series: [],
      whatIf: [],
      report: {
        ...nothing,
        endpoints: [],
        findings: [],
        throughput: { status: "insufficient-data", detail: "no requests" },
        checkedNotCause: [],
        unexplained: [],
      },
    });
    const { page, complaints } = await watchedPage(browser);
    for (const view of VIEWS) {
      await page.goto(urlOf("empty", `#/${view}`));
      await page.getByRole("tab", { selected: true }).waitFor();
      expect(await violations(page), view).toEqual([]);
    }
    expect(complaints).toEqual([]);
    await page.close();
  });

  test("500 services are folded, and unfolded on demand", async () => {
    const document = documentOf("hungry");
    const nodes = Array.from({ length: 500 }, (_, i) => ({
      name: `service-${i}`,
      kind: "service",
      p99Ms: i,
      p50Ms: 0,
    }));
    const edges = Array.from({ length: 499 }, (_, i) => ({
      from: (i * 7) % (i + 1),
      to: i + 1,
      calls: 1,
      p99Ms: i,
      waitMs: 0,
      transitMs: 0,
    }));
    writeWith("many", "hungry", {
      ...document,
      endpoints: document.endpoints.map((endpoint) => ({ ...endpoint, map: { nodes, edges } })),
    });
    const { page, complaints } = await watchedPage(browser);
    await page.goto(urlOf("many"));
    await page.getByRole("button", { name: "Show all 500" }).click();
    await page.getByRole("button", { name: "Fold" }).waitFor();
    expect(await page.getByRole("button", { name: /^service-/ }).count()).toBe(500);
    expect(complaints).toEqual([]);
    await page.close();
  });

  test("a trace of spans without duration, and one of a single span", async () => {
    const document = documentOf("hungry");
    const [first] = document.traces;
    const still = {
      ...first!,
      durationMs: 0,
      startMs: first!.startMs.map(() => 0),
      durationsMs: first!.parent.map(() => 0),
      path: [],
    };
    const one = <T>(of: readonly T[]): T[] => of.slice(0, 1);
    const alone = {
      ...still,
      traceId: "f".repeat(32),
      parent: [-1],
      spanId: one(still.spanId),
      service: one(still.service),
      operation: one(still.operation),
      kind: one(still.kind),
      error: one(still.error),
      startMs: [0],
      durationsMs: [0],
      attributes: one(still.attributes),
    };
    writeWith("still", "hungry", { ...document, traces: [still, alone] });
    const { page, complaints } = await watchedPage(browser);
    for (const { traceId, parent } of [still, alone]) {
      await page.goto(urlOf("still", `#/traces?trace=${traceId}`));
      await page.getByRole("treeitem", { selected: true }).waitFor();
      for (const key of ["f", "ArrowUp", "d", "a", "ArrowDown", "0", "[", "]", "b"]) await page.keyboard.press(key);
      expect(await page.getByRole("treeitem").count()).toBe(parent.length);
    }
    await page.goto(urlOf("still", "#/search?query=%7B%20duration%20%3D%200s%20%7D"));
    await page.getByRole("heading", { name: "2 traces" }).waitFor();
    expect(complaints).toEqual([]);
    await page.close();
  });

  test("a page is printed whole, without its buttons", async () => {
    const { page } = await watchedPage(browser);
    await page.goto(urlOf("hungry"));
    await page.getByText("Checked, not a cause").waitFor();
    await page.emulateMedia({ media: "print" });
    expect(await page.getByRole("button", { name: "Share" }).isVisible()).toBe(false);
    const [shown, whole] = await page.evaluate<[number, number]>(
      "[document.querySelector('main').clientHeight, document.querySelector('main').scrollHeight]",
    );
    expect(shown).toBe(whole);
    await page.close();
  });

  test("on a phone the findings are read without moving sideways", async () => {
    const { page } = await watchedPage(browser, { viewport: { width: 390, height: 844 } });
    await page.goto(urlOf("doubled"));
    await page.getByText(documentOf("doubled").report.findings[0]!.title).first().waitFor();
    expect(await page.evaluate<number>("document.documentElement.scrollWidth")).toBeLessThanOrEqual(390);
    await page.close();
  });
});
