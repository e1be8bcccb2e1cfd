import { spawn, spawnSync, type ChildProcess } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { startIngest } from "../src/ingest/start-ingest.ts";
import { framesOfStack, type StackTable } from "../src/model/stack-table.ts";
import { RecordingSink } from "../src/testing/recording-sink.ts";
import { longpole } from "./longpole.ts";

const hasGo = spawnSync("go", ["version"]).status === 0;

/** e2e/go-program: a hot function, 8 MiB that are kept, and two goroutines that wait for one another's lock. */
describe.skipIf(!hasGo)("a real Go program (skipped where there is no go)", () => {
  let folder = "";
  let program: ChildProcess;
  let address = "";
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), "longpole-go-"));
    const binary = join(folder, "program");
    const built = spawnSync("go", ["build", "-o", binary, join(import.meta.dirname, "go-program/main.go")], {
      encoding: "utf8",
    });
    if (built.status !== 0) throw new Error(built.stderr);
    program = spawn(binary);
    const port = await new Promise<string>((resolve) =>
      program.stdout!.once("data", (chunk: Buffer) => resolve(chunk.toString().trim())),
    );
    address = `http://127.0.0.1:${port}`;
  }, 300_000);
  afterAll(() => {
    program?.kill("SIGKILL");
    rmSync(folder, { recursive: true, force: true });
  });

  test.each([
    ["profile?seconds=1", "cpu", /;main\.weighOrders \d+$/m],
    ["heap", "inuse_space", /;main\.keepBasket \d{7}$/m],
    ["mutex?seconds=1", "delay", /main\.main\.func2;sync\.\(\*Mutex\)\.Unlock \d+$/m],
    ["block?seconds=1", "delay", /main\.main\.func2;sync\.\(\*Mutex\)\.Lock \d+$/m],
  ])(
    "flame reads /debug/pprof/%s",
    (path, value, stack) => {
      const { code, stdout, stderr } = longpole([
        "flame",
        `${address}/debug/pprof/${path}`,
        "--value",
        value,
        "--folded",
        "-q",
      ]);
      expect([code, stderr]).toEqual([0, ""]);
      expect(stdout).toMatch(stack);
    },
    60_000,
  );

  test("an address that has no profile is told by its status", () => {
    const { code, stderr } = longpole(["flame", `${address}/nowhere`, "-q"]);
    expect([code, stderr]).toEqual([2, `longpole: ${address}/nowhere: expected a profile, found status 404\n`]);
  });

  test("a server that was told of it pulls all four kinds into its store, as of the service's", async () => {
    const sink = new RecordingSink();
    const logged: string[] = [];
    const ingest = await startIngest({
      listen: {},
      walDir: join(folder, "wal"),
      sink,
      limits: { minFreeBytes: 0, blockAgeMs: 10 },
      profiles: [
        { url: address, job: "orders", intervalMs: 60_000, seconds: 1, kinds: ["profile", "heap", "block", "mutex"] },
      ],
      log: (text) => logged.push(text),
    });
    try {
      const types = (): Set<string> =>
        new Set([...sink.stacks.values()].flatMap((table) => table.valueTypes.map(({ type }) => type)));
      for (let i = 0; i < 600 && !["cpu", "inuse_space", "delay"].every((type) => types().has(type)); i++)
        await sleep(50);
      expect([...types()]).toEqual(expect.arrayContaining(["cpu", "inuse_space", "delay"]));
      expect(logged).toEqual([]);
      const services = [...sink.stacks.values()].flatMap((t) =>
        Array.from(t.processes.service, (id) => t.strings.get(id)),
      );
      expect(new Set(services)).toEqual(new Set(["orders"]));
      expect([...sink.stacks.values()].flatMap(functions)).toContain("main.weighOrders");
    } finally {
      await ingest.stop();
    }
  }, 60_000);
});

const functions = (table: StackTable): string[] =>
  [...new Set(table.samples.stack)].flatMap((stack) =>
    framesOfStack(table.stacks, stack).map((frame) => table.strings.get(table.frames.function[frame]!)),
  );
