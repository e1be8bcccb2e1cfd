/**
 * Loaded before a service (`node --import`): the stock SDK with its automatic
 * instrumentations, set up as OpenTelemetry's documentation tells users to. Where
 * it sends to, how often and under which name stands in the usual variables.
 */
import { register } from "node:module";
import { getNodeAutoInstrumentations } from "@opentelemetry/auto-instrumentations-node";
import { HostMetrics } from "@opentelemetry/host-metrics";
import { NodeSDK } from "@opentelemetry/sdk-node";

register("@opentelemetry/instrumentation/hook.mjs", import.meta.url);

new NodeSDK({
  instrumentations: [
    getNodeAutoInstrumentations({
      // A span for each file, socket and name look-up: OpenTelemetry advises against them.
      "@opentelemetry/instrumentation-fs": { enabled: false },
      "@opentelemetry/instrumentation-net": { enabled: false },
      "@opentelemetry/instrumentation-dns": { enabled: false },
      "@opentelemetry/instrumentation-http": { ignoreIncomingRequestHook: (request) => request.url === "/health" },
    }),
  ],
}).start();

// Not the network: its figures come from a shell that is started for each reading.
new HostMetrics({ metricGroups: ["process.cpu", "process.memory", "system.cpu", "system.memory"] }).start();
