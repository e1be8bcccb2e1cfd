import { mkdir, readdir, realpath, stat } from "node:fs/promises";
import { availableParallelism } from "node:os";
import { join, resolve } from "node:path";
import { promisify } from "node:util";
import { gzip } from "node:zlib";
import { writeToDisk, writeWholeFolder } from "../../load/whole-folder.ts";
import type { Fault } from "../faults/fault.ts";
import { LabError } from "../lab-error.ts";
import { LAB_TRUTH_SCHEMA, measuredPhase } from "./lab-truth.ts";
import type { LabTruth, MeasuredPhase, PhaseName, PhaseRecording } from "./lab-truth.ts";
import { isRecording } from "./read-recording.ts";

/** A run, complete, as it is to be kept. */
export interface Recording {
  readonly fault: Pick<Fault, "name" | "kind" | "summary" | "truths" | "seenFrom" | "needsBaseline" | "whatIf">;
  readonly seed: number;
  readonly recordedAt: Date;
  readonly phases: Readonly<Partial<Record<PhaseName, PhaseRecording>>>;
}

const compress = promisify(gzip);

/**
 * Keeps a run in `folder`, whole or not at all: it is written beside it and renamed. A recording that is there is
 * replaced. Throws a LabError with code `recording-folder` where something else is, `recording-disk` where the disk
 * does not take it; the folder is then as it was.
 */
export async function writeRecording(folder: string, recording: Recording): Promise<void> {
  const target = await recordingTarget(folder);
  try {
    await writeWholeFolder(target, (partial) => writeFiles(partial, recording));
  } catch (error) {
    throw diskError(folder, error);
  }
}

/**
 * The absolute path that a recording would go to. Also worth asking before a run: throws a LabError with code
 * `recording-folder` where something is that a recording may not replace.
 */
export async function recordingTarget(folder: string): Promise<string> {
  const path = resolve(folder);
  const found = await stat(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return undefined;
    throw diskError(folder, error);
  });
  if (found === undefined) return path;
  if (!found.isDirectory()) throw new LabError("recording-folder", `${folder} is a file; a recording is a folder`);
  // A link is followed, or its place would be taken and what it points to left behind.
  const target = await realpath(path);
  const isEmpty = (await readdir(target)).length === 0;
  if (isEmpty || (await isRecording(target))) return target;
  const advice = "a recording replaces only a recording or an empty folder";
  throw new LabError("recording-folder", `${folder} holds other files and no recording; ${advice}`);
}

async function writeFiles(folder: string, recording: Recording): Promise<void> {
  const measured: Partial<Record<PhaseName, MeasuredPhase>> = {};
  for (const [phase, kept] of Object.entries(recording.phases) as [PhaseName, PhaseRecording][]) {
    measured[phase] = measuredPhase(kept);
    await writePhase(join(folder, phase), kept);
  }
  const { name, kind, summary, truths, seenFrom, needsBaseline, whatIf } = recording.fault;
  const truth: LabTruth = {
    schema: LAB_TRUTH_SCHEMA,
    fault: name,
    kind,
    summary,
    truths,
    seenFrom,
    needsBaseline,
    whatIf,
    phases: measured,
    machine: { node: process.versions.node, cores: availableParallelism() },
    seed: recording.seed,
    recordedAt: recording.recordedAt.toISOString(),
  };
  await writeToDisk(join(folder, "truth.json"), jsonOf(truth));
}

async function writePhase(
  folder: string,
  { telemetry, load, statements, profiles, hosts = [] }: PhaseRecording,
): Promise<void> {
  await mkdir(join(folder, "profiles"), { recursive: true });
  for (const signal of ["traces", "metrics"] as const) {
    // Nothing received is no file: an empty one would be a damaged one.
    const bytes = telemetry[signal];
    if (bytes.length > 0) await writeToDisk(join(folder, `${signal}.otlp.pb.gz`), await compress(bytes));
    const lines = telemetry[`${signal}Json`];
    if (lines.length > 0) await writeToDisk(join(folder, `${signal}.otlp.jsonl.gz`), await compress(lines));
  }
  await writeToDisk(join(folder, "load.json"), jsonOf(load));
  await writeToDisk(join(folder, "statements.json"), jsonOf(statements));
  const profiled = fileNames();
  for (const { service, content } of profiles)
    await writeToDisk(join(folder, "profiles", `${profiled(service)}.cpuprofile`), content);
  if (hosts.length === 0) return;
  await mkdir(join(folder, "hosts"));
  const recorded = fileNames();
  for (const { service, report, offCpu } of hosts) {
    const name = join(folder, "hosts", recorded(service));
    await writeToDisk(`${name}.json`, `${report}\n`);
    await writeToDisk(`${name}.pb.gz`, await compress(offCpu));
  }
}

/** Names for the files of services, of which there may be several: zones-1, zones-2. */
function fileNames(): (service: string) => string {
  const perService = new Map<string, number>();
  return (service) => {
    if (!/^[\w-]+$/.test(service)) throw new RangeError(`${service} cannot be part of a file's name`);
    const n = (perService.get(service) ?? 0) + 1;
    perService.set(service, n);
    return `${service}-${n}`;
  };
}

function jsonOf(value: unknown): string {
  const finite = (key: string, one: unknown): unknown => {
    if (typeof one === "number" && !Number.isFinite(one))
      throw new RangeError(`${key} is ${one}, JSON has no such number`);
    return one;
  };
  return `${JSON.stringify(value, finite, 2)}\n`;
}

const DISK_ERRORS: Readonly<Record<string, string>> = {
  ENOSPC: "no space is left on the disk",
  EDQUOT: "the disk quota is used up",
  EROFS: "the file system is read-only",
  EACCES: "this user may not write there",
  EPERM: "this user may not write there",
  ENOTDIR: "a part of the path is a file",
};

function diskError(folder: string, error: unknown): unknown {
  if (!isSystemError(error)) return error;
  const reason = DISK_ERRORS[error.code] ?? error.message;
  return new LabError("recording-disk", `the recording cannot be written to ${folder}: ${reason}`, { cause: error });
}

function isSystemError(error: unknown): error is NodeJS.ErrnoException & { code: string } {
  return (
    error instanceof Error && !(error instanceof LabError) && /^E[A-Z0-9]+$/.test(String("code" in error && error.code))
  );
}
