import { expect, test } from "vitest";
import { SpanTableBuilder } from "../../model/span-table-builder.ts";
import { metricTableOf, type SeriesObject } from "../../testing/metric-table.ts";
import { readDatabaseStatistics } from "../database/database-statistics.ts";
import { resourceContext } from "../resources/resource-context.ts";
import { buildWindow } from "../window.ts";
import type { CheckResult, ConfigurationCheck } from "./configuration-check.ts";
import { ephemeralPorts } from "./ephemeral-ports.ts";
import { fileDescriptors } from "./file-descriptors.ts";
import { growthToLimit } from "./growth-to-limit.ts";
import { heapSize } from "./heap-size.ts";
import { memoryLimit } from "./memory-limit.ts";
import { autovacuum, checkpoints, sharedBuffers, workMem } from "./postgres-settings.ts";

async function run(check: ConfigurationCheck, ...series: readonly SeriesObject[]): Promise<CheckResult> {
  const window = await buildWindow(new SpanTableBuilder().finish().table, async () => {});
  const metrics = metricTableOf(...series);
  const database = readDatabaseStatistics(metrics);
  return check.run({
    window,
    views: [],
    resources: resourceContext(metrics, undefined, window, undefined),
    ...(database === undefined ? {} : { database }),
  });
}

/** A gauge every ten seconds for five minutes. */
const gauge = (
  name: string,
  value: number | ((i: number) => number),
  more: Partial<Pick<SeriesObject, "unit" | "labels" | "resource">> = {},
): SeriesObject => ({
  name,
  kind: "gauge",
  resource: { "service.name": "web", ...more.resource },
  unit: more.unit ?? "",
  labels: more.labels ?? {},
  points: Array.from({ length: 31 }, (_, i) => [10 * i, typeof value === "number" ? value : value(i)] as const),
});
const counter = (name: string, perSecond: number, more: Parameters<typeof gauge>[2] = {}): SeriesObject => ({
  ...gauge(name, (i) => 10 * i * perSecond, more),
  kind: "sum",
  temporality: "cumulative",
  monotonic: true,
});
const MB = 1e6;
const memory = (of: (i: number) => number): SeriesObject => gauge("container.memory.usage", of, { unit: "By" });
const limit = gauge("container.memory.limit", 512 * MB, { unit: "By" });

test("the time until memory reaches its limit, by hand", async () => {
  // 1 MB in ten seconds = 6 MB a minute, from 130 MB at the end: (512 - 129) / 6 = 64 min.
  const { problems } = await run(
    growthToLimit,
    memory((i) => (100 + i) * MB),
    limit,
  );
  expect(problems).toMatchObject([
    {
      service: "web",
      mechanism: "memory-leak",
      kind: "growth",
      title: "memory of web reaches the limit of 512 MB in 64 min",
    },
  ]);
  expect(problems[0]!.harm!.text).toBe("it reaches the limit of 512 MB in 64 min (64 min–64 min)");
});

test("no limit known, a limit out of reach, warming up, and standing still", async () => {
  const [unknown] = (
    await run(
      growthToLimit,
      memory((i) => (100 + 4 * i) * MB),
    )
  ).problems;
  expect(unknown!.arithmetic).toContain("no limit of it is known");
  expect(unknown).not.toHaveProperty("harm");
  const large = gauge("container.memory.limit", 64e9, { unit: "By" });
  const [far] = (
    await run(
      growthToLimit,
      memory((i) => (100 + i) * MB),
      large,
    )
  ).problems;
  expect(far!.arithmetic).toContain("further away than 5 min of observation can tell");
  expect(far).not.toHaveProperty("harm");
  const warming = memory((i) => (200 - 100 * Math.exp(-i / 4)) * MB);
  expect((await run(growthToLimit, warming, limit)).problems).toEqual([]);
  const level = await run(
    growthToLimit,
    memory((i) => (100 + (i % 3)) * MB),
    limit,
  );
  expect(level.fine[0]!.text).toBe("memory of web: 101 MB of 512 MB, no steady growth");
});

