/**
 * The web UI in a real browser, on documents of a size that people complain about elsewhere: `npm run bench:ui`.
 * Prints milliseconds, median of some runs; the machine should have nothing else to do.
 */
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { gzipSync } from "node:zlib";
import type { Browser } from "playwright-core";
import { openBrowser } from "../src/testing/browser.ts";
import { pageHtml } from "../src/web/page-html.ts";
import { pageDocument } from "../src/engine/page/page-document.ts";
import type { FlameTree } from "../src/model/flame-tree.ts";
import type { PageDocument, PageSeries, PageTrace } from "../src/model/page.ts";
import { traceFromText } from "../src/testing/trace-from-text.ts";

const RUNS = 5;
const folder = mkdtempSync(join(tmpdir(), "longpole-bench-ui-"));

/** A small random generator: the same documents in every run. */
function generator(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}

function flameOf(rows: number): FlameTree {
  const random = generator(7);
  const functions = Array.from({ length: 4000 }, (_, i): [string, string, string] => [
    `function${i}`,
    `file${i % 300}.ts:${i}`,
    "user",
  ]);
  const parent = [-1];
  const depth = [0];
  for (let row = 1; row < rows; row++) {
    // Mostly below one of the last rows: deep stacks, as real ones.
    const up = random() < 0.8 ? Math.max(0, row - 1 - Math.floor(random() * 6)) : Math.floor(random() * row);
    const at = depth[up]! > 60 ? parent[up]! : up;
    parent.push(at);
    depth.push(depth[at]! + 1);
  }
  const value = parent.map(() => 1 + Math.floor(random() * 20));
  for (let row = rows - 1; row > 0; row--) value[parent[row]!]! += value[row]!;
  return {
    title: "large",
    type: "cpu",
    unit: "microseconds",
    functions,
    parent,
    function: parent.map(() => Math.floor(random() * 4000)),
    value,
    left: 0,
  };
}

function traceOf(spans: number): PageTrace {
  const random = generator(11);
  const parent = [-1];
  for (let row = 1; row < spans; row++) parent.push(Math.max(0, row - 1 - Math.floor(random() * 40)));
  const startMs = [0];
  const durationsMs = [100_000];
  for (let row = 1; row < spans; row++) {
    const up = parent[row]!;
    startMs.push(startMs[up]! + random() * durationsMs[up]! * 0.5);
    durationsMs.push(durationsMs[up]! * 0.4 * random());
  }
  const strings = ["service-a", "service-b", ...Array.from({ length: 200 }, (_, i) => `operation ${i}`)];
  return {
    traceId: "0123456789abcdef0123456789abcdef",
    endpoint: 0,
    role: "slow",
    startUnixNs: "1790000000000000000",
    durationMs: 100_000,
    complete: true,
    strings,
    spanId: parent.map((_, row) => row.toString(16).padStart(16, "0")),
    parent,
    service: parent.map((_, row) => row % 2),
    operation: parent.map((_, row) => 2 + (row % 200)),
    kind: parent.map(() => 1),
    error: parent.map(() => 0),
    startMs,
    durationsMs,
    attributes: parent.map(() => []),
    path: Array.from({ length: 1000 }, (_, i): [number, number, number, string] => [i, i * 100, (i + 1) * 100, "cpu"]),
  };
}

async function measured(browser: Browser, url: string, ready: string): Promise<{ shown: number; loaded: number }> {
  const page = await browser.newPage({ viewport: { width: 1440, height: 900 } });
  await page.goto(url);
  await page.waitForSelector(ready);
  const shown = await page.evaluate<number>(
    "new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(() => resolve(performance.now()))))",
  );
  const loaded = await page.evaluate<number>("performance.getEntriesByType('navigation')[0].responseEnd");
  await page.close();
  return { shown, loaded };
}

/** Milliseconds from a press of a key to the second frame after it. */
async function pressed(browser: Browser, url: string, ready: string, key: string): Promise<number> {
  const page = await browser.newPage({ viewport: { width: 1440, height: 900 } });
  await page.goto(url);
  await page.waitForSelector(ready);
  const took = await page.evaluate<number>(`new Promise((resolve) => {
    const times = [];
    const step = () => {
      const began = performance.now();
      dispatchEvent(new KeyboardEvent("keydown", { key: "${key}" }));
      // What the key asks for is drawn in this task and in effects right after it.
      setTimeout(() => {
        times.push(performance.now() - began);
        if (times.length < 12) requestAnimationFrame(step);
        else resolve(times.sort((a, b) => a - b)[6]);
      }, 0);
    };
    step();
  })`);
  await page.close();
  return took;
}

