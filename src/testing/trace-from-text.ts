import { AttributeType } from "../model/attribute-table.ts";
import type { AttributeTableBuilder } from "../model/attribute-table.ts";
import { SpanKind, SpanStatus, type SpanTable } from "../model/span-table.ts";
import { SpanTableBuilder } from "../model/span-table-builder.ts";
import type { StringPool } from "../model/string-pool.ts";
import { NS_PER_US, unixNs } from "../model/units.ts";

export interface TracePictureOptions {
  /** nanoseconds per column; default 1000 (one column = 1 µs) */
  readonly unitNs?: number;
  /** time of column zero, nanoseconds since 1970 */
  readonly startUnixNs?: bigint;
}

/**
 * Spans drawn as a picture, one per line, in the order of the lines:
 *
 *     frontend GET /orders  |----------|     server
 *       orders list           |------|       server host.name=h1
 *         db SELECT            |-|           client db.system=postgresql
 *
 *     worker poll               |---|        consumer link=job
 *
 * - The label's first word is the service, the rest the operation (without a
 *   rest the service's name).
 * - Indentation gives parentage; unindented lines are roots. An empty line
 *   begins another trace.
 * - A bar stands at the span's start, another at its end; columns count from the
 *   leftmost bar of the whole text and are `startOffsetNs` and `endOffsetNs`
 *   after multiplication with `unitNs`. A single bar is a span of no duration.
 *   `<--|` (`|` the start, `<` the end) ends before it starts.
 * - Words behind the bars: a kind (`server`, `client`, `producer`, `consumer`,
 *   `internal`, which is also the default), `error`, `id=x` (a name for the span
 *   id; equal names, equal ids), `parent=x` (instead of the indentation; a name
 *   that no span has makes an orphan), `link=x` (to a span named in any trace),
 *   `tracestate=...`, and attributes `key=value`. Attributes of `host.`, `service.`,
 *   `process.`, `k8s.` and `container.` belong to the resource. Values that read
 *   as numbers or booleans are such; quotes keep spaces: `a="b c"`.
 *
 * Throws on a line that it does not understand.
 */
export function traceFromText(picture: string, options: TracePictureOptions = {}): SpanTable {
  const lines = parseLines(picture);
  const unit = options.unitNs ?? NS_PER_US;
  const startUnixNs = options.startUnixNs ?? 1_790_000_000_000_000_000n;
  const zero = Math.min(...lines.map((line) => Math.min(line.startColumn, line.endColumn)));
  const ids = new Map<string, number>();
  const traceOfId = new Map<string, number>();
  for (const line of lines) {
    const id = line.words.get("id");
    if (id !== undefined && !traceOfId.has(id)) traceOfId.set(id, line.trace);
  }

  const builder = new SpanTableBuilder();
  const starts = new Float64Array(lines.length);
  const ends = new Float64Array(lines.length);
  lines.forEach((line, row) => {
    builder.begin(addResource(builder, line), 0);
    starts[row] = (line.startColumn - zero) * unit;
    ends[row] = (line.endColumn - zero) * unit;
    builder.traceId[4 * row + 3] = line.trace + 1;
    writeSpanId(builder.spanId, row, spanIdOf(lines, row, ids));
    const parent = line.words.get("parent");
    if (parent !== undefined) writeSpanId(builder.parentSpanId, row, namedId(ids, parent));
    else if (line.parent >= 0) writeSpanId(builder.parentSpanId, row, spanIdOf(lines, line.parent, ids));
    builder.kind[row] = line.kind;
    builder.status[row] = line.error ? SpanStatus.error : SpanStatus.unset;
    builder.name[row] = builder.strings.intern(line.operation);
    builder.traceState[row] = builder.strings.intern(line.words.get("tracestate") ?? "");
    for (const [key, value] of line.words) {
      if (!SYNTAX.has(key) && !isResourceKey(key)) addAttribute(builder.attributes, builder.strings, key, value);
    }
    const link = line.words.get("link");
    if (link !== undefined) {
      const to = namedId(ids, link);
      builder.addLink(Uint32Array.of(0, 0, 0, (traceOfId.get(link) ?? line.trace) + 1, to.high, to.low));
    }
    builder.commit();
  });
  // The builder would put time zero at the median start; here it is the picture's first column.
  return { ...builder.finish().table, baseUnixNs: unixNs(startUnixNs), startOffsetNs: starts, endOffsetNs: ends };
}