test("open files that are never closed, and a process at its limit", async () => {
  const most = gauge("process_max_fds", 1024);
  expect(
    (
      await run(
        growthToLimit,
        gauge("process_open_fds", (i) => 300 + 10 * i),
        most,
      )
    ).problems,
  ).toMatchObject([{ resource: "fds", title: expect.stringContaining("reaches the limit of 1,024") as string }]);
  expect((await run(fileDescriptors, gauge("process_open_fds", 1000), most)).problems).toMatchObject([
    { setting: "nofile", change: "nofile: 1,024 -> 4,096" },
  ]);
  expect((await run(fileDescriptors, gauge("process_open_fds", 100), most)).fine).toMatchObject([
    { text: "web: 100 of 1,024 descriptors open (10 %)" },
  ]);
});

test("ports in TIME_WAIT: a note, since nothing shows that any was missing", async () => {
  const host = { resource: { "service.name": "", "host.name": "web-1" } };
  const { problems } = await run(ephemeralPorts, gauge("node_sockstat_TCP_tw", 25_000, host));
  expect(problems).toMatchObject([
    { service: "web-1", arithmetic: expect.stringContaining("of 28,232 ports (89 %)") as string },
  ]);
  expect(problems[0]).not.toHaveProperty("harm");
  expect((await run(ephemeralPorts, gauge("node_sockstat_TCP_tw", 900, host))).problems).toEqual([]);
});

test("a heap that is full and collected all the time; a full one that is not", async () => {
  const heap = [
    gauge("v8js.memory.heap.used", 200 * MB, { unit: "By" }),
    gauge("v8js.memory.heap.limit", 256 * MB, { unit: "By" }),
  ];
  const collecting = (share: number): SeriesObject => counter("jvm_gc_collection_seconds_total", share, { unit: "s" });
  expect((await run(heapSize, ...heap, collecting(0.3))).problems).toMatchObject([
    {
      setting: "max-old-space-size",
      change: "max-old-space-size: 256 MB -> 448 MB",
      mechanism: "garbage-collection",
    },
  ]);
  const named = async (prefix: string): Promise<string | undefined> => {
    const full = [`${prefix}used`, `${prefix}limit`].map((name, i) => gauge(name, [200, 256][i]! * MB, { unit: "By" }));
    return (await run(heapSize, ...full, collecting(0.3))).problems[0]?.setting;
  };
  expect(await named("jvm.memory.")).toBe("Xmx");
  expect(await named("app.heap.")).toBe("heap limit");
  expect((await run(heapSize, ...heap, collecting(0.01))).problems).toEqual([]);
});

test("where the runtime does not tell the heap's limit, the command line does, and how it is set", async () => {
  const begun = (...words: readonly string[]) => ({
    unit: "By",
    resource: { "process.command_args": JSON.stringify(words) },
  });
  const collecting = counter("jvm_gc_collection_seconds_total", 0.3, { unit: "s" });
  const used = (...words: readonly string[]): SeriesObject => gauge("app.heap.used", 200 * MB, begun(...words));
  // 244 MiB are 256 MB; at half full 400 MB, in steps of 64.
  expect((await run(heapSize, used("node", "--max-old-space-size=244", "a.js"), collecting)).problems).toMatchObject([
    { setting: "max-old-space-size", change: "max-old-space-size: 256 MB -> 448 MB" },
  ]);
  expect((await run(heapSize, used("node", "a.js"), collecting)).problems).toEqual([]);
  // From 100 to 130 MB in five minutes, 6 MB a minute: (268 - 130) / 6 = 23 min.
  const growing = gauge("app.heap.used", (i) => (100 + i) * MB, begun("java", "-Xmx256m", "-jar", "a.jar"));
  expect((await run(growthToLimit, growing)).problems).toMatchObject([
    { setting: "Xmx", title: "heap of web reaches the limit of 268 MB in 23 min" },
  ]);
});

test("memory at its limit is harm when processes were ended for it", async () => {
  const full = memory(() => 500 * MB);
  const [quiet] = (await run(memoryLimit, full, limit)).problems;
  // 500 / 0.75 = 667, in steps of 64.
  expect(quiet).toMatchObject({ change: "memory limit: 512 MB -> 704 MB" });
  expect(quiet).not.toHaveProperty("harm");
  const [killed] = (await run(memoryLimit, full, limit, counter("container_oom_events_total", 0.01))).problems;
  expect(killed!.harm!.text).toBe("processes were ended for want of memory");
});

