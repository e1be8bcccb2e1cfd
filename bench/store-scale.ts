/**
 * The store's questions at some ten millions of spans, against the figures it has to reach.
 *
 *   npm run bench:store-scale -- [spans, thousands = 20000] [sent by the client, thousands = 1000] [folder to keep]
 *
 * The first million is sent as `up` sends it: the recordings in examples/, again and again with other ids, a block a
 * minute of their time. The rest is that million, multiplied within the engine (store/multiplied-spans.ts).
 * A folder that is named is kept, and found again full.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { SpanTable } from "../src/model/span-table.ts";
import type { Link } from "../src/store/connection.ts";
import { openEmbedded } from "../src/store/embedded/open-embedded.ts";
import type { TimeRange } from "../src/store/store.ts";
import { readTable } from "./read-table.ts";
import { bytesOf, linkTo, rest, rss, timed } from "./store/engine-figures.ts";
import { multiplySpans } from "./store/multiplied-spans.ts";
import { replayed } from "./store/replayed-spans.ts";

const wanted = Number(process.argv[2] ?? 20_000) * 1000;
const sent = Math.min(wanted, Number(process.argv[3] ?? 1_000) * 1000);
const kept = process.argv[4];

/** One recording each: several in one table would lie hours apart. */
const SOURCES = [
  "examples/healthy/busy",
  "examples/n-plus-one/fault",
  "examples/lab/healthy/before/traces.otlp.pb.zst",
  "examples/small-pool/fault",
  "examples/missing-index/fault",
  "examples/lab/slow-query/fault/traces.otlp.pb.zst",
];
const BLOCK_NS = 60_000_000_000n;
const MINUTE_NS = 60_000_000_000n;

const folder = kept ?? mkdtempSync(join(tmpdir(), "longpole-bench-scale-"));
const ours = await openEmbedded({ dataDir: folder });
const { store, engine } = ours;
const link = linkTo(engine);
try {
  const held = (await store.status()).tables.find(({ table }) => table === "spans")?.rows ?? 0;
  if (held < wanted) await load();
  await rest(link);
  const spans = (await store.status()).tables.find(({ table }) => table === "spans")!.rows;
  console.log(
    `${spans} spans; ${((await bytesOf(link, "longpole")) / spans).toFixed(1)} B/span; engine ${rss(engine.pid!)} MB resident`,
  );
  for (const { table, rows, bytesOnDisk } of (await store.status()).tables)
    console.log(`    ${table}: ${rows} rows, ${(bytesOnDisk / spans).toFixed(2)} B/span`);
  await ask();
} finally {
  await link.close();
  await ours.close();
  if (kept === undefined) rmSync(folder, { recursive: true, force: true });
}

async function load(): Promise<void> {
  const tables: SpanTable[] = [];
  for (const path of SOURCES) tables.push(await readTable([path]));
  const average = tables.reduce((sum, table) => sum + table.rowCount, 0) / tables.length;
  const rounds = Math.ceil(sent / average);
  const end = ((BigInt(Date.now()) * 1_000_000n) / BLOCK_NS) * BLOCK_NS;
  const source = { fromUnixNs: end - BLOCK_NS * BigInt(rounds), toUnixNs: end };
  const started = performance.now();
  for (let copy = 0; copy < rounds; copy++) {
    const table = replayed(tables[copy % tables.length]!, copy, source.fromUnixNs + BLOCK_NS * BigInt(copy));
    await store.insertSpans(table, `scale ${copy}`);
  }
  const sentS = (performance.now() - started) / 1000;
  const each = (await store.status()).tables.find(({ table }) => table === "spans")!.rows;
  const copies = Math.ceil((wanted - each) / each);
  const cpu = engine.cpuSeconds();
  // Spans run beyond the end of their block's 30 seconds: what is copied is cut by time, the rest stays single.
  await multiplySpans(link, source, copies);
  console.log(
    `${each} spans sent in ${sentS.toFixed(0)} s; ${copies} copies of them made in the engine in ${((performance.now() - started) / 1000 - sentS).toFixed(0)} s, ` +
      `${((engine.cpuSeconds() - cpu) / ((copies * each) / 1e6)).toFixed(2)} CPU-s/1M with merges meanwhile`,
  );
}

