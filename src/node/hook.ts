/**
 * `node --import longpole/node app.js`: CPU and allocation profiles of the process, each sample with the span that was active,
 * and metrics of event loop, collection, heap and pool of threads; as OTLP to OTEL_EXPORTER_OTLP_ENDPOINT, and to a file where
 * LONGPOLE_PROFILE_FILE names one. docs/profiles.md has the variables, and what it costs.
 *
 * The program comes first: nothing here throws into it, keeps it alive, opens a port or writes to its output.
 */
import { hookSettings } from "./hook-settings.ts";
import { isMainThread } from "node:worker_threads";
import { ProcessHook } from "./process-hook.ts";

// A thread of its own has no event loop that requests wait for; what it costs is in the process's processor time.
if (isMainThread) {
  const isTalking = process.env["LONGPOLE_LOG"] === "debug";
  const log = (text: string): void => {
    if (isTalking) process.stderr.write(`longpole/node: ${text}\n`);
  };
  try {
    const settings = hookSettings(process.env);
    for (const remark of settings.remarks) log(remark);
    new ProcessHook(settings, log).start();
  } catch (error) {
    // For example a Node without inspector.
    log(`not loaded: ${String(error)}`);
  }
}
