/**
 * Outlives the parent for a moment, to take away what it left: it alone starts
 * and stops PostgreSQL, and knows every folder, cgroup and namespace of the system.
 */
import type { ChildProcess } from "node:child_process";
import { isDeepStrictEqual } from "node:util";
import { removeLeftover } from "./leftovers.ts";
import type { Leftover, Numbered, Reply } from "./messages.ts";
import { startCluster, stopCluster } from "./postgres/cluster.ts";

let leftovers: readonly Leftover[] = [];
let cluster: ChildProcess | undefined;
/** one after the other: a stop waits for the start before it */
let work: Promise<unknown> = Promise.resolve();
const gone = new AbortController();

process.on("message", (message: Numbered) => {
  work = work.then(() =>
    answer(message).then(
      (pid) => reply({ kind: "done", number: message.number, ...(pid === undefined ? {} : { pid }) }),
      (error: Error) => reply({ kind: "failed", number: message.number, message: error.message }),
    ),
  );
});
process.on("SIGINT", () => {});
process.on("SIGHUP", () => {});
process.once("SIGTERM", () => cleanUp());
process.once("disconnect", () => cleanUp());
if (!process.connected) cleanUp();

async function answer(message: Numbered): Promise<number | undefined> {
  switch (message.kind) {
    case "remember":
      leftovers = [...leftovers, message.leftover];
      return undefined;
    case "forget":
      leftovers = leftovers.filter((leftover) => !isDeepStrictEqual(leftover, message.leftover));
      return undefined;
    case "postgres-start":
      cluster = await startCluster(message.plan, gone.signal, (child) => {
        cluster = child;
        child.once("exit", (code, signal) => {
          if (cluster === child)
            reply({ kind: "trouble", message: `PostgreSQL ended (${signal ?? `exit code ${code}`})` });
        });
      });
      return cluster.pid;
    case "postgres-stop":
      await stop("SIGINT");
      return undefined;
    default:
      throw new Error(`the keeper does not know how to ${message.kind}`);
  }
}

function reply(message: Reply): void {
  if (process.connected) process.send?.(message);
}

async function stop(signal: "SIGINT" | "SIGQUIT"): Promise<void> {
  const child = cluster;
  cluster = undefined;
  if (child !== undefined) await stopCluster(child, signal);
}

function cleanUp(): void {
  if (gone.signal.aborted) return;
  gone.abort(new Error("the system is stopped"));
  void work
    .then(async () => {
      await stop("SIGQUIT");
      for (const leftover of leftovers.toReversed()) {
        await removeLeftover(leftover).catch((error: unknown) => console.error(String(error)));
      }
    })
    .finally(() => process.exit(0));
}
