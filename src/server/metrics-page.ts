import type { ServerContext } from "./context.ts";

/** The server's own figures in Prometheus' text format; those of the ingest come from itself. */
export function metricsPage({ ingest, analyst, storeState, startedUnixNs, version }: ServerContext): string {
  const memory = process.memoryUsage();
  const cpu = process.cpuUsage();
  const rows: [name: string, type: "gauge" | "counter", help: string, value: number, labels?: string][] = [
    ["longpole_build_info", "gauge", "always 1", 1, `{version=${JSON.stringify(version)}}`],
    ["longpole_store_ready", "gauge", "1 while the store answers", storeState() === "ready" ? 1 : 0],
    ["longpole_analyses_waiting", "gauge", "analyses that run or wait", analyst.waiting],
    ["process_start_time_seconds", "gauge", "start of the process", Number(startedUnixNs / 1_000_000n) / 1e3],
    ["process_resident_memory_bytes", "gauge", "resident memory, without the engine", memory.rss],
    ["process_cpu_seconds_total", "counter", "processor time, without the engine", (cpu.user + cpu.system) / 1e6],
    ["nodejs_heap_used_bytes", "gauge", "heap of JavaScript in use", memory.heapUsed],
    ["nodejs_external_bytes", "gauge", "memory outside of the heap", memory.external + memory.arrayBuffers],
  ];
  const own = rows.map(
    ([name, type, help, value, labels = ""]) =>
      `# HELP ${name} ${help}\n# TYPE ${name} ${type}\n${name}${labels} ${value}\n`,
  );
  return own.join("") + ingest.metricsText();
}
