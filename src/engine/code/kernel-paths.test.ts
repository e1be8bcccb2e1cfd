import { describe, expect, test } from "vitest";
import type { ProcessLedger } from "../../model/process-ledger.ts";
import type { SyscallRow } from "../../model/record-report.ts";
import { SpanKind } from "../../model/span-table.ts";
import { spansFromRows } from "../../testing/spans-from-rows.ts";
import { stacksFromText } from "../../testing/stacks-from-text.ts";
import { diagnose } from "../diagnose.ts";

const MS = 1e6;

const row = (syscall: string, more: Partial<SyscallRow> = {}): SyscallRow => ({
  syscall,
  cpuMs: 0,
  waitMs: 0,
  waits: 0,
  frame: "",
  kernelPath: [],
  ...more,
});

const ledger = (...syscalls: SyscallRow[]): ProcessLedger => ({
  source: "shop-0.json",
  service: "shop",
  name: "node",
  pid: 1,
  startUnixNs: 1_790_000_000_000_000_000n,
  durationNs: 10_000 * MS,
  threads: [],
  parts: [],
  preemptedBy: [],
  syscalls,
});

const spans = spansFromRows(
  Array.from({ length: 300 }, (_, i) => ({
    trace: i + 1,
    id: 1,
    parent: 0,
    startNs: i * 10 * MS,
    endNs: i * 10 * MS + (5 + (i % 7)) * MS,
    kind: SpanKind.server,
    service: "shop",
    name: "POST /",
  })),
);

/** A thread that syncs for 300 of 900 busy samples. */
const stacks = stacksFromText(
  [
    ...Array.from({ length: 300 }, () => `take@a.ts:1;save@a.ts:60;fsyncSync@node:fs:1 ${MS}`),
    ...Array.from({ length: 600 }, (_, i) => `take@a.ts:1;step${i % 20}@a.ts:${100 + (i % 20)} ${MS}`),
    ...Array.from({ length: 100 }, () => `(idle) ${MS}`),
  ].join("\n"),
  { type: "wall", kinds: { "(idle)": "idle", "node:fs": "runtime" } },
);

const fsyncFinding = async (...ledgers: ProcessLedger[]) => {
  const { findings } = await diagnose({ spans, profiles: [{ source: "shop-0.cpuprofile", stacks }], ledgers });
  return findings.find(({ mechanism }) => mechanism === "fsync")!;
};

describe("a claim about syncs, with what the host saw", () => {
  // Of ten seconds 2 s in 400 waits: 20 % of the time, 40 a second, 5 ms each; half a percent of a processor is not told.
  const sync = row("fdatasync", {
    cpuMs: 20,
    waitMs: 2000,
    waits: 400,
    kernelPath: ["do_fsync", "ext4_sync_file", "jbd2_log_wait_commit"],
  });

  test("names the system call and the kernel's path", async () => {
    const found = await fsyncFinding(ledger(row("write", { cpuMs: 3000 }), sync));
    expect(found.subject).toMatchObject({ service: "shop", frame: "save (a.ts:60)", syscall: "fdatasync" });
    const path =
      "in the kernel fdatasync waits for 20 % of the time (40 waits a second), in do_fsync → ext4_sync_file → jbd2_log_wait_commit";
    expect(found.chain.at(-1)!.claim).toBe(path);
    expect(found.evidence[found.chain.at(-1)!.evidence[0]!]!.text).toBe(`${path}, 5.00 ms each wait (shop-0.json)`);
  });

  test("processes of one service count together; the path is that of the one with most", async () => {
    const other = { ...ledger(row("fdatasync", { waitMs: 1000, waits: 100 })), source: "shop-1.json" };
    expect((await fsyncFinding(ledger(sync), other)).chain.at(-1)!.claim).toContain(
      "waits for 30 % of the time (50 waits",
    );
  });

  test("without such a call in the recording nothing is claimed of the kernel", async () => {
    const found = await fsyncFinding(ledger(row("write", { cpuMs: 3000 })));
    expect(found.subject.syscall).toBeUndefined();
    expect(found.chain.at(-1)!.claim).not.toContain("in the kernel");
  });
});
