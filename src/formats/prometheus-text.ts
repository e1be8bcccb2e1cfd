import { AttributeType } from "../model/attribute-table.ts";
import { InputError, type Intake } from "../model/intake.ts";
import { MetricKind, Temporality } from "../model/metric-table.ts";
import type { Instrument, MetricTableBuilder } from "../model/metric-table-builder.ts";
import { StringPool } from "../model/string-pool.ts";
import { readHexId } from "./hex-ids.ts";
import { parseDouble } from "./json-number.ts";
import { type Exemplar, PrometheusDistributions } from "./prometheus-distributions.ts";
import { type Head, parseHead, type Families, parseLabels } from "./prometheus-heads.ts";

/** A line may be that long. */
const MAX_LINE = 1 << 20;
const NEWLINE = 0x0a;
const SPACE = 0x20;
const TAB = 0x09;
const HASH = 0x23;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;
const QUOTE = 0x22;
const BACKSLASH = 0x5c;

/** Nanoseconds as two words; a double of them would be off by up to 128 ns, and the two halves are exact. */
interface Time {
  high: number;
  low: number;
}

/**
 * Decodes the Prometheus text format and OpenMetrics, line by line, also several
 * expositions one behind the other.
 *
 * - Counters become cumulative sums under the name that the sample has, histograms and summaries are put together
 *   from their lines, all else becomes gauges. A name without a TYPE that ends in `_total` is a counter.
 * - Labels become attributes. `target_info` without `job` and `instance`, as an OpenTelemetry exporter writes it,
 *   becomes the resource of what follows.
 * - A timestamp below 10^11 counts seconds, as in OpenMetrics, otherwise milliseconds (10^11 ms is 1973, 10^11 s the
 *   year 5138). A sample without one is of `unixNs`, when the file was written.
 *
 * A line that is no sample is rejected as a point, with its byte; the others are read. A line of more than 1 MiB
 * throws InputError "too-large".
 */
export class PrometheusText {
  private readonly into: MetricTableBuilder;
  private readonly intake: Intake;
  private readonly file: string;
  private readonly now: Time;
  private readonly families: Families = new Map();
  /** Names with labels as they were written → what they mean. */
  private readonly headIds = new StringPool();
  private heads: (Head | undefined)[] = [];
  private readonly series = new Map<Head, { readonly resource: number; readonly series: number }>();
  private readonly distributions: PrometheusDistributions;
  private readonly empty: number;
  private resource: number;
  private rest: Uint8Array = new Uint8Array(0);
  /** Offset in the file of the line being read. */
  private offset = 0;
  private readonly time: Time = { high: 0, low: 0 };
  private readonly ids = new Uint32Array(6);

  constructor(
    into: MetricTableBuilder,
    intake: Intake,
    file: string,
    unixNs: bigint,
    attributes: readonly (readonly [key: string, text: string])[] = [],
  ) {
    this.into = into;
    this.intake = intake;
    this.file = file;
    this.now = { high: Number(unixNs >> 32n), low: Number(unixNs & 0xffffffffn) };
    into.resources.clear();
    for (const [key, text] of attributes)
      into.resources.add(into.strings.intern(key), AttributeType.string, into.strings.intern(text));
    this.empty = this.resource = into.resources.close();
    this.distributions = new PrometheusDistributions(into, intake);
  }

  push(chunk: Uint8Array): void {
    let from = 0;
    for (;;) {
      const to = chunk.indexOf(NEWLINE, from);
      if (to < 0) break;
      if (this.rest.length > 0) {
        const line = concat(this.rest, chunk.subarray(from, to));
        this.rest = new Uint8Array(0);
        this.line(line, 0, line.length);
        this.offset += line.length + 1;
      } else {
        this.line(chunk, from, to);
        this.offset += to + 1 - from;
      }
      from = to + 1;
    }
    if (from < chunk.length) this.rest = concat(this.rest, chunk.subarray(from));
    if (this.rest.length <= MAX_LINE) return;
    const expected = `lines of at most ${MAX_LINE} bytes`;
    throw new InputError("too-large", { file: this.file, byteOffset: this.offset, expected, found: "a longer one" });
  }

  finish(cutOff: boolean): void {
    // The last line of content that was cut off is a part of one.
    if (!cutOff) this.line(this.rest, 0, this.rest.length);
    this.distributions.flush();
  }

