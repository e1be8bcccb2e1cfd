import { spawn, type ChildProcess } from "node:child_process";
import { mkdtempSync, rmSync, symlinkSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { listeningPorts } from "../src/agent/inspector/listening-ports.ts";
import { longpole } from "./longpole.ts";

const MAIN = join(import.meta.dirname, "../dist/cli/main.js");

let folder = "";
const children: ChildProcess[] = [];
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "longpole-inspect-"));
  writeFileSync(
    join(folder, "busy.mjs"),
    `function weighOrders() { let x = 0; const end = Date.now() + 8; while (Date.now() < end) x += Math.sqrt(x + 1); return x; }
if (process.argv[2] === "own") process.on("SIGUSR1", () => console.log("handled"));
setInterval(weighOrders, 10);
console.log("ready");
`,
  );
});
afterEach(() => {
  for (const child of children.splice(0)) child.kill("SIGKILL");
});
afterAll(() => rmSync(folder, { recursive: true }));

/** The program; its inspector, if it opens one, takes a free port. */
async function busy(
  flags: readonly string[] = ["--inspect-port=0"],
  ...words: string[]
): Promise<{ pid: number; out: () => string }> {
  return started([...flags, join(folder, "busy.mjs"), ...words]);
}

/** A Node.js program that says when it is ready. */
async function started(args: readonly string[]): Promise<{ pid: number; out: () => string }> {
  const child = spawn(process.execPath, args);
  children.push(child);
  let text = "";
  await new Promise<void>((resolve) => {
    child.stdout.on("data", (chunk: Buffer) => {
      text += chunk.toString();
      if (text.includes("ready")) resolve();
    });
  });
  child.stderr.resume();
  return { pid: child.pid!, out: () => text };
}

const isAlive = (pid: number): boolean => {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
};

async function closes(pid: number): Promise<boolean> {
  for (let i = 0; i < 500 && listeningPorts(pid).length > 0; i++) await sleep(20);
  return listeningPorts(pid).length === 0;
}

test("names the function of a program that was started without preparation, and leaves no port open", async () => {
  const { pid } = await busy();
  const { stdout, code } = longpole(["record", "-p", `${pid}`, "--inspect", "--seconds", "1", "--folded", "-q"]);
  expect(code).toBe(0);
  expect(stdout).toMatch(/;weighOrders \d+$/m);
  expect(listeningPorts(pid)).toEqual([]);
  expect(isAlive(pid)).toBe(true);
});

test("the target closes its inspector by itself when the recorder is killed", async () => {
  const { pid } = await busy();
  const recorder = spawn(process.execPath, [MAIN, "record", "-p", `${pid}`, "--inspect", "--seconds", "60", "-q"]);
  children.push(recorder);
  for (let i = 0; i < 500 && listeningPorts(pid).length === 0; i++) await sleep(20);
  expect(listeningPorts(pid)).toHaveLength(1);
  // Time for the order to close: milliseconds that nothing can cover.
  await sleep(500);
  recorder.kill("SIGKILL");
  expect(await closes(pid)).toBe(true);
  expect(isAlive(pid)).toBe(true);
}, 30_000);

test("an inspector that was open before stays open", async () => {
  const { pid } = await busy(["--inspect=127.0.0.1:0"]);
  const { stderr, stdout } = longpole(["record", "-p", `${pid}`, "--inspect", "--seconds", "1", "--folded"]);
  expect(stdout).toMatch(/weighOrders/);
  expect(stderr).toMatch(/was open already \(127\.0\.0\.1:\d+\) and stays so/);
  expect(listeningPorts(pid)).toHaveLength(1);
});

test("a program that SIGUSR1 would end gets none", async () => {
  const child = spawn("sleep", ["60"]);
  children.push(child);
  await sleep(100);
  const { code, stderr } = longpole(["record", "-p", `${child.pid}`, "--inspect", "--seconds", "1"]);
  expect(code).toBe(2);
  expect(stderr).toContain(`process ${child.pid} (sleep) is no Node.js: --inspect is for those`);
  expect(isAlive(child.pid!)).toBe(true);
});

test("a stopped program is not sent a signal that would open its inspector when it goes on", async () => {
  const { pid } = await busy();
  process.kill(pid, "SIGSTOP");
  await sleep(100);
  const { code, stderr } = longpole(["record", "-p", `${pid}`, "--inspect", "--seconds", "1"]);
  expect([code, stderr]).toEqual([2, expect.stringContaining("is stopped")]);
  process.kill(pid, "SIGCONT");
  await sleep(300);
  expect(listeningPorts(pid)).toEqual([]);
});

/** On the signal: what looks like an inspector and refuses connections; with "then", after two of them a real one in its place. */
const REFUSING = `import { createServer } from "node:http";
import { open } from "node:inspector";
let refused = 0;
process.on("SIGUSR1", () => {
  const server = createServer((_, answer) =>
    answer.end(JSON.stringify([{ webSocketDebuggerUrl: "ws://127.0.0.1:" + server.address().port + "/1" }])));
  server.on("upgrade", (_, socket) => {
    socket.destroy();
    if (process.argv[2] !== "then" || ++refused < 2) return;
    const { port } = server.address();
    server.closeAllConnections();
    server.close(() => open(port));
  });
  server.listen(0, "127.0.0.1");
});
function weighOrders() { let x = 0; const end = Date.now() + 8; while (Date.now() < end) x += Math.sqrt(x + 1); return x; }
setInterval(weighOrders, 10);
console.log("ready");
`;

