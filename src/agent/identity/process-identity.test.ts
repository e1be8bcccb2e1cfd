import { spawn, type ChildProcess } from "node:child_process";
import { copyFileSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach, expect, test } from "vitest";
import { DirectPeek } from "../counters/process-peek.ts";
import { ProcessTable } from "../counters/process-table.ts";
import { ProcessIdentities } from "./process-identity.ts";

let folder = "";
let child: ChildProcess | undefined;
const table = new ProcessTable();
beforeEach(() => (folder = mkdtempSync(join(tmpdir(), "longpole-identity-"))));
afterEach(() => {
  // Its group: what it began as well.
  if (child?.pid !== undefined) process.kill(-child.pid, "SIGKILL");
  table.close();
  rmSync(folder, { recursive: true, force: true });
});

/** The first process that a process began, once it is called as it means to be. */
async function childOf(pid: number, title: string): Promise<number> {
  for (;;) {
    const [first] = readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").trim().split(" ");
    if (first !== "" && readFileSync(`/proc/${first}/cmdline`, "utf8").startsWith(title)) return Number(first);
    await sleep(5);
  }
}

test("a database tells where its data is, and what it began tells it, too; of the environment only what is of the place", async () => {
  // A program of that name that begins another one, which writes over its command line as PostgreSQL does.
  const postgres = join(folder, "postgres");
  copyFileSync("/bin/bash", postgres);
  const script = `( exec -a "postgres: shop" "$0" -c "sleep 60; :" ) & wait`;
  child = spawn(postgres, ["-c", script, postgres, "-D", "/srv/pg/a"], {
    stdio: "ignore",
    detached: true,
    env: { PATH: process.env["PATH"] ?? "", OTEL_RESOURCE_ATTRIBUTES: "service.version=7,k8s.namespace.name=shop" },
  });
  const backend = await childOf(child.pid!, "postgres: shop");
  table.look();
  const identities = new ProcessIdentities(new DirectPeek(), () => [5432]);
  const own = await identities.find(table.processes.get(child.pid!)!);
  const begun = await identities.find(table.processes.get(backend)!);
  for (const identity of [own!, begun!]) {
    expect([identity.name, identity.origin]).toEqual(["postgres", "database"]);
    expect(Object.fromEntries(identity.attributes)).toEqual({
      "k8s.namespace.name": "shop",
      "longpole.database.instance": "/srv/pg/a",
    });
  }
  expect(own!.ports).toEqual([5432]);
});
