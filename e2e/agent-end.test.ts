// However an agent ends, it says why, and not by the exit code 0 unless it was asked to.
import { spawn, spawnSync } from "node:child_process";
import { chmodSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { ROOT } from "./longpole.ts";
import { listenedTo, type RunningAgent, startAgent as startAgentOn, testGround } from "./running-agent.ts";

const moduleOf = (path: string): string => JSON.stringify(join(ROOT, "dist", "agent", path));
const PATIENCE_MS = 60_000;

const ground = testGround("end");

/** An agent whose server is away; a program in the helper's place, where there is one. */
const startAgent = (
  queue: string,
  options: { helper?: string; words?: readonly string[]; stdout?: "pipe" } = {},
): RunningAgent =>
  startAgentOn(ground, "http://127.0.0.1:9", queue, ["--interval", "300ms", "--no-probes", ...(options.words ?? [])], {
    helper: join(ground.folder, "no-such-helper"),
    ...options,
  });

describe("an agent", () => {
  test.each(["SIGTERM", "SIGHUP", "SIGUSR2", "SIGQUIT"] as const)(
    "that %s ends says so, and leaves what waits",
    { timeout: PATIENCE_MS },
    async (signal) => {
      const agent = startAgent(signal);
      await agent.said("takes nothing");
      agent.child.kill(signal);
      expect(await agent.ended).toBe(0);
      expect(agent.stderr()).toContain(`the agent ends: ${signal}`);
      expect(readdirSync(join(ground.folder, signal)).every((name) => name.endsWith(".otlp.gz"))).toBe(true);
    },
  );

  test(
    "that is killed is told of by the one after it; a second one in its folder is refused",
    { timeout: PATIENCE_MS },
    async () => {
      const first = startAgent("killed");
      await first.said("takes nothing");
      const second = startAgent("killed");
      expect(await second.ended).toBe(2);
      expect(second.stderr()).toContain(
        `is used by another agent, process ${first.child.pid}: --queue names another folder`,
      );
      first.child.kill("SIGKILL");
      await first.ended;
      const third = startAgent("killed");
      await third.said(`the agent before, process ${first.child.pid}, ended after`);
      await third.said("takes nothing");
      third.child.kill("SIGTERM");
      expect(await third.ended).toBe(0);
    },
  );

  test("goes on when whoever read its standard output goes", { timeout: PATIENCE_MS }, async () => {
    const agent = startAgent("unread", { words: ["--json"], stdout: "pipe" });
    // Before it has written anything: what it writes finds nobody.
    agent.child.stdout!.destroy();
    await agent.said("takes nothing");
    expect(agent.child.exitCode).toBeNull();
    agent.child.kill("SIGTERM");
    expect(await agent.ended).toBe(0);
  });

  test.each([
    ["ends by itself", "sleep 0.2; exit 0", "the helper is gone: it ended by itself"],
    ["fails", "echo 'longpole-probe: no rights' >&2; exit 3", "the helper is gone: no rights"],
  ])("whose helper %s says so, and counts on", { timeout: PATIENCE_MS }, async (how, script, said) => {
    const helper = join(ground.folder, `helper ${how}`);
    writeFileSync(helper, `#!/bin/sh\n[ "$1" = --check ] && exit 1\n${script}\n`);
    chmodSync(helper, 0o755);
    const agent = startAgent(`helper-${how.length}`, { helper });
    await agent.said(said);
    await agent.said("takes nothing");
    agent.child.kill("SIGTERM");
    expect(await agent.ended).toBe(0);
  });
});

let watchedFiles = 0;

/** A program that begins with a watch and then does this; until it is told to end it has something to wait for. */
async function watched(script: string, longestMs = 5000): Promise<{ code: number | null; stderr: string }> {
  const file = join(ground.folder, `watched-${++watchedFiles}.mjs`);
  writeFileSync(
    file,
    `import { createServer } from "node:net";
import { EndWatch } from ${moduleOf("end-watch.js")};
const watch = new EndWatch((text) => process.stderr.write(text + "\\n"), ${longestMs});
const alive = setInterval(() => {}, 1000);
const end = () => { clearInterval(alive); watch.release(); process.exitCode = watch.failure === "" ? 0 : 2; };
watch.signal.addEventListener("abort", end);
${script}
`,
  );
  const running = listenedTo(ground, spawn(process.execPath, [file], { stdio: ["ignore", "ignore", "pipe"] }));
  return { code: await running.ended, stderr: running.stderr() };
}

describe("what is thrown where nobody hears it", () => {
  test("by a timer: it ends in order, says where, and not by 0", async () => {
    const { code, stderr } = await watched("setTimeout(function beat() { throw new TypeError('x is no y'); }, 1)");
    expect(code).toBe(2);
    expect(stderr).toMatch(/this is a defect of Longpole, please report it: TypeError: x is no y \(Timeout\.beat/);
    expect(stderr).toContain("the agent ends: a defect");
  });

  test("a promise that nobody awaits: it is said once, and it goes on", async () => {
    const { code, stderr } = await watched(
      "for (let i = 0; i < 2; i++) void Promise.reject(new Error('not awaited')); setTimeout(() => process.kill(process.pid, 'SIGTERM'), 50);",
    );
    expect(code).toBe(0);
    expect(stderr.match(/Error: not awaited.*the agent goes on/g)).toHaveLength(1);
    expect(stderr).toContain("the agent ends: SIGTERM");
  });

  test("an error of a socket or pipe: it goes on", async () => {
    const { code, stderr } = await watched(
      "createServer().listen(1, '192.0.2.1'); setTimeout(() => process.kill(process.pid, 'SIGTERM'), 50);",
    );
    expect(code).toBe(0);
    expect(stderr).toMatch(/listen E\w+.*where nobody waited for it; the agent goes on/);
  });

  test.each([
    ["an end from within", "process.exit(0);", /the agent ends at once: .*ended from within \(exit code 0\)/],
    [
      "nothing is left to do",
      "clearInterval(alive); await new Promise(() => {});",
      /the agent ends at once: nothing was left to do/,
    ],
    [
      "an orderly end that never comes",
      "watch.signal.removeEventListener('abort', end); process.kill(process.pid, 'SIGTERM');",
      /the agent ends: SIGTERM\n.*at once: SIGTERM, and an orderly end did not come within 0\.2 s/,
    ],
    [
      "a second signal",
      "watch.signal.removeEventListener('abort', end); for (const ms of [1, 100]) setTimeout(() => process.kill(process.pid, 'SIGTERM'), ms);",
      /a second signal, SIGTERM: what it has is not sent/,
    ],
  ])("%s is said, and is no 0", async (_, script, said) => {
    const { code, stderr } = await watched(script, script.includes("100") ? 5000 : 200);
    expect(code).not.toBe(0);
    expect(stderr).toMatch(said);
  });
});

test("a disk that takes half of a request: it is said, and no half waits", () => {
  const queue = join(ground.folder, "full");
  const script = join(ground.folder, "full.mjs");
  writeFileSync(
    script,
    `import { DiskQueue } from ${moduleOf("export/disk-queue.js")};
const queue = new DiskQueue(${JSON.stringify(queue)}, 1e6);
for (const size of [3000, 30000, 3000])
  try { queue.add("metrics", new Uint8Array(size), false); console.log("kept"); } catch (error) { console.log(error.code); }
`,
  );
  // A file may have 8 KiB: the first write gives a part, as on a full disk, and the next one an error.
  const limited = `trap "" XFSZ; ulimit -f 8; exec "${process.execPath}" "${script}"`;
  const { stdout } = spawnSync("bash", ["-c", limited], { encoding: "utf8" });
  expect(stdout).toBe("kept\nEFBIG\nkept\n");
  expect(readdirSync(queue)).toHaveLength(2);
});

test("where few files may be open, those of processes are opened each time, and all are counted", () => {
  const script = join(ground.folder, "few.mjs");
  writeFileSync(
    script,
    `import { spawn } from "node:child_process";
import { CounterCollector } from ${moduleOf("counters/counter-collector.js")};
import { DirectPeek } from ${moduleOf("counters/process-peek.js")};
const children = Array.from({ length: 60 }, () => spawn("sleep", ["60"], { stdio: "ignore", env: { OTEL_SERVICE_NAME: "few" } }));
const collector = new CounterCollector({ attributes: { "host.name": "a" }, version: "0" }, new DirectPeek(), 0);
for (let i = 0; i < 3; i++) await collector.scrape(Date.now() + 1000 * i);
const told = collector.mapped.filter(({ process: { pid } }) => children.some((child) => child.pid === pid));
console.log(told.length, collector.counts.unreadable <= collector.counts.mapped - told.length);
collector.close();
for (const child of children) child.kill("SIGKILL");
`,
  );
  // Three files of each of sixty processes would be 180.
  const limited = `ulimit -n 100; exec "${process.execPath}" "${script}"`;
  const { stdout, stderr } = spawnSync("bash", ["-c", limited], { encoding: "utf8" });
  expect([stdout, stderr]).toEqual(["60 true\n", ""]);
});
