/**
 * `node --import longpole/node app.js`: CPU and allocation profiles of the process, each sample with the span that was active,
 * and metrics of event loop, collection, heap and pool of threads; as OTLP to OTEL_EXPORTER_OTLP_ENDPOINT, and to a file where
 * LONGPOLE_PROFILE_FILE names one. Threads of workers are profiled, too. docs/profiles.md has the variables, and what it costs.
 *
 * The program comes first: nothing here throws into it, keeps it alive, opens a port or writes to its output.
 */
import { isMainThread } from "node:worker_threads";

const log = (text: string): void => {
  if (process.env["LONGPOLE_LOG"] === "debug") process.stderr.write(`longpole/node: ${text}\n`);
};

// Imported by what the thread needs: a program may begin workers all the time.
try {
  if (isMainThread) {
    const { startInProcess } = await import("./process-hook.ts");
    startInProcess(process.env, log);
  } else {
    const { startInWorker } = await import("./worker-hook.ts");
    await startInWorker();
  }
} catch (error) {
  // For example a Node without inspector.
  log(`not loaded: ${String(error)}`);
}
