import { askInTurn } from "../ask-in-turn.ts";
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
  const troubles = new Map<ScrapeTarget, string>();
  return askInTurn(targets, "metrics", async (target, stopped) => {
    const trouble = troubles.get(target) ?? "";
    const found = await scrape(target, receiver, maxBytes, stopped);
    if (stopped.aborted) return;
    const url = toldUrl(target.url);
    if (found !== trouble && found !== "") log(`ingest: ${url} is not up: ${found}`);
    else if (found !== trouble) log(`ingest: ${url} is up again`);
    troubles.set(target, found);
  });
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
