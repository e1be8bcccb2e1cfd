/*
 * The process that is ClickHouse. libchdb.so is the whole server; its exported `query_stable_v2(argc, argv)` is
 * clickhouse-local's main. Its query starts the listeners and then never ends. It runs in a thread of its own, so
 * that this one sees when the parent is gone, even if that was killed.
 *
 * argv: library, configuration, query.
 */
import { DataType, load, open } from "ffi-rs";
import { unmapCode } from "./unmap-code.ts";

const ENGINE = "engine";
/** How often is looked whether code is to be given up, and how much processor time it has to have used since the last time. */
const LOOK_MS = 10_000;
const WORK_US = 500_000;

function main(): void {
  const [library, config, query] = process.argv.slice(2);
  if (library === undefined || config === undefined || query === undefined || !process.connected) process.exit(2);
  // Ctrl-C and the end of a terminal are for the parent, which stops this process in its turn.
  for (const signal of ["SIGINT", "SIGHUP"] as const) process.on(signal, () => {});
  process.once("disconnect", end);
  process.once("SIGTERM", end);
  open({ library: ENGINE, path: library });
  const argv = ["clickhouse", `--config-file=${config}`, "--log-level=warning", `--query=${query}`];
  load({
    library: ENGINE,
    funcName: "query_stable_v2",
    retType: DataType.External,
    paramsType: [DataType.I32, DataType.StringArray],
    paramsValue: [argv.length, argv],
    runInNewThread: true,
  }).then(
    () => {
      console.error("the engine's query ended, which it never should");
      process.exit(3);
    },
    (error: unknown) => {
      console.error(`the engine's entry query_stable_v2 failed: ${String(error)}`);
      process.exit(4);
    },
  );
  unmapNowAndThen(library);
}

/** After work, the start included. What that goes on using is mapped again in some milliseconds. */
function unmapNowAndThen(library: string): void {
  let before: NodeJS.CpuUsage | undefined;
  const timer = setInterval(() => {
    const { user, system } = process.cpuUsage(before);
    if (user + system < WORK_US) return;
    before = process.cpuUsage();
    try {
      unmapCode(library);
    } catch (error) {
      console.error(`memory of code is not given up: ${String(error)}`);
      clearInterval(timer);
    }
  }, LOOK_MS);
}

/** At once: what was acknowledged is on the disk, and destructors that run beside the engine's threads can hang. */
function end(): void {
  process.kill(process.pid, "SIGKILL");
}

main();