test("an inspector that takes no connection is told to be left open, and what closes it", async () => {
  writeFileSync(join(folder, "refusing.mjs"), REFUSING);
  const { pid } = await started([join(folder, "refusing.mjs")]);
  const { code, stderr } = longpole(["record", "-p", `${pid}`, "--inspect", "--seconds", "1"]);
  const [port] = listeningPorts(pid);
  expect(code).toBe(2);
  expect(stderr).toContain(
    `(process ${pid}) was opened and is left open: who can connect to 127.0.0.1:${port} may run code`,
  );
  expect(stderr).toContain(`or by: node inspect 127.0.0.1:${port}, and there: exec setTimeout(`);
}, 30_000);

test("an inspector that takes the third connection is used, and closed again", async () => {
  writeFileSync(join(folder, "refusing.mjs"), REFUSING);
  const { pid } = await started([join(folder, "refusing.mjs"), "then"]);
  const { code, stdout, stderr } = longpole(["record", "-p", `${pid}`, "--inspect", "--seconds", "1", "--folded"]);
  expect([code, stderr]).toEqual([0, expect.not.stringContaining("open")]);
  expect(stdout).toMatch(/;weighOrders \d+$/m);
  expect(listeningPorts(pid)).toEqual([]);
}, 30_000);

test("a program with a handler of its own for the signal is told so", async () => {
  const { pid, out } = await busy(["--inspect-port=0"], "own");
  const { code, stderr } = longpole(["record", "-p", `${pid}`, "--inspect", "--seconds", "1"]);
  expect(code).toBe(2);
  expect(stderr).toContain("it has a handler of its own for SIGUSR1, which was called");
  await sleep(200);
  expect(out()).toContain("handled");
  expect(isAlive(pid)).toBe(true);
}, 30_000);

test.each([
  [["--inspect", "--", "true"], "--inspect opens the inspector of a process that runs already: -p PID"],
  [["-p", "1", "--inspect", "--off-cpu"], "not with --off-cpu or --fail-on"],
])("record %j is wrong usage", (flags, message) => {
  const { code, stderr } = longpole(["record", ...flags]);
  expect([code, stderr]).toEqual([2, expect.stringContaining(message)]);
});

/** The fourth line of the function takes nearly all of its time. */
const UNEVEN = `
function settleAccounts(list) {
  let sum = 0;
  for (const one of list) {
    for (let i = 0; i < 60000; i++) sum = (sum * 31 + one + i) % 1000003;
  }
  return sum;
}
setInterval(() => settleAccounts([1, 2, 3, 4, 5, 6, 7, 8, 9, 10]), 1);
console.log("ready");
`;

test("shows the lines around the hottest one, and says when the file is another one by now", async () => {
  const file = join(folder, "uneven.mjs");
  // A second try finds the link that the first one left.
  rmSync(file, { force: true });
  writeFileSync(file, UNEVEN);
  // The clock of a process's beginning has whole seconds.
  utimesSync(file, new Date(Date.now() - 10_000), new Date(Date.now() - 10_000));
  const { pid } = await started(["--inspect-port=0", file]);
  const hot = (): {
    function: string;
    remark: string;
    lines: { line: number; share: number; text: string | null }[];
  } => {
    const { stdout } = longpole(["record", "-p", `${pid}`, "--inspect", "--seconds", "1", "--json"]);
    return (JSON.parse(stdout) as { hotLines: ReturnType<typeof hot>[] }).hotLines[0]!;
  };
  const before = hot();
  expect([before.function, before.remark]).toEqual(["settleAccounts", ""]);
  expect(before.lines.map(({ line }) => line)).toEqual([2, 3, 4, 5, 6, 7, 8]);
  expect(before.lines.map(({ text }) => text)).toEqual(UNEVEN.split("\n").slice(1, 8));
  const fifth = before.lines.find(({ line }) => line === 5)!;
  expect(fifth.share).toBeGreaterThan(0.8);
  expect(before.lines.reduce((sum, { share }) => sum + share, 0)).toBeLessThanOrEqual(1 + 1e-9);
  const { stdout } = longpole(["record", "-p", `${pid}`, "--inspect", "--seconds", "1"]);
  expect(stdout).toMatch(/\d+ % +5 │ {5}for \(let i = 0; i < 60000; i\+\+\)/);

  // Another file under the same name, and one that is none of a program.
  writeFileSync(file, "// short\n");
  const after = hot();
  expect(after.lines.map(({ text }) => text)).toEqual([null]);
  expect(after.remark).toContain("has 2 lines; it is another one than the process runs");
  writeFileSync(file, UNEVEN);
  utimesSync(file, new Date(Date.now() + 60_000), new Date(Date.now() + 60_000));
  expect(hot().remark).toContain("was changed after the process began");
  rmSync(file);
  expect(hot().remark).toBe(`${file}: not there`);
  writeFileSync(join(folder, "secret.txt"), "secret\n");
  symlinkSync("secret.txt", file);
  expect(hot().remark).toBe(`${file}: no source of JavaScript or TypeScript`);
}, 60_000);
