import { describe, expect, test } from "vitest";
import { Random } from "../../analysis/random.ts";
import type { Finding } from "../../model/report.ts";
import { SpanKind, type SpanTable } from "../../model/span-table.ts";
import { spansFromRows, type SpanRow } from "../../testing/spans-from-rows.ts";
import { stacksFromText } from "../../testing/stacks-from-text.ts";
import { diagnose } from "../diagnose.ts";
import type { ProfileInput } from "./service-profiles.ts";

const MS = 1e6;

/**
 * A service with one thread: requests come at random, 100 a second, and each is worked on for
 * `workMs` (half to one and a half of it) in the order of arrival. Returns also the p99 in milliseconds.
 */
function oneThread(workMs: number, requests = 3000): { spans: SpanTable; p99Ms: number } {
  const random = new Random(7);
  const rows: SpanRow[] = [];
  const durations: number[] = [];
  let now = 0;
  let freeAt = 0;
  for (let i = 1; i <= requests; i++) {
    now += -Math.log(1 - random.uniform()) * 10 * MS;
    freeAt = Math.max(now, freeAt) + workMs * (0.5 + random.uniform()) * MS;
    durations.push((freeAt - now) / MS);
    const span = { trace: i, id: 1, parent: 0, startNs: now, endNs: freeAt };
    rows.push({ ...span, kind: SpanKind.server, service: "ingest", name: "POST /points" });
  }
  const p99Ms = durations.sort((a, b) => a - b)[Math.floor(0.99 * requests)]!;
  return { spans: spansFromRows(rows), p99Ms };
}

const KINDS = {
  "(idle)": "idle",
  "(garbage collector)": "gc",
  "node:fs": "runtime",
  "node:internal": "runtime",
  fsync: "native",
  writeString: "native",
} as const;

/**
 * A profile of 1,000 busy samples of 1 ms as drawn (shares in per mille), in ten rounds after one another, and idle ones up
 * to `busyShare`.
 */
function profile(busyShare: number, picture: string): ProfileInput {
  const lines = picture
    .trim()
    .split("\n")
    .flatMap((line) => {
      const at = line.trim().lastIndexOf(" ");
      return Array.from(
        { length: Number(line.trim().slice(at + 1)) / 10 },
        () => `${line.trim().slice(0, at)} 1000000`,
      );
    });
  const rounds = Array.from({ length: 10 }, () => lines).flat();
  const idle = Array.from({ length: Math.round(1000 / busyShare) - 1000 }, () => "(idle) 1000000");
  const stacks = stacksFromText([...rounds, ...idle].join("\n"), { type: "wall", isTimed: true, kinds: KINDS });
  return { source: "profiles/ingest-0.cpuprofile", stacks };
}

const HUNGRY = `
  take@ingest.ts:90;writePoint@ingest.ts:60;fsyncSync@node:fs:1321;fsync 400
  take@ingest.ts:90;parseLine@ingest.ts:42 130
  (garbage collector) 160
  take@ingest.ts:90;parseLine@ingest.ts:42 120
  take@ingest.ts:90;writePoint@ingest.ts:60;writeSync@node:fs:900;writeString 120
  take@ingest.ts:90 70`;

/** Nothing stands out: every function is small, and the runtime's own work is the rest. */
const PLAIN = `${Array.from({ length: 10 }, (_, i) => `  take@ingest.ts:90;step${i}@ingest.ts:${100 + i} 60`).join("\n")}
  (garbage collector) 50
  processTicks@node:internal:1 350`;

async function findings(spans: SpanTable, ...profiles: ProfileInput[]): Promise<Finding[]> {
  return [...(await diagnose({ spans, profiles })).findings];
}

describe("a service at the limit of its thread", () => {
  const busy = oneThread(9);

  test("each cause by its function, in the order in which they pay", async () => {
    const found = (await findings(busy.spans, profile(0.9, HUNGRY))).filter(({ severity }) => severity !== "note");
    expect(found.map(({ mechanism, subject }) => `${mechanism} ${subject.service} ${subject.frame ?? ""}`)).toEqual([
      "fsync ingest writePoint (ingest.ts:60)",
      "slow-code ingest parseLine (ingest.ts:42)",
      "excessive-syscalls ingest writePoint (ingest.ts:60)",
      // Who ran before the collections, as drawn.
      "garbage-collection ingest parseLine (ingest.ts:42)",
    ]);
    const [first] = found;
    expect(first!.title).toBe(
      "writePoint (ingest.ts:60) waits for the disk with fsyncSync: 40 % of the busy time of ingest",
    );
    expect(first!.why).toContain(
      "In the order in which they pay: syncs in writePoint 40 %, code in parseLine 25 %, writes in writePoint 12 %, garbage collection 11 %",
    );
    expect(first!.evidence.filter(({ kind }) => kind === "stack")).toHaveLength(1);
    for (const { chain, evidence } of found)
      for (const link of chain) for (const at of link.evidence) expect(evidence[at]).toBeDefined();
  });

  test("predicts what the same queue gives without it", async () => {
    const found = await findings(busy.spans, profile(0.9, HUNGRY));
    for (const [mechanism, share] of [
      ["fsync", 0.4],
      ["slow-code", 0.25],
    ] as const) {
      const { impact } = found.find((one) => one.mechanism === mechanism)!;
      const measured = oneThread(9 * (1 - share)).p99Ms;
      expect(impact.metric).toBe("p99");
      expect(impact.now).toBeCloseTo(busy.p99Ms, 0);
      // Of what is gained, a fifth off at most: a queue of 3,000 requests is not its mean.
      expect(Math.abs(impact.predicted - measured)).toBeLessThan(0.2 * (busy.p99Ms - measured));
    }
  });

  test("without a profile the same traces name no function", async () => {
    expect((await findings(busy.spans)).every(({ subject }) => subject.frame === undefined)).toBe(true);
  });
});

