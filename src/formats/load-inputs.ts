import { setImmediate as nextTurn } from "node:timers/promises";
import { InputError, Intake } from "../model/intake.ts";
import { MetricTableBuilder } from "../model/metric-table-builder.ts";
import type { MetricTable } from "../model/metric-table.ts";
import { SpanTableBuilder } from "../model/span-table-builder.ts";
import type { SpanTable } from "../model/span-table.ts";
import type { DecodeTarget } from "./decode-target.ts";
import { decompress } from "./decompress.ts";
import { type ContentKind, detectKind, PREFIX_BYTES } from "./detect-kind.ts";
import { JsonDocument, JsonLines } from "./json-content.ts";
import { type InputFile, listInputs, type SkippedFile, unreadable } from "./list-inputs.ts";
import { OtlpMetricDecoder } from "./otlp-metrics-protobuf.ts";
import { OtlpTraceDecoder } from "./otlp-protobuf.ts";
import { OtlpProtobufStream } from "./otlp-protobuf-stream.ts";
import { PgStatStatements } from "./pg-stat-statements.ts";
import { PrometheusText } from "./prometheus-text.ts";
import { readChunks } from "./read-chunks.ts";

/** Milliseconds of work between two reports of progress. */
const PROGRESS_MS = 100;

export interface LoadOptions {
  /** Stops reading; what was read until then is returned. */
  readonly signal?: AbortSignal;
  /** What "-" reads; the process's stdin if absent. */
  readonly stdin?: AsyncIterable<Uint8Array>;
  /** Whether profiles are read by somebody else (load-profiles.ts), so that one which is named is no error. */
  readonly profilesElsewhere?: boolean;
}

export interface LoadProgress {
  /** the file being read, "" before the first */
  readonly file: string;
  readonly filesDone: number;
  readonly filesTotal: number;
  /** bytes as they lie on disk, i.e. compressed ones */
  readonly bytesRead: number;
  /** -1 when stdin or a pipe is among the inputs */
  readonly bytesTotal: number;
  /** spans accepted so far */
  readonly spans: number;
  /** points of metrics accepted so far */
  readonly points: number;
}

export interface LoadedInputs {
  readonly spans: SpanTable;
  readonly metrics: MetricTable;
  /** received = accepted + rejected over all files; errors of files are in `errors` */
  readonly intake: Intake;
  /** paths that spans or metrics were read from */
  readonly files: readonly string[];
  /** what was not used although it could be read, e.g. logs, and other files of directories */
  readonly skipped: readonly SkippedFile[];
  /** whether `signal` ended it early */
  readonly aborted: boolean;
}

/** Takes the content of a file chunk by chunk; throws InputError, after which it is not used any more. */
export interface ContentSink {
  push(chunk: Uint8Array): void;
  /** `cutOff`: the content ended early, which is told already. */
  finish(cutOff: boolean): void;
}

/**
 * Reads the spans and metrics of files, directories (with all below them) and stdin ("-")
 * into a table each: OTLP protobuf and JSON, Jaeger JSON, Zipkin v2 JSON, Prometheus text
 * and OpenMetrics, snapshots of pg_stat_statements, gzip or zstd, told by content. Yields progress first and at least every 100 ms of reading.
 *
 * Bad input never throws: it is told in `intake.errors`, what was read before it in the
 * same file stays, and the other files are still read. In directories files that hold
 * neither are listed in `skipped`. Memory is bounded by the columns and one message.
 */
export async function* loadInputs(
  paths: readonly string[],
  options: LoadOptions = {},
): AsyncGenerator<LoadProgress, LoadedInputs> {
  const { signal } = options;
  const intake = new Intake();
  const into: DecodeTarget = { spans: new SpanTableBuilder(), metrics: new MetricTableBuilder(), intake };
  const { files, skipped, errors } = await listInputs(paths);
  // Not as arguments of push: a folder can hold more unreadable files than a call takes.
  for (const error of errors) intake.errors.push(error);
  const used: string[] = [];
  const bytesTotal = files.some((file) => file.bytes < 0) ? -1 : files.reduce((sum, file) => sum + file.bytes, 0);
  let reported = performance.now();
  const progress = (file: string, filesDone: number): LoadProgress => {
    reported = performance.now();
    return {
      file,
      filesDone,
      filesTotal: files.length,
      bytesRead: intake.bytesRead,
      bytesTotal,
      spans: intake.accepted,
      points: intake.points.accepted,
    };
  };
  yield progress("", 0);

  for (const [done, file] of files.entries()) {
    if (signal?.aborted) break;
    const content = new FileContent(file, into, options.profilesElsewhere === true);
    const receivedBefore = intake.received + intake.points.received;
    try {
      let cutOff = false;
      try {
        for await (const chunk of decompress(openInput(file, options, intake), file.path)) {
          if (signal?.aborted || !content.push(chunk)) break;
          if (performance.now() - reported < PROGRESS_MS) continue;
          yield progress(file.path, done);
          await nextTurn();
        }
      } catch (error) {
        cutOff = true;
        if (!signal?.aborted) intake.errors.push(error instanceof InputError ? error : unreadable(file.path, error));
      }
      content.finish(signal?.aborted ? "stopped" : cutOff ? "cut-off" : "complete");
    } finally {
      into.spans.strings.releaseSource();
      into.metrics.strings.releaseSource();
    }
    if (content.skipReason !== "") skipped.push({ path: file.path, reason: content.skipReason });
    if (intake.received + intake.points.received > receivedBefore) used.push(file.path);
    yield progress(file.path, done + 1);
  }
  const spans = finishSpans(into);
  const metrics = finishMetrics(into);
  return { spans, metrics, intake, files: used, skipped, aborted: signal?.aborted ?? false };
}

