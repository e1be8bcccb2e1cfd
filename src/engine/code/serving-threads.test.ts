import { expect, test } from "vitest";
import { StackTableBuilder } from "../../model/stack-table-builder.ts";
import { assertStackTable, FrameKind, SPAN_LABEL, type StackTable } from "../../model/stack-table.ts";
import { traceFromText } from "../../testing/trace-from-text.ts";
import { buildWindow } from "../window.ts";
import { matchProfiles, type ServiceCode } from "./service-profiles.ts";
import { ofServingThreads } from "./serving-threads.ts";

const MS = 1e6;

/**
 * Process 7 for a second: its thread 7 works for 100 ms in 50 samples and idles; worker 9 works all the time in 500, 20 of them
 * within a span of its own.
 */
function profile(): StackTable {
  const into = new StackTableBuilder();
  const text = (value: string): number => into.strings.intern(value);
  const wall = into.valueType("wall", "nanoseconds");
  const window = { service: text("shop"), pid: 7, startUnixNs: 1_790_000_000_000_000_000n, durationNs: 1000 * MS };
  const main = into.thread(into.process(window), 7, text("main"));
  const worker = into.thread(into.process(window), 9, text("worker 1 resize.js"));
  const span = into.labelSet([{ key: text(SPAN_LABEL), value: text("b7ad6b7169203331"), isText: true }]);
  const add = (name: string, thread: number, ms: number, labels = 0, kind: FrameKind = FrameKind.user): void => {
    const frame = into.frame(text(name), text("/srv/shop.js"), 7, kind);
    into.setValue(into.sample(into.stack(-1, frame), thread, 0, labels), wall, ms * MS);
  };
  for (let i = 0; i < 50; i++) add("handle", main, 2);
  add("(idle)", main, 900, 0, FrameKind.idle);
  for (let i = 0; i < 500; i++) add("resize", worker, 2, i < 20 ? span : 0);
  return into.finish();
}

const codeOf = async (runtime: string): Promise<ServiceCode> => {
  const spans = traceFromText(`shop GET /  |----|  server process.runtime.name=${runtime}`);
  const window = await buildWindow(spans, async () => {});
  const stacks = profile();
  // Its time is another one than that of the spans, which is not what is looked at here.
  stacks.processes.startUnixNs.fill(-1n);
  return matchProfiles(window, [{ source: "shop-0.pb", stacks }]).services.get("shop")!;
};

test("what a worker of an event loop does is no work of the thread that requests wait for", async () => {
  const node = await codeOf("nodejs");
  // 50 samples of the thread and 20 that name a span; (100 + 40) / (1000 + 40) ms.
  expect([node.profile.busySamples, node.busyShare]).toEqual([70, 140 / 1040]);
  // All threads of another runtime serve requests: (100 + 1000) / 2000 ms.
  const other = await codeOf("jvm");
  expect([other.profile.busySamples, other.busyShare]).toEqual([550, 1100 / 2000]);
});

test("a process of which only workers are left was not looked at; without workers the table is the same one", () => {
  const table = profile();
  const served = ofServingThreads(table);
  assertStackTable(served);
  expect(served.samples.rowCount).toBe(51 + 20);
  expect(Array.from(served.processes.durationNs)).toEqual([1000 * MS, 1000 * MS]);
  const unnamed = { ...table, samples: { ...table.samples, labelSet: table.samples.labelSet.map(() => 0) } };
  expect(Array.from(ofServingThreads(unnamed).processes.durationNs)).toEqual([1000 * MS, -1]);
  const alone = { ...table, threads: { ...table.threads, tid: table.threads.tid.map(() => 7) } };
  expect(ofServingThreads(alone)).toBe(alone);
});
