import { InputError } from "../model/intake.ts";
import type { DecodeTarget } from "./decode-target.ts";
import { detectKind, type JsonFormat, skipBlank } from "./detect-kind.ts";
import { decodeJaegerJson } from "./jaeger-json.ts";
import { jsonShape } from "./json-shape.ts";
import { decodeOtlpJson } from "./otlp-json.ts";
import { decodeOtlpMetricsJson } from "./otlp-metrics-json.ts";
import { decodeZipkinJson } from "./zipkin-json.ts";

/** A document or line is decoded as a whole and may be that large. */
const MAX_VALUE = 2 ** 30;
/** Damaged lines of one file that are told one by one; the rest is told as a number. */
const TOLD_LINES = 3;
/** Bytes of a line that tell its kind, and those that, being the same, tell that it is the line before's. */
const LINE_PREFIX = 4096;
const LINE_START = 12;

const SPAN_DECODERS = { "otlp-json": decodeOtlpJson, "jaeger-json": decodeJaegerJson, "zipkin-json": decodeZipkinJson };

function decode(format: JsonFormat, bytes: Uint8Array, into: DecodeTarget, file: string, byteBase: number): void {
  if (format === "otlp-metrics-json") decodeOtlpMetricsJson(bytes, into.metrics, into.intake, file, byteBase);
  else SPAN_DECODERS[format](bytes, into.spans, into.intake, file, byteBase);
}

/** Decodes a file that is one JSON document, at its end. Throws `too-large` beyond 1 GiB. */
export class JsonDocument {
  private readonly bytes: Pending;
  private readonly format: JsonFormat;
  private readonly into: DecodeTarget;
  private readonly file: string;

  constructor(format: JsonFormat, into: DecodeTarget, file: string) {
    this.bytes = new Pending(file, "split it, or write one request or trace per line");
    this.format = format;
    this.into = into;
    this.file = file;
  }

  push(chunk: Uint8Array): void {
    this.bytes.append(chunk, 0);
  }

  finish(): void {
    decode(this.format, this.bytes.take(), this.into, this.file, 0);
  }
}

/**
 * Decodes a file with a JSON value per line as it arrives. Lines may be of different
 * kinds, as when a Collector writes all signals to one file; logs
 * are counted in `unusedLines`, profiles in `profileLines`. A damaged line is told in `intake.errors`, the first three
 * each and the rest as a number; the lines behind it are read. If the first value
 * does not end with its line, the file is one document.
 */
export class JsonLines {
  /** Lines of logs. */
  unusedLines = 0;
  /** Lines of profiles, which load-profiles.ts reads where they begin a file. */
  profileLines = 0;
  private readonly pending: Pending;
  private document: JsonDocument | undefined;
  private format: JsonFormat | "not-used" | "profiles";
  private lineStart: Uint8Array = new Uint8Array(0);
  private offset = 0;
  private lines = 0;
  private damagedLines = 0;
  private readonly into: DecodeTarget;
  private readonly file: string;

  constructor(format: JsonFormat | "not-used" | "profiles", into: DecodeTarget, file: string) {
    this.pending = new Pending(file, "split it, or write one request or trace per line");
    this.format = format;
    this.into = into;
    this.file = file;
  }

  push(chunk: Uint8Array): void {
    let from = 0;
    while (this.document === undefined) {
      const to = chunk.indexOf(0x0a, from);
      if (to < 0) break;
      // Empty lines: some kilobytes, decompressed, can be a billion of them.
      if (to === from && this.pending.isEmpty) this.offset++;
      else {
        this.pending.append(chunk.subarray(from, to + 1), this.offset);
        this.line(this.pending.take());
      }
      from = to + 1;
    }
    const rest = chunk.subarray(from);
    if (this.document !== undefined) this.document.push(rest);
    else this.pending.append(rest, this.offset);
  }

  /** `cutOff`: the content ended early, so that the last line is damaged for a reason told elsewhere. */
  finish(cutOff: boolean): void {
    if (this.document !== undefined) {
      this.document.finish();
      return;
    }
    this.line(this.pending.take(), cutOff);
    if (this.damagedLines > TOLD_LINES) {
      const found = `damage in ${this.damagedLines - TOLD_LINES} more lines`;
      this.into.intake.errors.push(
        new InputError("malformed", { file: this.file, byteOffset: -1, expected: "JSON lines", found }),
      );
    }
  }

  private line(line: Uint8Array, cutOff = false): void {
    const at = this.offset;
    this.offset += line.length;
    if (skipBlank(line) === line.length) return;
    if (
      this.lines++ === 0 &&
      line.at(-1) === 0x0a &&
      jsonShape(line, skipBlank(line))?.end === -1 &&
      this.format !== "not-used" &&
      this.format !== "profiles"
    ) {
      this.document = new JsonDocument(this.format, this.into, this.file);
      this.document.push(line);
      return;
    }
    try {
      this.detect(line, at);
      if (this.format === "not-used") this.unusedLines++;
      else if (this.format === "profiles") this.profileLines++;
      else decode(this.format, line, this.into, this.file, at);
    } catch (error) {
      if (!(error instanceof InputError)) throw error;
      if (!cutOff && ++this.damagedLines <= TOLD_LINES) this.into.intake.errors.push(error);
    }
  }

  /** Sets `format` for this line. Most begin with the same key as the line before. */
  private detect(line: Uint8Array, at: number): void {
    const start = line.subarray(0, LINE_START);
    if (start.length === LINE_START && Buffer.compare(start, this.lineStart) === 0) return;
    const kind = detectKind(line.subarray(0, LINE_PREFIX));
    this.lineStart = new Uint8Array(start);
    switch (kind.kind) {
      case "otlp-json":
      case "otlp-metrics-json":
      case "jaeger-json":
      case "zipkin-json":
        this.format = kind.kind;
        return;
      case "not-used":
        this.format = "not-used";
        return;
      default:
        if (kind.kind === "profile" && kind.format === "otlp-profiles-json") {
          this.format = "profiles";
          return;
        }
        this.lineStart = new Uint8Array(0);
        throw new InputError("malformed", {
          file: this.file,
          byteOffset: at,
          expected: "a line of OTLP, Jaeger or Zipkin JSON",
          found: kind.kind === "unknown" ? kind.found : kind.kind === "unsupported" ? kind.what : kind.kind,
        });
    }
  }
}

/** Bytes that wait for more, in a buffer that is used again. */
class Pending {
  private buffer: Uint8Array = new Uint8Array(1 << 16);
  private size = 0;
  private readonly file: string;
  private readonly advice: string;

  constructor(file: string, advice: string) {
    this.file = file;
    this.advice = advice;
  }

  get isEmpty(): boolean {
    return this.size === 0;
  }

  /** `offset`: of the first waiting byte in the file. */
  append(bytes: Uint8Array, offset: number): void {
    const need = this.size + bytes.length;
    if (need > MAX_VALUE) {
      const expected = `JSON values of at most ${MAX_VALUE} bytes (${this.advice})`;
      throw new InputError("too-large", { file: this.file, byteOffset: offset, expected, found: "a larger one" });
    }
    if (need > this.buffer.length) {
      const bigger = new Uint8Array(Math.min(MAX_VALUE, Math.max(need, 2 * this.buffer.length)));
      bigger.set(this.buffer.subarray(0, this.size));
      this.buffer = bigger;
    }
    this.buffer.set(bytes, this.size);
    this.size = need;
  }

  /** What waited; valid until the next `append`. */
  take(): Uint8Array {
    const bytes = this.buffer.subarray(0, this.size);
    this.size = 0;
    return bytes;
  }
}
