/**
 * How many stacks lead to an outermost frame, and how many of their frames have a name, with `record` as it stands: C without
 * frame pointers, Go, Node.js with a perf map, and a PostgreSQL that works on a query. What is not installed is left out.
 *
 *     npx tsx bench/rooted-stacks.ts [SECONDS]
 */
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import pg from "pg";
import { recordByHelper } from "../src/agent/helper-recording.ts";
import { checkHelper, helperPath } from "../src/agent/probe-helper.ts";
import { runningProcess, startCommand, type TargetProcess } from "../src/agent/target-process.ts";
import { spareServer } from "../src/lab/system/postgres/spare-server.ts";

const seconds = Number(process.argv[2] ?? 5);
const helper: string = helperPath(process.env);
const check = checkHelper(helper);
if (check.kind === "failed") throw new Error(`no probes here: ${check.why}`);

/** Trees of calls through a library's qsort, which has no frame pointers either. */
const C_PROGRAM = `
#include <stdlib.h>
#include <unistd.h>
static volatile unsigned long seen;
static int ascending(const void *a, const void *b) { seen++; return *(const int *)a - *(const int *)b; }
__attribute__((noinline)) static void sort_batch(int *rows, int n) { for (int i = 0; i < n; i++) rows[i] = rand(); qsort(rows, n, sizeof *rows, ascending); seen++; }
__attribute__((noinline)) static void split(int *rows, int n, int depth) { if (depth == 0) { sort_batch(rows, n); usleep(100); } else { split(rows, n, depth - 1); seen++; } }
int main(void) { static int rows[4000]; for (;;) split(rows, 4000, 12); }
`;

const GO_PROGRAM = `package main
import ("encoding/json"; "sync"; "time")
type Row struct { Name string; Values []int }
func encode(rows []Row) int { text, _ := json.Marshal(rows); var back []Row; _ = json.Unmarshal(text, &back); return len(back) }
func main() {
	rows := make([]Row, 50); for i := range rows { rows[i] = Row{"row", make([]int, 40)} }
	var wait sync.WaitGroup
	for i := 0; i < 4; i++ { wait.Add(1); go func() { defer wait.Done(); for { encode(rows); time.Sleep(time.Millisecond) } }() }
	wait.Wait()
}
`;

const NODE_PROGRAM = `
const { createServer, get } = require("node:http");
const rows = Array.from({ length: 200 }, (_, i) => ({ id: i, name: "row " + i }));
const server = createServer((request, response) => response.end(JSON.stringify(rows.filter(({ id }) => id % 3 > 0).sort((a, b) => b.id - a.id))));
server.listen(0, "127.0.0.1", () => {
  const ask = () => get({ port: server.address().port, host: "127.0.0.1" }, (answer) => { let text = ""; answer.on("data", (chunk) => (text += chunk)).on("end", () => { JSON.parse(text); setImmediate(ask); }); });
  for (let i = 0; i < 4; i++) ask();
});
`;

const folder = mkdtempSync(join(tmpdir(), "longpole-rooted-"));
try {
  console.log("program                          goal   rooted    named   samples");
  await ofCommand("C without frame pointers", 0.9, () => {
    const path = join(folder, "sorter");
    const flags = ["-O2", "-fomit-frame-pointer", "-o", path, "-x", "c", "-"];
    return spawnSync("gcc", flags, { input: C_PROGRAM }).status === 0 ? [path] : undefined;
  });
  await ofCommand("Go", 0.99, () => {
    const source = join(folder, "main.go");
    writeFileSync(source, GO_PROGRAM);
    const path = join(folder, "encoder");
    return spawnSync("go", ["build", "-o", path, source], { cwd: folder }).status === 0 ? [path] : undefined;
  });
  await ofCommand("Node.js with a perf map", 0.95, () => {
    const source = join(folder, "server.cjs");
    writeFileSync(source, NODE_PROGRAM);
    return [process.execPath, "--perf-basic-prof", source];
  });
  await ofPostgres();
} finally {
  rmSync(folder, { recursive: true, force: true });
}

async function ofCommand(name: string, goal: number, make: () => string[] | undefined): Promise<void> {
  const words = make();
  if (words === undefined) return console.log(`${name.padEnd(32)} cannot be built here: left out`);
  const target = await startCommand(words);
  try {
    await measure(name, goal, target);
  } finally {
    await target.stop!();
  }
}

/** Index scans, sorts and aggregates in one backend, and the writes of the server's own processes are not looked at. */
async function ofPostgres(): Promise<void> {
  const server = await spareServer({});
  const client = new pg.Client(server.address);
  try {
    await client.connect();
    await client.query(
      "CREATE TABLE points AS SELECT n AS id, n % 97 AS kind, md5(n::text) AS text FROM generate_series(1, 50000) n",
    );
    const { rows } = await client.query<{ pid: number }>("SELECT pg_backend_pid() AS pid");
    let isDone = false;
    const asking = (async () => {
      while (!isDone)
        await client.query(
          "SELECT kind, count(*), max(text) FROM points WHERE text LIKE '%a%' GROUP BY kind ORDER BY 3",
        );
    })();
    await measure("PostgreSQL, a backend", 0.95, runningProcess(rows[0]!.pid));
    isDone = true;
    await asking;
  } finally {
    await client.end();
    await server.remove();
  }
}

async function measure(name: string, goal: number, target: TargetProcess): Promise<void> {
  const { quality } = await recordByHelper(helper, target, { seconds, hz: 99, signal: new AbortController().signal });
  const share = (value: number): string => `${(100 * value).toFixed(1)} %`.padStart(8);
  const columns = [name.padEnd(30), `${100 * goal} %`.padStart(6), share(quality.rooted), share(quality.named)];
  console.log(columns.join(" "), String(quality.samples).padStart(9));
}
