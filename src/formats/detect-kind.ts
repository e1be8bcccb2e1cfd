import { isSpace, jsonShape, type JsonShape } from "./json-shape.ts";
import type { Framing } from "./otlp-protobuf-stream.ts";
import { areStatementColumns } from "./pg-stat-statements.ts";
import { profileTextKind } from "./profile-text.ts";
import { isPprof, protobufSignal, type Signal } from "./protobuf-signal.ts";

/** Bytes of content that are enough to tell its kind. */
export const PREFIX_BYTES: number = 64 * 1024;

export type JsonFormat = "otlp-json" | "otlp-metrics-json" | "jaeger-json" | "zipkin-json";

/** Signals that are told from the others, but not read. */
type UnusedSignal = Exclude<Signal, "traces" | "metrics" | "profiles">;

/** Profiles, which load-profiles.ts reads. */
export type ProfileFormat =
  | "cpuprofile"
  | "heapprofile"
  | "pprof"
  | "folded"
  | "perf-script"
  | "otlp-profiles"
  | "otlp-profiles-json"
  | "jfr"
  | "record";

/** What a file holds, told from its content. */
export type ContentKind =
  | { readonly kind: "otlp-protobuf"; readonly signal: "traces" | "metrics"; readonly framing: Framing }
  /** `lines`: a value per line; `unsure`: the first value does not end in the prefix and could be a line or the document */
  | { readonly kind: JsonFormat; readonly layout: "document" | "lines" | "unsure" }
  /** the text format of Prometheus or OpenMetrics */
  | { readonly kind: "prometheus-text" }
  /** a snapshot of PostgreSQL's statistics of statements */
  | { readonly kind: "pg-stat-statements"; readonly format: "csv" | "json" }
  /** `inLines`: a JSON value per line, behind which other signals may follow */
  | { readonly kind: "profile"; readonly format: ProfileFormat; readonly what: string; readonly inLines?: boolean }
  /** telemetry that the analysis does not use */
  | { readonly kind: "not-used"; readonly signal: UnusedSignal; readonly format: "protobuf" | "JSON" }
  /** known, but not readable here; `what` it is and what to do `instead` */
  | { readonly kind: "unsupported"; readonly what: string; readonly instead: string }
  | { readonly kind: "empty" }
  | { readonly kind: "unknown"; readonly found: string };

/** Kind of the content that starts with `prefix` (decompressed; the first 64 KiB, or all there is). */
export function detectKind(prefix: Uint8Array): ContentKind {
  const start = skipBlank(prefix);
  if (start === prefix.length) return { kind: "empty" };
  return (
    magicKind(prefix) ?? protobufKind(prefix) ?? jsonKind(prefix, start) ?? textKind(prefix, start) ?? unknown(prefix)
  );
}

/** Position behind a byte order mark and white space. */
export function skipBlank(bytes: Uint8Array): number {
  let at = bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf ? 3 : 0;
  while (at < bytes.length && isSpace(bytes[at]!)) at++;
  return at;
}

function protobufKind(prefix: Uint8Array): ContentKind | undefined {
  const framing: Framing = prefix[0] === 0x0a ? "message" : "length-prefixed";
  if (framing === "length-prefixed" && prefix[4] !== 0x0a) return pprofOrNothing(prefix);
  const request =
    framing === "message" ? prefix : prefix.subarray(4, 4 + Buffer.from(prefix.subarray(0, 4)).readUInt32BE());
  const signal = protobufSignal(request);
  if (signal === undefined) return pprofOrNothing(prefix);
  if (signal === "traces" || signal === "metrics") return { kind: "otlp-protobuf", signal, framing };
  if (signal === "profiles") return { kind: "profile", format: "otlp-profiles", what: "OTLP profiles" };
  return { kind: "not-used", signal, format: "protobuf" };
}

function pprofOrNothing(bytes: Uint8Array): ContentKind | undefined {
  return isPprof(bytes) ? { kind: "profile", format: "pprof", what: "a pprof profile" } : undefined;
}