/** Chunks of a file or of stdin as they come; counts them in `intake.bytesRead`. */
async function* openInput(file: InputFile, options: LoadOptions, intake: Intake): AsyncGenerator<Uint8Array> {
  if (file.path !== "-") {
    yield* readChunks(file.path, (bytes) => (intake.bytesRead += bytes));
    return;
  }
  const stdin = options.stdin ?? process.stdin;
  // A pipe that nothing comes from would not notice the signal.
  const stop = (): void => void process.stdin.destroy();
  if (options.stdin === undefined) options.signal?.addEventListener("abort", stop, { once: true });
  try {
    for await (const chunk of stdin) {
      intake.bytesRead += chunk.length;
      yield chunk as Uint8Array;
    }
  } finally {
    options.signal?.removeEventListener("abort", stop);
  }
}

/** Gathers the beginning of a file, tells its kind from it, and hands all of it to the decoder of that kind. */
class FileContent {
  /** Why the file, or a part of it, was passed over; "" when it was not. */
  skipReason = "";
  private readonly file: InputFile;
  private readonly into: DecodeTarget;
  private readonly intake: Intake;
  private readonly profilesElsewhere: boolean;
  private prefix: Uint8Array[] = [];
  private prefixBytes = 0;
  private sink: ContentSink | undefined;
  /** Nothing more of the file is wanted: it is damaged, or not of use. */
  private over = false;
  /** Its profiles are read by load-profiles.ts. */
  private isOfProfiles = false;

  constructor(file: InputFile, into: DecodeTarget, profilesElsewhere: boolean) {
    this.file = file;
    this.into = into;
    this.intake = into.intake;
    this.profilesElsewhere = profilesElsewhere;
  }

  /** False when nothing more of the file is wanted. */
  push(chunk: Uint8Array): boolean {
    if (this.sink !== undefined) return this.attempt((sink) => sink.push(chunk));
    this.prefix.push(new Uint8Array(chunk));
    this.prefixBytes += chunk.length;
    return this.prefixBytes < PREFIX_BYTES || this.decide();
  }

  /** The content ends here: as it should, because its source failed, which is told already, or because the user said so. */
  finish(end: "complete" | "cut-off" | "stopped"): void {
    if (this.over) return;
    const cutOff = end !== "complete";
    const malformedSpans = this.intake.rejected.get("span-malformed")?.spans ?? 0;
    const malformedPoints = this.intake.points.rejected.get("point-malformed")?.points ?? 0;
    // With nothing to tell its kind from, the error of the source says it all.
    if (this.sink === undefined && ((cutOff && this.prefixBytes === 0) || !this.decide(cutOff))) return;
    if (!this.attempt((sink) => sink.finish(cutOff), cutOff) && end === "stopped")
      this.takeBackCutItem(malformedSpans, malformedPoints);
    if (!(this.sink instanceof JsonLines)) return;
    const { unusedLines, profileLines } = this.sink;
    const missed = this.isOfProfiles ? 0 : profileLines;
    if (unusedLines > 0) this.skipReason = `${unusedLines} lines of logs, which are not used here`;
    if (missed > 0)
      this.skipReason += `${unusedLines > 0 ? "; " : ""}${missed} lines of profiles, which are read where they begin a file`;
  }

