/**
 * Normal form of a database statement for grouping: literals, bound parameters
 * and comments out, lists of values folded, white space single.
 * `SELECT * FROM t WHERE id IN (1, 2) -- x` becomes `SELECT * FROM t WHERE id IN (?)`.
 *
 * Three dialects are told apart by their look: SQL, JSON (MongoDB,
 * Elasticsearch: values out, keys kept) and key-value commands (Redis,
 * Memcached: the command kept). Never throws; text that is none of them is
 * treated as SQL.
 */
export function normaliseStatement(text: string, system = ""): string {
  if (/^(redis|memcached|valkey)$/i.test(system)) return normaliseCommand(text);
  if (/^\s*[[{]/.test(text)) return normaliseJson(text);
  return foldLists(normaliseSql(text, /^postgres/i.test(system) ? POSTGRES_TOKEN : SQL_TOKEN));
}

/**
 * One pass over the text with a sticky scanner: comments, strings (SQL '...'
 * with doubled or escaped quotes, PostgreSQL $tag$...$tag$), numbers, parameters
 * ($1, :name, @p1, %s, ?), quoted identifiers, words, space, the rest.
 */
const SQL_TOKEN =
  /(\/\*[\s\S]*?(?:\*\/|$)|--[^\n]*|#(?!>)[^\n]*)|('(?:[^'\\]|\\[\s\S]|'')*(?:'|$))|(\$([A-Za-z_]*)\$[\s\S]*?(?:\$\4\$|$))|(\$\d+|(?<![:\w]):[A-Za-z_]\w*|@\w+|%s|%\(\w+\)s|\?)|("(?:[^"]|"")*(?:"|$)|`[^`]*(?:`|$)|\[[A-Za-z_]\w*\])|((?<![\w.])[-+]?(?:0x[0-9a-f]+|\d+(?:\.\d+)?(?:e[-+]?\d+)?)(?![\w]))|([A-Za-z_]\w*)|(\s+)|([\s\S])/giy;

/**
 * Strings as PostgreSQL has them (standard_conforming_strings, its default since 9.1): a backslash is a letter, but for E'...'.
 * Read otherwise, the string behind 'C:\' would stay in the text.
 */
const POSTGRES_TOKEN = new RegExp(
  SQL_TOKEN.source.replace(
    String.raw`'(?:[^'\\]|\\[\s\S]|'')*(?:'|$)`,
    () => String.raw`e'(?:[^'\\]|\\[\s\S]|'')*(?:'|$)|'(?:[^']|'')*(?:'|$)`,
  ),
  SQL_TOKEN.flags,
);

function normaliseSql(text: string, scanner: RegExp): string {
  let out = "";
  let space = false;
  const put = (piece: string): void => {
    if (space && out !== "") out += " ";
    space = false;
    out += piece;
  };
  scanner.lastIndex = 0;
  for (let match = scanner.exec(text); match !== null; match = scanner.exec(text)) {
    const [whole, comment, quoted, dollar, , parameter, identifier, number, word, white] = match;
    if (comment !== undefined || white !== undefined) space = true;
    else if (quoted !== undefined || dollar !== undefined || parameter !== undefined) put("?");
    else if (number !== undefined) put(/^[-+]/.test(number) && /[\w)?]$/.test(out) ? `${number[0]} ?` : "?");
    else if (word !== undefined) put(/^(true|false)$/i.test(word) ? "?" : word);
    else if (identifier !== undefined) put(identifier);
    else put(whole);
    if (scanner.lastIndex >= text.length) break;
  }
  return out.replace(/[\s;]+$/, "");
}

// `(?, ?, ?)` and `(?), (?)` are as long as the data of one call: one group. PostgreSQL 18 writes `($1 /*, ... */)` for a
// list of constants, which is `(? )` without its comment.
function foldLists(text: string): string {
  return text
    .replace(/\(\s*\?(?:\s*,\s*\?)*\s*\)/g, "(?)")
    .replace(/(\(\?\))(?:\s*,\s*\(\?\))+/g, "$1")
    .replace(/\[\s*\?(?:\s*,\s*\?)*\s*\]/g, "[?]");
}

function normaliseJson(text: string): string {
  return text
    .replace(/"(?:[^"\\]|\\.)*"(\s*:)?/g, (whole, colon: string | undefined) => (colon === undefined ? "?" : whole))
    .replace(/-?\b\d+(?:\.\d+)?(?:e[-+]?\d+)?\b/gi, "?")
    .replace(/\b(?:true|false)\b/g, "?")
    .replace(/\[\s*\?(?:\s*,\s*\?)*\s*\]/g, "[?]")
    .replace(/\s+/g, " ")
    .trim();
}

function normaliseCommand(text: string): string {
  const [command, ...rest] = text.trim().split(/\s+/);
  return rest.length === 0 ? (command ?? "") : `${command} ?`;
}

/** What a statement does, as far as its text tells; drives the wording and the index hint. */
export interface StatementShape {
  /** first keyword, upper case: SELECT, INSERT, ... */
  readonly verb: string;
  /** first table named behind FROM, INTO or UPDATE; "" when none */
  readonly table: string;
  /** columns compared with a value by = or IN in the WHERE clause */
  readonly equalityColumns: readonly string[];
  /** columns compared by <, >, BETWEEN, LIKE */
  readonly rangeColumns: readonly string[];
  readonly orderColumns: readonly string[];
  readonly hasWhere: boolean;
  /** aggregates, GROUP BY, DISTINCT, joins, sub-selects: work that an index on one column does not take away */
  readonly heavy: boolean;
}

/** Reads a *normalised* SQL statement. Good enough to word a hint, not a parser: unknown forms give empty fields. */
export function statementShape(normalised: string): StatementShape {
  const verb = /^\s*([A-Za-z]+)/.exec(normalised)?.[1]?.toUpperCase() ?? "";
  const table =
    /\b(?:from|into|update|join)\s+((?:["`\w]+\.)?["`\w]+)/i.exec(normalised)?.[1]?.replace(/["`]/g, "") ?? "";
  const where = /\bwhere\b([\s\S]*?)(?:\bgroup\s+by\b|\border\s+by\b|\blimit\b|\breturning\b|\bfor\s+update\b|$)/i.exec(
    normalised,
  )?.[1];
  const column = '((?:["`\\w]+\\.)?["`\\w]+)';
  const all = (pattern: RegExp, text: string): string[] => [
    ...new Set([...text.matchAll(pattern)].map((m) => m[1]!.replace(/^.*\./, "").replace(/["`]/g, ""))),
  ];
  const equalityColumns =
    where === undefined ? [] : all(new RegExp(`${column}\\s*(?:=|\\bin\\b)\\s*(?:any\\s*)?\\(?\\?`, "gi"), where);
  const rangeColumns =
    where === undefined
      ? []
      : all(new RegExp(`${column}\\s*(?:<=?|>=?|\\bbetween\\b|\\blike\\b|\\bilike\\b)\\s*\\?`, "gi"), where);
  const order = /\border\s+by\s+([^()]*?)(?:\blimit\b|\boffset\b|$)/i.exec(normalised)?.[1];
  const orderColumns = order === undefined ? [] : all(/((?:["`\w]+\.)?["`\w]+)(?:\s+(?:asc|desc))?\s*(?:,|$)/gi, order);
  const heavy =
    /\bgroup\s+by\b|\bdistinct\b|\bjoin\b|\bunion\b|\bover\s*\(|\(\s*select\b|\b(?:sum|avg|count|min|max|array_agg|string_agg|json_agg)\s*\(/i.test(
      normalised,
    );
  return { verb, table, equalityColumns, rangeColumns, orderColumns, hasWhere: where !== undefined, heavy };
}
