import { expect, test } from "vitest";
import { decodeRecordReport } from "../../formats/record-report.ts";
import { detectKind } from "../../formats/detect-kind.ts";
import type { ProcessRecording } from "../../model/process-recording.ts";
import { stacksFromText } from "../../testing/stacks-from-text.ts";
import { traceFromText } from "../../testing/trace-from-text.ts";
import { recordReport } from "../micro/record-report.ts";
import { buildWindow } from "../window.ts";
import { matchLedgers } from "./services-of-ledgers.ts";

const NONE = -1;
const RECORDING: ProcessRecording = {
  collector: "helper",
  pid: 4242,
  command: "/srv/shop --port 80",
  name: "shop",
  startUnixNs: 1_790_000_000_000_000_000n,
  durationNs: 1e10,
  processors: 2,
  threads: [
    {
      pid: 4242,
      tid: 4242,
      name: "main",
      wallNs: 1e10,
      cpuNs: 4e9,
      runnableNs: 1e9,
      blockedNs: 5e9,
      waits: 9,
      preemptions: 1,
    },
  ],
  onCpu: stacksFromText("main;serve 4000000000"),
  offCpu: stacksFromText("main;nap 5000000000", { type: "off-cpu" }),
  faults: stacksFromText("", { type: "page-faults" }),
  counters: {
    readCalls: NONE,
    writeCalls: NONE,
    readBytes: NONE,
    writtenBytes: NONE,
    diskReadBytes: NONE,
    diskWrittenBytes: NONE,
    minorFaults: NONE,
    majorFaults: NONE,
    voluntarySwitches: NONE,
    involuntarySwitches: NONE,
    schedRunNs: NONE,
    schedWaitNs: NONE,
    throttledPeriods: NONE,
    throttledNs: NONE,
    quotaCores: NONE,
    residentBytes: NONE,
    swappedBytes: NONE,
  },
  histograms: [],
  preemptedBy: [],
  quality: {
    samples: 1,
    rooted: 1,
    named: 1,
    lostSamples: 0,
    stacksSkipped: 0,
    notObserved: [],
    remarks: [],
    cost: undefined,
  },
};

const bytes = (): Uint8Array =>
  new TextEncoder().encode(JSON.stringify(recordReport(RECORDING, () => "longpole record")));

test("what record writes is told by its beginning, and read back", () => {
  expect(detectKind(bytes())).toMatchObject({ kind: "profile", format: "record" });
  const ledger = decodeRecordReport(bytes(), "x.json");
  const kinds = Object.fromEntries(ledger.threads[0]!.times.map(({ kind, ns }) => [kind, Math.round(ns / 1e6)]));
  expect(kinds).toMatchObject({ cpu: 4000, runnable: 1000 });
});

const window = () =>
  buildWindow(
    traceFromText(`
      front GET /  |--------|  server process.pid=1
        shop buy     |----|    server process.pid=4242
          pay SELECT   |-|     client db.system=postgresql db.namespace=orders_db
    `),
    async () => {},
  );

test.each([
  ["orders_db-0.json", "orders_db"],
  ["front-12.json", "front"],
  ["front.json.gz", "front"],
  // By the process id of its spans.
  ["whatever.json", "shop"],
])("%s is of %s", async (file, service) => {
  const ledger = decodeRecordReport(bytes(), `/tmp/${file}`);
  expect([...matchLedgers(await window(), [ledger]).services.keys()]).toEqual([service]);
});

test("a process that no span tells of, under a name of none: said, not guessed", async () => {
  const ledger = { ...decodeRecordReport(bytes(), "x.json"), pid: 5, name: "node" };
  const { services, warnings } = matchLedgers(await window(), [ledger]);
  expect(services.size).toBe(0);
  expect(warnings).toEqual([expect.stringContaining("x.json")]);
});
