import { expect, test } from "vitest";
import { InputError } from "../model/intake.ts";
import { decodeRecordReport } from "./record-report.ts";

const REPORT = {
  schema: "longpole.report/1",
  recording: {
    pid: 7,
    name: "shop",
    durationMs: 2000,
    threads: [
      {
        pid: 7,
        tid: 8,
        name: "worker",
        wallMs: 2000,
        busyShare: 0.5,
        ledger: [
          { timeKind: "cpu", share: 0.25, idleShare: 0 },
          { timeKind: "network", share: 0.5, idleShare: 0.4 },
        ],
      },
    ],
    preemptedBy: [{ pid: 9, name: "backup", count: 12 }],
    syscalls: [
      {
        syscall: "fsync",
        cpuMs: 1,
        waitMs: 200,
        waits: 20,
        frame: "save (shop)",
        kernelPath: ["do_fsync", "io_schedule"],
      },
    ],
  },
  window: { startUnixNs: "1790000000000000000", endUnixNs: "1790000002000000000" },
  ledger: [{ timeKind: "disk", share: 0.1, ms: 200, parts: [{ what: "fsync", ms: 200, count: 20 }] }],
};

const decode = (value: unknown) => decodeRecordReport(new TextEncoder().encode(JSON.stringify(value)), "shop-0.json");

/** The report with another value at a path. */
const without = (change: (report: typeof REPORT) => void): unknown => {
  const report = structuredClone(REPORT);
  change(report);
  return report;
};

test("times of threads, in nanoseconds, with what was idle", () => {
  const ledger = decode(REPORT);
  expect(ledger).toMatchObject({ pid: 7, name: "shop", service: "", durationNs: 2e9, source: "shop-0.json" });
  expect(ledger.startUnixNs).toBe(1_790_000_000_000_000_000n);
  expect(ledger.threads[0]!.times).toEqual([
    { kind: "cpu", ns: 0.5e9, idleNs: 0 },
    { kind: "network", ns: 1e9, idleNs: 0.8e9 },
  ]);
  expect(ledger.parts).toEqual([{ kind: "disk", what: "fsync", ns: 2e8 }]);
  expect(ledger.preemptedBy).toEqual([{ pid: 9, name: "backup", count: 12 }]);
  expect(ledger.syscalls).toEqual(REPORT.recording.syscalls);
});

test("one of before idling was told: waits for the network may have been for nothing", () => {
  const old = without(({ recording }) => {
    for (const row of recording.threads[0]!.ledger) Reflect.deleteProperty(row, "idleShare");
  });
  expect(decode(old).threads[0]!.times.map(({ idleNs }) => idleNs)).toEqual([0, 1e9]);
});

test.each([
  ["recording.threads[0].wallMs", (r: typeof REPORT) => void (r.recording.threads[0]!.wallMs = -1)],
  [
    "recording.threads[0].ledger[1].timeKind",
    (r: typeof REPORT) => void (r.recording.threads[0]!.ledger[1]!.timeKind = "tea"),
  ],
  ["window.startUnixNs", (r: typeof REPORT) => void (r.window.startUnixNs = "yesterday")],
  ["recording", (r: typeof REPORT) => void Reflect.deleteProperty(r, "recording")],
])("names the field that is wrong: %s", (field, change) => {
  const failed = (): unknown => decode(without(change));
  expect(failed).toThrow(InputError);
  expect(failed).toThrow(`at ${field}`);
});

test("JSON that breaks off is told as that", () => {
  const bytes = new TextEncoder().encode(JSON.stringify(REPORT).slice(0, 100));
  expect(() => decodeRecordReport(bytes, "shop-0.json")).toThrow("shop-0.json: expected JSON of longpole record");
});
