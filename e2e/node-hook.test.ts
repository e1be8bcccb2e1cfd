import { spawn, type ChildProcess } from "node:child_process";
import { appendFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { loadInputs } from "../src/formats/load-inputs.ts";
import { decodeOtlpProfiles } from "../src/formats/otlp-profiles.ts";
import { Intake } from "../src/model/intake.ts";
import type { SpanTable } from "../src/model/span-table.ts";
import { framesOfStack, labelText, type StackTable } from "../src/model/stack-table.ts";
import { longpole } from "./longpole.ts";

const ROOT = join(import.meta.dirname, "..");
const HOOK = join(ROOT, "dist/node/hook.js");

/** OpenTelemetry's SDK as its documentation sets it up; what is asked for by then is instrumented. */
const SDK = `
const { createRequire } = require("node:module");
const from = createRequire(${JSON.stringify(join(ROOT, "package.json"))});
const { NodeSDK } = from("@opentelemetry/sdk-node");
const { ExpressInstrumentation } = from("@opentelemetry/instrumentation-express");
const { HttpInstrumentation } = from("@opentelemetry/instrumentation-http");
const sdk = new NodeSDK({ serviceName: "shop", instrumentations: [new HttpInstrumentation(), new ExpressInstrumentation()] });
sdk.start();
process.once("beforeExit", () => sdk.shutdown());
`;

/** Two endpoints that compute, one of them behind an await; and one that ends the program. */
const APP = `
function priceBasket(n) { let x = 0; for (let i = 0; i < n * 20000; i++) x = Math.imul(x, 31) + i | 0; return x; }
function rankOffers(n) { let x = 1; for (let i = 0; i < n * 20000; i++) x = Math.imul(x, 33) + i | 0; return x; }
const app = express();
app.get("/price", (_, response) => response.json({ x: priceBasket(100) }));
app.get("/offers", async (_, response) => {
  await new Promise((resolve) => setTimeout(resolve, 2));
  response.json({ x: rankOffers(100) });
});
app.get("/stop", (_, response) => { response.end(); server.close(); server.closeAllConnections(); });
const server = app.listen(0, "127.0.0.1", () => console.log("port " + server.address().port));
`;

let folder = "";
let sink: Server;
let received: Record<string, string[]> = {};
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "longpole-node-"));
  writeFileSync(join(folder, "sdk.cjs"), SDK);
  const from = `createRequire(${JSON.stringify(join(ROOT, "package.json"))})`;
  writeFileSync(
    join(folder, "app.cjs"),
    `const { createRequire } = require("node:module");\nconst express = ${from}("express");${APP}`,
  );
  writeFileSync(
    join(folder, "app.mjs"),
    `import { createRequire } from "node:module";\nconst express = ${from}("express");${APP}`,
  );
  sink = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => {
      const whole = Buffer.concat(chunks);
      const body = request.headers["content-encoding"] === "gzip" ? gunzipSync(whole) : whole;
      (received[request.url!] ??= []).push(body.toString("base64"));
      response.setHeader("content-type", "application/json").end("{}");
    });
  });
  await new Promise<void>((resolve) => sink.listen(0, "127.0.0.1", resolve));
});
afterAll(() => {
  sink.close();
  rmSync(folder, { recursive: true });
});

interface Ran {
  readonly code: number | null;
  readonly out: string;
}

