/**
 * Outlives the parent for a moment, to take away what it left: it alone starts
 * and stops PostgreSQL, and knows every folder, cgroup and namespace of the system.
 */
import type { ChildProcess } from "node:child_process";
import { isDeepStrictEqual } from "node:util";
import { removeLeftover } from "./leftovers.ts";
import { CONFIG_VARIABLE, type KeeperConfig, type Leftover, type Numbered } from "./messages.ts";
import { obeyParent, tellParent } from "./obey-parent.ts";
import { startCluster, stopCluster } from "./postgres/cluster.ts";

const { removeAtEnd } = JSON.parse(process.env[CONFIG_VARIABLE] ?? "") as KeeperConfig;
let leftovers: readonly Leftover[] = [];
let cluster: ChildProcess | undefined;
let starting: Promise<unknown> = Promise.resolve();
const gone = new AbortController();

obeyParent({ answer, end: cleanUp, orphaned: cleanUpForParent });

async function answer(message: Numbered): Promise<number | undefined> {
  switch (message.kind) {
    case "remember":
      leftovers = [...leftovers, message.leftover];
      return undefined;
    case "remove":
      await removeLeftover(message.leftover);
      leftovers = leftovers.filter((leftover) => !isDeepStrictEqual(leftover, message.leftover));
      return undefined;
    case "postgres-start": {
      const started = startCluster(message.plan, gone.signal, watch);
      starting = started.catch(() => {});
      return (await started).pid;
    }
    case "postgres-stop":
      await stop("SIGINT");
      return undefined;
    default:
      throw new Error(`the keeper does not know how to ${message.kind}`);
  }
}

function watch(child: ChildProcess): void {
  cluster = child;
  child.once("exit", (code, signal) => {
    if (cluster === child)
      tellParent({ kind: "trouble", message: `PostgreSQL ended (${signal ?? `exit code ${code}`})` });
  });
}

async function stop(signal: "SIGINT" | "SIGQUIT"): Promise<void> {
  const child = cluster;
  cluster = undefined;
  if (child !== undefined) await stopCluster(child, signal);
}

async function cleanUp(): Promise<void> {
  gone.abort(new Error("the system is stopped"));
  await starting;
  await stop("SIGQUIT");
  await removeAll(leftovers.toReversed());
}

/** What the parent would have removed after the system, too. */
async function cleanUpForParent(): Promise<void> {
  await cleanUp();
  await removeAll(removeAtEnd.map((path) => ({ kind: "folder", path })));
}

async function removeAll(all: readonly Leftover[]): Promise<void> {
  for (const leftover of all) {
    await removeLeftover(leftover).catch((error: unknown) => console.error(String(error)));
  }
}