async function ask(): Promise<void> {
  const status = await store.status();
  const whole = { fromUnixNs: status.oldestSpanUnixNs!, toUnixNs: status.newestSpanUnixNs! + 1n };
  const before = (ns: bigint): TimeRange => ({ fromUnixNs: whole.toUnixNs - ns, toUnixNs: whole.toUnixNs });
  const quarter = before(15n * MINUTE_NS);
  console.log(
    `  ${(Number(whole.toUnixNs - whole.fromUnixNs) / 3.6e12).toFixed(1)} h of spans, ${await store.spansIn(quarter)} in the last 15 minutes`,
  );
  const time = <T>(name: string, over: readonly T[], what: (one: T) => Promise<unknown>): Promise<void> =>
    timed(engine, name, over, what);
  const times = Array.from({ length: 20 }, (_, i) => i);

  const ids = await link.rows<{ id: string }>(
    "SELECT lower(hex(trace_id)) AS id FROM longpole.spans WHERE cityHash64(trace_id) < 18446744073709551615 / 4000 GROUP BY trace_id ORDER BY cityHash64(trace_id, 1) LIMIT 200",
    { asWriter: true },
  );
  await time(`trace by id (${ids.length})`, ids, ({ id }) => store.trace(id));

  const services = await store.services(whole);
  await time("search: newest of a service", times, (i) =>
    store.searchTraces({ ...whole, service: services[i % services.length]! }),
  );
  await time("search: newest of all", times, () => store.searchTraces(whole));
  await time("search: newest with an error", times, () => store.searchTraces({ ...whole, errorsOnly: true }));
  await time("search: newest slower than 500 ms", times, () => store.searchTraces({ ...whole, minDurationNs: 5e8 }));
  await time("search: slowest of all", times, () => store.searchTraces({ ...whole, order: "slowest" }));
  await time("search: slowest of all, 15 minutes", times, () => store.searchTraces({ ...quarter, order: "slowest" }));
  const common = [{ key: "http.response.status_code", value: "200" }];
  await time("search: an attribute that many have, whole", times, () =>
    store.searchTraces({ ...whole, attributes: common }),
  );
  await time("search: an attribute that many have, 15 minutes", times, () =>
    store.searchTraces({ ...quarter, attributes: common }),
  );
  for (const [name, row] of Object.entries(await rareAttributes())) {
    console.log(`    ${row.key}=${row.value.slice(0, 60)}`);
    await time(`search: an attribute that few have (${name}), whole`, times, () =>
      store.searchTraces({ ...whole, attributes: [row] }),
    );
    await time(`search: an attribute that few have (${name}), 15 minutes`, times, () =>
      store.searchTraces({ ...quarter, attributes: [row] }),
    );
  }
  await time("search: an attribute that none has, whole", times, () =>
    store.searchTraces({ ...whole, attributes: [{ key: "url.path", value: "/of/nobody" }] }),
  );

  await time("RED, 15 minutes", times, () => store.red(quarter));
  await time("RED, 1 hour", times, () => store.red(before(60n * MINUTE_NS)));
  await time("RED, whole", times, () => store.red(whole));
  await time("RED by minute, 4 hours, roots", times, () =>
    store.red({ ...before(240n * MINUTE_NS), stepSeconds: 60, rootsOnly: true }),
  );
  await time("RED by minute, whole, one service", times, () =>
    store.red({ ...whole, stepSeconds: 60, service: services[0]! }),
  );
  await time("services", times, () => store.services(whole));
  await time("edges, 15 minutes", times.slice(0, 5), () => store.edges(quarter));
  await time("edges, whole", times.slice(0, 5), () => store.edges(whole));
  const cpu = engine.cpuSeconds();
  const hours = await store.rollUpEdges({ fromUnixNs: whole.fromUnixNs - 60n * MINUTE_NS, toUnixNs: whole.toUnixNs });
  console.log(
    `  calls of ${hours} hours counted in ${(engine.cpuSeconds() - cpu).toFixed(1)} s of the engine's processor`,
  );
  await time("edges, whole, from what was counted", times.slice(0, 5), () => store.edges(whole));
  await time("readSpans: 15 minutes, 1 trace of 5", times.slice(0, 3), () =>
    store.readSpans(quarter, { traceShare: 0.2 }),
  );
  await exactness(link, before(60n * MINUTE_NS));
  await exactness(link, whole);
}

/** Rarest value of a text and of a label among the newest spans: a key, and a value that one span of the newest has. */
async function rareAttributes(): Promise<Record<string, { key: string; value: string }>> {
  const [row] = await link.rows<{ key: string; value: string }>(
    "SELECT substring(arrayFilter(p -> startsWith(p, 't'), splitByChar(char(31), toString(shape)))[1], 2) AS key, texts[1] AS value FROM longpole.spans WHERE length(texts) > 0 AND key != '' ORDER BY cityHash64(trace_id, 2) LIMIT 1",
    { asWriter: true },
  );
  const [label] = await link.rows<{ key: string; value: string }>(
    "SELECT arrayJoin(arrayZip(arrayMap(p -> substring(p, 2), arrayFilter(p -> startsWith(p, 'l'), splitByChar(char(31), toString(shape)))), labels)) AS pair, pair.1 AS key, toString(pair.2) AS value FROM longpole.spans WHERE start > (SELECT max(start) FROM longpole.spans) - toIntervalHour(1) GROUP BY pair ORDER BY count(), cityHash64(value) LIMIT 1",
    { asWriter: true },
  );
  return { ...(row === undefined ? {} : { text: row }), ...(label === undefined ? {} : { label }) };
}

/** The worst error of a quantile of an operation with at least 1000 spans, against the exact one. */
async function exactness(to: Link, range: TimeRange): Promise<void> {
  const started = performance.now();
  // Whole minutes, as the rollups have them.
  const from = (range.fromUnixNs / MINUTE_NS) * MINUTE_NS;
  const exact = await to.rows<{ service: string; name: string; kind: number; n: number; q: number[] }>(
    `SELECT service, name, kind, toUInt32(count()) AS n, arrayMap(q -> toFloat64(arraySort(groupArray(duration))[toUInt32(ceil(q * count()))]), [0.5, 0.95, 0.99]) AS q FROM longpole.spans WHERE start >= fromUnixTimestamp64Nano(${from}) GROUP BY service, name, kind HAVING n >= 1000`,
    { asWriter: true },
  );
  const raw = performance.now() - started;
  const rows = await store.red({ fromUnixNs: from, toUnixNs: range.toUnixNs });
  let worst = 0;
  let counts = 0;
  for (const { service, name, kind, n, q } of exact) {
    const row = rows.find((one) => one.service === service && one.operation === name && one.kind === kind)!;
    if (row.count !== n) counts++;
    for (const [i, found] of [row.p50Ns, row.p95Ns, row.p99Ns].entries())
      worst = Math.max(worst, Math.abs(found / q[i]! - 1));
  }
  console.log(
    `  RED against exact over ${exact.length} operations: ${counts} counts differ, worst quantile off by ${(100 * worst).toFixed(2)} % (the exact query took ${raw.toFixed(0)} ms)`,
  );
}