  private line(bytes: Uint8Array, start: number, end: number): void {
    while (start < end && isBlank(bytes[start]!)) start++;
    while (end > start && (isBlank(bytes[end - 1]!) || bytes[end - 1] === 0x0d)) end--;
    if (start === end) return;
    if (bytes[start] === HASH) this.comment(textOf(bytes, start, end));
    else this.sample(bytes, start, end);
  }

  private comment(line: string): void {
    const found = /^#\s+(TYPE|UNIT)\s+("(?:[^"\\]|\\.)*"|\S+)\s+(\S+)$/.exec(line);
    if (found === null) {
      // The next exposition may be of another target.
      if (line === "# EOF") this.resource = this.empty;
      return;
    }
    const [, what, quoted, value] = found;
    const name = quoted!.startsWith('"') ? quoted!.slice(1, -1) : quoted!;
    const known = this.families.get(name) ?? { type: "", unit: "" };
    const next = what === "TYPE" ? { ...known, type: value! } : { ...known, unit: value! };
    if (next.type === known.type && next.unit === known.unit) return;
    this.families.set(name, next);
    // Names that were read before may mean another thing now.
    this.heads = [];
  }

  private sample(bytes: Uint8Array, start: number, end: number): void {
    const headEnd = endOfHead(bytes, start, end);
    if (headEnd < 0) return this.reject("labels without an end");
    let at = skipBlank(bytes, headEnd, end);
    const valueEnd = endOfWord(bytes, at, end);
    const value = number(bytes, at, valueEnd);
    if (value === undefined)
      return this.reject(at === end ? "no value" : textOf(bytes, at, Math.min(valueEnd, at + 24)));
    at = skipBlank(bytes, valueEnd, end);
    let timed = false;
    if (at < end && bytes[at] !== HASH) {
      const wordEnd = endOfWord(bytes, at, end);
      if (!readTime(bytes, at, wordEnd, this.time))
        return this.reject(`the timestamp ${textOf(bytes, at, Math.min(wordEnd, at + 24))}`);
      timed = true;
      at = skipBlank(bytes, wordEnd, end);
    }
    if (!timed) [this.time.high, this.time.low] = [this.now.high, this.now.low];
    if (at < end && bytes[at] !== HASH) return this.reject("more behind the timestamp");
    const head = this.headOf(bytes, start, headEnd);
    if (head === undefined) return this.reject(textOf(bytes, start, Math.min(headEnd, start + 40)));
    const exemplar = at < end ? textOf(bytes, at, end) : "";
    if (head.role === "value") this.number(head, value, exemplar);
    else if (head.role !== "skip")
      this.distributions.add(head, value, this.time, this.resource, this.exemplarOf(exemplar));
  }

  private headOf(bytes: Uint8Array, start: number, end: number): Head | undefined {
    const id = this.headIds.internBytes(bytes, start, end);
    const known = this.heads[id];
    if (known !== undefined) return known;
    const { into } = this;
    const head = parseHead(textOf(bytes, start, end), this.families);
    if (head === undefined) return undefined;
    this.heads[id] = head;
    if (head.name === "target_info" && !head.labels.some(([key]) => key === "job" || key === "instance")) {
      into.resources.clear();
      for (const [key, text] of head.labels) {
        into.resources.add(
          into.strings.intern(key.replaceAll("_", ".")),
          AttributeType.string,
          into.strings.intern(text),
        );
      }
      this.resource = into.resources.close();
    }
    return head;
  }

  private number(head: Head, value: number, exemplar: string): void {
    const { into } = this;
    const { point } = into;
    into.begin();
    [point.timeHigh, point.timeLow, point.value] = [this.time.high, this.time.low, value];
    if (exemplar !== "") {
      const found = this.exemplarOf(exemplar);
      if (found !== undefined) into.addExemplar(found.high, found.low, found.value, found.ids);
    }
    into.commitTo(this.seriesOf(head));
    this.intake.points.accept();
  }

  /** Known for the head that came before under the same resource: the labels are interned once, not per sample. */
  private seriesOf(head: Head): number {
    const known = this.series.get(head);
    if (known !== undefined && known.resource === this.resource) return known.series;
    const { into } = this;
    for (const [key, text] of head.labels) {
      into.labels.add(into.strings.intern(key), AttributeType.string, into.strings.intern(text));
    }
    const series = into.seriesOf(this.instrument(head), into.labels.close());
    this.series.set(head, { resource: this.resource, series });
    return series;
  }

