import { fork, type ChildProcess, type ForkOptions } from "node:child_process";
import { fileURLToPath } from "node:url";
import { Worker, type WorkerOptions } from "node:worker_threads";

/**
 * Modules that run on their own, found beside the one that starts them: compiled ones as they are; in the sources,
 * for tests, with tsx to load them.
 */

/** The module `name` beside `moduleUrl` as a process. */
export function forkSibling(moduleUrl: string, name: string, options: ForkOptions): ChildProcess {
  const url = siblingUrl(moduleUrl, name);
  const hasLoader = !isSource(url) || process.execArgv.some((argument) => /\btsx\b/.test(argument));
  const execArgv = hasLoader ? process.execArgv : [...process.execArgv, "--import", "tsx"];
  return fork(fileURLToPath(url), { ...options, execArgv });
}

/** The module `name` beside `moduleUrl` as a thread of this process. */
export function siblingThread(moduleUrl: string, name: string, options: WorkerOptions): Worker {
  const url = siblingUrl(moduleUrl, name);
  if (!isSource(url)) return new Worker(url, options);
  // tsx loads nothing in a thread by itself.
  const code = `import("tsx/esm/api").then((tsx) => { tsx.register(); return import("${url.href}"); });`;
  return new Worker(code, { ...options, eval: true });
}

function siblingUrl(moduleUrl: string, name: string): URL {
  return new URL(`${name}${moduleUrl.endsWith(".ts") ? ".ts" : ".js"}`, moduleUrl);
}

function isSource(url: URL): boolean {
  return url.pathname.endsWith(".ts");
}
