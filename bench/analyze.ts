/**
 * The whole of `longpole analyze FILE --json`, as built, over seeded recordings of 1M spans
 * (OTLP protobuf, gzip), made in a temporary folder that is removed afterwards.
 *
 *   npm run build && npx tsx bench/analyze.ts [runs = 3] [spans = 1000000]
 *
 * Per shape, medians over the runs: wall and CPU time and the peak of the resident memory of the process
 * (from /proc, so on Linux only, sampled every 20 ms), when the first line of progress came, and
 * when the last word of reading was followed by the first of another stage (told after 0.3, 1.3, 3.3, 7.3, ... s: as exact as that).
 */
import { spawn } from "node:child_process";
import { createWriteStream, mkdtempSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { once } from "node:events";
import { createGzip } from "node:zlib";
import { encodeRequest, type SampleRequest, type SampleSpan, seededRandom } from "../src/testing/otlp-sample.ts";

const runs = Number(process.argv[2] ?? 3);
const totalSpans = Number(process.argv[3] ?? 1_000_000);
const MAIN = resolve(import.meta.dirname, "../dist/cli/main.js");
/** Linux counts CPU time in hundredths of a second. */
const TICKS_PER_SECOND = 100;
/** A call to a service and what it asks of its database: client, server and seven queries. */
const CALL_SPANS = 9;
const BATCH_SPANS = 1000;

interface Shape {
  readonly name: string;
  /** 1 + a multiple of CALL_SPANS */
  readonly spansPerTrace: number;
  readonly endpoints: number;
}

const SHAPES: readonly Shape[] = [
  { name: "traces of 100 spans, 5 endpoints", spansPerTrace: 100, endpoints: 5 },
  { name: "traces of 10 spans, 5 endpoints", spansPerTrace: 10, endpoints: 5 },
  { name: "traces of 10 spans, 1 endpoint", spansPerTrace: 10, endpoints: 1 },
];

interface Run {
  readonly wall: number;
  readonly cpu: number;
  readonly peakMb: number;
  readonly firstWord: number;
  readonly readBy: number;
  readonly reportMb: number;
}

async function main(): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "longpole-bench-"));
  try {
    console.log(
      `${"".padEnd(34)}${["MB", "wall s", "CPU s", "peak MB", "first word s", "read by s", "after s"].map((head) => head.padStart(13)).join("")}`,
    );
    for (const shape of SHAPES) {
      const file = join(folder, "traces.otlp.pb.gz");
      const spans = await writeRecording(file, shape);
      const results: Run[] = [];
      for (let run = 0; run < runs; run++) results.push(await analyze(file, spans));
      const median = (of: (run: Run) => number): number => results.map(of).toSorted((a, b) => a - b)[runs >> 1]!;
      const cells = [
        statSync(file).size / 1e6,
        median((run) => run.wall),
        median((run) => run.cpu),
        median((run) => run.peakMb),
        median((run) => run.firstWord),
        median((run) => run.readBy),
        median((run) => run.wall - run.readBy),
      ];
      console.log(shape.name.padEnd(34) + cells.map((cell) => cell.toFixed(1).padStart(13)).join(""));
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Runs the command over the file; throws unless its ledger has all `spans`. */
async function analyze(file: string, spans: number): Promise<Run> {
  const began = performance.now();
  const since = (): number => (performance.now() - began) / 1000;
  const child = spawn(process.execPath, [MAIN, "analyze", file, "--json"], { stdio: ["ignore", "pipe", "pipe"] });
  const use = { cpu: 0, peakMb: 0 };
  const sampling = setInterval(() => Object.assign(use, usage(child.pid!) ?? use), 20);
  const out: Buffer[] = [];
  const words: { at: number; text: string }[] = [];
  child.stdout.on("data", (chunk: Buffer) => out.push(chunk));
  child.stderr.on("data", (chunk: Buffer) => words.push({ at: since(), text: chunk.toString() }));
  const [code] = (await once(child, "close")) as [number | null];
  const wall = since();
  clearInterval(sampling);
  const text = Buffer.concat(out).toString();
  if (text === "") throw new Error(`exit code ${code}: ${words.map((word) => word.text).join("")}`);
  const { ledger } = (JSON.parse(text) as { dataQuality: { ledger: { received: number } } }).dataQuality;
  if (ledger.received !== spans) throw new Error(`${ledger.received} spans of ${spans}`);
  const other = words.find((word) => !word.text.startsWith("reading"));
  return {
    wall,
    ...use,
    firstWord: words[0]?.at ?? Number.NaN,
    readBy: other?.at ?? Number.NaN,
    reportMb: text.length / 1e6,
  };
}

/** CPU seconds and peak resident MB of a process; undefined when it is gone. */
function usage(pid: number): { cpu: number; peakMb: number } | undefined {
  try {
    // The fields behind the command's name, which may hold blanks: utime and stime are the 12th and 13th.
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ").at(-1)!.split(" ");
    const peak = /VmHWM:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, "utf8"));
    if (peak === null) return undefined;
    return { cpu: (Number(stat[11]) + Number(stat[12])) / TICKS_PER_SECOND, peakMb: Number(peak[1]) / 1000 };
  } catch {
    return undefined;
  }
}

