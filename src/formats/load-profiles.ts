import { setImmediate as nextTurn } from "node:timers/promises";
import { InputError, Intake } from "../model/intake.ts";
import type { ProcessLedger } from "../model/process-ledger.ts";
import type { StackTable } from "../model/stack-table.ts";
import { decodeCpuProfile } from "./cpuprofile.ts";
import { decompress } from "./decompress.ts";
import { detectKind, PREFIX_BYTES, type ContentKind, type ProfileFormat } from "./detect-kind.ts";
import { decodeFolded } from "./folded-stacks.ts";
import { decodeHeapProfile } from "./heapprofile.ts";
import { decodeJfr } from "./jfr.ts";
import { type InputFile, listInputs, type SkippedFile, unreadable } from "./list-inputs.ts";
import { PerfScript } from "./perf-script.ts";
import { decodeOtlpProfiles } from "./otlp-profiles.ts";
import { decodeOtlpProfilesJson } from "./otlp-profiles-json.ts";
import { decodePprof } from "./pprof.ts";
import { readChunks } from "./read-chunks.ts";
import { decodeRecordReport } from "./record-report.ts";

/** A profile that is no stream is decoded as a whole and may be that large. */
const MAX_WHOLE = 2 ** 30;

const EXPECTED =
  "a profile: OTLP profiles, pprof, JFR, .cpuprofile, .heapprofile, folded stacks or the output of perf script";

export interface LoadProfilesOptions {
  /** Stops reading between chunks; what was read until then is returned. */
  readonly signal?: AbortSignal;
  /** What "-" reads; without it "-" is passed over, for somebody else to read. */
  readonly stdin?: AsyncIterable<Uint8Array>;
  /** Files that are no profiles: passed over in silence, or an error where they are named and in `skipped` otherwise. */
  readonly others: "pass-over" | "refuse";
  /** Called as bytes are read, with the file and all bytes so far. */
  readonly onProgress?: (file: string, bytesRead: number) => void;
}

/** Formats of stacks; what `longpole record` reports has none. */
type StackFormat = Exclude<ProfileFormat, "record">;

export interface LoadedProfile {
  readonly file: string;
  readonly format: StackFormat;
  readonly stacks: StackTable;
}

export interface LoadedProfiles {
  readonly profiles: readonly LoadedProfile[];
  /** what `longpole record --json` wrote */
  readonly ledgers: readonly ProcessLedger[];
  readonly errors: readonly InputError[];
  /** files that could be read but were not used */
  readonly skipped: readonly SkippedFile[];
  /** what was read otherwise than one might think, for a person */
  readonly remarks: readonly string[];
}

/**
 * Reads the profiles among files and directories (with all below them): OTLP profiles, JFR, .cpuprofile and
 * .heapprofile of V8, pprof, folded stacks and the text of `perf script`, plain or with gzip or
 * zstd, told by content. Of other files only the first 64 KiB are read.
 *
 * Bad input never throws: it is told in `errors`, and what was read before it is kept.
 */
export async function loadProfiles(paths: readonly string[], options: LoadProfilesOptions): Promise<LoadedProfiles> {
  const intake = new Intake();
  const inputs = await listInputs(paths);
  const isStopped = (): boolean => options.signal?.aborted === true;
  const profiles: LoadedProfile[] = [];
  const ledgers: ProcessLedger[] = [];
  const remarks: string[] = [];
  // Files that cannot be opened are told by whoever reads the rest of them.
  if (options.others === "refuse") intake.errors.push(...inputs.errors);
  const skipped: SkippedFile[] = options.others === "refuse" ? [...inputs.skipped] : [];
  for (const file of inputs.files) {
    if (isStopped()) break;
    if (file.path === "-" && options.stdin === undefined) continue;
    const content = new ProfileContent(file.path, intake);
    let failed: InputError | undefined;
    try {
      for await (const chunk of decompress(openInput(file, options, intake), file.path)) {
        if (isStopped() || !content.push(chunk)) break;
        options.onProgress?.(file.path, intake.bytesRead);
        await nextTurn();
      }
    } catch (error) {
      failed = error instanceof InputError ? error : unreadable(file.path, error);
    }
    const errorsBefore = intake.errors.length;
    if (options.others === "pass-over" && content.isLedger()) {
      takeLedger(content, failed, ledgers, intake);
      continue;
    }
    const profile = content.finish();
    const isOurs = profile !== undefined || options.others === "refuse";
    if (failed !== undefined && isOurs) {
      // Content that was cut off breaks in the middle of a value for a reason told already.
      if (profile !== undefined) intake.errors.length = errorsBefore;
      intake.errors.push(failed);
    } else if (profile === undefined && options.others === "refuse") refuse(file, content.kind, intake, skipped);
    if (profile !== undefined) profiles.push(profile);
    if (content.remark !== "") remarks.push(`${file.path}: ${content.remark}`);
  }
  return { profiles, ledgers, errors: intake.errors, skipped, remarks };
}

/**
 * The profile in `bytes`, decompressed, of any of these formats. Throws InputError, which calls the bytes `name`,
 * where they are none, or where a part of it cannot be read.
 */
