import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, expect, it } from "vitest";
import { httpPost } from "../src/testing/http-post.ts";
import { usually } from "../src/testing/long-tests.ts";
import { seededRandom } from "../src/testing/otlp-sample.ts";

const KILLS = usually(20, 200);
const SENDERS = 4;
const SPANS = 5;
const folder = mkdtempSync(join(tmpdir(), "longpole-crash-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

interface Running {
  readonly process: ChildProcess;
  readonly port: number;
  /** lines printed after it was ready */
  readonly lines: string[];
  readonly ended: Promise<unknown>;
}

async function start(): Promise<Running> {
  const child = spawn(process.execPath, ["--import", "tsx", join(import.meta.dirname, "ingest-process.ts"), folder]);
  let errors = "";
  child.stderr.on("data", (chunk: Buffer) => (errors += chunk.toString()));
  const reader = createInterface(child.stdout);
  // The last line may come after the process is gone.
  const read = new Promise((resolve) => reader.once("close", resolve));
  const ended = new Promise((resolve) => child.once("close", resolve)).then(() => read);
  const lines: string[] = [];
  const port = await new Promise<number>((resolve, reject) => {
    reader.on("line", (line) => {
      if (line.startsWith("ready ")) resolve(Number(line.slice(6)));
      else lines.push(line);
    });
    void ended.then(() => reject(new Error(`it ended before it was ready: ${errors}`)));
  });
  return { process: child, port, lines, ended };
}

let next = 0;
/** A request of spans with ids that no other has. */
function request(): { body: string; ids: string[] } {
  const ids = Array.from({ length: SPANS }, () => (++next).toString(16).padStart(16, "0"));
  const spans = ids.map((spanId) => ({
    traceId: spanId + spanId,
    spanId,
    name: "op",
    startTimeUnixNano: "1790000000000000000",
    endTimeUnixNano: "1790000000001000000",
  }));
  return { body: JSON.stringify({ resourceSpans: [{ scopeSpans: [{ spans }] }] }), ids };
}

/** Sends until the connection breaks; gives the ids that were acknowledged. */
async function sendUntilDeath(port: number, acknowledged: string[]): Promise<void> {
  for (;;) {
    const { body, ids } = request();
    try {
      const { status } = await httpPost(port, "/v1/traces", body, { "content-type": "application/json" });
      if (status === 200) acknowledged.push(...ids);
      else await sleep(10);
    } catch {
      return;
    }
  }
}

function stored(): Map<string, number> {
  const counts = new Map<string, number>();
  const blocks = join(folder, "blocks");
  for (const name of readdirSync(blocks)) {
    if (name.endsWith(".part")) continue;
    for (const id of readFileSync(join(blocks, name), "utf8").split("\n")) counts.set(id, (counts.get(id) ?? 0) + 1);
  }
  return counts;
}

it(
  `loses nothing that it acknowledged and doubles nothing, killed ${KILLS} times`,
  { timeout: KILLS * 20_000 },
  async () => {
    const random = seededRandom(1);
    const acknowledged: string[] = [];
    for (let round = 0; round < KILLS; round++) {
      const running = await start();
      const senders = Array.from({ length: SENDERS }, () => sendUntilDeath(running.port, acknowledged));
      await sleep(random() * 400);
      running.process.kill("SIGKILL");
      await Promise.all([...senders, running.ended]);
    }
    const last = await start();
    last.process.kill("SIGTERM");
    await last.ended;
    const counts = stored();
    expect(acknowledged.length).toBeGreaterThan(KILLS * SPANS);
    const { traces } = (JSON.parse(last.lines.at(-1)!) as { signals: { traces: object } }).signals;
    expect({
      lost: acknowledged.filter((id) => !counts.has(id)),
      doubled: [...counts].filter(([, count]) => count > 1),
      ledger: traces,
    }).toEqual({
      lost: [],
      doubled: [],
      ledger: { received: counts.size, stored: counts.size, rejected: {}, dropped: {}, inWal: 0 },
    });
  },
);
