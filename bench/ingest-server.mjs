/**
 * The receiver of `bench/ingest.ts`, a process of its own, of what `npm run build` made.
 *
 *   node bench/ingest-server.mjs FOLDER [--no-store]
 *
 * Tells its parent its port and the engine's process id; answers "flush" when all is stored and
 * "metrics" with its own figures, and ends on "stop".
 */
import { join } from "node:path";

const [folder, noStore] = process.argv.slice(2);
const { startIngest } = await import("../dist/ingest/start-ingest.js");
const { trimHeap } = await import("../dist/store/embedded/trim-heap.js");
const { openEmbedded } = await import("../dist/store/embedded/open-embedded.js");

const nowhere = {
  insertSpans: () => Promise.resolve(),
  insertMetrics: () => Promise.resolve(),
  insertStacks: () => Promise.resolve(),
};
/** The samples are of one time, which may be any: nothing of them is too old. */
const retention = { spanDays: 36_500, metricDays: 36_500 };
const embedded = noStore === undefined ? await openEmbedded({ dataDir: join(folder, "store"), retention }) : undefined;
const ingest = await startIngest({
  listen: { http: { host: "127.0.0.1", port: 0 } },
  walDir: join(folder, "wal"),
  sink: embedded?.store ?? nowhere,
  giveBack: trimHeap,
  log: (text) => console.error(text),
});
process.on("message", (what) => void obey(what));
process.send({ port: ingest.ports.http, engine: embedded?.engine.pid });

async function obey(what) {
  if (what === "flush") {
    await ingest.flush();
    process.send("flushed");
    return;
  }
  if (what === "metrics") {
    process.send(ingest.metricsText());
    return;
  }
  await ingest.stop();
  await embedded?.close();
  process.exit(0);
}
