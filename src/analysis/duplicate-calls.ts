import { attributeText, findAttribute } from "../model/attribute-table.ts";
import { SpanRole } from "../model/span-facts.ts";
import type { TraceForest } from "../model/trace-forest.ts";
import { CONVENTIONS } from "./semantic-conventions.ts";

/**
 * Per span row: the first call of the same trace that asked the same service for the same thing, -1 for none.
 *
 * Two calls are the same when service, operation and callee agree and their attributes name the arguments: the full
 * URL of a GET or HEAD, or a statement with its literals or its recorded parameters. A statement with placeholders
 * and no parameters says nothing about its arguments (each item of an N+1 looks alike), so it is no duplicate; nor
 * are BEGIN, COMMIT and their kin, nor `retryOf` rows (same thing asked again because the first attempt failed).
 */
export function findDuplicates(forest: TraceForest, retryOf: Int32Array): Int32Array {
  const { facts, rows, traceStart } = forest;
  const duplicateOf = new Int32Array(forest.spans.rowCount).fill(-1);
  const read = argumentReader(forest);
  for (let trace = 0; trace < forest.traceCount; trace++) {
    const seen = new Map<number, number[]>();
    for (let i = traceStart[trace]!; i < traceStart[trace + 1]!; i++) {
      const row = rows[i]!;
      if (facts.role[row] !== SpanRole.client && facts.role[row] !== SpanRole.database) continue;
      const held = seen.get(facts.operation[row]!);
      if (held === undefined) seen.set(facts.operation[row]!, [row]);
      else held.push(row);
    }
    for (const calls of seen.values()) if (calls.length > 1) markSame(forest, calls, retryOf, read, duplicateOf);
  }
  return duplicateOf;
}

function markSame(
  forest: TraceForest,
  calls: number[],
  retryOf: Int32Array,
  read: (row: number) => string,
  duplicateOf: Int32Array,
): void {
  const { facts, startNs } = forest;
  const first = new Map<string, number>();
  calls.sort((a, b) => startNs[a]! - startNs[b]! || a - b);
  for (const row of calls) {
    const asked = retryOf[row]! >= 0 ? "" : read(row);
    if (asked === "") continue;
    const key = `${facts.service[row]} ${facts.callee[row]} ${asked}`;
    const before = first.get(key);
    if (before === undefined) first.set(key, row);
    else duplicateOf[row] = before;
  }
}

/** A function from a call's row to text that tells its arguments, "" when they are not recorded. */
function argumentReader(forest: TraceForest): (row: number) => string {
  const { attributes, strings } = forest.spans;
  const ids = (keys: readonly string[]): number[] => keys.map((key) => strings.intern(key));
  const [statement, url, path, method] = [
    ids(CONVENTIONS.dbStatement),
    ids(CONVENTIONS.urlFull),
    ids(CONVENTIONS.urlPath),
    ids(CONVENTIONS.httpMethod),
  ];
  const query = ids(["url.query"]);
  const server = ids(CONVENTIONS.serverAddress);
  const first = (row: number, keys: readonly number[]): string => {
    for (const key of keys) {
      const at = findAttribute(attributes, row, key);
      if (at >= 0) return attributeText(attributes, strings, at);
    }
    return "";
  };
  return (row) => {
    const sql = first(row, statement);
    if (sql !== "") {
      if (/^\s*(begin|start|commit|rollback|savepoint|release|set|end|abort)\b/i.test(sql)) return "";
      const parameters = statementParameters(forest, row);
      return PLACEHOLDER.test(sql) && parameters === "" ? "" : `${sql} ${parameters}`;
    }
    const verb = first(row, method).toUpperCase();
    if (verb !== "GET" && verb !== "HEAD") return "";
    const full = first(row, url);
    const target = full !== "" ? full : first(row, path);
    const host = first(row, server);
    return target === "" ? "" : `${verb} ${host} ${target} ${first(row, query)}`;
  };
}

/** $1, ?, :name, @p1, %s: a value that is bound apart from the text. */
const PLACEHOLDER = /\$\d|\?|(?<![:\w]):[A-Za-z_]|@\w|%s|%\(/;

/** Attributes `db.query.parameter.<key>` (and older names) in order of their keys. */
function statementParameters(forest: TraceForest, row: number): string {
  const { attributes, strings } = forest.spans;
  const found: string[] = [];
  for (let at = attributes.listStart[row]!; at < attributes.listStart[row + 1]!; at++) {
    const key = strings.get(attributes.key[at]!);
    if (!/^db\.(query\.parameter|postgresql\.values|statement\.parameters|sql\.parameters)/.test(key)) continue;
    found.push(`${key}=${attributeText(attributes, strings, at)}`);
  }
  return found.sort().join(" ");
}
