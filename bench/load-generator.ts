/**
 * How much load the generator itself can send: steps of open-loop load against a server that does nothing but answer, until
 * the generator says that it is the limit.
 *
 *   npm run bench:load-generator -- [--start 500] [--step-seconds 4]
 *
 * The server is a process of its own that reads no more of HTTP than where a request ends. Both share the machine.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { parseArgs } from "node:util";
import { runRamp } from "../src/load/run-ramp.ts";
import { startStepGenerator } from "../src/load/step-generator.ts";

const { values } = parseArgs({
  options: { start: { type: "string", default: "500" }, "step-seconds": { type: "string", default: "4" } },
});

const SERVER = `require("node:net").createServer((socket) => {
  socket.on("error", () => {}).on("data", (data) => {
    for (let at = -1; (at = data.indexOf("\\r\\n\\r\\n", at + 1)) >= 0; )
      socket.write("HTTP/1.1 200 OK\\r\\ncontent-length: 2\\r\\n\\r\\nok");
  });
}).listen(0, "127.0.0.1", function () { console.log(this.address().port); });`;

const server = spawn(process.execPath, ["-e", SERVER], { stdio: ["ignore", "pipe", "inherit"] });
const [port] = (await once(server.stdout, "data")) as [Buffer];
const { signal } = new AbortController();
const generator = startStepGenerator(
  {
    origin: `http://127.0.0.1:${port.toString().trim()}`,
    requests: [{ method: "GET", path: "/", weight: 1 }],
    order: "by-weight",
    connections: 1000,
    timeoutMs: 10_000,
  },
  signal,
);
const run = await runRamp(
  generator,
  {
    plan: {
      startPerSecond: Number(values.start),
      step: { kind: "times", by: 1.5 },
      maxPerSecond: 100_000,
      stepSeconds: Number(values["step-seconds"]),
    },
    limits: { maxErrors: 0.01 },
    arrivals: "poisson",
    seed: 1,
    warmUpSeconds: 2,
    budgetSeconds: 120,
    signal,
  },
  {
    progress: () => {},
    stepEnded: ({ planned, observation: o, judgement }) =>
      console.log(
        `${planned.perSecond}/s: answered ${o.throughput.value.toFixed(0)}/s, p50 ${o.p50Ms.toFixed(2)} ms, p99 ${o.p99Ms.toFixed(1)} ms, late p50 ${o.lateP50Ms.toFixed(2)} ms, busy ${(100 * o.generatorBusy).toFixed(0)} %: ${judgement.verdict}`,
      ),
  },
);
console.log(`${run.stop}: ${run.steps.at(-1)?.judgement.detail}`);
await generator.close();
server.kill();