test("settings of PostgreSQL: notes, with what they are made of", async () => {
  const db = { resource: { "service.name": "", "postgresql.database.name": "shop" } };
  const blocks = (source: string, perSecond: number): SeriesObject =>
    counter("postgresql.blocks_read", perSecond, { ...db, labels: { source } });
  const cache = await run(sharedBuffers, blocks("heap_hit", 800), blocks("heap_read", 200));
  expect(cache.problems).toMatchObject([
    { service: "shop", setting: "shared_buffers", title: expect.stringContaining("80 %") as string },
  ]);
  expect((await run(sharedBuffers, blocks("heap_hit", 990), blocks("heap_read", 10))).problems).toEqual([]);

  // With what the database tells of its tables: 300 + 100 MB of two that were read, and one that nobody read.
  const of = (table: string): Parameters<typeof gauge>[2] => ({
    resource: { ...db.resource, "postgresql.table.name": table },
  });
  const tableBlocks = (table: string, source: string, perSecond: number): SeriesObject =>
    counter("postgresql.blocks_read", perSecond, { ...of(table), labels: { source } });
  const told = (bufferMB: number): Promise<CheckResult> =>
    run(
      sharedBuffers,
      tableBlocks("orders", "heap_hit", 800),
      tableBlocks("items", "heap_read", 200),
      tableBlocks("old", "heap_read", 0),
      gauge("postgresql.table.size", 200 * 2 ** 20, of("orders")),
      gauge("postgresql.index.size", 100 * 2 ** 20, {
        resource: { ...of("orders")!.resource, "postgresql.index.name": "orders_pkey" },
      }),
      gauge("postgresql.table.size", 100 * 2 ** 20, of("items")),
      gauge("postgresql.table.size", 9000 * 2 ** 20, of("old")),
      gauge("postgresql.setting.shared_buffers", bufferMB * 2 ** 20, { ...db, unit: "By" }),
    );
  const sized = await told(256);
  expect(sized.problems[0]!.arithmetic).toContain(
    "the tables that were read take 400 MB with their indexes (orders 300 MB, items 100 MB), 1.6 times shared_buffers (256 MB)",
  );
  expect(sized.problems[0]!.change).toBe("shared_buffers: 256 MB -> 512 MB");
  // 400 MB fit into 512: a larger cache would keep no more.
  const roomy = await told(512);
  expect(roomy.problems).toEqual([]);
  expect(roomy.fine).toMatchObject([{ text: expect.stringContaining("0.8 times shared_buffers (512 MB)") as string }]);

  const checkpoint = (type: string, perSecond: number): SeriesObject =>
    counter("postgresql.bgwriter.checkpoint.count", perSecond, { ...db, labels: { type } });
  const asked = await run(checkpoints, checkpoint("requested", 0.04), checkpoint("scheduled", 0.01));
  expect(asked.problems).toMatchObject([
    { setting: "max_wal_size", arithmetic: expect.stringContaining("80 % of the checkpoints") as string },
  ]);

  // 20 MiB a file, doubled: 40, as a power of two 64.
  const spills = await run(
    workMem,
    counter("pg_stat_database_temp_files", 2, db),
    counter("pg_stat_database_temp_bytes", 40 * 2 ** 20, db),
  );
  expect(spills.problems).toMatchObject([
    { setting: "work_mem", change: "work_mem: -> 64 MB (for the statements that spill)" },
  ]);

  const rows = (state: string, n: number): SeriesObject =>
    gauge("postgresql.rows", n, { resource: { ...db.resource, "postgresql.table.name": "orders" }, labels: { state } });
  expect((await run(autovacuum, rows("live", 60_000), rows("dead", 40_000))).problems).toEqual([
    expect.objectContaining({
      setting: "autovacuum_vacuum_scale_factor",
      title: "orders in shop holds 40 % dead rows, which every scan reads",
    }),
  ]);
  expect((await run(autovacuum, rows("live", 60_000), rows("dead", 4_000))).problems).toEqual([]);
});