export function decodeProfile(bytes: Uint8Array, name: string): StackTable {
  const intake = new Intake();
  const content = new ProfileContent(name, intake);
  content.push(bytes);
  const profile = content.finish();
  if (profile === undefined) {
    throw new InputError("unknown-kind", {
      file: name,
      byteOffset: 0,
      expected: EXPECTED,
      found: foundText(content.kind),
    });
  }
  if (intake.errors.length > 0) throw intake.errors[0]!;
  return profile.stacks;
}

function takeLedger(
  content: ProfileContent,
  failed: InputError | undefined,
  ledgers: ProcessLedger[],
  { errors }: Intake,
): void {
  if (failed !== undefined) errors.push(failed);
  else
    try {
      ledgers.push(content.ledger());
    } catch (error) {
      if (!(error instanceof InputError)) throw error;
      errors.push(error);
    }
}

async function* openInput(file: InputFile, options: LoadProfilesOptions, intake: Intake): AsyncGenerator<Uint8Array> {
  if (file.path !== "-") yield* readChunks(file.path, (bytes) => (intake.bytesRead += bytes));
  else {
    for await (const chunk of options.stdin!) {
      intake.bytesRead += chunk.length;
      yield chunk;
    }
  }
}

function refuse(file: InputFile, kind: ContentKind, intake: Intake, skipped: SkippedFile[]): void {
  const found = foundText(kind);
  if (!file.named) {
    skipped.push({ path: file.path, reason: found });
    return;
  }
  const code = kind.kind === "empty" ? "empty" : kind.kind === "unknown" ? "unknown-kind" : "unsupported";
  intake.errors.push(new InputError(code, { file: file.path, byteOffset: 0, expected: EXPECTED, found }));
}

function foundText(kind: ContentKind): string {
  switch (kind.kind) {
    case "empty":
      return "an empty file";
    case "unknown":
      return kind.found;
    case "unsupported":
      // Advice to give traces is none here.
      return kind.instead.includes("traces") ? kind.what : `${kind.what} (${kind.instead})`;
    case "not-used":
      return `OTLP ${kind.signal}`;
    case "profile":
      return kind.what;
    default:
      return "traces";
  }
}

/** Gathers the beginning of a file, tells its kind from it, and decodes it if it is a profile. */
class ProfileContent {
  kind: ContentKind = { kind: "empty" };
  remark = "";
  private readonly file: string;
  private readonly intake: Intake;
  private chunks: Uint8Array[] = [];
  private size = 0;
  private isDecided = false;
  private perf: PerfScript | undefined;

  constructor(file: string, intake: Intake) {
    this.file = file;
    this.intake = intake;
  }

  /** False when nothing more of the file is wanted. */
  push(chunk: Uint8Array): boolean {
    if (this.perf !== undefined) {
      this.perf.push(chunk);
      return true;
    }
    this.chunks.push(new Uint8Array(chunk));
    this.size += chunk.length;
    if (this.size < PREFIX_BYTES) return true;
    if (!this.isDecided) this.decide();
    if (this.size > MAX_WHOLE) {
      const expected = `a profile of at most ${MAX_WHOLE} bytes`;
      throw new InputError("too-large", { file: this.file, byteOffset: this.size, expected, found: "a larger one" });
    }
    return this.kind.kind === "profile";
  }

  /** The profile; undefined where the content is none. */
  finish(): LoadedProfile | undefined {
    if (!this.isDecided) this.decide();
    if (this.kind.kind !== "profile" || this.kind.format === "record") return undefined;
    const { format } = this.kind;
    return { file: this.file, format, stacks: this.decode(format) };
  }

  /** Whether it is what `longpole record --json` wrote, which is no profile. */
  isLedger(): boolean {
    if (!this.isDecided) this.decide();
    return this.kind.kind === "profile" && this.kind.format === "record";
  }

  /** Throws InputError where it is damaged. */
  ledger(): ProcessLedger {
    return decodeRecordReport(Buffer.concat(this.chunks), this.file);
  }

  private decide(): void {
    const prefix = Buffer.concat(this.chunks);
    this.isDecided = true;
    this.kind = detectKind(prefix.subarray(0, PREFIX_BYTES));
    if (this.kind.kind !== "profile" || this.kind.format !== "perf-script") return;
    this.perf = new PerfScript(this.intake, this.file);
    this.perf.push(prefix);
    this.chunks = [];
  }

  private decode(format: StackFormat): StackTable {
    const { file, intake } = this;
    const whole = (): Uint8Array => Buffer.concat(this.chunks);
    switch (format) {
      case "cpuprofile":
        return decodeCpuProfile(whole(), intake, file);
      case "heapprofile":
        return decodeHeapProfile(whole(), intake, file);
      case "otlp-profiles":
        return decodeOtlpProfiles(whole(), intake, file);
      case "otlp-profiles-json":
        return decodeOtlpProfilesJson(whole(), intake, file);
      case "jfr":
        return decodeJfr(whole(), intake, file);
      case "pprof":
        return decodePprof(whole(), intake, file);
      case "folded":
        return decodeFolded(whole(), intake, file);
      case "perf-script": {
        const stacks = this.perf!.finish();
        if (this.perf!.isCut) this.remark = "the last sample has no empty line behind it and may be cut: left out";
        return stacks;
      }
    }
  }
}