/** Writes a recording of `totalSpans` or a few less; returns their number. */
async function writeRecording(file: string, shape: Shape): Promise<number> {
  const random = seededRandom(11);
  const gzip = createGzip({ level: 1 });
  const target = createWriteStream(file);
  gzip.pipe(target);
  const traces = Math.floor(totalSpans / shape.spansPerTrace);
  const perBatch = Math.max(1, Math.floor(BATCH_SPANS / shape.spansPerTrace));
  let clock = 1_790_000_000_000_000_000n;
  for (let trace = 0; trace < traces; trace += perBatch) {
    const shop = new Map<string, SampleSpan[]>();
    for (let i = trace; i < Math.min(traces, trace + perBatch); i++) {
      clock += BigInt(Math.floor(random() * 6_000_000));
      addTrace(shop, shape, clock, random);
    }
    const body = encodeRequest(batch(shop));
    if (!gzip.write(body)) await once(gzip, "drain");
  }
  gzip.end();
  await once(target, "close");
  return traces * shape.spansPerTrace;
}

/** The spans of a batch as their services send them. */
function batch(shop: Map<string, SampleSpan[]>): SampleRequest {
  return {
    resourceSpans: [...shop].map(([instance, spans]) => ({
      resource: {
        attributes: [
          text("service.name", instance.split("-")[0]!),
          text("service.instance.id", instance),
          text("host.name", `node-${instance.split("-")[1]}.cluster.local`),
          text("telemetry.sdk.language", "nodejs"),
        ],
      },
      scopeSpans: [{ scope: { name: "@opentelemetry/instrumentation-http" }, spans }],
    })),
  };
}

/** One request: its calls one after the other, each with its queries one after the other; every tenth is slow. */
function addTrace(shop: Map<string, SampleSpan[]>, shape: Shape, start: bigint, random: () => number): void {
  const traceId = id(16, random);
  const endpoint = Math.floor(random() * shape.endpoints);
  const route = `/api/${["orders", "cart", "products", "checkout", "users"][endpoint]}/:id`;
  const host = Math.floor(random() * 4);
  const put = (service: string, span: SampleSpan): SampleSpan => {
    const instance = `${service}-${host}`;
    const held = shop.get(instance);
    if (held === undefined) shop.set(instance, [span]);
    else held.push(span);
    return span;
  };
  const span = (parent: Uint8Array | undefined, name: string, kind: number, begin: bigint): SampleSpan => ({
    traceId,
    spanId: id(8, random),
    ...(parent === undefined ? {} : { parentSpanId: parent }),
    name,
    kind,
    startTimeUnixNano: String(begin),
    status: {},
  });
  const work = (meanUs: number): bigint => BigInt(Math.round(-Math.log(1 - random()) * meanUs * 1000));
  const root = put("gateway", span(undefined, `GET ${route}`, 2, start));
  let now = start + work(100);
  for (let call = 0; call < (shape.spansPerTrace - 1) / CALL_SPANS; call++) {
    const client = put("gateway", span(root.spanId, "GET", 3, now));
    now += 200_000n;
    const server = put("stock", span(client.spanId, `GET /stock/${call % 4}`, 2, now));
    for (let query = 0; query < CALL_SPANS - 2; query++) {
      now += work(50);
      const sql = put("stock", span(server.spanId, "SELECT items", 3, now));
      now += work(random() < 0.1 ? 4000 : 500);
      sql.endTimeUnixNano = String(now);
      sql.attributes = queryAttributes(query, random);
    }
    now += work(100);
    server.endTimeUnixNano = String(now);
    server.attributes = httpAttributes("http.route", `/stock/${call % 4}`, random);
    now += 200_000n;
    client.endTimeUnixNano = String(now);
    client.attributes = httpAttributes("url.full", `http://stock:8080/stock/${call % 4}`, random);
  }
  root.endTimeUnixNano = String(now + work(200));
  root.attributes = httpAttributes("http.route", route, random);
}

type Attributes = NonNullable<SampleSpan["attributes"]>;
const text = (key: string, stringValue: string): Attributes[number] => ({ key, value: { stringValue } });
const int = (key: string, intValue: number): Attributes[number] => ({ key, value: { intValue } });

function httpAttributes(key: string, value: string, random: () => number): Attributes {
  return [
    text("http.request.method", "GET"),
    text(key, value),
    int("http.response.status_code", random() < 0.01 ? 500 : 200),
    text("server.address", "stock"),
    int("server.port", 8080),
    text("network.protocol.version", "1.1"),
    text("user_agent.original", "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko)"),
  ];
}

function queryAttributes(query: number, random: () => number): Attributes {
  const limit = random() < 0.1 ? Math.floor(random() * 1e6) : 50;
  return [
    text("db.system.name", "postgresql"),
    text("db.namespace", "shop"),
    text(
      "db.query.text",
      `SELECT id, name, price FROM items_${query} WHERE shop_id = $1 ORDER BY created_at LIMIT ${limit}`,
    ),
    text("db.operation.name", "SELECT"),
    text("server.address", "postgres"),
    int("server.port", 5432),
    int("db.response.returned_rows", Math.floor(random() * 50)),
  ];
}

function id(size: number, random: () => number): Uint8Array {
  return Uint8Array.from({ length: size }, () => 1 + Math.floor(random() * 255));
}

await main();
