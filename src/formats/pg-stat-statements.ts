import { AttributeType } from "../model/attribute-table.ts";
import { InputError, type Intake } from "../model/intake.ts";
import { MetricKind, Temporality } from "../model/metric-table.ts";
import type { MetricTableBuilder } from "../model/metric-table-builder.ts";
import { CsvError, csvRecords } from "./csv-records.ts";

/** A snapshot is some thousand rows; the texts of ORMs make them large. */
const MAX_BYTES = 256 * 2 ** 20;

/** Columns old and new (PostgreSQL 9.4 to 18), and the metric that a collector of the same counters sends. */
const COUNTERS: readonly (readonly [metric: string, unit: string, scale: number, ...columns: readonly string[]])[] = [
  ["calls", "{call}", 1, "calls"],
  ["time", "s", 1e-3, "total_exec_time", "total_time"],
  ["plan_time", "s", 1e-3, "total_plan_time"],
  ["rows", "{row}", 1, "rows"],
  ["blocks_hit", "{block}", 1, "shared_blks_hit"],
  ["blocks_read", "{block}", 1, "shared_blks_read"],
  ["blocks_dirtied", "{block}", 1, "shared_blks_dirtied"],
  ["read_time", "s", 1e-3, "shared_blk_read_time", "blk_read_time"],
  ["temp_blocks_read", "{block}", 1, "temp_blks_read"],
  ["temp_blocks_written", "{block}", 1, "temp_blks_written"],
  ["wal", "By", 1, "wal_bytes"],
];
/** Names that people give to the time of a snapshot; without one the file's own time is taken. */
const TIMES = [
  "snapshot_time",
  "snapshot_at",
  "captured_at",
  "collected_at",
  "sampled_at",
  "snapshot",
  "ts",
  "timestamp",
  "time",
  "now",
];

type Fields = Readonly<Record<string, unknown>>;

/** Whether these are columns of pg_stat_statements: `SELECT *`, or some of them. */
export function areStatementColumns(names: Iterable<string>): boolean {
  const known = new Set([...names].map((name) => name.trim().toLowerCase()));
  const has = (...columns: readonly string[]): boolean => columns.some((column) => known.has(column));
  return has("calls") && has("query", "queryid") && has("total_exec_time", "total_time");
}

/**
 * Snapshots of pg_stat_statements, as CSV with a header (`psql --csv`, `COPY ... CSV HEADER`) or as JSON: an array of rows
 * (`json_agg`), or a row per line. Each counter becomes a cumulative sum of `postgresql.statement.*` with the statement as
 * `db.query.text`, at the time of the snapshot; from a second snapshot on, in the same file or another, that tells what
 * happened between them.
 *
 * A row with a counter that is no number is rejected as points, with its line. Throws InputError with the line for text
 * that is no CSV or JSON, and for rows of another length than the header.
 */
export class PgStatStatements {
  private readonly into: MetricTableBuilder;
  private readonly intake: Intake;
  private readonly file: string;
  private readonly format: "csv" | "json";
  private readonly fileUnixNs: bigint;
  private readonly chunks: Uint8Array[] = [];
  private bytes = 0;

  constructor(into: MetricTableBuilder, intake: Intake, file: string, format: "csv" | "json", fileUnixNs: bigint) {
    this.into = into;
    this.intake = intake;
    this.file = file;
    this.format = format;
    this.fileUnixNs = fileUnixNs;
  }

  push(chunk: Uint8Array): void {
    this.bytes += chunk.length;
    if (this.bytes > MAX_BYTES)
      throw this.error("too-large", 0, `a snapshot of at most ${MAX_BYTES / 2 ** 20} MiB`, "a longer one");
    this.chunks.push(new Uint8Array(chunk));
  }

  finish(cutOff: boolean): void {
    const text = Buffer.concat(this.chunks)
      .toString("utf8")
      .replace(/^\uFEFF/, "");
    if (this.format === "csv") this.readCsv(text, cutOff);
    else this.readJson(text, cutOff);
  }

  private readCsv(text: string, cutOff: boolean): void {
    let header: readonly string[] | undefined;
    try {
      for (const { fields, line, at } of csvRecords(text)) {
        if (header === undefined) {
          header = fields.map((name) => name.trim().toLowerCase());
          continue;
        }
        // psql ends its table with "(42 rows)" where --csv is forgotten.
        if (fields.length !== header.length) {
          if (cutOff) return;
          const found = `${fields.length} in line ${line}`;
          throw this.error("malformed", byteOf(text, at), `${header.length} fields, as in the header`, found);
        }
        this.row(Object.fromEntries(header.map((name, i) => [name, fields[i]])), `line ${line}`);
      }
    } catch (error) {
      if (!(error instanceof CsvError)) throw error;
      if (cutOff) return;
      const found = `${error.message} in line ${error.line}`;
      throw this.error("malformed", byteOf(text, error.at), "CSV with quotes in pairs", found);
    }
  }