function jsonKind(prefix: Uint8Array, start: number): ContentKind | undefined {
  const shape = jsonShape(prefix, start);
  if (shape === undefined) return undefined;
  const has = (...keys: string[]): boolean => keys.some((key) => shape.keys.has(key));
  const layout = layoutOf(prefix, shape);
  const notUsed = (signal: UnusedSignal): ContentKind => ({ kind: "not-used", signal, format: "JSON" });
  const unsupported = (what: string, instead: string): ContentKind => ({ kind: "unsupported", what, instead });

  if (has("o:resourceSpans", "o:resource_spans")) return { kind: "otlp-json", layout };
  if (has("o:resourceMetrics", "o:resource_metrics")) return { kind: "otlp-metrics-json", layout };
  if (has("o:resourceLogs", "o:resource_logs")) return notUsed("logs");
  if (has("o:resourceProfiles", "o:resource_profiles") || (has("o:dictionary") && has(...TABLES)))
    return { kind: "profile", format: "otlp-profiles-json", what: "OTLP profiles", inLines: layout !== "document" };
  if (has("ao:resourceSpans", "ao:resourceMetrics"))
    return unsupported("a JSON array of OTLP requests", "write one request per line");
  if (has("o:data") && has("oao:traceID", "oao:spans", "oao:processes")) return { kind: "jaeger-json", layout };
  if (has("o:traceID", "o:spans", "ao:traceID", "ao:spans", "ao:processes")) return { kind: "jaeger-json", layout };
  if (has("ao:binaryAnnotations", "aao:binaryAnnotations"))
    return unsupported("Zipkin v1 JSON", "export Zipkin v2 JSON");
  if (has("o:traceId", "ao:traceId", "aao:traceId")) return { kind: "zipkin-json", layout };
  if (has("o:traceEvents", "ao:ph")) return unsupported("a Chrome trace", "give OTLP, Jaeger or Zipkin traces");
  if (has("o:nodes") && has("o:samples", "o:timeDeltas", "oao:callFrame"))
    return { kind: "profile", format: "cpuprofile", what: "a .cpuprofile" };
  if (has("o:schema") && has("o:recording"))
    return { kind: "profile", format: "record", what: "a report of longpole record" };
  if (has("o:head") && has("oo:callFrame", "oo:selfSize"))
    return { kind: "profile", format: "heapprofile", what: "a .heapprofile" };
  const columns = (path: string): string[] =>
    [...shape.keys].filter((key) => key.startsWith(path)).map((key) => key.slice(path.length));
  if (areStatementColumns(columns("ao:")) || areStatementColumns(columns("o:")))
    return { kind: "pg-stat-statements", format: "json" };
  const outline = shape.end > 0 ? outlineOf(prefix, start, shape.end) : "";
  if (outline === "{}") return { kind: "otlp-json", layout };
  if (outline === "[]" || outline === "[[]]") return { kind: "zipkin-json", layout };
  if (outline === '{"data":[]}') return { kind: "jaeger-json", layout };
  return { kind: "unknown", found: `JSON with ${keyList(shape)}` };
}

/** Of the dictionary of OTLP profiles, which may come first and fill the prefix. */
const TABLES = ["oo:stringTable", "oo:mappingTable", "oo:locationTable", "oo:functionTable", "oo:stackTable"];

/** Lines need a whole value on the first line and something behind it; a single value is a document. */
function layoutOf(prefix: Uint8Array, shape: JsonShape): "document" | "lines" | "unsure" {
  if (shape.broken) return "document";
  if (shape.end < 0) return "unsure";
  for (let at = shape.end; at < prefix.length; at++) if (!isSpace(prefix[at]!)) return "lines";
  return prefix.length < PREFIX_BYTES ? "document" : "lines";
}

/** The value's text without white space, if it is as short as an empty request or list of traces. */
function outlineOf(bytes: Uint8Array, start: number, end: number): string {
  return end - start > 100 ? "" : String.fromCharCode(...bytes.subarray(start, end)).replace(/\s+/g, "");
}

function keyList(shape: JsonShape): string {
  const keys = [...shape.keys].slice(0, 3).map((key) => JSON.stringify(key.slice(key.indexOf(":") + 1)));
  return keys.length === 0 ? "no known key" : `the keys ${keys.join(", ")}`;
}