/** Runs the program with the hook, asks it for a while, and lets it end by itself. */
async function run(app: string, requests: number, environment: Record<string, string>): Promise<Ran> {
  received = {};
  const child: ChildProcess = spawn(
    process.execPath,
    ["--import", HOOK, "--require", join(folder, "sdk.cjs"), join(folder, app)],
    {
      cwd: folder,
      stdio: ["ignore", "pipe", "pipe"],
      env: {
        ...process.env,
        OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${(sink.address() as AddressInfo).port}`,
        OTEL_EXPORTER_OTLP_PROTOCOL: "http/protobuf",
        OTEL_METRICS_EXPORTER: "none",
        OTEL_LOGS_EXPORTER: "none",
        LONGPOLE_PROFILE_HZ: "199",
        LONGPOLE_PROFILE_SECONDS: "1",
        ...environment,
      },
    },
  );
  let out = "";
  const port = await new Promise<string>((resolve, reject) => {
    const take = (chunk: Buffer): void => {
      out += chunk.toString();
      const found = /port (\d+)/.exec(out);
      if (found !== null) resolve(found[1]!);
    };
    child.stdout!.on("data", take);
    child.stderr!.on("data", take);
    child.on("exit", (code) => reject(new Error(`ended with ${code}: ${out}`)));
  });
  const ended = new Promise<number | null>((resolve) => child.on("exit", resolve));
  for (let i = 0; i < requests; i++) {
    for (const path of ["/price", "/offers"]) await (await fetch(`http://127.0.0.1:${port}${path}`)).arrayBuffer();
  }
  await fetch(`http://127.0.0.1:${port}/stop`).then((response) => response.arrayBuffer());
  return { code: await ended, out: out.replace(/^port \d+\n/, "") };
}

const wallOf = (table: StackTable, row: number): number =>
  table.samples.values[table.valueTypes.findIndex(({ type }) => type === "wall")]![row]!;

/** Of each function, the spans' names that its samples belong to, and how many samples each has. */
function spansOfFunction(table: StackTable, spans: SpanTable, name: string): Map<string, number> {
  const traceOf = new Map<string, string>();
  const hex = (words: Uint32Array, at: number, count: number): string =>
    Array.from(words.subarray(at, at + count), (word) => word.toString(16).padStart(8, "0")).join("");
  for (let row = 0; row < spans.rowCount; row++) {
    const text = spans.strings.get(spans.name[row]!);
    if (text.startsWith("GET ")) traceOf.set(hex(spans.traceId, 4 * row, 4), text);
  }
  const found = new Map<string, number>();
  for (let row = 0; row < table.samples.rowCount; row++) {
    if (wallOf(table, row) === 0) continue;
    const names = framesOfStack(table.stacks, table.samples.stack[row]!).map((f) =>
      table.strings.get(table.frames.function[f]!),
    );
    if (!names.includes(name)) continue;
    const trace = labelText(table, table.samples.labelSet[row]!, "trace_id");
    const span = trace === "" ? "no span" : (traceOf.get(trace) ?? "a span that did not come");
    found.set(span, (found.get(span) ?? 0) + 1);
  }
  return found;
}

async function receivedSpans(file: string): Promise<SpanTable> {
  for (const body of received["/v1/traces"] ?? []) {
    const bytes = Buffer.from(body, "base64");
    const length = Buffer.alloc(4);
    length.writeUInt32BE(bytes.length);
    appendFileSync(file, Buffer.concat([length, bytes]));
  }
  const loading = loadInputs([file]);
  for (;;) {
    const step = await loading.next();
    if (step.done === true) return step.value.spans;
  }
}

describe.each(["app.cjs", "app.mjs"])("%s with Express and OpenTelemetry", (app) => {
  test("each sample of a hot function is within the spans of its endpoint, behind an await too", async () => {
    const profiles = join(folder, `${app}.profiles.pb`);
    const { code, out } = await run(app, 400, { LONGPOLE_PROFILE_FILE: profiles });
    expect([code, out]).toEqual([0, ""]);
    const table = decodeOtlpProfiles(readFileSync(profiles), new Intake(), profiles);
    const spans = await receivedSpans(join(folder, `${app}.traces.pb`));
    const price = spansOfFunction(table, spans, "priceBasket");
    const offers = spansOfFunction(table, spans, "rankOffers");
    expect([...price.keys()]).toEqual(["GET /price"]);
    expect([...offers.keys()]).toEqual(["GET /offers"]);
    expect(Math.min(...price.values(), ...offers.values())).toBeGreaterThan(20);

    // The same came over HTTP, with the service that the SDK's code alone names.
    const sent = (received["/v1development/profiles"] ?? []).map((body) =>
      decodeOtlpProfiles(Buffer.from(body, "base64"), new Intake(), "sent"),
    );
    expect(sent.length).toBeGreaterThan(1);
    const services = new Set(sent.flatMap((one) => Array.from(one.processes.service, (id) => one.strings.get(id))));
    expect([...services]).toEqual(["shop"]);
    // The hook's own requests made no spans.
    const names = new Set(Array.from(spans.name, (id) => spans.strings.get(id)));
    expect([...names].filter((name) => name.includes("POST"))).toEqual([]);

    const metrics = new Set(
      (received["/v1/metrics"] ?? []).flatMap(
        (body) =>
          Buffer.from(body, "base64")
            .toString()
            .match(/"name":"[\w.]+"/g) ?? [],
      ),
    );
    for (const name of [
      "nodejs.eventloop.delay.p99",
      "nodejs.eventloop.utilization",
      "v8js.gc.duration",
      "longpole.nodejs.threadpool.delay",
    ])
      expect(metrics).toContain(`"name":"${name}"`);
  }, 60_000);

  test("analyze names the function", () => {
    const files = [join(folder, `${app}.traces.pb`), join(folder, `${app}.profiles.pb`)];
    const { stdout } = longpole(["analyze", ...files, "--json"]);
    const { findings } = JSON.parse(stdout) as {
      findings: { subject: { frame?: string }; evidence: { kind: string; text: string }[] }[];
    };
    const priced = findings.filter(({ subject }) => subject.frame?.startsWith("priceBasket") === true);
    expect(priced.length).toBeGreaterThan(0);
    expect(priced.flatMap(({ evidence }) => evidence.map(({ text }) => text)).join("\n")).toMatch(
      /priceBasket .*tied to its spans by span id, as \d+ % of the service's samples are to some span/,
    );
  });
});

describe("the program comes first", () => {
  test("an endpoint that is away, a file that cannot be written: it runs and ends as ever, and is told nothing", async () => {
    const environment = {
      OTEL_EXPORTER_OTLP_ENDPOINT: "http://127.0.0.1:1",
      LONGPOLE_PROFILE_FILE: join(folder, "no/such/folder/p.pb"),
    };
    const { code, out } = await run("app.cjs", 3, { ...environment, OTEL_TRACES_EXPORTER: "none" });
    expect([code, out]).toEqual([0, ""]);
  }, 60_000);

  test("without OpenTelemetry it profiles, and links nothing", async () => {
    writeFileSync(
      join(folder, "plain.mjs"),
      "const end = Date.now() + 1500; let x = 0; function spin() { while (Date.now() < end) x += Math.sqrt(x + 1); } spin();\n",
    );
    const file = join(folder, "plain-%p.pb");
    const child = spawn(process.execPath, ["--import", HOOK, join(folder, "plain.mjs")], {
      env: { ...process.env, LONGPOLE_PROFILE_FILE: file, OTEL_EXPORTER_OTLP_ENDPOINT: "http://127.0.0.1:1" },
    });
    expect(await new Promise((resolve) => child.on("exit", resolve))).toBe(0);
    const path = file.replace("%p", String(child.pid));
    const table = decodeOtlpProfiles(readFileSync(path), new Intake(), path);
    const spins = spansOfFunction(table, await receivedSpans(join(folder, "app.cjs.traces.pb")), "spin");
    expect([...spins.keys()]).toEqual(["no span"]);
    expect(spins.get("no span")).toBeGreaterThan(20);
  }, 60_000);
});
