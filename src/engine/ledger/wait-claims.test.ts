import { describe, expect, test } from "vitest";
import type { LedgerTime, ProcessLedger } from "../../model/process-ledger.ts";
import type { SyscallRow } from "../../model/record-report.ts";
import { SpanKind, type SpanTable } from "../../model/span-table.ts";
import { spansFromRows } from "../../testing/spans-from-rows.ts";
import { diagnose } from "../diagnose.ts";

const MS = 1e6;

/** 300 requests of 8 to 12 ms, one every 20 ms: half a request inside all the time. */
const spans = (factor = 1): SpanTable =>
  spansFromRows(
    Array.from({ length: 300 }, (_, i) => ({
      trace: i + 1,
      id: 1,
      parent: 0,
      startNs: i * 20 * MS,
      endNs: i * 20 * MS + factor * (8 + (i % 5)) * MS,
      kind: SpanKind.server,
      service: "shop",
      name: "GET /",
    })),
  );

interface Seen {
  readonly seconds: Partial<Record<LedgerTime["kind"], number>>;
  readonly preemptedBy?: ProcessLedger["preemptedBy"];
  readonly syscalls?: readonly SyscallRow[];
  readonly what?: string;
  readonly kernel?: Pick<ProcessLedger, "blockIo" | "kernelLocks">;
}

/** Ten seconds of the service's only thread. */
const recorded = ({ seconds, preemptedBy = [], syscalls = [], what = "", kernel = {} }: Seen): ProcessLedger => ({
  source: "shop-0.json",
  service: "shop",
  name: "shop",
  pid: 7,
  startUnixNs: 1_790_000_000_000_000_000n,
  durationNs: 10_000 * MS,
  threads: [
    {
      pid: 7,
      tid: 7,
      name: "main",
      wallNs: 10_000 * MS,
      times: Object.entries(seconds).map(([kind, s]) => ({
        kind: kind as LedgerTime["kind"],
        ns: s * 1000 * MS,
        idleNs: 0,
      })),
    },
  ],
  parts: what === "" ? [] : [{ kind: "lock", what, ns: 1 }],
  preemptedBy,
  syscalls,
  ...kernel,
});

async function loud(seen: Seen, baseline?: SpanTable) {
  const input = { spans: spans(), ledgers: [recorded(seen)], ...(baseline === undefined ? {} : { baseline }) };
  const { findings } = await diagnose(input);
  return findings.filter(({ severity }) => severity !== "note");
}

const row = (syscall: string, more: Partial<SyscallRow>): SyscallRow => ({
  syscall,
  cpuMs: 0,
  waitMs: 0,
  waits: 0,
  frame: "",
  kernelPath: [],
  ...more,
});

describe("half of the time inside (2.5 of 10 s, of half a request) is a wait of the thread", () => {
  test("for a processor, which a process outside of the system got: it is named", async () => {
    const takers = [
      { pid: 4711, name: "backup", count: 80 },
      { pid: 7, name: "shop", count: 20 },
    ];
    const [found, ...others] = await loud({ seconds: { cpu: 1, runnable: 2.5 }, preemptedBy: takers });
    expect(others).toEqual([]);
    expect(found).toMatchObject({ mechanism: "noisy-neighbour", subject: { service: "shop", resource: "run-queue" } });
    expect(found!.chain.map(({ claim }) => claim)[2]).toBe(
      "threads of shop are ready without a processor for 25 % of the time of its busiest thread; backup (pid 4711) got it in 80 % of 100 preemptions, processes outside of these traces in 80 %",
    );
    // Half of the 12 ms at p99 gone.
    expect(found!.impact.predicted / found!.impact.now).toBeCloseTo(0.5, 1);
  });

  test("for a processor, among its own", async () => {
    const [found] = await loud({
      seconds: { cpu: 1, runnable: 2.5 },
      preemptedBy: [{ pid: 7, name: "shop", count: 90 }],
    });
    expect(found!.mechanism).toBe("run-queue");
  });

  test("for its quota", async () => {
    const [found] = await loud({ seconds: { cpu: 1, throttled: 2.5 } });
    expect(found).toMatchObject({ mechanism: "cpu-throttled", subject: { resource: "quota" } });
  });

  test("for a lock, by the function that takes it", async () => {
    const futex = row("futex", {
      waitMs: 2500,
      waits: 500,
      frame: "update (shop)",
      kernelPath: ["do_futex", "futex_wait"],
    });
    const [found] = await loud({ seconds: { cpu: 1, lock: 2.5 }, syscalls: [futex], what: "mutex" });
    expect(found).toMatchObject({
      mechanism: "lock-contention",
      subject: { syscall: "futex", frame: "update (shop)" },
    });
    expect(found!.why).toContain("Mutex holds threads of shop up for 25 %");
  });

  test("for the disk with a sync, by the kernel's path; a function of the runtime is none to change", async () => {
    const sync = row("fdatasync", { waitMs: 2500, frame: "uv__fs_work (node)", kernelPath: ["ext4_sync_file"] });
    const [found] = await loud({ seconds: { cpu: 1, disk: 2.5 }, syscalls: [sync] });
    expect(found).toMatchObject({ mechanism: "fsync", subject: { service: "shop", syscall: "fdatasync" } });
    expect(found!.subject.frame).toBeUndefined();
    expect(found!.why).toContain("in fdatasync through ext4_sync_file");
  });
});

test("what the kernel counts of its disk requests and locks is evidence, as far as it is felt", async () => {
  const seconds = { cpu: 1, disk: 2.5 };
  // 4,000 requests in ten seconds, 2 ms each; of each second 30 ms for locks, or 5 ms, which is not felt.
  const blockIo = { count: 4000, ns: 8e9, bytes: 50e6 };
  const textsOf = async (ns: number): Promise<string[]> => {
    const [found] = await loud({ seconds, kernel: { blockIo, kernelLocks: { count: 600, ns } } });
    return found!.evidence.slice(2).flatMap(({ text, query }) => (query.startsWith("longpole.process.") ? [text] : []));
  };
  const requests = "shop asked disks for 400 requests a second, 5 MB a second, 2.00 ms each";
  expect(await textsOf(3e8)).toEqual([
    requests,
    "threads of shop wait for locks of the kernel itself 30.0 ms of each second, 60 times",
  ]);
  expect(await textsOf(5e7)).toEqual([requests]);
});

test("a fifth of the time is what healthy systems have, and so is what was always so", async () => {
  expect(await loud({ seconds: { cpu: 2, runnable: 1 } })).toEqual([]);
  expect(await loud({ seconds: { cpu: 1, runnable: 2.5 } }, spans())).toEqual([]);
  expect((await loud({ seconds: { cpu: 1, runnable: 2.5 } }, spans(0.5))).map(({ mechanism }) => mechanism)).toContain(
    "run-queue",
  );
});