  /** The item in which the user stopped the reading is not a malformed one, as it was counted beyond those before. */
  private takeBackCutItem(malformedSpans: number, malformedPoints: number): void {
    const { intake } = this;
    const spans = intake.rejected.get("span-malformed");
    if (spans !== undefined && spans.spans > malformedSpans) {
      spans.spans--;
      intake.received--;
      if (spans.spans === 0) intake.rejected.delete("span-malformed");
    }
    const points = intake.points.rejected.get("point-malformed");
    if (points !== undefined && points.points > malformedPoints) {
      points.points--;
      intake.points.received--;
      if (points.points === 0) intake.points.rejected.delete("point-malformed");
    }
  }

  private attempt(step: (sink: ContentSink) => void, cutOff = false): boolean {
    try {
      step(this.sink!);
    } catch (error) {
      if (!(error instanceof InputError)) throw error;
      // That content which was cut off ends early is no second error.
      if (!(cutOff && error.code === "truncated")) this.intake.errors.push(error);
      this.over = true;
    }
    return !this.over;
  }

  private decide(cutOff = false): boolean {
    const prefix = Buffer.concat(this.prefix);
    this.prefix = [];
    const kind = detectKind(prefix.subarray(0, PREFIX_BYTES));
    if (!cutOff || kind.kind !== "unknown") this.sink = this.sinkFor(kind);
    this.over = this.sink === undefined;
    return !this.over && this.attempt((sink) => sink.push(prefix));
  }

  private sinkFor(kind: ContentKind): ContentSink | undefined {
    const { into, intake } = this;
    const file = this.file.path;
    switch (kind.kind) {
      case "otlp-protobuf":
        return new OtlpProtobufStream(
          kind.signal === "traces"
            ? new OtlpTraceDecoder(into.spans, intake, file)
            : new OtlpMetricDecoder(into.metrics, intake, file),
          file,
          kind.framing,
        );
      case "prometheus-text":
        return new PrometheusText(into.metrics, intake, file, this.file.modifiedUnixNs);
      case "pg-stat-statements":
        return new PgStatStatements(into.metrics, intake, file, kind.format, this.file.modifiedUnixNs);
      case "otlp-json":
      case "otlp-metrics-json":
      case "jaeger-json":
      case "zipkin-json":
        if (kind.layout === "document") return new JsonDocument(kind.kind, into, file);
        return new JsonLines(kind.kind, into, file);
      case "not-used":
        // Lines of other signals may follow; messages of a protobuf file are all of one signal.
        if (kind.format === "JSON") return new JsonLines("not-used", into, file);
        this.skipReason = `OTLP ${kind.signal}, which are not used here`;
        return undefined;
      case "profile":
        if (this.profilesElsewhere && kind.inLines === true) {
          // Lines of other signals may follow.
          this.isOfProfiles = true;
          return new JsonLines("profiles", into, file);
        }
        return this.profilesElsewhere
          ? undefined
          : this.refuse("unsupported", `${kind.what} (give traces to this command)`);
      case "empty":
        return this.refuse("empty", "an empty file");
      case "unsupported":
        return this.refuse("unsupported", `${kind.what} (${kind.instead})`);
      case "unknown":
        return this.refuse("unknown-kind", kind.found);
    }
  }

  /** A file that the user named is an error; one that lies in a directory is passed over. */
  private refuse(code: "empty" | "unsupported" | "unknown-kind", found: string): undefined {
    if (!this.file.named) {
      this.skipReason = found;
      return undefined;
    }
    const expected =
      "traces as OTLP, Jaeger JSON or Zipkin v2 JSON, or metrics as OTLP, Prometheus text or pg_stat_statements";
    this.intake.errors.push(new InputError(code, { file: this.file.path, byteOffset: 0, expected, found }));
    return undefined;
  }
}

/** The table; points too far from the others in time become rejected ones. */
function finishMetrics({ metrics, intake }: DecodeTarget): MetricTable {
  const { table, outOfRange } = metrics.finish();
  if (outOfRange > 0) {
    const { points } = intake;
    points.accepted -= outOfRange;
    const held = points.rejected.get("time-out-of-range");
    points.rejected.set("time-out-of-range", {
      points: (held?.points ?? 0) + outOfRange,
      example: held?.example ?? "a time more than ten years from the middle of all",
    });
  }
  return table;
}

/** The table; spans too far from the others in time become rejected ones. */
function finishSpans({ spans, intake }: DecodeTarget): SpanTable {
  const { table, outOfRange } = spans.finish();
  if (outOfRange > 0) {
    intake.accepted -= outOfRange;
    const example = "a start or end more than 104 days from the middle of the window";
    const held = intake.rejected.get("time-out-of-range");
    intake.rejected.set("time-out-of-range", {
      spans: (held?.spans ?? 0) + outOfRange,
      example: held?.example ?? example,
    });
  }
  return table;
}
