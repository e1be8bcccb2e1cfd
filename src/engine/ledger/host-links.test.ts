import { expect, test } from "vitest";
import type { LedgerTime, ProcessLedger } from "../../model/process-ledger.ts";
import type { Finding, Mechanism } from "../../model/report.ts";
import { sampleReport } from "../../testing/sample-report.ts";
import { traceFromText } from "../../testing/trace-from-text.ts";
import { buildWindow } from "../window.ts";
import { withHostLinks } from "./host-links.ts";

const MS = 1e6;

/** Ten seconds of a thread, in seconds by kind; what is left it had nothing to do. */
const recording = (
  service: string,
  pid: number,
  seconds: Partial<Record<LedgerTime["kind"], number>>,
  preemptedBy: ProcessLedger["preemptedBy"] = [],
): ProcessLedger => {
  const told = Object.entries(seconds).map(([kind, s]) => ({
    kind: kind as LedgerTime["kind"],
    ns: s * 1000 * MS,
    idleNs: 0,
  }));
  const idle = 10_000 * MS - told.reduce((sum, { ns }) => sum + ns, 0);
  return {
    source: `/tmp/${service}-0.json`,
    service,
    name: "node",
    pid,
    startUnixNs: 0n,
    durationNs: 10_000 * MS,
    threads: [
      {
        pid,
        tid: pid,
        name: "main",
        wallNs: 10_000 * MS,
        times: [...told, { kind: "network", ns: idle, idleNs: idle }],
      },
    ],
    parts: [],
    preemptedBy,
    syscalls: [],
  };
};

const finding = (mechanism: Mechanism, service: string): Finding => {
  const [first] = sampleReport().findings;
  return { ...first!, mechanism, severity: "warning", subject: { service }, chain: [], evidence: [], counter: [] };
};

async function linked(one: Finding, ...ledgers: ProcessLedger[]): Promise<Finding> {
  const window = await buildWindow(
    traceFromText(`
      shop GET /  |----|  server host.name=h1 process.pid=1
        cart get   |--|   server host.name=h1 process.pid=2
    `),
    async () => {},
  );
  const recorded = new Map<string, ProcessLedger[]>();
  for (const ledger of ledgers) recorded.set(ledger.service, [...(recorded.get(ledger.service) ?? []), ledger]);
  return withHostLinks([one], recorded, window)[0]!;
}

test("a noisy neighbour is named, and a service of the system by its name", async () => {
  const takers = [
    { pid: 4711, name: "backup", count: 60 },
    { pid: 2, name: "node", count: 40 },
  ];
  const own = recording("shop", 1, { cpu: 2, runnable: 3 }, takers);
  const found = await linked(finding("noisy-neighbour", "shop"), own, recording("cart", 2, { cpu: 1 }));
  expect(found.chain.at(-1)!.claim).toBe(
    "thread main of shop: 30 % ready to run, but without a processor; who got the processor when it was taken away: backup (pid 4711) 60 %, cart 40 % of 100 times",
  );
  expect(found.evidence.at(-1)!.text).toMatch(/\(shop-0\.json\)$/);
});

test("of a host the busiest of its services' threads stands for it", async () => {
  const found = await linked(
    finding("run-queue", "h1"),
    recording("shop", 1, { cpu: 2, runnable: 1 }),
    recording("cart", 2, { cpu: 4, runnable: 2 }),
  );
  expect(found.chain.at(-1)!.claim).toBe("thread main of cart: 20 % ready to run, but without a processor");
});

test("few preemptions name nobody", async () => {
  const few = [{ pid: 4711, name: "backup", count: 19 }];
  const found = await linked(finding("run-queue", "shop"), recording("shop", 1, { runnable: 3 }, few));
  expect(found.chain.at(-1)!.claim).not.toContain("backup");
});

test("what the kernel counts and did not see speaks against it; processor time does not", async () => {
  const busy = recording("shop", 1, { cpu: 5 });
  const doubted = await linked(finding("fsync", "shop"), busy);
  expect([doubted.chain.length, doubted.counter]).toEqual([
    0,
    [
      "the host shows nothing of it: thread main of shop was waiting for the disk for less than 1 % of the time while it was looked at",
    ],
  ]);
  expect((await linked(finding("cpu-saturated", "shop"), busy)).counter).toEqual([]);
});

test("other mechanisms, other services and notes stay as they are", async () => {
  const own = recording("shop", 1, { runnable: 3 });
  for (const one of [
    finding("slow-query", "shop"),
    finding("run-queue", "pay"),
    { ...finding("run-queue", "shop"), severity: "note" as const },
  ])
    expect(await linked(one, own)).toBe(one);
});