  private readJson(text: string, cutOff: boolean): void {
    const lines = text.split("\n");
    const isLines = lines.length > 1 && isJson(lines[0]!) && lines[0]!.trim().startsWith("{");
    const values = isLines ? lines : [text];
    let at = 0;
    for (const [i, value] of values.entries()) {
      if (value.trim() !== "") {
        let parsed: unknown;
        try {
          parsed = JSON.parse(value);
        } catch (error) {
          if (cutOff) return;
          const where = isLines ? `line ${i + 1}` : `line ${lineOf(value, error as Error)}`;
          throw this.error("malformed", byteOf(text, at), "JSON", `${(error as Error).message} (${where})`);
        }
        this.rowsOf(parsed, isLines ? `line ${i + 1}` : "");
      }
      at += value.length + 1;
    }
  }

  private rowsOf(parsed: unknown, where: string): void {
    const rows = Array.isArray(parsed) ? (parsed as unknown[]) : [parsed];
    for (const [i, row] of rows.entries()) {
      const place = where === "" ? `row ${i + 1}` : where;
      if (typeof row === "object" && row !== null) this.row(row as Fields, place);
      else this.intake.points.reject("point-malformed", `${place}: ${JSON.stringify(row)} is no row`);
    }
  }

  private row(fields: Fields, place: string): void {
    const values = COUNTERS.flatMap(([metric, unit, scale, ...columns]) => {
      const column = columns.find((name) => isGiven(fields[name]));
      return column === undefined ? [] : [{ metric, unit, column, value: scale * Number(fields[column]) }];
    });
    const bad = values.find(({ value }) => !Number.isFinite(value) || value < 0);
    const unixNs = this.timeOf(fields);
    if (bad !== undefined || unixNs === undefined) {
      const found =
        bad === undefined ? "its time cannot be read" : `${bad.column} is ${JSON.stringify(fields[bad.column])}`;
      this.intake.points.reject("point-malformed", `${place}: ${found}`);
      return;
    }
    const from = this.into.open;
    for (const { metric, unit, value } of values) this.point(fields, metric, unit, value, unixNs);
    if (this.into.open > from) return;
    this.intake.points.reject("value-missing", `${place}: no counter`);
  }

  private point(fields: Fields, metric: string, unit: string, value: number, unixNs: bigint): void {
    const { into } = this;
    const { strings, point } = into;
    const add = (lists: typeof into.labels, key: string, text: string): void => {
      if (text !== "") lists.add(strings.intern(key), AttributeType.string, strings.intern(text));
    };
    const database = textOf(fields["datname"]) || textOf(fields["database"]) || textOf(fields["dbid"]);
    into.resources.clear();
    add(into.resources, "db.system.name", "postgresql");
    add(into.resources, "postgresql.database.name", database);
    const resource = into.resources.close();
    into.begin();
    const query = textOf(fields["query"]);
    if (!query.startsWith("<insufficient")) add(into.labels, "db.query.text", query);
    add(into.labels, "postgresql.queryid", textOf(fields["queryid"]));
    // The same statement of two roles, or within a function and outside, is two rows.
    for (const column of ["userid", "rolname", "toplevel"])
      add(into.labels, `postgresql.${column}`, textOf(fields[column]));
    point.timeHigh = Number(unixNs >> 32n);
    point.timeLow = Number(unixNs & 0xffffffffn);
    point.value = value;
    const row = into.open;
    into.commit(MetricKind.sum);
    into.assign(row, into.open, {
      resource,
      scope: 0,
      name: strings.intern(`postgresql.statement.${metric}`),
      unit: strings.intern(unit),
      kind: MetricKind.sum,
      temporality: Temporality.cumulative,
      monotonic: true,
    });
    this.intake.points.accept();
  }

  /** Undefined where a time is given and cannot be read. */
  private timeOf(fields: Fields): bigint | undefined {
    const name = TIMES.find((one) => isGiven(fields[one]));
    if (name === undefined) return this.fileUnixNs;
    const text = textOf(fields[name]);
    // Seconds or milliseconds since 1970: 10^11 s is the year 5138, 10^11 ms is 1973.
    const seconds = Number(text);
    const ms = Number.isFinite(seconds) ? (seconds < 1e11 ? 1000 * seconds : seconds) : Date.parse(isoOf(text));
    return Number.isFinite(ms) ? BigInt(Math.round(ms)) * 1_000_000n : undefined;
  }

  private error(code: "malformed" | "too-large", byteOffset: number, expected: string, found: string): InputError {
    return new InputError(code, { file: this.file, byteOffset, expected, found });
  }
}

const isGiven = (value: unknown): boolean => value !== undefined && value !== null && value !== "";

const textOf = (value: unknown): string =>
  typeof value === "string" ? value : typeof value === "number" || typeof value === "boolean" ? String(value) : "";

/** "2026-11-26 01:02:03.4+00" as PostgreSQL writes it; a time without a zone is taken as UTC. */
function isoOf(text: string): string {
  const found = /^(\d{4}-\d\d-\d\d)[ T](\d\d:\d\d:\d\d(?:\.\d+)?)\s*(Z|[+-]\d\d)?:?(\d\d)?$/.exec(text.trim());
  if (found === null) return text;
  const [, day, time, zone = "Z", minutes = "00"] = found;
  return `${day}T${time}${zone === "Z" ? zone : `${zone}:${minutes}`}`;
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

/** The line of the position that a syntax error tells; the last line where it tells none. */
function lineOf(text: string, error: Error): number {
  const position = Number(/position (\d+)/.exec(error.message)?.[1] ?? text.length);
  return text.slice(0, position).split("\n").length;
}

const byteOf = (text: string, at: number): number => Buffer.byteLength(text.slice(0, at));
