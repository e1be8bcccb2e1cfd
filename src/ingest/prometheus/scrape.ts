import { setTimeout as sleep } from "node:timers/promises";
import { askTarget, reasonOf, toldUrl } from "../ask-target.ts";
import type { Receiver } from "../receiver.ts";

/** A program that tells its metrics when asked. */
export interface ScrapeTarget {
  /** of http or https; it is asked as it stands here, and nothing it answers leads anywhere else */
  readonly url: string;
  /** becomes `service.name` */
  readonly job: string;
  readonly intervalMs: number;
  /** at most the interval */
  readonly timeoutMs: number;
}

/** OpenMetrics carries exemplars, which name traces. */
const ACCEPT = "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5,*/*;q=0.1";

/**
 * Asks each target for its metrics again and again. An answer goes the way of what is received, with `up` 1 and
 * `scrape_duration_seconds` behind it; a target that does not answer with 200, in time, within `maxBytes` and without sending
 * elsewhere has `up` 0, and the log says why when that begins. Throws for an address that is not of http or https.
 * Returns how to stop.
 */
export function startScraping(
  targets: readonly ScrapeTarget[],
  receiver: Receiver,
  maxBytes: number,
  log: (text: string) => void,
): () => Promise<void> {
  const stopping = new AbortController();
  for (const { url } of targets) {
    if (!/^https?:$/.test(new URL(url).protocol))
      throw new Error(`${toldUrl(url)}: metrics are asked for over http or https`);
  }
  const all = targets.map((target, i) =>
    // Not all at once: targets of one interval are spread over it.
    scrapeForever(target, (target.intervalMs * i) / targets.length, receiver, maxBytes, log, stopping.signal),
  );
  return async () => {
    stopping.abort();
    await Promise.all(all);
  };
}

async function scrapeForever(
  target: ScrapeTarget,
  firstAfterMs: number,
  receiver: Receiver,
  maxBytes: number,
  log: (text: string) => void,
  stopped: AbortSignal,
): Promise<void> {
  let trouble = "";
  for (let dueMs = performance.now() + firstAfterMs; ; dueMs += target.intervalMs) {
    // What was missed is left out: a target that was slow is not asked twice at once.
    dueMs = Math.max(dueMs, performance.now());
    try {
      await sleep(dueMs - performance.now(), undefined, { signal: stopped });
    } catch {
      return;
    }
    const found = await scrape(target, receiver, maxBytes, stopped);
    if (stopped.aborted) return;
    const url = toldUrl(target.url);
    if (found !== trouble && found !== "") log(`ingest: ${url} is not up: ${found}`);
    else if (found !== trouble) log(`ingest: ${url} is up again`);
    trouble = found;
  }
}

/** Asks once; gives what is wrong, or "". */
async function scrape(
  target: ScrapeTarget,
  receiver: Receiver,
  maxBytes: number,
  stopped: AbortSignal,
): Promise<string> {
  const receivedMs = Date.now();
  const startMs = performance.now();
  let text: Buffer = Buffer.alloc(0);
  let trouble = "";
  try {
    text = await askTarget({ url: target.url, accept: ACCEPT, timeoutMs: target.timeoutMs, maxBytes }, stopped);
  } catch (error) {
    trouble = reasonOf(error);
  }
  if (stopped.aborted) return "";
  const seconds = (performance.now() - startMs) / 1000;
  const about = `\n# TYPE up gauge\nup ${trouble === "" ? 1 : 0}\n# TYPE scrape_duration_seconds gauge\nscrape_duration_seconds ${seconds}\n`;
  const sent = Buffer.concat([text, Buffer.from(about)]);
  const lease = receiver.admit(sent.length);
  if ("kind" in lease) return trouble || lease.message;
  try {
    const outcome = await receiver.take({
      signal: "metrics",
      format: "prometheus-text",
      encoding: "identity",
      receivedMs,
      service: target.job,
      instance: new URL(target.url).host,
      sent,
    });
    if (outcome.kind === "bad") return trouble || outcome.error.message;
    return trouble || outcome.message;
  } finally {
    lease.release();
  }
}
