import { expect, test } from "vitest";
import type { LedgerTime, ProcessLedger } from "../../model/process-ledger.ts";
import { StackTableBuilder } from "../../model/stack-table-builder.ts";
import { FrameKind, type StackTable } from "../../model/stack-table.ts";
import { stacksFromText } from "../../testing/stacks-from-text.ts";
import { traceFromText } from "../../testing/trace-from-text.ts";
import type { ServiceMeasure } from "../resources/service-measures.ts";
import { buildWindow, type Window } from "../window.ts";
import { serviceHost, type HostSources } from "./host-times.ts";

const MS = 1e6;

const window = (runtime: string): Promise<Window> =>
  buildWindow(
    traceFromText(`shop GET /  |----|  server process.pid=7 process.runtime.name=${runtime}`),
    async () => {},
  );

/** Ten seconds of process 7: its main thread, and another one. */
const recording = (
  main: Partial<Record<LedgerTime["kind"], number>>,
  other: Partial<Record<LedgerTime["kind"], number>> = {},
): ProcessLedger => {
  const times = (seconds: typeof main): LedgerTime[] =>
    Object.entries(seconds).map(([kind, s]) => ({ kind: kind as LedgerTime["kind"], ns: s * 1000 * MS, idleNs: 0 }));
  return {
    source: "shop-0.json",
    service: "shop",
    name: "node",
    pid: 7,
    startUnixNs: 0n,
    durationNs: 10_000 * MS,
    threads: [
      { pid: 7, tid: 7, name: "main", wallNs: 10_000 * MS, times: times(main) },
      { pid: 7, tid: 8, name: "pool", wallNs: 10_000 * MS, times: times(other) },
    ],
    parts: [],
    preemptedBy: [],
    syscalls: [],
  };
};

async function host(runtime: string, sources: Partial<HostSources>) {
  const found = serviceHost(await window(runtime), "shop", {
    ledgers: [],
    profiles: [],
    measures: undefined,
    ...sources,
  });
  const plain = (times: readonly { kind: string; perSecond: number }[] = []): Record<string, number> =>
    Object.fromEntries(times.map(({ kind, perSecond }) => [kind, Math.round(perSecond * 1e6) / 1e6]));
  return { times: plain(found?.times), beside: plain(found?.loop?.beside), utilisation: found?.loop?.utilisation };
}

const measure = (name: ServiceMeasure["measure"], value: number): ServiceMeasure => ({
  service: "shop",
  measure: name,
  resource: "",
  values: Float64Array.of(value),
  metrics: [name],
  instances: [],
});

test("of an event loop its thread counts, and what the others compute and write stands beside it", async () => {
  const ledger = recording({ cpu: 2, disk: 1, network: 3 }, { cpu: 4, disk: 0.5, lock: 5 });
  expect(await host("nodejs", { ledgers: [ledger] })).toEqual({
    times: { cpu: 0.2, disk: 0.1 },
    beside: { cpu: 0.4, disk: 0.05 },
    utilisation: expect.closeTo(0.3, 9) as number,
  });
  const pool = await host("java", { ledgers: [ledger] });
  expect(pool.times).toEqual({ cpu: 0.6, lock: 0.5, disk: 0.15 });
  expect(pool.utilisation).toBeUndefined();
});

test("what a recording cannot part, others do: collection of processor time, a quota of the wait for a processor", async () => {
  const ledger = recording({ cpu: 2, runnable: 3 });
  // Of ten microseconds half of one in collection: a twentieth of the time.
  const gc = stacksFromText("serve@a.js:1 500\n(garbage collector) 500", {
    kinds: { "(garbage collector)": "gc" },
    durationNs: 10_000,
  });
  const measures = [measure("throttled-time", 0.1)];
  const found = await host("java", { ledgers: [ledger], profiles: [{ source: "shop.pb", stacks: gc }], measures });
  expect(found.times).toEqual({ cpu: 0.15, gc: 0.05, runnable: 0.2, throttled: 0.1 });
});

test("threads beside the loop that share its work, without those that do next to nothing", async () => {
  const thread = (tid: number, seconds: number): ProcessLedger["threads"][number] => ({
    pid: 7,
    tid,
    name: "node",
    wallNs: 10_000 * MS,
    times: [
      { kind: "cpu", ns: seconds * 1000 * MS, idleNs: 0 },
      { kind: "sleep", ns: 1000 * MS, idleNs: 1000 * MS },
    ],
  });
  const poolOf = async (...seconds: number[]) => {
    const ledger = { ...recording({ cpu: 1 }), threads: [7, 8, 9, 10].map((tid, i) => thread(tid, seconds[i] ?? 0)) };
    const sources = { ledgers: [ledger], profiles: [], measures: undefined };
    return serviceHost(await window("nodejs"), "shop", sources)?.loop?.pool;
  };
  expect(await poolOf(1, 6, 0.1)).toEqual({ threads: 1, utilisation: expect.closeTo(0.61, 12) });
  expect(await poolOf(1, 4, 4, 0.05)).toEqual({ threads: 2, utilisation: expect.closeTo(0.4025, 12) });
  expect(await poolOf(1, 3, 3, 3)).toEqual({ threads: 3, utilisation: expect.closeTo(0.3, 12) });
  expect(await poolOf(1)).toBeUndefined();
});

/** Off the processor: a lock of the loop's thread for 1 s, and one of a pool's thread for 5 s, in 10 s. */
function waits(): StackTable {
  const into = new StackTableBuilder();
  const text = (value: string): number => into.strings.intern(value);
  const value = into.valueType("off-cpu", "nanoseconds");
  const process = into.process({ service: text("shop"), pid: 7, durationNs: 10_000 * MS });
  const stack = into.stack(-1, into.frame(text("pthread_mutex_lock"), text("libc.so.6"), -1, FrameKind.native));
  for (const [tid, seconds] of [
    [7, 1],
    [8, 5],
  ] as const) {
    const labels = into.labelSet([
      { key: text("syscall"), value: text("futex"), isText: true },
      { key: text("wait"), value: text("lock-held"), isText: true },
    ]);
    into.setValue(into.sample(stack, into.thread(process, tid, text("")), -1, labels), value, seconds * 1000 * MS);
  }
  return into.finish();
}

test("profiles: of a loop its thread, of others all threads; and nothing where a recording has it all", async () => {
  const profiles = [{ source: "shop.pb", stacks: waits() }];
  expect((await host("nodejs", { profiles })).times).toEqual({ lock: 0.1 });
  expect((await host("java", { profiles })).times).toEqual({ lock: 0.6 });
  expect((await host("java", { profiles, ledgers: [recording({ cpu: 2 })] })).times).toEqual({ cpu: 0.2 });
});

test("without a recording the wait for a processor is what the process counts, without the stops of its quota", async () => {
  const measures = [
    measure("cpu-used", 0.5),
    measure("runnable-main", 0.3),
    measure("runnable-others", 0.4),
    measure("throttled-time", 0.2),
  ];
  // 0.3 + 0.4 - 0.2.
  expect((await host("go", { measures })).times).toEqual({ cpu: 0.5, runnable: 0.5, throttled: 0.2 });
  // Of an event loop its own thread holds requests up, and all of the stops are no more than it is active and not on a processor.
  const loop = [...measures, measure("event-loop-active", 0.6)];
  expect((await host("nodejs", { measures: loop })).times).toEqual({ cpu: 0.5, runnable: 0.2, throttled: 0.1 });
  // A recording of the threads has it already.
  expect((await host("go", { measures, ledgers: [recording({ cpu: 1 })] })).times).toEqual({ cpu: 0.1 });
});