/** Milliseconds of the main thread's processor time for one press of a key, drawing included: other programs hardly change it. */
async function pressedCpu(browser: Browser, url: string, ready: string, key: string): Promise<number> {
  const page = await browser.newPage({ viewport: { width: 1440, height: 900 } });
  const session = await page.context().newCDPSession(page);
  await session.send("Performance.enable", { timeDomain: "threadTicks" });
  const busyMs = async (): Promise<number> => {
    const { metrics } = await session.send("Performance.getMetrics");
    return 1000 * metrics.find(({ name }) => name === "TaskDuration")!.value;
  };
  await page.goto(url);
  await page.waitForSelector(ready);
  await page.waitForTimeout(1000);
  const before = await busyMs();
  await page.evaluate<unknown>(`new Promise((resolve) => {
    let count = 0;
    const step = () => {
      dispatchEvent(new KeyboardEvent("keydown", { key: "${key}" }));
      if (++count < ${PRESSES}) requestAnimationFrame(() => setTimeout(step, 0));
      else requestAnimationFrame(() => setTimeout(resolve, 50));
    };
    step();
  })`);
  const took = (await busyMs()) - before;
  await page.close();
  return took / PRESSES;
}
const PRESSES = 10;

/** Milliseconds from asking for the screen of metrics to the second frame with all its charts. */
async function chartsShown(browser: Browser, url: string, count: number): Promise<number> {
  const page = await browser.newPage({ viewport: { width: 1440, height: 900 } });
  await page.goto(`${url}#/data`);
  await page.waitForSelector("[role=tabpanel] table");
  const took = await page.evaluate<number>(`new Promise((resolve) => {
    const began = performance.now();
    location.hash = "#/metrics";
    const look = () => {
      if (document.querySelectorAll(".u-over").length < ${count}) requestAnimationFrame(look);
      else requestAnimationFrame(() => resolve(performance.now() - began));
    };
    look();
  })`);
  await page.close();
  return took;
}

function seriesOf(count: number): PageSeries[] {
  const random = generator(5);
  return Array.from({ length: count }, (_, i) => ({
    measure: "cpu-share",
    service: `service-${i}`,
    instance: "1",
    host: "h",
    resource: "",
    metrics: ["process.cpu.utilization"],
    startUnixMs: 1_790_000_000_000,
    windowMs: 1000,
    values: Array.from({ length: 200 }, () => random()),
  }));
}

const median = (values: readonly number[]): number => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)]!;

async function main(): Promise<void> {
  const small = await pageDocument({
    spans: traceFromText(
      Array.from(
        { length: 8 },
        () => "\n shop GET /buy |-------| server\n   shop SELECT |--| client db.system=postgresql\n",
      ).join("\n"),
      { unitNs: 1e6 },
    ),
    producer: "bench",
    source: { files: ["bench"], baseline: [] },
  });
  const write = (name: string, document: PageDocument): string => {
    const file = join(folder, `${name}.html`);
    writeFileSync(file, pageHtml(document));
    return pathToFileURL(file).href;
  };
  const plain = write("plain", small);
  const trace = write("trace", { ...small, traces: [traceOf(100_000)] });
  const flame = write("flame", { ...small, flames: [{ kind: "profile", service: "shop", tree: flameOf(500_000) }] });
  const metrics = write("metrics", { ...small, series: seriesOf(50) });
  const browser = await openBrowser();
  try {
    const rows: [string, number, string][] = [];
    const runs = async (name: string, url: string, ready: string, goal: string): Promise<void> => {
      const times: number[] = [];
      for (let i = 0; i < RUNS; i++) times.push((await measured(browser, url, ready)).shown);
      rows.push([name, median(times), goal]);
    };
    await runs("home of a small page, from opening the file", plain, "[role=tabpanel] canvas", "");
    await runs("trace of 100,000 spans, from opening the file", `${trace}#/traces`, "[role=treeitem]", "");
    await runs("flame graph of 500,000 frames, from opening the file", `${flame}#/flame?flame=0`, "canvas", "1500");
    rows.push([
      "flame graph of 500,000 frames: pan",
      await pressed(browser, `${flame}#/flame?flame=0`, "canvas", "d"),
      "25",
    ]);
    rows.push([
      "the same: processor time of the main thread",
      await pressedCpu(browser, `${flame}#/flame?flame=0`, "canvas", "d"),
      "25",
    ]);
    rows.push([
      "trace of 100,000 spans: zoom",
      await pressed(browser, `${trace}#/traces`, "[role=treeitem]", "ArrowUp"),
      "",
    ]);
    rows.push([
      "the same: processor time of the main thread",
      await pressedCpu(browser, `${trace}#/traces`, "[role=treeitem]", "ArrowUp"),
      "",
    ]);
    const charts: number[] = [];
    for (let i = 0; i < RUNS; i++) charts.push(await chartsShown(browser, metrics, 50));
    rows.push(["50 charts, from asking for them", median(charts), "300"]);
    const kilobytes = (bytes: number): number => bytes / 1000;
    rows.push(["script of the UI, gzip, KB", kilobytes(gzipSync(readFileSync("dist/ui/ui.js")).length), "200"]);
    rows.push(["page with 500,000 frames, KB", kilobytes(statSync(join(folder, "flame.html")).size), "4000"]);
    for (const [name, value, goal] of rows)
      console.log(`${value.toFixed(1).padStart(9)}  ${goal.padStart(5)}  ${name}`);
  } finally {
    await browser.close();
    rmSync(folder, { recursive: true });
  }
}

await main();
