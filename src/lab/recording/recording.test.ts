import { mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { availableParallelism, tmpdir } from "node:os";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { beforeEach, describe, expect, onTestFinished, test } from "vitest";
import type { Fault } from "../faults/fault.ts";
import { LabError } from "../lab-error.ts";
import { USUAL_LOAD, type Latency, type LoadResult } from "../load/load-plan.ts";
import type { PhaseRecording } from "./lab-truth.ts";
import { readRecording } from "./read-recording.ts";
import { recordingTarget, writeRecording, type Recording } from "./write-recording.ts";

const FAULT: Fault = {
  name: "missing-index",
  kind: "fault",
  summary: "Lookups became slow over night.",
  truths: [
    {
      service: "zones",
      mechanism: "missing-index",
      statement: "SELECT * FROM records WHERE name = $1",
      limiter: { service: "zones", resource: "pool:postgres" },
      endpoint: { service: "gateway", operation: "GET /api/records/:name" },
    },
  ],
  seenFrom: "traces",
  needs: [],
  broken: { postgres: { nameIndex: false } },
  load: {},
  whatIf: ["zones SELECT records: 0.1x"],
  needsBaseline: false,
};

const latency = (operation: string, p50Ms: number): Latency => ({
  operation,
  completed: 400,
  meanMs: p50Ms + 1,
  p50Ms,
  p95Ms: 2 * p50Ms,
  p99Ms: 3 * p50Ms,
  maxMs: 4 * p50Ms,
});

const LOAD: LoadResult = {
  startedAtUnixMs: 1_800_000_000_000.25,
  plan: { ...USUAL_LOAD, schedule: { kind: "burst", everySeconds: 10, lengthSeconds: 2, factor: 3 } },
  sent: 1000,
  completed: 998,
  errors: { timeout: 2, "http 500": 3 },
  lateMs: { p50: 0.1, p99: 1.5, max: 4 },
  endpoints: { lookup: latency("GET /api/records/:name", 5), points: latency("POST /api/points", 2) },
  all: latency("all", 4),
};

const PHASE: PhaseRecording = {
  telemetry: {
    traces: Buffer.from("traces"),
    metrics: Buffer.from("metrics"),
    tracesJson: Buffer.alloc(0),
    metricsJson: Buffer.from("{}\n"),
    exportRequests: 12,
    refused: 1,
  },
  load: LOAD,
  rootSpans: { "GET /api/records/:name": { completed: 401, p50Ms: 4.5, p95Ms: 9, p99Ms: 14 } },
  statements: [{ query: "SELECT 1", calls: "7", mean_exec_time: 0.25, toplevel: true, plan: null }],
  profiles: [
    { service: "zones", content: "{}" },
    { service: "accounts", content: "[]" },
    { service: "zones", content: "{ }" },
  ],
};

const RECORDING: Recording = {
  fault: FAULT,
  seed: 3,
  recordedAt: new Date("2026-11-26T10:00:00Z"),
  phases: { before: PHASE, fault: PHASE, fixed: PHASE },
};

/** A phase that cannot be written: what comes before it is on the disk already when the disk is full. */
const onFullDisk: PhaseRecording = {
  ...PHASE,
  statements: [
    {
      toJSON: () => {
        throw Object.assign(new Error("ENOSPC: no space left on device, write"), { code: "ENOSPC" });
      },
    },
  ],
};

let parent: string;
let folder: string;

beforeEach(async () => {
  parent = await mkdtemp(join(tmpdir(), "longpole-recording-"));
  folder = join(parent, "run");
  onTestFinished(() => rm(parent, { recursive: true }));
});

const filesOf = async (path: string): Promise<string[]> => (await readdir(path, { recursive: true })).toSorted();

test("a recording has its files, and nothing lies beside it", async () => {
  await writeRecording(folder, { ...RECORDING, phases: { fault: PHASE } });
  expect(await readdir(parent)).toEqual(["run"]);
  expect(await filesOf(folder)).toEqual([
    "fault",
    "fault/load.json",
    "fault/metrics.otlp.jsonl.gz",
    "fault/metrics.otlp.pb.gz",
    "fault/profiles",
    "fault/profiles/accounts-1.cpuprofile",
    "fault/profiles/zones-1.cpuprofile",
    "fault/profiles/zones-2.cpuprofile",
    "fault/statements.json",
    "fault/traces.otlp.pb.gz",
    "truth.json",
  ]);
  expect(gunzipSync(await readFile(join(folder, "fault/traces.otlp.pb.gz"))).toString()).toBe("traces");
  expect(gunzipSync(await readFile(join(folder, "fault/metrics.otlp.pb.gz"))).toString()).toBe("metrics");
  expect(JSON.parse(await readFile(join(folder, "fault/statements.json"), "utf8"))).toEqual(PHASE.statements);
  expect(await readFile(join(folder, "fault/profiles/zones-2.cpuprofile"), "utf8")).toBe("{ }");
});

test("truth and loads come back as they were", async () => {
  await writeRecording(folder, RECORDING);
  const measured = {
    telemetry: { exportRequests: 12, refused: 1 },
    endpoints: [
      {
        operation: "GET /api/records/:name",
        byLoad: { completed: 400, p50Ms: 5, p95Ms: 10, p99Ms: 15 },
        byRootSpans: { completed: 401, p50Ms: 4.5, p95Ms: 9, p99Ms: 14 },
      },
      { operation: "POST /api/points", byLoad: { completed: 400, p50Ms: 2, p95Ms: 4, p99Ms: 6 } },
    ],
  };
  expect(await readRecording(folder)).toEqual({
    truth: {
      schema: "longpole.lab-truth/1",
      fault: "missing-index",
      kind: "fault",
      summary: FAULT.summary,
      truths: FAULT.truths,
      seenFrom: "traces",
      needsBaseline: false,
      whatIf: FAULT.whatIf,
      phases: { before: measured, fault: measured, fixed: measured },
      machine: { node: process.versions.node, cores: availableParallelism() },
      seed: 3,
      recordedAt: "2026-11-26T10:00:00.000Z",
    },
    load: { before: LOAD, fault: LOAD, fixed: LOAD },
  });
});

test("where nothing was received there is no file", async () => {
  const telemetry = {
    traces: Buffer.from("t"),
    metrics: Buffer.alloc(0),
    tracesJson: Buffer.alloc(0),
    metricsJson: Buffer.alloc(0),
    exportRequests: 1,
    refused: 0,
  };
  await writeRecording(folder, { ...RECORDING, phases: { fault: { ...PHASE, telemetry, profiles: [] } } });
  expect(await readdir(join(folder, "fault"))).toEqual([
    "load.json",
    "profiles",
    "statements.json",
    "traces.otlp.pb.gz",
  ]);
});

describe("what is there already", () => {
  test("an older recording, of whatever version, is replaced as a whole", async () => {
    await writeRecording(folder, RECORDING);
    await writeFile(join(folder, "truth.json"), '{"schema": "longpole.lab-truth/0"}');
    await writeRecording(folder, { ...RECORDING, seed: 4, phases: { fault: PHASE } });
    expect((await readdir(folder)).toSorted()).toEqual(["fault", "truth.json"]);
    expect((await readRecording(folder)).truth.seed).toBe(4);
    expect(await readdir(parent)).toEqual(["run"]);
  });

  test("an empty folder is taken, and so is the place behind a link", async () => {
    await mkdir(folder);
    await symlink(folder, join(parent, "link"));
    await writeRecording(join(parent, "link"), RECORDING);
    expect((await readRecording(folder)).truth.seed).toBe(3);
    expect((await readdir(parent)).toSorted()).toEqual(["link", "run"]);
  });

  test("parents are made", async () => {
    await writeRecording(join(folder, "a", "b"), RECORDING);
    expect((await readRecording(join(folder, "a", "b"))).truth.seed).toBe(3);
  });

  test.each([
    { what: "other files", file: "notes.txt", content: "mine" },
    { what: "a truth of something else", file: "truth.json", content: '{"schema": "other"}' },
    { what: "a truth that cannot be read", file: "truth.json", content: "{" },
  ])("$what are left alone", async ({ file, content }) => {
    await mkdir(folder);
    await writeFile(join(folder, file), content);
    for (const attempt of [() => writeRecording(folder, RECORDING), () => recordingTarget(folder)])
      await expect(attempt()).rejects.toMatchObject({
        name: "LabError",
        code: "recording-folder",
        message: `${folder} holds other files and no recording; a recording replaces only a recording or an empty folder`,
      });
    expect(await readFile(join(folder, file), "utf8")).toBe(content);
    expect(await readdir(parent)).toEqual(["run"]);
  });

  test("a file is left alone, and nothing goes below one", async () => {
    await writeFile(folder, "mine");
    await expect(writeRecording(folder, RECORDING)).rejects.toMatchObject({ code: "recording-folder" });
    const below = writeRecording(join(folder, "run"), RECORDING);
    await expect(below).rejects.toMatchObject({ code: "recording-disk" });
    await expect(below).rejects.toThrow(/cannot be written to .*: a part of the path is a file$/);
    expect(await readFile(folder, "utf8")).toBe("mine");
  });
});

describe("when the disk fills up in the middle", () => {
  const broken: Recording = { ...RECORDING, phases: { before: PHASE, fault: onFullDisk } };
  const message = /^the recording cannot be written to .*run: no space is left on the disk$/;

  test("nothing is left where nothing was", async () => {
    const attempt = writeRecording(folder, broken);
    await expect(attempt).rejects.toMatchObject({ name: "LabError", code: "recording-disk" });
    await expect(attempt).rejects.toThrow(message);
    expect(await readdir(parent)).toEqual([]);
  });

  test("the recording that was there stays as it was", async () => {
    await writeRecording(folder, RECORDING);
    const before = await filesOf(folder);
    await expect(writeRecording(folder, { ...broken, seed: 9 })).rejects.toThrow(message);
    expect(await filesOf(folder)).toEqual(before);
    expect((await readRecording(folder)).truth.seed).toBe(3);
    expect(await readdir(parent)).toEqual(["run"]);
  });
});

test("a number that JSON cannot hold is a bug, not a recording", async () => {
  const load = { ...LOAD, lateMs: { ...LOAD.lateMs, p99: Number.NaN } };
  const attempt = writeRecording(folder, { ...RECORDING, phases: { fault: { ...PHASE, load } } });
  await expect(attempt).rejects.toThrow(new RangeError("p99 is NaN, JSON has no such number"));
  expect(await readdir(parent)).toEqual([]);
});

describe("a recording that cannot be read says where", () => {
  test.each([
    ["truth.json", "{", "JSON"],
    ["truth.json", "[]", "the document: expected an object, found []"],
    ["truth.json", '"longpole.lab-truth/1"', "the document: expected an object"],
    ["truth.json", '{"schema": "longpole.lab-truth/2"}', "schema: expected one of longpole.lab-truth/1, found"],
    ["fault/load.json", "{}", "startedAtUnixMs: expected a number, found nothing"],
  ])("%s with %s", async (file, content, message) => {
    await writeRecording(folder, RECORDING);
    await writeFile(join(folder, file), content);
    const attempt = readRecording(folder);
    await expect(attempt).rejects.toMatchObject({ name: "LabError", code: "recording-unreadable" });
    await expect(attempt).rejects.toThrow(`${join(folder, file)}: `);
    await expect(attempt).rejects.toThrow(message);
  });

  test.each([
    ["truth.json", '"mechanism": "missing-index"', '"mechanism": "gremlins"', "truths[0].mechanism: expected one of "],
    ["truth.json", '"refused": 1', '"refused": "1"', 'phases.before.telemetry.refused: expected a number, found "1"'],
    ["truth.json", '"needsBaseline": false', '"needsBaseline": 0', "needsBaseline: expected true or false, found 0"],
    ["before/load.json", '"factor": 3', '"factor": null', "plan.schedule.factor: expected a number, found null"],
    ["before/load.json", '"timeout": 2', '"timeout": []', "errors.timeout: expected a number, found []"],
  ])("%s with %s for %s", async (file, good, bad, message) => {
    await writeRecording(folder, RECORDING);
    const text = await readFile(join(folder, file), "utf8");
    expect(text).toContain(good);
    await writeFile(join(folder, file), text.replace(good, bad));
    await expect(readRecording(folder)).rejects.toThrow(message);
  });

  test("no folder", async () => {
    const attempt = readRecording(folder);
    await expect(attempt).rejects.toBeInstanceOf(LabError);
    await expect(attempt).rejects.toThrow(/truth\.json: ENOENT/);
  });
});