test("one function is one finding, whichever operations of its service run it; the others are told in it", async () => {
  const rows: SpanRow[] = [];
  for (let i = 1; i <= 3000; i++) {
    const startNs = i * 10 * MS;
    const name = i % 3 === 0 ? "POST /batches" : "POST /points";
    const span = { trace: i, id: 1, parent: 0, startNs, endNs: startNs + (4 + (i % 50) / 10) * MS };
    rows.push({ ...span, kind: SpanKind.server, service: "ingest", name });
  }
  const found = await findings(spansFromRows(rows), profile(0.9, HUNGRY));
  const synced = found.filter(({ mechanism }) => mechanism === "fsync");
  expect(synced.map(({ subject }) => subject.frame)).toEqual(["writePoint (ingest.ts:60)"]);
  const [{ impact, why }] = synced as [Finding];
  const other = impact.endpoint.operation === "POST /points" ? "POST /batches" : "POST /points";
  expect(why).toContain(`Also at ingest ${other}: `);
});

describe("healthy", () => {
  test("an ordinary profile of a service that is not busy raises nothing above a note", async () => {
    const calm = oneThread(2);
    const report = await diagnose({ spans: calm.spans, profiles: [profile(0.2, PLAIN)] });
    expect(report.findings.filter(({ severity }) => severity !== "note")).toEqual([]);
    expect(report.checkedNotCause.map(({ detail }) => detail)).toContain(
      "by their profiles busy for less than half of the time: ingest 20 %",
    );
  });

  test("nor does one hot function of a service with time to spare: programs spend time somewhere", async () => {
    const found = await findings(
      oneThread(2).spans,
      profile(0.2, "take@ingest.ts:90;parseLine@ingest.ts:42 900\n(garbage collector) 100"),
    );
    expect(found.filter(({ severity }) => severity !== "note")).toEqual([]);
    expect(found.some(({ subject }) => subject.frame === "parseLine (ingest.ts:42)")).toBe(true);
  });

  test("nor does what a service hardly ever does: the way to it is no wait for its thread", async () => {
    const random = new Random(3);
    const rows: SpanRow[] = [];
    for (let i = 1; i <= 2000; i++) {
      const startNs = i * 50 * MS;
      const [there, work] = [random.uniform() * 40 * MS, (1 + random.uniform()) * MS];
      const call = { trace: i, startNs, endNs: startNs + there + work, service: "web", name: "POST /points" };
      rows.push({ ...call, id: 1, parent: 0, kind: SpanKind.server });
      rows.push({ ...call, id: 2, parent: 1, kind: SpanKind.client, name: "POST" });
      const served = { trace: i, id: 3, parent: 2, startNs: startNs + there, endNs: startNs + there + work };
      rows.push({ ...served, kind: SpanKind.server, service: "ingest", name: "POST /points" });
    }
    const collecting = profile(0.04, "take@ingest.ts:90;parseLine@ingest.ts:42 700\n(garbage collector) 300");
    const found = await findings(spansFromRows(rows), collecting);
    // Without it a request gains a quarter of 2 ms of 42.
    expect(found.filter(({ mechanism }) => mechanism === "garbage-collection")).toEqual([]);
  });

  test("too few samples say nothing", async () => {
    const few = stacksFromText("take@ingest.ts:90;fsyncSync@node:fs:1 1000000\n".repeat(50), {
      type: "wall",
      kinds: KINDS,
    });
    const found = await findings(oneThread(2).spans, { source: "ingest-0.cpuprofile", stacks: few });
    expect(found.every(({ subject }) => subject.frame === undefined)).toBe(true);
  });
});

describe("whose profile it is", () => {
  const { spans } = oneThread(9, 400);
  const named = async (input: Partial<ProfileInput>, stacks = profile(0.9, HUNGRY).stacks): Promise<boolean> => {
    const report = await diagnose({ spans, profiles: [{ source: "x.pb", stacks, ...input }] });
    return report.dataQuality.warnings.every((text) => !text.includes("of no service"));
  };

  test("by name, by what the user says, by what it says itself, or the only service", async () => {
    expect(await named({ source: "a/ingest-12.cpuprofile" })).toBe(true);
    expect(await named({ source: "ingest.pb.gz" })).toBe(true);
    expect(await named({ service: "ingest" })).toBe(true);
    expect(await named({ service: "nobody" })).toBe(false);
    expect(await named({})).toBe(true);
  });

  test("one that was recorded at another time is not used, and that is said", async () => {
    const { stacks } = profile(0.9, HUNGRY);
    stacks.processes.startUnixNs[0] = 1_700_000_000_000_000_000n;
    const report = await diagnose({ spans, profiles: [{ source: "ingest-0.pb", stacks }] });
    expect(report.dataQuality.warnings).toContain("ingest-0.pb: recorded at another time than the traces; not used");
    expect(report.findings.every(({ subject }) => subject.frame === undefined)).toBe(true);
  });
});