  private instrument(head: Head): Instrument {
    const { into } = this;
    return {
      resource: this.resource,
      scope: 0,
      name: into.strings.intern(head.name),
      unit: into.strings.intern(head.unit),
      kind: head.kind,
      temporality: head.kind === MetricKind.sum ? Temporality.cumulative : Temporality.unspecified,
      monotonic: head.kind === MetricKind.sum,
    };
  }

  /** `# {trace_id="..."} 0.67 1520879607.789`; undefined without a trace id. */
  private exemplarOf(text: string): Exemplar | undefined {
    const found = /^#\s*(\{.*\})\s*(\S+)(?:\s+(\S+))?$/.exec(text);
    if (found === null) return undefined;
    const labels = parseLabels(found[1]!.slice(1, -1));
    const idOf = (name: RegExp): string => labels?.find(([key]) => name.test(key))?.[1] ?? "";
    const trace = Buffer.from(idOf(/^trace_?id$/i));
    const span = Buffer.from(idOf(/^span_?id$/i));
    this.ids.fill(0);
    if (trace.length !== 32 || !readHexId(trace, 0, 32, this.ids, 0, 4)) return undefined;
    if (span.length !== 16 || !readHexId(span, 0, 16, this.ids, 4, 2)) this.ids.fill(0, 4);
    const time: Time = { high: 0, low: 0 };
    const stamp = Buffer.from(found[3] ?? "");
    if (stamp.length > 0) readTime(stamp, 0, stamp.length, time);
    const value = Buffer.from(found[2]!);
    return { ...time, value: number(value, 0, value.length) ?? Number.NaN, ids: Uint32Array.from(this.ids) };
  }

  private reject(found: string): void {
    const example = `${this.file}: byte ${this.offset}: expected a sample, found ${found}`;
    this.intake.points.reject("point-malformed", this.intake.points.rejected.has("point-malformed") ? "" : example);
  }
}

const isBlank = (byte: number): boolean => byte === SPACE || byte === TAB;

function skipBlank(bytes: Uint8Array, at: number, end: number): number {
  while (at < end && isBlank(bytes[at]!)) at++;
  return at;
}

function endOfWord(bytes: Uint8Array, at: number, end: number): number {
  while (at < end && !isBlank(bytes[at]!)) at++;
  return at;
}

/** Position behind the name and its labels; -1 where these don't end. */
function endOfHead(bytes: Uint8Array, start: number, end: number): number {
  let at = start;
  while (at < end && bytes[at] !== OPEN_BRACE && !isBlank(bytes[at]!)) at++;
  const brace = skipBlank(bytes, at, end);
  if (bytes[brace] !== OPEN_BRACE || brace === end) return at;
  let quoted = false;
  for (let i = brace + 1; i < end; i++) {
    const byte = bytes[i]!;
    if (quoted && byte === BACKSLASH) i++;
    else if (byte === QUOTE) quoted = !quoted;
    else if (byte === CLOSE_BRACE && !quoted) return i + 1;
  }
  return -1;
}

/** A number as Go reads it: also `+Inf`, `.5` and `5.`. */
function number(bytes: Uint8Array, start: number, end: number): number | undefined {
  const plain = start === end ? undefined : parseDouble(bytes, start, end);
  if (plain !== undefined) return plain;
  const text = textOf(bytes, start, Math.min(end, start + 400));
  if (/^[+-]?inf(inity)?$/i.test(text))
    return text.startsWith("-") ? Number.NEGATIVE_INFINITY : Number.POSITIVE_INFINITY;
  if (/^[+-]?nan$/i.test(text)) return Number.NaN;
  return /^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$/.test(text) ? Number(text) : undefined;
}

/** Reads seconds or milliseconds since 1970; false for what is no time. */
function readTime(bytes: Uint8Array, start: number, end: number, into: Time): boolean {
  const value = number(bytes, start, end);
  if (value === undefined || !Number.isFinite(value) || value < 0) return false;
  const ms = value < 1e11 ? value * 1e3 : value;
  if (ms >= 2 ** 64 / 1e6) return false;
  const whole = Math.floor(ms);
  const ns = BigInt(whole) * 1_000_000n + BigInt(Math.round((ms - whole) * 1e6));
  into.high = Number(ns >> 32n);
  into.low = Number(ns & 0xffffffffn);
  return true;
}

const textOf = (bytes: Uint8Array, start: number, end: number): string =>
  Buffer.from(bytes.buffer, bytes.byteOffset + start, end - start).toString("utf8");

function concat(first: Uint8Array, second: Uint8Array): Uint8Array {
  const both = new Uint8Array(first.length + second.length);
  both.set(first);
  both.set(second, first.length);
  return both;
}