test("a table of which most blocks are missed is told where another's hide it, and joins the disk that they come from", async () => {
  const host = { "service.name": "", "host.name": "db1" };
  const db = { ...host, "postgresql.database.name": "shop" };
  const blocks = (table: string, source: string, perSecond: number): SeriesObject =>
    counter("postgresql.blocks_read", perSecond, {
      resource: { ...db, "postgresql.table.name": table },
      labels: { source },
    });
  const diskReads = (perSecond: number, device = "sda"): SeriesObject =>
    counter("system.disk.operations", perSecond, { resource: host, labels: { device, direction: "read" } });
  const busy = [
    gauge("postgresql.db_size", 1e9, { resource: db }),
    blocks("items", "heap_hit", 250),
    blocks("items", "heap_read", 150),
    blocks("log", "heap_hit", 3000),
  ];
  // 3250 of 3400 are 96 %, of items 250 of 400: 63 %.
  const [fromDisk] = (await run(sharedBuffers, ...busy, diskReads(120))).problems;
  expect(fromDisk).toMatchObject({ setting: "shared_buffers", alsoSaidOf: ["db1"] });
  expect(fromDisk!.saidAs).toEqual(new Set(["disk-saturated"]));
  expect(fromDisk!.title).toBe("shop finds only 63 % of the blocks of items in its cache");
  expect(fromDisk!.arithmetic).toBe(
    "3,250 of 3,400 blocks a second come from shared_buffers (96 %); of items 63 %, and 150 are read; the other 150 are read from the system's cache or the disk: sda of db1 is asked to read 120 times a second, by this database and whatever else runs there",
  );
  const [fromSystem] = (await run(sharedBuffers, ...busy, diskReads(12))).problems;
  expect(fromSystem).not.toHaveProperty("alsoSaidOf");
  expect(fromSystem!.arithmetic).toMatch(/from the system's cache or the disk$/);
  // 30 reads a second, told of the disk, its partition and the volume on it: below 0.3 x 150.
  const thrice = ["sda", "sda1", "dm-0"].map((device) => diskReads(30, device));
  expect((await run(sharedBuffers, ...busy, ...thrice)).problems[0]).not.toHaveProperty("alsoSaidOf");
  const fits = [blocks("items", "heap_hit", 380), blocks("items", "heap_read", 20), blocks("log", "heap_hit", 3000)];
  expect((await run(sharedBuffers, busy[0]!, ...fits, diskReads(120))).problems).toEqual([]);
});

test("a primary and its replica are two caches: what one of them reads says nothing of the other", async () => {
  const of = (server: string, hit: number, read: number, bufferMB: number): SeriesObject[] => {
    const own = { "service.name": "", "service.instance.id": `${server}/shop`, "postgresql.database.name": "shop" };
    const items = { ...own, "postgresql.table.name": "items" };
    const blocks = (source: string, perSecond: number): SeriesObject =>
      counter("postgresql.blocks_read", perSecond, { resource: items, labels: { source } });
    return [
      blocks("heap_hit", hit),
      blocks("heap_read", read),
      gauge("postgresql.table.size", 400 * 2 ** 20, { resource: items }),
      gauge("postgresql.setting.shared_buffers", bufferMB * 2 ** 20, { resource: own, unit: "By" }),
    ];
  };
  // Of both together 1,780 of 2,000 blocks would be 89 %, of 800 MB and whichever cache was told last.
  const both = await run(sharedBuffers, ...of("db1:5432", 980, 20, 4096), ...of("db2:5432", 800, 200, 256));
  expect(both.problems).toMatchObject([
    {
      service: "shop",
      server: "db2:5432",
      resource: "database on db2:5432",
      title: "shop finds only 80 % of its blocks in its cache (db2:5432)",
      change: "shared_buffers: 256 MB -> 512 MB",
      arithmetic: expect.stringMatching(
        /^db2:5432: 800 of 1,000 blocks .* take 400 MB .* 1\.6 times shared_buffers \(256 MB\)$/,
      ) as string,
    },
  ]);
  expect(both.fine.map(({ text }) => text)).toEqual([
    "shop: 980 of 1,000 blocks a second come from shared_buffers (98 %) (db1:5432)",
  ]);
});

test("figures of one server by two collectors, each with its own name for it, are of one server", async () => {
  const by = (instance: string): { resource: Record<string, string> } => ({
    resource: { "service.name": "", "service.instance.id": instance, "postgresql.database.name": "shop" },
  });
  const { problems } = await run(
    sharedBuffers,
    counter("pg_stat_database_blks_hit", 800, by("exporter")),
    counter("pg_stat_database_blks_read", 200, by("exporter")),
    gauge("postgresql.setting.shared_buffers", 256 * 2 ** 20, { ...by("db1:5432/shop"), unit: "By" }),
  );
  expect(problems).toMatchObject([{ resource: "database", change: "shared_buffers: 256 MB -> 512 MB" }]);
});
