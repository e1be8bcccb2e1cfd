import { parentPort, workerData } from "node:worker_threads";
import { Intake } from "../model/intake.ts";
import type { StackTable } from "../model/stack-table.ts";
import { packStacks, type FromPerfThread, type ToPerfThread } from "./perf-helper.ts";
import { PerfSamples } from "./perf-samples.ts";
import { ToldLines } from "./told-lines.ts";

/** The thread of a `PerfHelper`: reads pieces as they come, and posts all of it in the end. */
const port = parentPort!;
const file = workerData as string;
const intake = new Intake();
const told = new ToldLines(intake, file);
const samples = new PerfSamples(told, file);

const send = (message: FromPerfThread, transfer: ArrayBuffer[] = []): void => port.postMessage(message, transfer);

port.on("message", (message: ToPerfThread) => {
  if (message.kind === "piece") {
    const { bytes, length, base, firstNs } = message;
    samples.firstNs = firstNs;
    samples.read(Buffer.from(bytes, 0, length), base);
    send({ kind: "read", samples: samples.sampleCount, bytes }, [bytes]);
    return;
  }
  const stacks = samples.finish();
  const errors = intake.errors.map(({ code, byteOffset, expected, found }) => ({
    code,
    file,
    byteOffset,
    expected,
    found,
  }));
  send({ kind: "all", stacks: packStacks(stacks), lastNs: samples.lastNs, damaged: told.count, errors }, [
    ...buffersOf(stacks),
  ]);
  port.close();
});
send({ kind: "ready" });

/** The large columns, which are moved and not copied. */
function buffersOf({ stacks, samples: rows }: StackTable): Set<ArrayBuffer> {
  const columns = [stacks.parent, stacks.frame, rows.stack, rows.thread, rows.labelSet, rows.timeOffsetNs];
  return new Set([...columns, ...rows.values].map(({ buffer }) => buffer as ArrayBuffer));
}