/** Row of the only span with this operation. Throws when there is none or more than one. */
export function rowOf(table: SpanTable, operation: string): number {
  const rows: number[] = [];
  for (let row = 0; row < table.rowCount; row++) {
    if (table.strings.get(table.name[row]!) === operation) rows.push(row);
  }
  if (rows.length !== 1) throw new Error(`${rows.length} spans are named "${operation}"`);
  return rows[0]!;
}

interface Line {
  readonly trace: number;
  /** line number of the parent, -1 for unindented lines */
  readonly parent: number;
  readonly service: string;
  readonly operation: string;
  readonly startColumn: number;
  readonly endColumn: number;
  readonly kind: number;
  readonly error: boolean;
  /** `key=value` behind the bars */
  readonly words: ReadonlyMap<string, string>;
}

const SYNTAX: ReadonlySet<string> = new Set(["id", "parent", "link", "tracestate"]);
const isResourceKey = (key: string): boolean => /^(host|service|process|k8s|container)\./.test(key);

function parseLines(picture: string): Line[] {
  const texts = picture.split("\n");
  const indents = texts.filter((text) => text.trim() !== "").map(indentOf);
  const margin = Math.min(...indents);
  const lines: Line[] = [];
  let open: { indent: number; line: number }[] = [];
  let trace = 0;
  for (const text of texts) {
    if (text.trim() === "") {
      if (open.length > 0) trace++;
      open = [];
      continue;
    }
    const indent = indentOf(text) - margin;
    while (open.length > 0 && open.at(-1)!.indent >= indent) open.pop();
    if (indent > 0 && open.length === 0) throw new Error(`indented, but under nothing: ${text}`);
    lines.push(parseLine(text, trace, open.at(-1)?.line ?? -1));
    open.push({ indent, line: lines.length - 1 });
  }
  return lines;
}

const indentOf = (text: string): number => text.length - text.trimStart().length;

function parseLine(text: string, trace: number, parent: number): Line {
  const parts = /^\s*(\S+)([^|<]*)([|<](?:-*\|)?)(.*)$/.exec(text);
  if (parts === null) throw new Error(`not "service operation |---| words": ${text}`);
  const [, service = "", rest = "", bars = "", trailer = ""] = parts;
  const first = text.length - trailer.length - bars.length;
  const last = first + bars.length - 1;
  const backwards = bars.startsWith("<");
  const words = new Map<string, string>();
  let kind: number = SpanKind.internal;
  let error = false;
  for (const word of trailer.match(/[^\s="]+="[^"]*"|\S+/g) ?? []) {
    const equals = word.indexOf("=");
    if (equals > 0) words.set(word.slice(0, equals), word.slice(equals + 1).replace(/^"(.*)"$/, "$1"));
    else if (word === "error") error = true;
    else if (Object.hasOwn(SpanKind, word)) kind = SpanKind[word as keyof typeof SpanKind];
    else throw new Error(`neither a kind, "error" nor key=value: ${word}`);
  }
  const operation = rest.trim() === "" ? service : rest.trim();
  return {
    trace,
    parent,
    service,
    operation,
    startColumn: backwards ? last : first,
    endColumn: backwards ? first : last,
    kind,
    error,
    words,
  };
}

interface SpanId {
  readonly high: number;
  readonly low: number;
}

/** Unnamed spans are numbered by line, named ones by name, apart through the high word. */
function spanIdOf(lines: readonly Line[], row: number, ids: Map<string, number>): SpanId {
  const name = lines[row]!.words.get("id");
  return name === undefined ? { high: 0, low: row + 1 } : namedId(ids, name);
}

function namedId(ids: Map<string, number>, name: string): SpanId {
  const known = ids.get(name);
  if (known !== undefined) return { high: 1, low: known };
  ids.set(name, ids.size + 1);
  return { high: 1, low: ids.size };
}

function writeSpanId(column: Uint32Array, row: number, id: SpanId): void {
  column[2 * row] = id.high;
  column[2 * row + 1] = id.low;
}

function addResource(builder: SpanTableBuilder, line: Line): number {
  addAttribute(builder.resources, builder.strings, "service.name", line.service);
  for (const [key, value] of line.words) {
    if (isResourceKey(key)) addAttribute(builder.resources, builder.strings, key, value);
  }
  return builder.resources.closeList();
}

function addAttribute(attributes: AttributeTableBuilder, strings: StringPool, key: string, value: string): void {
  const keyId = strings.intern(key);
  if (value === "true" || value === "false") attributes.add(keyId, AttributeType.boolean, value === "true" ? 1 : 0);
  else if (value !== "" && Number.isFinite(Number(value))) attributes.add(keyId, AttributeType.number, Number(value));
  else attributes.add(keyId, AttributeType.string, strings.intern(value));
}
