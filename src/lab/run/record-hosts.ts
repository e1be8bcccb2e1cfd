import { helperPath } from "../../agent/probe-helper.ts";
import { recordProcess } from "../../agent/record-process.ts";
import { runningProcess } from "../../agent/target-process.ts";
import { recordReport } from "../../engine/micro/record-report.ts";
import { writePprof } from "../../formats/write-pprof.ts";
import type { HostRecording } from "../recording/lab-truth.ts";

/** As often as the agent looks. */
const SAMPLES_PER_SECOND = 49;

/**
 * What `longpole record -p PID` tells of each of these processes, all of them looked at at the same time, from now on. pids: by service.
 * A process that ends meanwhile rejects it.
 */
export function recordHosts(
  pids: Readonly<Record<string, readonly number[]>>,
  seconds: number,
  signal: AbortSignal,
): Promise<HostRecording[]> {
  const helper = helperPath(process.env);
  const wanted = Object.entries(pids).flatMap(([service, of]) => of.map((pid) => ({ service, pid })));
  return Promise.all(
    wanted.map(async ({ service, pid }) => {
      const how = { seconds, hz: SAMPLES_PER_SECOND, signal };
      const { recording } = await recordProcess(runningProcess(pid), how, helper);
      const report = recordReport(recording, (flags) => `longpole record -p ${pid} ${flags}`.trim());
      return { service, report: JSON.stringify(report), offCpu: writePprof(recording.offCpu) };
    }),
  );
}