/** Binary formats with a signature, and what to do with them. */
const MAGICS: readonly (readonly [at: number, text: string, what: string, instead: string])[] = [
  [0, "PK\x03\x04", "a zip archive", "unpack it first"],
  [257, "ustar", "a tar archive", "unpack it first"],
  [0, "\xfd7zXZ\0", "an xz-compressed file", "decompress it first, or use gzip or zstd"],
  [0, "BZh", "a bzip2-compressed file", "decompress it first, or use gzip or zstd"],
  [0, "\x04\x22\x4d\x18", "an lz4-compressed file", "decompress it first, or use gzip or zstd"],
  [0, "\x1f\x8b", "a file compressed more than twice", "decompress it first"],
  [0, "PERFILE2", "a perf.data file", "give the output of `perf script`"],
  [0, "PAR1", "a Parquet file", "export OTLP, Jaeger or Zipkin traces"],
  [0, "SQLite format 3", "an SQLite database", "export OTLP, Jaeger or Zipkin traces"],
  [0, "\xff\xfe", "UTF-16 text", "convert it to UTF-8"],
  [0, "\xfe\xff", "UTF-16 text", "convert it to UTF-8"],
];

const JFR = Buffer.from("FLR\0", "latin1");

function magicKind(prefix: Uint8Array): ContentKind | undefined {
  if (JFR.equals(prefix.subarray(0, JFR.length)))
    return { kind: "profile", format: "jfr", what: "a recording of JDK Flight Recorder" };
  for (const [at, text, what, instead] of MAGICS) {
    if (prefix.length < at + text.length) continue;
    if (Array.from(text, (char) => char.charCodeAt(0)).every((byte, i) => prefix[at + i] === byte)) {
      return { kind: "unsupported", what, instead };
    }
  }
  return undefined;
}

/**
 * First lines of Prometheus' text format and OpenMetrics: a comment of theirs, or a sample with its value and
 * maybe a timestamp and an exemplar. A name and a number alone could be anything; with a name of theirs it is taken.
 */
const PROMETHEUS: readonly RegExp[] = [
  /^# (HELP|TYPE|UNIT) \S+|^# EOF$/,
  /^([a-z_:][\w:]*\s*(\{.*\})?)\s+[-+]?(\d+\.?\d*([e][-+]?\d+)?|\.\d+|inf|nan)(\s+-?[\d.]+(e[-+]?\d+)?)?(\s+# .*)?$/i,
];

/** Other text formats by their first line, most telling first. */
const TEXTS: readonly (readonly [line: RegExp, what: string, instead: string])[] = [
  [
    /^<(!doctype|html|\?xml|[a-z]+[ >])/i,
    "an HTML or XML page",
    "check the download: it may be a page of a login or an error",
  ],
  [/^("[^"]*"|[^",{}]*)(,("[^"]*"|[^",{}]*))+$/, "a CSV file", "give traces or metrics to this command"],
];

function textKind(prefix: Uint8Array, start: number): ContentKind | undefined {
  let end = start;
  while (end < prefix.length && end - start < 4096 && prefix[end] !== 0x0a) end++;
  const line = Buffer.from(prefix.subarray(start, end)).toString("utf8").trimEnd();
  if (/[\x00-\x08\x0e-\x1f\ufffd]/.test(line)) return undefined;
  const format = profileTextKind(prefix, start, prefix.length < PREFIX_BYTES);
  if (format === "folded") return { kind: "profile", format, what: "folded stacks" };
  if (format === "perf-script") return { kind: "profile", format, what: "the output of perf script" };
  if (PROMETHEUS.some((pattern) => pattern.test(line))) return { kind: "prometheus-text" };
  if (areStatementColumns(line.replaceAll('"', "").split(","))) return { kind: "pg-stat-statements", format: "csv" };
  for (const [pattern, what, instead] of TEXTS) if (pattern.test(line)) return { kind: "unsupported", what, instead };
  return undefined;
}

function unknown(prefix: Uint8Array): ContentKind {
  const bytes = prefix.subarray(0, 16);
  const printable = bytes.every((byte) => byte >= 0x20 && byte < 0x7f);
  const found = printable
    ? JSON.stringify(String.fromCharCode(...bytes))
    : `bytes ${Array.from(bytes.subarray(0, 8), (byte) => byte.toString(16).padStart(2, "0")).join(" ")}`;
  return { kind: "unknown", found };
}
