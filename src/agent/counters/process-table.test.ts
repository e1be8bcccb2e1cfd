import { spawn } from "node:child_process";
import { once } from "node:events";
import { afterEach, expect, test } from "vitest";
import { KeptFile } from "./kept-file.ts";
import { ProcessTable } from "./process-table.ts";

const tables: ProcessTable[] = [];
afterEach(() => {
  for (const table of tables.splice(0)) table.close();
});

function tableOf(onEnd?: ConstructorParameters<typeof ProcessTable>[0]): ProcessTable {
  const table = new ProcessTable(onEnd);
  tables.push(table);
  return table;
}

test("processes come and go; one that has ended is told of once and forgotten", async () => {
  const child = spawn("sleep", ["60"], { stdio: "ignore" });
  const ended: number[] = [];
  const table = tableOf(({ pid }) => ended.push(pid));
  table.look();
  const pid = child.pid!;
  expect(table.processes.get(pid)?.stat).toMatchObject({ parent: process.pid, threads: 1, isKernel: false });
  expect(table.processes.has(process.pid)).toBe(true);
  table.look();
  expect(table.processes.get(pid)?.looks).toBe(2);
  child.kill("SIGKILL");
  await once(child, "exit");
  table.look();
  expect(table.processes.has(pid)).toBe(false);
  table.look();
  expect(ended.filter((one) => one === pid)).toEqual([pid]);
});

test("what was opened of a process is that process's, whoever has its number later", async () => {
  const child = spawn("sleep", ["60"], { stdio: "ignore" });
  const file = new KeptFile(`/proc/${child.pid}/stat`, true);
  expect(file.read()).toContain(`${child.pid} (sleep)`);
  child.kill("SIGKILL");
  await once(child, "exit");
  expect(() => file.read()).toThrow(/ESRCH/);
  file.close();
});

test("a number that is another process's now counts as that one's end and another's beginning", () => {
  const ended: number[] = [];
  const table = tableOf(({ pid }) => ended.push(pid));
  table.look();
  const own = table.processes.get(process.pid)!;
  // As if the number had been another's at the look before.
  own.stat = { ...own.stat, startTicks: own.stat.startTicks - 1 };
  own.size = 0;
  table.look();
  expect(ended).toEqual([process.pid]);
  expect(table.processes.get(process.pid)?.looks).toBe(1);
});
