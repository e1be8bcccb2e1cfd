import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { MECHANISMS } from "../src/model/report.ts";
import { longpole, ROOT } from "./longpole.ts";

/** Everything that a run leaves anywhere but where it was told to would be below it. */
let temporary: string;
beforeAll(() => void (temporary = mkdtempSync(join(tmpdir(), "longpole-e2e-demo-"))));
afterAll(() => rmSync(temporary, { recursive: true, force: true }));

describe("the list", () => {
  test("as JSON: every fault with its service, mechanism and a sentence", () => {
    const { code, stdout } = longpole(["demo", "--list", "--json"]);
    const faults = JSON.parse(stdout) as { name: string; service: string; mechanism: string; summary: string; kind: string }[]; // prettier-ignore
    expect(code).toBe(0);
    const broken = faults.filter(({ kind }) => kind === "fault" || kind === "story");
    expect(broken.length).toBeGreaterThanOrEqual(30);
    expect(faults.map(({ name }) => name)).toEqual(expect.arrayContaining(["database-doubled", "hungry-ingest"]));
    for (const { name, service, mechanism, summary } of broken) {
      expect(MECHANISMS, name).toContain(mechanism);
      expect(service, name).not.toBe("");
      expect(summary, name).not.toBe("");
    }
  });
  test("as text: within the width, with how to start one", () => {
    const { code, stdout } = longpole(["demo", "--list", "--width", "80"]);
    expect(code).toBe(0);
    expect(Math.max(...stdout.split("\n").map((line) => line.length))).toBeLessThanOrEqual(80);
    expect(stdout).toContain("demo --fault database-doubled --fix");
  });
});

describe("what cannot be done is one sentence and 2", () => {
  const refused = (args: readonly string[], env: Record<string, string> = {}): string => {
    const { code, stdout, stderr } = longpole(["demo", "-q", ...args], { env: { TMPDIR: temporary, ...env } });
    expect([code, stdout]).toEqual([2, ""]);
    expect(stderr.trim().split("\n")).toHaveLength(1);
    return stderr;
  };
  test("an unknown fault, with the nearest name", () => {
    expect(refused(["--fault", "smal-pool"])).toContain('no fault "smal-pool": did you mean small-pool?');
  });
  test("a folder that holds something else", () => {
    const folder = mkdtempSync(join(temporary, "taken-"));
    writeFileSync(join(folder, "diary.txt"), "mine");
    expect(refused(["--record", folder])).toContain("holds other files and no recording");
    expect(readdirSync(folder)).toEqual(["diary.txt"]);
  });
  test("a PostgreSQL that is not there", () => {
    const stderr = refused([], { LONGPOLE_LAB_POSTGRES_URL: "postgresql://nobody@127.0.0.1:9/none" });
    expect(stderr).toMatch(/^longpole: .*127\.0\.0\.1:9/);
    expect(leftovers()).toEqual([]);
  });
  test("no place for temporary files", () => {
    expect(refused([], { TMPDIR: join(temporary, "absent") })).toContain("no folder can be made in");
  });
  test("a time that no load runs", () => {
    expect(refused(["--seconds", "1"])).toContain("Expected seconds between 5 and 600");
  });
});

describe("Ctrl-C", { timeout: 120_000 }, () => {
  // In the middle of the start, of the warm-up, and of the load.
  test.each([300, 2500, 9000])("after %i ms: 130, and nothing is left", async (afterMs) => {
    const code = await new Promise<number>((resolve) => {
      const child = spawn(process.execPath, [join(ROOT, "dist", "cli", "main.js"), "demo", "--seconds", "20"], {
        cwd: ROOT,
        env: { ...process.env, TMPDIR: temporary },
        stdio: "ignore",
      });
      // Before Node listens to it, the signal itself ends the process: 130 as a shell reports it.
      child.once("exit", (status, signal) => resolve(signal === "SIGINT" ? 130 : (status ?? -1)));
      setTimeout(() => child.kill("SIGINT"), afterMs);
    });
    expect(code).toBe(130);
    // The keeper of the database ends after its parent; that takes a moment.
    for (let i = 0; i < 50 && leftovers().length > 0; i++) await pause(100);
    expect(leftovers()).toEqual([]);
  });
});

test("kill -9 of the demo itself: no process and no folder is left", { timeout: 120_000 }, async () => {
  const child = spawn(process.execPath, [join(ROOT, "dist", "cli", "main.js"), "demo", "--seconds", "20"], {
    cwd: ROOT,
    env: { ...process.env, TMPDIR: temporary },
    stdio: ["ignore", "ignore", "pipe"],
  });
  await new Promise<void>((resolve) => {
    let told = "";
    child.stderr.on("data", (chunk: Buffer) => {
      told += chunk.toString();
      // The system is up, and under load.
      if (/before: \d+ of/.test(told)) resolve();
    });
    child.once("exit", () => resolve());
  });
  expect(leftovers()).not.toEqual([]);
  child.kill("SIGKILL");
  for (let i = 0; i < 300 && leftovers().length > 0; i++) await pause(100);
  expect(leftovers()).toEqual([]);
});

/** Folders of the lab, and processes that were started with ours for temporary files. */
function leftovers(): string[] {
  const folders = readdirSync(temporary).filter((name) => name.startsWith("longpole-"));
  const processes = readdirSync("/proc").filter((pid) => {
    if (!/^\d+$/.test(pid) || Number(pid) === process.pid) return false;
    try {
      return readFileSync(`/proc/${pid}/environ`, "utf8").includes(`TMPDIR=${temporary}\0`);
    } catch {
      return false; // it ended meanwhile, or is somebody else's
    }
  });
  return [...folders, ...processes.map((pid) => `process ${pid}`)];
}
